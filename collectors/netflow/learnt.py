"""What exporters say of themselves in options records: names of their applications and interfaces.

Owns which elements carry them and the bound on how much is remembered. Sampling is learnt in `meaning`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from collectors.netflow.elements import V9_SCOPE_PEN
from collectors.netflow.records import Record

_APPLICATION_ID, _APPLICATION_NAME, _APPLICATION_DESCRIPTION = 95, 96, 94
_INGRESS, _INTERFACE_NAME, _INTERFACE_DESCRIPTION = 10, 82, 83
_SCOPE_INTERFACE = 2
_MOST = 65_536
_LONGEST_NAME = 128


@dataclass
class Learnt:
    """By exporter's address: `applications` has names by applicationId, `interfaces` names by ifIndex."""

    applications: dict[str, dict[int, str]] = field(default_factory=dict)
    interfaces: dict[str, dict[int, str]] = field(default_factory=dict)
    version: int = 0
    """Grows with every change."""
    _count: int = 0

    def learn(self, record: Record) -> None:
        """Takes in an options record; one that names nothing says nothing here."""
        exporter = str(record.context.exporter)
        application = record.number(_APPLICATION_ID)
        if application is not None:
            self._put(self.applications, exporter, application, _text(record, _APPLICATION_NAME, _APPLICATION_DESCRIPTION))
        interface = record.number(_INGRESS)
        if interface is None:
            interface = record.number(_SCOPE_INTERFACE, V9_SCOPE_PEN)
        if interface is not None:
            self._put(self.interfaces, exporter, interface, _text(record, _INTERFACE_NAME, _INTERFACE_DESCRIPTION))

    def all_applications(self) -> dict[int, str]:
        """Names by applicationId over all exporters: routers of one vendor agree on them (RFC 6759)."""
        return {identity: name for names in self.applications.values() for identity, name in names.items()}

    def _put(self, names: dict[str, dict[int, str]], exporter: str, number: int, name: str) -> None:
        known = names.setdefault(exporter, {}) if exporter in names or len(names) < _MOST else {}
        if not name or known.get(number) == name:
            return
        if number not in known:
            if self._count >= _MOST:
                return
            self._count += 1
        known[number] = name
        self.version += 1


def _text(record: Record, *elements: int) -> str:
    """The first of some elements that has text."""
    for number in elements:
        for specifier, octets in record.fields():
            if specifier.id == number and specifier.pen == 0:
                text = octets.partition(b"\0")[0].decode("utf-8", "replace").strip()
                if text:
                    return text[:_LONGEST_NAME]
    return ""
