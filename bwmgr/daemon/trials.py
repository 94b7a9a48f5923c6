"""Trials: begun, kept, measured, concluded.

Owns where trials stand (the state store), what is frozen at their start, and which rows their figures come from. What the figures
mean is `bwmgr.measure.trial`; tests of ours are `bwmgr.daemon.trial_tests`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from bwmgr.daemon.named import require_provider
from bwmgr.errors import UsageError
from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.trial import COLUMNS, line_figures, path_figures
from bwmgr.measure.trial_verdict import judged
from bwmgr.model.inventory import Contract, Direction, Inventory
from bwmgr.model.journal import Actor, Note
from bwmgr.model.said import Said
from bwmgr.model.trial import Declared, Promise, Trial, TrialResult
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bwmgr.daemon.application import Application
    from bwmgr.daemon.outage_history import Evidence
    from bwmgr.measure.columns import Rows
    from bwmgr.model.trial import ActiveTest
    from bwmgr.stores.state import StateStore

MOST_DAYS = 14
_KEY = "trials"
_RESULT_KEY = "trial-result:"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def read_trials(state: StateStore) -> tuple[Trial, ...]:
    """All there ever were, oldest first. Raises: StoreUnavailable."""
    content = state.get(_KEY)
    return _adapter().validate_json(content) if content else ()


def find_trial(state: StateStore, name: str | None) -> Trial:
    """The one of that id; without one, the only one that there is. Raises: UsageError."""
    trials = read_trials(state)
    found = [trial for trial in trials if name in (None, trial.id)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(trial.id for trial in trials) or Said("none")
    raise UsageError(
        Said("say which trial; there are: {known}", known=known)
        if name is None
        else Said("no trial {name!r}; there are: {known}", name=name, known=known)
    )


def begin(application: Application, trial: Trial) -> Trial:
    """Keeps a new trial. Raises: UsageError for an id that is taken or unfit, a length that is not 1 to 14 days."""
    if not _ID.fullmatch(trial.id):
        raise UsageError(Said("not an id: {text!r}; letters, digits, points and dashes", text=trial.id))
    days = (trial.end - trial.start) / timedelta(days=1)
    if not 1 - 1e-9 <= days <= MOST_DAYS + 1e-9:
        raise UsageError(Said("a trial takes 1 to {most} days, not {days}", most=MOST_DAYS, days=f"{days:g}"))
    trials = read_trials(application.state)
    if trial.id in {one.id for one in trials}:
        raise UsageError(Said("there is a trial {trial!r} already; give this one another --id", trial=trial.id))
    details = {"lines": [line.id for line in trial.lines], "start": trial.start.isoformat(), "end": trial.end.isoformat()}
    note = _note(application.state, "trial.started", trial, trial.created_at, trial.created_by, details)
    _write(application.state, [*trials, trial], [note])
    return trial


def declare(state: StateStore, trial: Trial, declared: Declared, now: datetime) -> Trial:
    """Adds a time in which the office filled the lines.

    Raises: UsageError where it lies outside the trial, or the trial was concluded.
    """
    if declared.end <= declared.start:
        raise UsageError(Said("the end is not after the start"))
    if declared.start < trial.start or declared.end > _last(trial):
        raise UsageError(
            Said(
                "outside the trial, which runs from {start_at} to {end_at}",
                start_at=trial.start.isoformat(),
                end_at=_last(trial).isoformat(),
            )
        )
    details = {"start": declared.start.isoformat(), "end": declared.end.isoformat(), "note": declared.note}
    note = _note(state, "trial.declared", trial, now, declared.by, details)
    return _changed(state, replace(trial, declared=(*trial.declared, declared)), [note])


def add_tests(state: StateStore, name: str, tests: Sequence[ActiveTest]) -> Trial:
    """Adds what tests of ours came to. Raises: UsageError where the trial was concluded."""
    trial = find_trial(state, name)
    return _changed(state, replace(trial, tests=(*trial.tests, *tests)), [])


def stop(state: StateStore, trial: Trial, at: datetime, by: str) -> Trial:
    """Ends it now, for good. Raises: UsageError where it has ended, or not begun."""
    if not trial.start < at < _last(trial):
        raise UsageError(
            Said(
                "trial {trial} does not run now: {start_at} to {end_at}",
                trial=trial.id,
                start_at=trial.start.isoformat(),
                end_at=_last(trial).isoformat(),
            )
        )
    return _changed(state, replace(trial, stopped_at=at, stopped_by=by), [_note(state, "trial.stopped", trial, at, by, {})])


def running(trials: Iterable[Trial], now: datetime) -> list[Trial]:
    return [trial for trial in trials if trial.start <= now < _last(trial)]


def measure(application: Application, trial: Trial) -> TrialResult:
    """What is known until now, or until the trial's end."""
    from bwmgr.daemon.outage_history import gather

    as_of = min(application.clock.now(), _last(trial))
    if as_of <= trial.start:
        raise UsageError(Said("trial {trial} begins at {start_at}", trial=trial.id, start_at=trial.start.isoformat()))
    rows = _rows(application, trial, as_of)
    links = [line.series for line in trial.lines if line.measurement == LINK_RATE]
    evidence = gather(application, trial.start, as_of, links=links)
    zone = application.inventory.organisation.timezone
    return judged(
        trial,
        [
            line_figures(trial, line, direction, rows[line.id], as_of=as_of, timezone=zone)
            for line in trial.lines
            for direction in Direction
        ],
        [
            path_figures(trial, line, rows[line.id], *_outages(evidence, line.series, trial.start, as_of), as_of=as_of)
            for line in trial.lines
        ],
        as_of=as_of,
    )


