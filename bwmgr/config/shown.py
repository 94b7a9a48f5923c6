"""Effective settings in the configuration's own words: what `config show` prints can be loaded again, and is the same.

Owns the way from settings back to keys; defaults are written out, secrets only as where they come from. The inventory's part is
`bwmgr.config.shown_inventory`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from bwmgr.config import documenting, governing, telling
from bwmgr.config.reading import parameter_keys
from bwmgr.config.settings import OpenDataSection
from bwmgr.config.shown_inventory import Shown, given, inventory, secret
from bwmgr.model.units import duration_text, rate_text

if TYPE_CHECKING:
    from bwmgr.config.settings import DaemonSection, NetflowSection, PolicyChoice, Settings, StoreSettings, WebSection


def document(settings: Settings) -> Shown:
    """Plain values for JSON or YAML; no secret is among them, and paths are absolute."""
    snmp = settings.snmp
    parts = inventory(settings.inventory)
    return {
        "organisation": parts.pop("organisation"),
        "store": _store(settings.store),
        "snmp": {
            "interval": duration_text(snmp.interval_seconds),
            "timeout": duration_text(snmp.timeout_seconds),
            "retries": snmp.retries,
        },
        **({"netflow": _netflow(settings.netflow)} if settings.netflow else {}),
        "daemon": _daemon(settings.daemon),
        **parts,
        "policies": [_policy(choice) for choice in settings.policies],
        **documenting.shown(settings),
        **governing.shown(settings),
        **telling.shown(settings),
        **({"open_data": given(**asdict(settings.open_data))} if settings.open_data != OpenDataSection() else {}),
        "guards": _parameters(settings.guards),
    }


def _store(store: StoreSettings) -> Shown:
    retention = given(
        age=None if store.retention_seconds is None else duration_text(store.retention_seconds),
        size=None if store.retention_octets is None else _size(store.retention_octets),
    )
    words = {key: getattr(store, key) for key in ("url", "org", "bucket", "database", "username")}
    words["ca"] = None if store.ca is None else str(store.ca)
    hidden = {"token": secret(store.token), "password": secret(store.password)}
    counters = store.interface_counters if store.kind == "influxdb" else None
    return given(kind=store.kind, path=str(store.path), retention=retention, **words, interface_counters=counters, **hidden)


def _netflow(netflow: NetflowSection) -> Shown:
    exporters = None if netflow.exporters is None else [str(network) for network in netflow.exporters] or "any"
    raw = netflow.raw
    kept = raw and given(
        keep=None if raw.keep_seconds is None else duration_text(raw.keep_seconds),
        size=None if raw.most_octets is None else _size(raw.most_octets),
    )
    return {
        "listen": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in netflow.listen],
        **given(exporters=exporters, sampling=dict(netflow.sampling)),
        **given(domestic=netflow.domestic and str(netflow.domestic), services=netflow.services and str(netflow.services)),
        **({} if kept is None else {"raw": kept}),
        **given(processes=netflow.processes if netflow.processes > 1 else None),
    }


def _daemon(daemon: DaemonSection) -> Shown:
    return given(
        metrics=daemon.metrics,
        web=daemon.web and _web(daemon.web),
        recommend_every=duration_text(daemon.recommend_every_seconds),
        report_every=duration_text(daemon.report_every_seconds),
        log_format=daemon.log_format,
        log_level=daemon.log_level,
    )


def _web(web: WebSection) -> Shown:
    host, port = web.listen
    return given(
        listen=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        token=secret(web.token),
        user_header=web.user_header,
        proxies=[str(network) for network in web.proxies] or None,
    )


def _policy(choice: PolicyChoice) -> Shown:
    return {"policy": choice.name, **_parameters(choice.parameters)}


def _parameters(parameters: object) -> Shown:
    """Of a policy, or the guards."""
    keys = parameter_keys(type(parameters))
    named = fields(parameters)  # type: ignore[arg-type]  # an object to whoever does not know the policy
    return given(**{keys[field.name]: _parameter(field.name, getattr(parameters, field.name)) for field in named})


def _parameter(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_seconds"):
        return duration_text(value)
    if name.endswith("_bps"):
        return rate_text(value)
    if name.endswith("_ratio"):
        return f"{value * 100:.9f}".rstrip("0").rstrip(".") + "%"
    return list(value) if isinstance(value, tuple) else value


def _size(octets: int) -> str:
    return f"{rate_text(octets)}B" if octets >= 1000 else f"{octets / 1000:.3f}kB"
