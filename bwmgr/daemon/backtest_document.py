"""A backtest as one JSON document and as rows: names, units and order that scripts may rely on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bwmgr.daemon.backtesting import Backtest, Replayed
from bwmgr.daemon.status import rfc3339

_DIGITS = 6
_WHOLE = ("delivered_octets",)


def document(made: Backtest) -> dict[str, Any]:
    """`backtest --format json`."""
    return {
        "start": rfc3339(made.start),
        "end": rfc3339(made.end),
        "step_seconds": made.step_seconds,
        "bottleneck": made.bottleneck,
        "policies": list(made.policies),
        "coverage_ratio": round(made.coverage_ratio, _DIGITS),
        "silent": list(made.silent),
        "results": [{**_result(entry), "applied": dict(entry.applied)} for entry in made.replays],
    }


def rows(made: Backtest) -> Iterator[dict[str, Any]]:
    """`backtest --format csv`: a row for each direction and rule."""
    for entry in made.replays:
        yield {**_result(entry), "bottleneck": made.bottleneck}


def _result(entry: Replayed) -> dict[str, Any]:
    scores = {
        name: figure if figure is None else round(figure) if name in _WHOLE else round(figure, _DIGITS)
        for name, figure in asdict(entry.scores).items()
    }
    return {"direction": str(entry.direction), "rule": entry.name, **scores}
