"""Records that were found right into the nouns of `bwmgr.model` and the sections of `Settings`.

Owns defaults and the way from keys to fields. Finds no mistakes: whoever calls has made sure that there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bwmgr.config import documenting, governing, telling
from bwmgr.config.enforcing import enforcer, shaper
from bwmgr.config.reading import Record, needed, parameter_keys
from bwmgr.config.settings import (
    DaemonSection,
    NetflowSection,
    OpenDataSection,
    PolicyChoice,
    RawFlows,
    Settings,
    SnmpSection,
    StoreSettings,
    WebSection,
)
from bwmgr.engine.guards import Guards
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.inventory import (
    ALWAYS,
    Contract,
    Credential,
    Device,
    Event,
    Faces,
    Interface,
    Inventory,
    Link,
    LinkKind,
    Node,
    Organisation,
    PerDirection,
    Provider,
    ServiceClass,
    ServiceLevel,
    Site,
    SiteStatus,
    Tier,
    Uplink,
    UsmKey,
)
from bwmgr.model.service import Cause, Maintenance

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Where a reverse proxy stands unless the configuration says otherwise."""


def build(root: Record, source: Path, unlisted: Mapping[str, type]) -> Settings:
    """Settings of a document without mistakes. `unlisted`: the policies in order that hold where none are listed.

    Of those, one that needs a parameter has nothing to do until it is told, and is left out.
    """
    organisation = Organisation(**root.get("organisation").values)
    chosen = root.get("policies")
    if chosen is None:
        chosen = [PolicyChoice(name=name, parameters=class_()) for name, class_ in unlisted.items() if not needed(class_)]
    return Settings(
        inventory=_inventory(root, organisation),
        store=_store(root.get("store"), source),
        snmp=SnmpSection(**_seconds(_values(root, "snmp"), "interval", "timeout")),
        netflow=_netflow(root.get("netflow")),
        daemon=_daemon(_values(root, "daemon")),
        policies=tuple(chosen),
        guards=_guards(_values(root, "guards")),
        open_data=OpenDataSection(**_values(root, "open_data")),
        source=source,
        **documenting.sections(root.get("documents"), root.get("trial")),
        **governing.sections(root, ZoneInfo(organisation.timezone)),
        **telling.section(root.get("notify")),
    )


def _inventory(root: Record, organisation: Organisation) -> Inventory:
    return Inventory(
        organisation=organisation,
        calendars={"always": ALWAYS, **root.get("calendars", {})},
        providers={one.get("id"): _provider(one) for one in root.get("providers", [])},
        credentials={name: _credential(name, one) for name, one in root.get("credentials", {}).items()},
        devices={one.get("id"): _device(one) for one in root.get("devices", [])},
        nodes={one.get("id"): _node(one) for one in root.get("nodes", [])},
        links={one.get("id"): _link(one) for one in root.get("links", [])},
        events={one.get("id"): _event(one, ZoneInfo(organisation.timezone)) for one in root.get("events", [])},
        maintenance=tuple(_maintenance(one, ZoneInfo(organisation.timezone)) for one in root.get("maintenance", [])),
    )


def _values(root: Record, key: str) -> dict[str, Any]:
    record = root.get(key)
    return dict(record.values) if record is not None else {}


