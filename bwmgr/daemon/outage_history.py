"""Outages of links and uplinks over a window, from whatever store holds the rates, with their causes.

Owns which series are read and which of them bear witness to the poller's own health. What an outage is, and why it was, is
`bwmgr.measure`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from bwmgr.daemon.judging import judged, said
from bwmgr.daemon.polling import is_polled
from bwmgr.errors import UsageError
from bwmgr.measure.causes import with_causes
from bwmgr.measure.outages import COLUMNS, Instants, Timeline, answered, compacted, names_apart, outages, timelines
from bwmgr.model.said import Said
from bwmgr.model.service import Outage
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

LOOK_AROUND = timedelta(days=31)
"""So long before and after the window rows are read, so that an outage that reaches beyond it is known whole."""
_WITNESSES = 50
"""Links, each on a device of its own, that tell whether the poller reached anybody."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of the series looked at, from `LOOK_AROUND` before the window to as long after it."""

    lines: Mapping[str, Timeline]
    least_seconds: Mapping[str, float]
    found: tuple[Outage, ...]
    """Rising by series and time, causes and people's words with them; also those outside the window."""

    def of(self, series: str) -> tuple[Outage, ...]:
        return self._by_series.get(series, ())

    @cached_property
    def _by_series(self) -> Mapping[str, tuple[Outage, ...]]:
        return {name: tuple(some) for name, some in groupby(self.found, key=lambda outage: outage.series)}


def gather(
    application: Application, start: datetime, end: datetime, *, links: Sequence[str] = (), least_seconds: float | None = None
) -> Evidence:
    """Of all uplinks and these links. `least_seconds` None: as the contract of each uplink says, else five minutes."""
    inventory, store = application.inventory, application.store
    first, last = start - LOOK_AROUND, end + LOOK_AROUND
    witnesses = _witnesses(application, first, last)
    least = {name: _least(application, name, least_seconds) for name in (*dict.fromkeys(links), *_uplinks(application))}
    lines: dict[str, Timeline] = {}
    for measurement, names in ((LINK_RATE, list(dict.fromkeys(links))), (UPLINK_RATE, _uplinks(application))):
        if not names:
            continue
        for batch in store.chunks(measurement, start=first, end=last, series=names, columns=COLUMNS):
            made = timelines(batch, witnesses=witnesses, usual=measurement == UPLINK_RATE)
            lines.update({line.series: compacted(line) for line in made})
    found = [outage for name, line in lines.items() for outage in outages(line, least_seconds=least[name])]
    causes = with_causes(inventory, found, inventory.maintenance)
    return Evidence(lines=lines, least_seconds=least, found=judged(causes, said(application.state)))


def choose_series(application: Application, names: Sequence[str]) -> list[str]:
    """Links and uplinks of these names; all polled ones where none is given. Raises: UsageError for another name."""
    inventory = application.inventory
    known = [link.id for link in inventory.links.values() if is_polled(link)] + _uplinks(application)
    for name in names:
        if name not in inventory.links and name not in known:
            raise UsageError(Said("no link or uplink {name!r} in the configuration", name=name))
    return list(names) or known


def _uplinks(application: Application) -> list[str]:
    return [name for name, _, _ in application.inventory.uplinks()]


def _least(application: Application, name: str, given: float | None) -> float:
    from bwmgr.measure.outages import DEFAULT_LEAST_SECONDS

    contract = application.inventory.uplink_contracts.get(name)
    return given if given is not None else contract.sla.least_outage_seconds if contract else DEFAULT_LEAST_SECONDS


def _witnesses(application: Application, start: datetime, end: datetime) -> Instants | None:
    """When anybody answered; None where all stands on one device."""
    inventory, store = application.inventory, application.store
    links: dict[str, str] = {}
    for link in inventory.links.values():
        if link.interface is not None and is_polled(link) and len(links) < _WITNESSES:
            links.setdefault(link.interface.device, link.id)
    uplinks = {name: uplink.interface.device for name, _, uplink in inventory.uplinks()}
    if not names_apart([*links, *uplinks.values()]):
        return None
    heard = [np.empty(0, np.int64)]
    for measurement, names in ((LINK_RATE, list(links.values())), (UPLINK_RATE, list(uplinks))):
        if names:
            batches = store.chunks(measurement, start=start, end=end, series=names, columns=("end_ms", "reason"))
            heard += [answered(batch) for batch in batches]
    return np.unique(np.concatenate(heard))
