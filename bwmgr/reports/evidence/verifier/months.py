"""Figures of closed months in a pack, again from the samples: use of each link over its own calendar and around the clock.

Owns which months can be recomputed: the last revision of each that lies whole within the pack's period. Earlier revisions are
what was printed then; the journal knows their hashes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .samples import Figures, Sample, Spans, rates, usage

FOLDER = "reports/monthly"
FIGURES = ("samples", "octets", "mean_bps", "p95_bps", "max_bps", "coverage_ratio", "saturated_ratio")


class Month(NamedTuple):
    """One closed month; `links` by id as they stand in the file."""

    file: str
    start_ms: int
    end_ms: int
    links: dict[str, Any]


def months(files: dict[str, bytes], start_ms: int, end_ms: int) -> list[Month]:
    """Those of `files` (name -> content) that can be recomputed. Raises: ValueError, KeyError, TypeError."""
    last: dict[str, tuple[int, str]] = {}
    for name in files:
        label, revision = name.rpartition("/")[2].removesuffix(".json").rsplit(".", 1)
        last[label] = max(last.get(label, (0, "")), (int(revision), name))
    found = []
    for _, name in sorted(last.values()):
        said = json.loads(files[name])
        month = Month(name, _ms(said["start"]), _ms(said["end"]), {link["id"]: link for link in said["links"]})
        if start_ms <= month.start_ms and month.end_ms <= end_ms:
            found.append(month)
    return found


def again(
    month: Month, link: str, samples: Sequence[Sample], calendars: dict[str, Any], methods: dict[str, Any]
) -> Iterator[tuple[str, Figures, dict[str, Any]]]:
    """(what, recomputed, as printed) of each calendar and direction of a link; nothing where the month does not know it."""
    for kind in ("office", "always") if link in month.links else ():
        for direction, printed in month.links[link][kind].items():
            bounds = [[max(a, month.start_ms), min(b, month.end_ms)] for a, b in calendars[printed["calendar"]]]
            spans = Spans([span for span in bounds if span[0] < span[1]])
            yield f"{link} {direction} {printed['calendar']}", usage(rates(samples, spans), direction, spans, methods), printed


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
