"""What service levels mean together: a contract's formula with its price and table, agreed maintenance with what it is about."""

from __future__ import annotations

from collections.abc import Iterable

from bwmgr.config.kinds import nearest
from bwmgr.config.named import Named, unknown
from bwmgr.config.reading import Record
from bwmgr.model.said import Said


class ServiceChecks(Named):
    def check_service(self) -> None:
        for contract in self.contracts.values():
            if (level := contract.get("sla")) is not None:
                self._service_level(contract, level)
        for window in self.maintenance.values():
            self._maintenance(window)

    def _service_level(self, contract: Record, level: Record) -> None:
        formula, keys = level.get("restitution"), level.source.entries
        if formula == "tiers" and "tiers" not in keys:
            self.blame(level, "tiers", Said("missing; restitution: tiers needs a table, such as [{{below: 99.5, percent: 5}}]"))
        if "tiers" in keys and "restitution" in level.values and formula != "tiers":
            self.blame(
                level,
                "tiers",
                Said("a table beside restitution: {formula}; write restitution: tiers, or take it away", formula=formula),
            )
        if formula == "shortfall" and "availability" not in keys:
            self.blame(level, "availability", Said("missing; restitution: shortfall is what lacks to it"))
        if formula is not None and "price" not in contract.source.entries:
            self.blame(contract, "price", Said("missing; restitution is a part of it"))

    def _maintenance(self, window: Record) -> None:
        self._known(window, "links", self.links, Said("link"))
        self._known(window, "contracts", self.contracts, Said("contract"))
        start, end = window.get("start"), window.get("end")
        if start and end and self.instant(end) <= self.instant(start):
            self.blame(
                window,
                "end",
                Said(
                    "{end} is not after the start, {start}; it is the first moment that no longer belongs to it",
                    end=end,
                    start=start,
                ),
            )

    def _known(self, window: Record, key: str, known: Iterable[str], what: Said) -> None:
        names = set(known)
        for name in window.get(key, []):
            if name not in names:
                hint = nearest(name, names) or Said("; add it to {section}", section=f"{what}s")
                self.blame(window, key, unknown(what, name, hint))
