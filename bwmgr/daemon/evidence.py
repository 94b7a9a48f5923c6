"""`recommendations show ID --evidence DIR`: all that a recommendation rests on, as files that another program can recompute.

Owns the files: `samples.csv` (the link's samples in the window and calendar), `parameters.json` (what was configured),
`values.json` (what each step came to), `SHA256SUMS`. `docs/recompute.py` is that other program. The run of then is repeated on
the history and configuration of now; where either has changed since, the files say so (`reproduced`: false).
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.advice import gather
from bwmgr.daemon.evidence_node import node_samples
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.daemon.status import rfc3339
from bwmgr.engine.document import recommendation_document
from bwmgr.engine.evidence import Problem, Trace, trace
from bwmgr.errors import UsageError, unwritable
from bwmgr.measure.behind import COLUMNS as DEMAND_COLUMNS
from bwmgr.measure.calendars import spans
from bwmgr.measure.windows import COLUMNS as WINDOW_COLUMNS
from bwmgr.model.decision import Action, Recommendation
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bwmgr.daemon.application import Application
    from bwmgr.model.policy import PolicyInput
    from bwmgr.model.usage import UsageWindow

_COLUMNS = tuple(dict.fromkeys((*WINDOW_COLUMNS, *DEMAND_COLUMNS)))
SAMPLES, PARAMETERS, VALUES, SUMS = "samples.csv", "parameters.json", "values.json", "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files, and whether the repeated run says the same as the recommendation."""

    files: tuple[Path, ...]
    reproduced: bool


def write_evidence(application: Application, found: Recommendation, folder: Path) -> Written:
    """Writes the evidence of one recommendation into `folder`, which is made where it is missing.

    Of a statement about a node (buy, sell) the samples are those of the sum, or of the part of its contracts.

    Raises: UsageError for a link or node that is gone, a node whose history has changed, or a folder that cannot be written.
    """
    of_node = found.link in application.inventory.nodes and found.action in (Action.BUY, Action.SELL)
    if not of_node and found.link not in application.inventory.links:
        raise UsageError(
            Said(
                "{id} is about {link}, which is not in the configuration any more: it has no samples",
                id=found.id,
                link=found.link,
            )
        )
    samples = node_samples(application, found) if of_node else None
    known = [entry for entry in application.state.recommendations() if entry.created_at < found.created_at]
    given = gather(application, found.created_at, known)
    modules = policy_modules()
    choices = [(choice.name, modules[choice.name].propose, choice.parameters) for choice in application.settings.policies]
    seen = trace(choices, given, application.settings.guards, found.link, found.direction, author=found.author, id_=found.id)
    reproduced = seen.recommendation is not None and seen.recommendation.id == found.id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / SAMPLES, _link_samples(application, found) if samples is None else _as_rows(*samples))
        _write_json(folder / PARAMETERS, _parameters(application, found, given))
        _write_json(folder / VALUES, _values(found, given, seen, reproduced))
        files = [folder / name for name in (SAMPLES, PARAMETERS, VALUES)]
        sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
        (folder / SUMS).write_text(sums)
    except OSError as error:
        raise UsageError(unwritable(folder, error)) from error
    return Written(files=(*files, folder / SUMS), reproduced=reproduced)


def _as_rows(ends_ms: NDArray[np.int64], rates: NDArray[np.float64], seconds: int) -> Iterable[tuple[float, ...]]:
    """Of a sum, which has no limit and no discards."""
    return ((end_ms, 100 * seconds, rate, math.inf, 0.0) for end_ms, rate in zip(ends_ms.tolist(), rates.tolist(), strict=True))


def _write(path: Path, rows: Iterable[Sequence[float]]) -> None:
    """Rates in full precision, so that nothing is lost between the store and the file; `inf`: no limit."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["end_ms", "interval_ticks", "rate_bps", "limit_bps", "discards_ps"])
        writer.writerows(rows)


def _link_samples(application: Application, found: Recommendation) -> Iterable[Sequence[float]]:
    evidence, inventory = found.evidence, application.inventory
    calendar = inventory.calendars.get(evidence.calendar) or inventory.calendars[inventory.links[found.link].calendar]
    within = spans(calendar, inventory.organisation.timezone, evidence.start, evidence.end)
    batch = application.store.read(
        LINK_RATE, start=evidence.start, end=evidence.end, series=[found.link], columns=_COLUMNS, within=within
    )
    rows = batch.rows[batch.rows["reason"] == GapReason.NONE]
    way = found.direction
    columns = [rows[name] for name in ("end_ms", "interval_ticks", f"{way}_bps", f"{way}_limit_bps", f"{way}_discards_ps")]
    return zip(*(column.tolist() for column in columns), strict=True)


def _parameters(application: Application, found: Recommendation, given: PolicyInput) -> dict[str, Any]:
    link = application.inventory.links.get(found.link)
    current = given.current[found.link][found.direction] if link is not None else found.current
    policies = {choice.name: choice.parameters for choice in application.settings.policies}
    parameters = policies.get(found.policy)
    return {
        "link": found.link,
        "direction": str(found.direction),
        "window": {"start": rfc3339(found.evidence.start), "end": rfc3339(found.evidence.end), "percentile": 95.0},
        "calendar": found.evidence.calendar,
        "current": {"cir_bps": current.cir_bps, "mir_bps": current.mir_bps},
        "ceiling_bps": None if link is None else link.mir[found.direction],
        "policy": found.policy,
        "policy_parameters": _plain(asdict(parameters)) if is_dataclass(parameters) and not isinstance(parameters, type) else {},
        "guards": asdict(application.settings.guards),
    }


def _values(found: Recommendation, given: PolicyInput, seen: Trace, reproduced: bool) -> dict[str, Any]:
    return {
        "reproduced": reproduced,
        "recommendation": recommendation_document(found, found.reason.message),
        "usage": _usage(found, given.usage.get(found.link, {}).get(found.direction)),
        "demand_bps": found.evidence.demand_bps,
        "demand": {name: figure for name, figure in found.evidence.more.items() if name.startswith("demand_")},
        "target_bps": found.evidence.more.get("target_bps"),
        "wanted_bps": seen.wanted_bps,
        "load_bps": {node: load.rate_bps for node, load in seen.load.items()},
        "steps": None if seen.steps is None else _shared(seen.steps),
        "guarantees": None if seen.guarantees is None else _shared(seen.guarantees),
    }  # fmt: skip


def _usage(found: Recommendation, window: UsageWindow | None) -> dict[str, Any] | None:
    if window is None:
        evidence = found.evidence
        known = {"samples": evidence.samples, "p95_bps": evidence.p95_bps, "coverage_ratio": evidence.coverage_ratio}
        return known if evidence.p95_bps is not None else None
    return {
        "samples": window.samples, "octets": window.octets, "mean_bps": window.mean_bps, "p95_bps": window.p95_bps,
        "max_bps": window.max_bps, "saturated_ratio": window.saturated_ratio, "coverage_ratio": window.coverage_ratio,
    }  # fmt: skip


def _shared(problem: Problem) -> dict[str, Any]:
    """A sharing in the words of `bwmgr allocate`, with its result in full precision."""
    return {
        "nodes": [asdict(node) for node in problem.nodes],
        "links": [{**asdict(leaf), "service_class": str(leaf.service_class)} for leaf in problem.leaves],
        "allocations": {f"link:{name}": share.allocation_bps for name, share in problem.shares.items()},
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Figures, texts and lists of them; what JSON does not know as its text."""
    return {
        key: figure if isinstance(figure, int | float | str | list | tuple | None) else str(figure)
        for key, figure in values.items()
    }