def conclude(application: Application, trial: Trial) -> TrialResult:
    """Of a trial that has ended: measured once, then kept, whatever arrives later. Of one that runs: as it is now."""
    kept = application.state.get(_RESULT_KEY + trial.id)
    if kept is not None:
        return _results().validate_json(kept)
    result = measure(application, trial)
    if (now := application.clock.now()) >= _last(trial):
        content = _results().dump_json(result)
        details = {"verdict": str(result.verdict), "figures_sha256": hashlib.sha256(content).hexdigest()}
        note = _note(application.state, "trial.concluded", trial, now, application.state.user, details)
        application.state.put_many({_RESULT_KEY + trial.id: content}, [note])
    return result


def concluded(state: StateStore, trial: Trial) -> bool:
    return state.get(_RESULT_KEY + trial.id) is not None


def link_promises(inventory: Inventory, names: Sequence[str], down_bps: int | None, up_bps: int | None) -> list[Promise]:
    """Links under trial; each promises these rates, or its limit of today. Raises: UsageError for a link that is not polled."""
    found = []
    for name in dict.fromkeys(names):
        link = inventory.links.get(name)
        if link is None or link.interface is None:
            raise UsageError(Said("no link {name!r} with an interface in the configuration", name=name))
        down, up = down_bps or link.limit.down, up_bps or link.limit.up
        if down is None and up is None:
            raise UsageError(Said("{name} has no limit, so nothing says what is promised: give --down and --up", name=name))
        found.append(
            Promise(id=name, name=link.name, measurement=LINK_RATE, series=name, device=link.interface.device, down_bps=down,
                    up_bps=up)
        )  # fmt: skip
    return found


def provider_promises(inventory: Inventory, provider: str) -> list[Promise]:
    """The uplinks of a provider, each with its contract's capacity.

    Raises: UsageError where the provider is unknown, has no uplink, or one contract comes over several interfaces.
    """
    require_provider(inventory, provider)
    found: dict[str, Promise] = {}
    for series, _, uplink in inventory.uplinks():
        contract = inventory.uplink_contracts.get(series)
        if contract is None or contract.provider != provider:
            continue
        if contract.id in found:
            raise UsageError(
                Said("{contract} comes over several interfaces: nothing says what each of them promises", contract=contract.id)
            )
        found[contract.id] = _uplink_promise(series, contract, uplink.interface.device)
    if not found:
        raise UsageError(Said("no uplink of provider {provider!r} is polled", provider=provider))
    return list(found.values())


def _uplink_promise(series: str, contract: Contract, device: str) -> Promise:
    return Promise(
        id=contract.id,
        name=contract.id,
        measurement=UPLINK_RATE,
        series=series,
        device=device,
        down_bps=contract.capacity.down,
        up_bps=contract.capacity.up,
    )


def _rows(application: Application, trial: Trial, as_of: datetime) -> Mapping[str, Rows]:
    found: dict[str, Rows] = {}
    for measurement in sorted({line.measurement for line in trial.lines}):
        lines = {line.series: line.id for line in trial.lines if line.measurement == measurement}
        for batch in application.store.chunks(measurement, start=trial.start, end=as_of, series=list(lines), columns=COLUMNS):
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            for position, series in enumerate(batch.series):
                found[lines[series]] = batch.rows[bounds[position] : bounds[position + 1]]
    return found


def _outages(evidence: Evidence, series: str, start: datetime, end: datetime) -> tuple[list[tuple[datetime, datetime]], float]:
    """What of the outages lies in [start, end), and for how many seconds of it is known whether there was service."""
    from bwmgr.measure.outages import Known

    cut = [(max(one.start, start), min(one.end, end)) for one in evidence.of(series)]
    line = evidence.lines.get(series)
    if line is None:
        return [], 0.0
    spans = np.clip(line.spans(Known.UP, Known.DOWN, Known.SILENT, Known.DARK), instant_ms(start), instant_ms(end))
    return [(first, last) for first, last in cut if first < last], float((spans[:, 1] - spans[:, 0]).sum()) / 1000


def _last(trial: Trial) -> datetime:
    return trial.stopped_at or trial.end


def _changed(state: StateStore, trial: Trial, notes: Sequence[Note]) -> Trial:
    if concluded(state, trial):
        raise UsageError(Said("trial {trial} was concluded: its figures are kept as they are", trial=trial.id))
    _write(state, [trial if one.id == trial.id else one for one in read_trials(state)], notes)
    return trial


def _write(state: StateStore, trials: Sequence[Trial], notes: Sequence[Note]) -> None:
    state.put_many({_KEY: _adapter().dump_json(tuple(trials))}, notes)


def _note(state: StateStore, action: str, trial: Trial, at: datetime, by: str, details: Mapping[str, Any]) -> Note:
    """For the journal."""
    actor = Actor(name=by, user=state.user)
    return Note(id=uuid4().hex, at=at, actor=actor, action=action, subject=trial.id, details=details)


@cache
def _adapter() -> TypeAdapter[tuple[Trial, ...]]:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Trial, ...])


@cache
def _results() -> TypeAdapter[TrialResult]:
    from pydantic import TypeAdapter

    return TypeAdapter(TrialResult)
