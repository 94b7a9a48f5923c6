"""The inventory back in the configuration's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from bwmgr.config.enforcing import shown_enforcer, shown_shaper
from bwmgr.model.inventory import (
    Calendar,
    Contract,
    Credential,
    Device,
    Event,
    Interface,
    Inventory,
    Link,
    Node,
    PerDirection,
    Provider,
    ServiceLevel,
    Site,
    UsmKey,
)
from bwmgr.model.secret import Secret
from bwmgr.model.service import Maintenance
from bwmgr.model.units import duration_text, rate_text

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Shown = dict[str, Any]


def inventory(known: Inventory) -> Shown:
    """All of it, in the order of a configuration; no secret is among it."""
    office = known.organisation
    zone = ZoneInfo(office.timezone)
    sections = {
        "calendars": {name: _calendar(one) for name, one in known.calendars.items() if name != "always"},
        "credentials": {name: _credential(one) for name, one in known.credentials.items()},
        "providers": [_provider(one) for one in known.providers.values()],
        "devices": [_device(one) for one in known.devices.values()],
        "nodes": [_node(one) for one in known.nodes.values()],
        "links": [_link(one) for one in known.links.values()],
        "events": [_event(one, zone) for one in known.events.values()],
        "maintenance": [_maintenance(one, zone) for one in known.maintenance],
    }
    names = ("name", "timezone", "language", "currency")
    return {"organisation": {key: getattr(office, key) for key in names}, **{key: one for key, one in sections.items() if one}}


def given(**keys: Any) -> Shown:
    """Only what says something; `class_` loses its underscore."""
    return {key.rstrip("_"): value for key, value in keys.items() if value is not None and value not in ({}, [], "")}


def secret(hidden: Secret | None) -> Shown | None:
    """Where it comes from, never what it is."""
    if hidden is None:
        return None
    kind, _, name = hidden.source.partition(":")
    return {kind: name}


def _calendar(calendar: Calendar) -> Shown:
    week = _week(calendar.weekly) if calendar.weekly is not None else {}
    return {**week, **given(holidays=calendar.holidays, closed=sorted(day.isoformat() for day in calendar.closed))}


def _week(weekly: Sequence[tuple[tuple[time, time | None], ...]]) -> Shown:
    """Days with their hours; days in a row with the same ones as a span."""
    shown: Shown = {}
    first = 0
    for day in range(1, 8):
        if day < 7 and weekly[day] == weekly[first]:
            continue
        name = _DAYS[first] if first == day - 1 else f"{_DAYS[first]}-{_DAYS[day - 1]}"
        shown[name] = _hours(weekly[first]) or "closed"
        first = day
    return shown


def _hours(hours: Iterable[tuple[time, time | None]]) -> str:
    return ", ".join(f"{opens:%H:%M}-{f'{closes:%H:%M}' if closes else '24:00'}" for opens, closes in hours)


def _credential(credential: Credential) -> Shown:
    return given(
        version=credential.version,
        community=secret(credential.community),
        user=credential.user,
        auth=_usm(credential.auth),
        priv=_usm(credential.priv),
        context=credential.context,
    )


def _usm(key: UsmKey | None) -> Shown | None:
    return None if key is None else {"protocol": key.protocol, "key": secret(key.key)}


def _provider(provider: Provider) -> Shown:
    return given(id=provider.id, name=provider.name, contracts=[_contract(one) for one in provider.contracts])


def _contract(contract: Contract) -> Shown:
    return given(
        id=contract.id,
        **_rates(contract.capacity),
        price=contract.price,
        per=contract.per,
        start=contract.start and contract.start.isoformat(),
        end=contract.end and contract.end.isoformat(),
        sla=_service_level(contract.sla),
        international=_rate(contract.international_bps),
        domestic=_rate(contract.domestic_bps),
    )


def _service_level(level: ServiceLevel) -> Shown:
    if level == ServiceLevel():
        return {}
    return given(
        availability=level.availability_percent,
        restitution=level.restitution,
        tiers=[{"below": tier.below_percent, "percent": tier.percent} for tier in level.tiers],
        exclude=None if level.exclude is None else [str(cause) for cause in level.exclude],
        least_outage=duration_text(level.least_outage_seconds),
        covers=level.covers,
    )


def _device(device: Device) -> Shown:
    keys = ("id", "address", "port", "credentials", "vendor", "unconnected")
    return given(**{key: getattr(device, key) for key in keys}, enforce=shown_enforcer(device.enforce))


def _node(node: Node) -> Shown:
    return given(
        id=node.id,
        name=node.name,
        parent=node.parent,
        capacity=None if node.capacity.down is None else _rates(node.capacity),
        cir=_rates(node.cir) if node.cir.down or node.cir.up else None,
        weight=node.weight,
        fairness=node.fairness,
        oversubscription=node.oversubscription,
        uplinks=[given(interface=_interface(one.interface), contract=one.contract) for one in node.uplinks],
    )


def _link(link: Link) -> Shown:
    return given(
        id=link.id,
        name=link.name,
        kind=link.kind.value,
        parent=link.parent,
        interface=_interface(link.interface),
        limit=_rates(link.limit),
        cir=_rates(link.cir),
        mir=_rates(link.mir),
        weight=None if link.bandwidth_function else link.weight,
        bandwidth_function=_points(link),
        class_=link.service_class.value,
        calendar=link.calendar,
        networks=[str(network) for network in link.networks],
        site=_site(link.site),
        opd=link.opd,
        shaper=shown_shaper(link.shaper),
    )


def _points(link: Link) -> list[list[str]] | None:
    function = link.bandwidth_function
    return None if function is None else [[rate_text(int(level)), rate_text(int(rate))] for level, rate in function.points]


def _site(site: Site) -> Shown:
    keys = {key: getattr(site, key) for key in ("kecamatan", "kelurahan", "code", "lat", "lon", "medium", "reason")}
    return given(**keys, status=site.status.value, since=site.since and site.since.isoformat())


def _event(event: Event, zone: ZoneInfo) -> Shown:
    return given(
        id=event.id,
        links=list(event.links),
        down=_rate(event.down_bps),
        up=_rate(event.up_bps),
        start=event.start.astimezone(zone).isoformat(),
        end=event.end.astimezone(zone).isoformat(),
        class_=event.service_class.value,
    )


def _maintenance(window: Maintenance, zone: ZoneInfo) -> Shown:
    return given(
        id=window.id,
        start=window.start.astimezone(zone).isoformat(),
        end=window.end.astimezone(zone).isoformat(),
        links=list(window.links),
        contracts=list(window.contracts),
    )


def _interface(interface: Interface | None) -> Shown | None:
    if interface is None:
        return None
    keys = {key: getattr(interface, key) for key in ("device", "if_name", "if_alias")}
    return given(**keys, faces=interface.faces.value)


def _rates(pair: PerDirection[int] | PerDirection[int | None]) -> Shown:
    return {
        "down": "none" if pair.down is None else rate_text(pair.down),
        "up": "none" if pair.up is None else rate_text(pair.up),
    }


def _rate(rate_bps: int | None) -> str | None:
    return None if rate_bps is None else rate_text(rate_bps)
