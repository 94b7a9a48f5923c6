"""Writes collectors/netflow/iana.csv from IANA's IPFIX registry: `python tools/elements.py ipfix.xml`.

`ipfix.xml` is the registry "IP Flow Information Export (IPFIX) Entities" as IANA publishes it (RFC 7012 section 7.1). Only facts
are taken: number, name, abstract data type and semantics. The same registry gives the same bytes; the first line says its date.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

TARGET = Path(__file__).resolve().parents[1] / "collectors" / "netflow" / "iana.csv"
_SPACE = "{http://www.iana.org/assignments}"
COLUMNS = ("id", "name", "type", "semantics")


def elements(registry: ElementTree.Element) -> Iterator[tuple[int, str, str, str]]:
    """Assigned elements in the order of their numbers; reserved and unassigned ranges are left out."""
    found = []
    for record in registry.iter(f"{_SPACE}record"):
        number, kind = record.findtext(f"{_SPACE}elementId", ""), record.findtext(f"{_SPACE}dataType")
        if kind and number.isdecimal():
            semantics = record.findtext(f"{_SPACE}dataTypeSemantics") or "default"
            found.append((int(number), record.findtext(f"{_SPACE}name", ""), kind, semantics))
    yield from sorted(found)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    registry = ElementTree.parse(arguments[0]).getroot()  # noqa: S314 - a file that the developer has just downloaded
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        file.write(
            f"# IANA IPFIX Information Elements of {registry.findtext(f'{_SPACE}updated')}; written by tools/elements.py\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(elements(registry))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
