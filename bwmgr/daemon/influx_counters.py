"""The poller's readings as Telegraf's measurement `interface`, for dashboards that were made for that one.

Owns the tags of an interface (INTERFACE: InfluxDB schema): device, name, description and index as the agent has them now, and the
link or uplink that is measured there. Which fields there are is `bwmgr.stores.influx.counters`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwmgr.model.inventory import Interface, Inventory
from bwmgr.stores.influx.counters import CounterLines

if TYPE_CHECKING:
    from bwmgr.daemon.polling import CycleReport
    from collectors.snmp.outcome import Whereabouts


class Counters:
    """Makes the lines of a cycle; tags are worked out anew only where something was found elsewhere."""

    def __init__(self, inventory: Inventory) -> None:
        self._links = _measured_on(inventory)
        self._where: Whereabouts | None = None
        self._lines = CounterLines(())

    def points(self, report: CycleReport) -> bytes:
        """Nothing where the collector does not say where it found its interfaces. Raises: StoreRejected."""
        where, readings = report.whereabouts, report.readings
        if where is None or readings is None:
            return b""
        if where is not self._where:
            self._lines, self._where = CounterLines([self._tags(where, row) for row in range(len(where.interfaces))]), where
        return self._lines.body(readings)

    def _tags(self, where: Whereabouts, row: int) -> dict[str, str]:
        interface, if_index = where.interfaces[row], int(where.if_indexes[row])
        tags = {
            "source": interface.device,
            "ifName": interface.if_name or "",
            "ifDescr": where.descriptions[row].replace("\\", "/"),  # line protocol cannot say every backslash
            "ifIndex": str(if_index) if if_index else "",
            "link": self._links.get((interface.device, interface.name), ""),
        }
        return {name: value for name, value in tags.items() if value}


def _measured_on(inventory: Inventory) -> dict[tuple[str, str], str]:
    """(device, interface) -> the link there, or else the uplink."""
    pairs: list[tuple[Interface | None, str]] = [(uplink.interface, name) for name, _, uplink in inventory.uplinks()]
    pairs += [(link.interface, link.id) for link in inventory.links.values()]
    return {(interface.device, interface.name): name for interface, name in pairs if interface is not None}
