"""What a document names: its records by id, and how a mistake between two of them is said.

Owns ids that are given twice. What else must hold is for the checks that are built on this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bwmgr.config.kinds import nearest
from bwmgr.config.reading import Reader, Record
from bwmgr.model.said import Said

DIRECTIONS = ("down", "up")
Index = Mapping[str, Record]


def unknown(what: Said, name: str, hint: str) -> Said:
    """That nothing is called so; `hint` goes on with what would be right."""
    return Said("there is no {what} {name!r}{hint}", what=what, name=name, hint=hint)


class Named:
    """A document's records by id, the first of each id."""

    def __init__(self, reader: Reader, root: Record) -> None:
        self.blame = reader.blame
        self.policies = reader.policies
        self.root = root
        providers = root.get("providers", [])
        self._index("providers", providers)
        self.contracts = self._index("contracts", [one for provider in providers for one in provider.get("contracts", [])])
        self.devices = self._index("devices", root.get("devices", []))
        self.nodes = self._index("nodes", root.get("nodes", []))
        self.links = self._index("links", root.get("links", []))
        self.events = self._index("events", root.get("events", []))
        self.maintenance = self._index("maintenance", root.get("maintenance", []))

    def _index(self, what: str, records: Iterable[Record]) -> Index:
        found: dict[str, Record] = {}
        for record in records:
            name = record.get("id")
            if name in found:
                first = found[name]
                where = self.place(first, "id")
                problem = Said(
                    "{name!r} is an id of {what} already, at {where}; give each its own", name=name, what=what, where=where
                )
                self.blame(record, "id", problem)
            elif name is not None:
                found[name] = record
        return found

    def refer(self, record: Record, key: str, known: Iterable[str], what: Said) -> None:
        """`what` its kind is called; the English word is what its section is called, but for an s."""
        name = record.get(key)
        if name is not None and name not in known:
            hint = nearest(name, known) or Said("; add it to {section}, or correct the name", section=f"{what}s")
            self.blame(record, key, unknown(what, name, hint))

    def named(self, section: str) -> set[str]:
        """Names in a section of names, those with mistakes of their own too."""
        return set(getattr(self.root.source.entries.get(section), "entries", {}))

    def instant(self, local: datetime) -> datetime:
        """UTC of a time; one without offset is in the organisation's zone."""
        organisation = self.root.get("organisation")
        zone = organisation.get("timezone", "Asia/Jakarta") if organisation else "Asia/Jakarta"
        return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)

    def place(self, record: Record, key: str) -> str:
        """file:line of a record's key."""
        return f"{record.source.file}:{record.line(key)}"
