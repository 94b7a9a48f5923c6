"""What the inventory says and InfluxDB does not: names, places, capacities, contracts, as small tables inside a panel.

Names change, so they are no tags (the store keeps ids). Panels join these lists to measured rows by id. Grafana's built-in
TestData source serves them: it gives back the CSV that stands in the query, and asks nobody.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery

from bwmgr.language import Words
from bwmgr.model.inventory import Contract, Inventory
from bwmgr.reports.grafana.target import LISTS_UID

_MONTHS_A_YEAR = 12
_MEGA = 1e6

Row = Mapping[str, str | int | float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListQuery(Dataquery, Builder[Dataquery]):
    """A list as a query: one frame with the columns of `rows`."""

    ref: str
    rows: tuple[Row, ...]

    def build(self) -> ListQuery:
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            "refId": self.ref,
            "datasource": {"type": "grafana-testdata-datasource", "uid": LISTS_UID},
            "scenarioId": "csv_content",
            "csvContent": as_csv(self.rows),
        }


def as_csv(rows: Iterable[Row]) -> str:
    """With a header; no rows give an empty text. A name that begins like a formula is left as it is: no spreadsheet reads it."""
    found = list(rows)
    text = io.StringIO()
    if found:
        writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    return text.getvalue()


def links(inventory: Inventory) -> tuple[Row, ...]:
    """Each link's name, place and terms, bit/s."""
    return tuple(
        {
            "link": link.id,
            "name": link.name,
            "kecamatan": link.site.kecamatan,
            "cir_down_bps": link.cir.down,
            "mir_down_bps": link.mir.down,
            "cir_up_bps": link.cir.up,
            "mir_up_bps": link.mir.up,
            "medium": link.site.medium,
        }
        for link in inventory.links.values()
    )


def names(inventory: Inventory) -> tuple[Row, ...]:
    """Each link's name and kecamatan."""
    return tuple({"link": link.id, "name": link.name, "kecamatan": link.site.kecamatan} for link in inventory.links.values())


def places(inventory: Inventory) -> tuple[Row, ...]:
    """Where links with coordinates are, degrees."""
    return tuple(
        {"link": link.id, "name": link.name, "latitude": link.site.lat, "longitude": link.site.lon}
        for link in inventory.links.values()
        if link.site.lat is not None and link.site.lon is not None
    )


def nodes(inventory: Inventory) -> tuple[Row, ...]:
    """The capacity tree: each node's name and parent."""
    return tuple({"node": node.id, "name": node.name, "parent": node.parent} for node in inventory.nodes.values())


def contracts(inventory: Inventory) -> tuple[Row, ...]:
    """Each polled uplink's provider and contract; `monthly_per_mega` divided by bit/s is the price of one Mbit/s a month."""
    return tuple(
        {
            "link": name,
            "provider": inventory.providers[contract.provider].name,
            "promised_bps": contract.capacity.down,
            "sla_ratio": None if contract.sla.availability_percent is None else contract.sla.availability_percent / 100,
            "monthly_price": (price := monthly_price(contract)),
            "monthly_per_mega": None if price is None else price * _MEGA,
        }
        for name, contract in inventory.uplink_contracts.items()
    )


def monthly_price(contract: Contract) -> float | None:
    """What it costs in a month; of a price for the whole contract, its part by days. None where it is not known."""
    if contract.price is None:
        return None
    if contract.per == "month":
        return float(contract.price)
    if contract.per == "year":
        return contract.price / _MONTHS_A_YEAR
    if contract.start is None or contract.end is None:
        return None
    days = (contract.end - contract.start).days + 1
    return contract.price / days * 365 / _MONTHS_A_YEAR


def events(inventory: Inventory, words: Words) -> tuple[Row, ...]:
    """Dated reservations, instants as people read them."""
    return tuple(
        {
            "event": event.id,
            "links": " ".join(event.links),
            "start": words.instant(event.start),
            "end": words.instant(event.end),
            "promised_down_bps": event.down_bps,
            "promised_up_bps": event.up_bps,
        }
        for event in inventory.events.values()
    )