def _seconds(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {f"{name}_seconds" if name in names else name: value for name, value in values.items()}


def _store(record: Record | None, source: Path) -> StoreSettings:
    values = dict(record.values) if record is not None else {}
    folder = Path(record.source.file).parent if record is not None else source.parent
    retention = values.pop("retention", None)
    path, ca = (folder / values.pop("path", "var")).resolve(), values.pop("ca", None)
    return StoreSettings(
        path=path,
        ca=None if ca is None else (folder / ca).resolve(),
        retention_seconds=retention.get("age") if retention else None,
        retention_octets=retention.get("size") if retention else None,
        **values,
    )


def _netflow(record: Record | None) -> NetflowSection | None:
    if record is None:
        return None
    exporters = record.get("exporters") or () if "exporters" in record.values else None
    folder, raw = Path(record.source.file).absolute().parent, record.get("raw")
    return NetflowSection(
        listen=tuple(record.get("listen")),
        exporters=None if exporters is None else tuple(exporters),
        sampling=record.get("sampling", {}),
        domestic=folder / record.get("domestic") if "domestic" in record.values else None,
        services=folder / record.get("services") if "services" in record.values else None,
        raw=RawFlows(keep_seconds=raw.get("keep"), most_octets=raw.get("size")) if raw else None,
        processes=record.get("processes", 1),
    )


def _daemon(values: dict[str, Any]) -> DaemonSection:
    if "metrics" in values:
        host, port = values["metrics"]
        values["metrics"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if (web := values.pop("web", None)) is not None:
        values["web"] = _web(web)
    return DaemonSection(**_seconds(values, "recommend_every", "report_every"))


def _web(record: Record) -> WebSection:
    proxies = tuple(record.get("proxies") or LOOPBACK)
    return WebSection(
        listen=record.get("listen"),
        token=record.get("token"),
        user_header=record.get("user_header"),
        proxies=proxies if "user_header" in record.values else (),
    )


def _guards(values: Mapping[str, Any]) -> Guards:
    return Guards(**{name: values[key] for name, key in parameter_keys(Guards).items() if key in values})


def _pair(record: Record | None, otherwise: Any) -> PerDirection[Any]:
    if record is None:
        return PerDirection(down=otherwise, up=otherwise)
    return PerDirection(down=record.get("down"), up=record.get("up"))


def _provider(record: Record) -> Provider:
    contracts = tuple(_contract(one, record.get("id")) for one in record.get("contracts", []))
    return Provider(id=record.get("id"), name=record.get("name"), contracts=contracts)


def _contract(record: Record, provider: str) -> Contract:
    values = dict(record.values)
    sla = values.pop("sla", None)
    return Contract(
        provider=provider,
        capacity=PerDirection(down=values.pop("down"), up=values.pop("up")),
        sla=ServiceLevel() if sla is None else _service_level(sla),
        international_bps=values.pop("international", None),
        domestic_bps=values.pop("domestic", None),
        **values,
    )


def _service_level(record: Record) -> ServiceLevel:
    values = _seconds(dict(record.values), "least_outage")
    tiers = tuple(Tier(below_percent=one.get("below"), percent=one.get("percent")) for one in values.pop("tiers", []))
    if "exclude" in values:
        values["exclude"] = tuple(map(Cause, values["exclude"]))
    return ServiceLevel(availability_percent=values.pop("availability", None), tiers=tiers, **values)


def _credential(name: str, record: Record) -> Credential:
    values = dict(record.values)
    for half in ("auth", "priv"):
        if half in values:
            values[half] = UsmKey(**values[half].values)
    return Credential(id=name, **values)


def _interface(record: Record) -> Interface:
    return Interface(**{**record.values, "faces": Faces(record.get("faces"))})


def _device(record: Record) -> Device:
    values = dict(record.values)
    if "enforce" in values:
        values["enforce"] = enforcer(record.get("enforce"))
    return Device(**values)


def _node(record: Record) -> Node:
    values = {"name": record.get("id"), **record.values}
    values["capacity"] = _pair(record.get("capacity"), None)
    values["cir"] = _pair(record.get("cir"), 0)
    uplinks = record.get("uplinks", [])
    values["uplinks"] = tuple(Uplink(interface=_interface(one.get("interface")), contract=one.get("contract")) for one in uplinks)
    return Node(**values)


def _link(record: Record) -> Link:
    values = {"name": record.get("id"), **record.values}
    values["kind"] = LinkKind(record.get("kind"))
    values["limit"] = _pair(record.get("limit"), None)
    values["cir"] = _pair(record.get("cir"), 0)
    values["mir"] = _pair(record.get("mir"), None)
    values["networks"] = tuple(record.get("networks", []))
    if "interface" in values:
        values["interface"] = _interface(record.get("interface"))
    if "shaper" in values:
        values["shaper"] = shaper(record.get("shaper"))
    if "class" in values:
        values["service_class"] = ServiceClass(values.pop("class"))
    if "bandwidth_function" in values:
        function = BandwidthFunction(tuple((level, rate) for level, rate in values["bandwidth_function"]))
        values |= {"bandwidth_function": function, "mir": _ended(function, values["cir"], values["mir"])}
    if "site" in values:
        site = record.get("site").values
        values["site"] = Site(**{**site, "status": SiteStatus(site.get("status", "active"))})
    return Link(**values)


def _ended(function: BandwidthFunction, cir: PerDirection[int], mir: PerDirection[int | None]) -> PerDirection[int | None]:
    """The MIR, or sooner, where the function ends on top of the CIR."""
    ends = PerDirection(down=cir.down + int(function.most_bps), up=cir.up + int(function.most_bps))
    return PerDirection(
        down=ends.down if mir.down is None else min(mir.down, ends.down),
        up=ends.up if mir.up is None else min(mir.up, ends.up),
    )


def _event(record: Record, zone: ZoneInfo) -> Event:
    return Event(
        id=record.get("id"),
        links=tuple(record.get("links")),
        down_bps=record.get("down"),
        up_bps=record.get("up"),
        start=_utc(record.get("start"), zone),
        end=_utc(record.get("end"), zone),
        service_class=ServiceClass(record.get("class", "critical")),
    )


def _maintenance(record: Record, zone: ZoneInfo) -> Maintenance:
    return Maintenance(
        id=record.get("id"),
        start=_utc(record.get("start"), zone),
        end=_utc(record.get("end"), zone),
        links=tuple(record.get("links", ())),
        contracts=tuple(record.get("contracts", ())),
    )


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
