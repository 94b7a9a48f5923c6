"""What people said of outages' causes, kept in the state: who, when, why, and every earlier word too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bwmgr.errors import UsageError
from bwmgr.model.said import Said
from bwmgr.model.service import Cause, Judgement, Outage
from bwmgr.stores.state import StateStore

_KEY = "service.judgements"
_STAMP = "%Y%m%dT%H%M%SZ"

Judgements = Mapping[str, Sequence[tuple[datetime, Judgement]]]
"""Series -> the start of the outage that was meant, and what was said; oldest first."""


def parted(outage_id: str) -> tuple[str, datetime]:
    """Series and start of `dinkes@20260302T010200Z`. Raises: UsageError."""
    series, _, stamp = outage_id.rpartition("@")
    try:
        return series, datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(Said("not an outage: {id!r}; write an id as `bwmgr sla outages` prints it", id=outage_id)) from error


def record(state: StateStore, outage_id: str, judgement: Judgement) -> None:
    """Adds a word to what was said before; nothing is taken away. Raises: UsageError for what is no id."""
    parted(outage_id)
    kept = _kept(state)
    kept.append(
        {
            "outage": outage_id,
            "cause": str(judgement.cause),
            "by": judgement.by,
            "at": judgement.at.astimezone(UTC).isoformat(),
            "note": judgement.note,
        }
    )
    state.put(_KEY, json.dumps(kept, ensure_ascii=False).encode())


def said(state: StateStore) -> Judgements:
    """All that was ever said."""
    found: dict[str, list[tuple[datetime, Judgement]]] = {}
    for entry in _kept(state):
        series, start = parted(entry["outage"])
        at = datetime.fromisoformat(entry["at"])
        word = Judgement(cause=Cause(entry["cause"]), by=entry["by"], at=at, note=entry["note"])
        found.setdefault(series, []).append((start, word))
    return found


def judged(outages: Sequence[Outage], known: Judgements) -> tuple[Outage, ...]:
    """Each with what was said of an outage that began within it: one that grew, or was cut by a window, keeps its words."""
    return tuple(
        replace(
            outage, judgements=tuple(word for start, word in known.get(outage.series, ()) if outage.start <= start < outage.end)
        )
        for outage in outages
    )


def _kept(state: StateStore) -> list[dict[str, str]]:
    content = state.get(_KEY)
    found: list[dict[str, str]] = [] if content is None else json.loads(content)
    return found
