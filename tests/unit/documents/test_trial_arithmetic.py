"""A trial's figures: asked-for samples only, each clause with its verdict, and nothing said where too little is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.trial import evenness, jain, line_figures, path_figures, weighted_percentile
from bwmgr.measure.trial_verdict import judged
from bwmgr.model.inventory import Direction
from bwmgr.model.trial import ActiveTest, Asked, Clause, Clauses, Declared, Promise, Trial, TrialResult, Verdict
from tests.unit.documents.conftest import DAYS, MEGA, START, make_trial, promise, rows, silent

AS_OF = START + timedelta(days=DAYS)
HOUR = timedelta(hours=1)


def declared(hours: float = 2.0, start: datetime = START) -> tuple[Declared, ...]:
    return (Declared(start=start, end=start + hours * HOUR, by="budi"),)


def active(rate_mbps: float | None, number: int = 12, direction: Direction = Direction.DOWN) -> tuple[ActiveTest, ...]:
    rate = None if rate_mbps is None else rate_mbps * MEGA
    return tuple(
        ActiveTest(line="dinkes", direction=direction, start=at, end=at + timedelta(seconds=10), server="s", rate_bps=rate)
        for at in (START + n * HOUR for n in range(number))
    )


def figures(trial: Trial, made: np.ndarray, line: Promise | None = None, direction: Direction = Direction.DOWN):
    return line_figures(trial, line or trial.lines[0], direction, made, as_of=AS_OF, timezone="Asia/Jakarta")


def result(trial: Trial, *made: np.ndarray, known_seconds: float = DAYS * 86400.0, outages: tuple = ()) -> TrialResult:
    lines = [
        line_figures(trial, line, direction, one, as_of=AS_OF, timezone="Asia/Jakarta")
        for line, one in zip(trial.lines, made, strict=True)
        for direction in Direction
    ]
    paths = [
        path_figures(trial, line, one, outages, known_seconds, as_of=AS_OF) for line, one in zip(trial.lines, made, strict=True)
    ]
    return judged(trial, lines, paths, as_of=AS_OF)


def judgement(found: TrialResult, clause: Clause):
    return next(one for one in found.judgements if one.clause is clause)


def test_20_of_400_mbps_does_not_meet_the_promise() -> None:
    """The case of the hotel: filled as the office says, 20 Mbps of 400 arrive; not met, 5 %."""
    found = result(make_trial(declared=declared()), rows(lambda minute: 20.0 if minute < 120 else 3.0))
    capacity = judgement(found, Clause.CAPACITY)
    assert capacity.verdict is Verdict.NOT_MET
    assert capacity.figure == pytest.approx(0.05)
    assert found.verdict is Verdict.NOT_MET


def test_20_of_400_mbps_by_a_test_of_ours_does_not_meet_the_promise() -> None:
    """The same told by iperf3 alone: a clean, idle line that lets 20 Mbps through."""
    both = active(20.0) + active(20.0, direction=Direction.UP)
    capacity = judgement(result(make_trial(tests=both), rows(1.0)), Clause.CAPACITY)
    assert (capacity.verdict, capacity.figure) == (Verdict.NOT_MET, pytest.approx(0.05))


def test_low_use_alone_never_fails_a_line() -> None:
    """Twenty Mbps that nobody wanted to exceed say nothing: not enough data, and the use is told."""
    found = result(make_trial(), rows(20.0))
    assert judgement(found, Clause.CAPACITY).verdict is Verdict.UNKNOWN
    assert judgement(found, Clause.CAPACITY).figure is None
    assert Verdict.NOT_MET not in {one.verdict for one in found.judgements}
    assert found.lines[0].max_bps == 20 * MEGA


def test_held_at_our_own_limit_says_nothing_of_the_line() -> None:
    """A limit of ours below the promise is what was reached, not the line's end."""
    found = figures(make_trial(), rows(20.0, limit_mbps=20.0, discards_ps=50.0))
    assert (found.asked_samples, found.capped_seconds) == (0, DAYS * 86400.0)
    assert not found.judged


def test_a_backlog_shows_that_more_was_wanted() -> None:
    """Discards in the direction are asked-for time, above one a second; a broken cable's few are not."""
    assert figures(make_trial(), rows(390.0, discards_ps=30.0)).asked_by == {Asked.BACKLOG: DAYS * 86400.0}
    assert figures(make_trial(), rows(50.0, discards_ps=0.2)).asked_samples == 0


def test_what_was_saturated_proves_capacity_but_not_that_it_is_always_there() -> None:
    """Samples picked by their own rate count for the capacity; the share and the stability stay unjudged."""
    found = result(make_trial(), rows(lambda minute: 399.0 if minute % 24 < 6 else 5.0, limit_mbps=400.0))
    assert judgement(found, Clause.CAPACITY).verdict is Verdict.MET
    for clause in (Clause.REACHED, Clause.STABILITY):
        assert judgement(found, clause).verdict is Verdict.UNKNOWN


def test_share_of_samples_that_reached_the_promise() -> None:
    """One in ten asked-for minutes below 95 % of the promise: 90 %, not met at 95 %."""
    found = result(make_trial(declared=declared()), rows(lambda minute: 300.0 if minute % 10 == 0 else 395.0))
    reached = judgement(found, Clause.REACHED)
    assert (reached.verdict, reached.figure) == (Verdict.NOT_MET, pytest.approx(0.9))
    assert judgement(found, Clause.CAPACITY).verdict is Verdict.MET


def test_a_dedicated_line_is_stable_and_a_shared_one_is_not() -> None:
    """Standard deviation over mean of asked-for rates, against the 10 % of the clause."""
    steady = result(make_trial(declared=declared()), rows(396.0))
    swinging = result(make_trial(declared=declared()), rows(lambda minute: 400.0 if minute % 2 else 200.0))
    assert judgement(steady, Clause.STABILITY).verdict is Verdict.MET
    wide = judgement(swinging, Clause.STABILITY)
    assert (wide.verdict, wide.figure) == (Verdict.NOT_MET, pytest.approx(1 / 3))


def test_bands_are_those_of_local_days() -> None:
    """A day without asked-for time has no band; the first local day has one from 10th to 90th percentile."""
    found = figures(make_trial(declared=declared()), rows(lambda minute: 300.0 + minute % 60))
    assert [band.day for band in found.days][:2] == ["2026-01-20", "2026-01-21"]
    first, second = found.days[:2]
    assert first.low_bps < first.median_bps < first.high_bps
    assert (second.samples, second.median_bps) == (0, None)


def test_too_little_asked_for_time_is_not_judged() -> None:
    """Ten minutes are below the half hour of the clause; ten tests of ten seconds do as well as the half hour."""
    assert not figures(make_trial(declared=declared(hours=1 / 6)), rows(20.0)).judged
    assert not figures(make_trial(tests=active(20.0, 9)), rows(1.0)).judged
    assert figures(make_trial(tests=active(20.0, 10)), rows(1.0)).judged_apart


def test_a_test_that_did_not_run_is_no_evidence() -> None:
    """An iperf3 server that did not answer says nothing of the line."""
    assert figures(make_trial(tests=active(None)), rows(1.0)).tests == 0


def test_evenness_of_lines() -> None:
    """32 lines of which one gets half of what it is entitled to: Jain's index stays high, the least over the median does not."""
    lines = [promise(f"opd-{number}", 20) for number in range(32)]
    made = [rows(20.0 if number else 10.0, count=600) for number in range(32)]
    found = result(make_trial(*lines, declared=declared(hours=9)), *made)
    even = evenness(found.lines, Direction.DOWN)
    assert even.jain_ratio == pytest.approx((31.5**2) / (32 * 31.25))
    assert (even.least_ratio, even.least_line, even.judged) == (pytest.approx(0.5), "opd-0", 32)
    assert judgement(found, Clause.EVENNESS).verdict is Verdict.NOT_MET
    assert judgement(found, Clause.CAPACITY).worst == "opd-0"


def test_evenness_needs_two_lines_and_enough_of_them() -> None:
    """Of one line nothing can be uneven; where most were never asked for, nothing is said."""
    assert Clause.EVENNESS not in {one.clause for one in result(make_trial(declared=declared()), rows(390.0)).judgements}
    lines = [promise(f"opd-{number}", 20) for number in range(4)]
    found = result(make_trial(*lines), *[rows(1.0, count=60)] * 4)
    assert judgement(found, Clause.EVENNESS).verdict is Verdict.UNKNOWN


def test_jains_index_at_its_ends() -> None:
    """1 where all are alike, 1/n where one has all, as Jain, Chiu and Hawe (1984) define it."""
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_latency_and_loss_are_the_polls_own() -> None:
    """Round-trip times at the 95th percentile; polls without an answer outside outages, one in a hundred allowed."""
    made = rows(1.0)
    made["rtt_us"][::10] = 90_000
    for minute in range(0, len(made), 50):
        silent(made, minute, minute + 1)
    found = result(make_trial(), made)
    assert judgement(found, Clause.LATENCY).verdict is Verdict.NOT_MET
    assert judgement(found, Clause.LATENCY).figure == pytest.approx(0.09)
    loss = judgement(found, Clause.LOSS)
    assert (loss.verdict, loss.figure) == (Verdict.NOT_MET, pytest.approx(0.02))


def test_polls_lost_in_an_outage_are_not_lost_twice() -> None:
    """An outage counts as such, not as loss."""
    out = (START + HOUR, START + 3 * HOUR)
    found = result(make_trial(), silent(rows(1.0), 60, 180), outages=(out,))
    assert judgement(found, Clause.LOSS).figure == 0.0
    available = judgement(found, Clause.AVAILABILITY)
    assert (available.verdict, available.figure) == (Verdict.NOT_MET, pytest.approx(1 - 2 / 240))


def test_incomplete_data_are_not_judged_unless_the_answer_is_certain() -> None:
    """With half of the time unknown latency is open; an outage longer than all that is allowed is not."""
    half = DAYS * 86400 / 2
    found = result(make_trial(), rows(1.0, count=DAYS * 720), known_seconds=half)
    assert judgement(found, Clause.LATENCY).verdict is Verdict.UNKNOWN
    assert judgement(found, Clause.AVAILABILITY).verdict is Verdict.UNKNOWN
    day = (START, START + timedelta(days=1))
    certain = result(make_trial(), rows(1.0, count=DAYS * 720), known_seconds=half, outages=(day,))
    assert judgement(certain, Clause.AVAILABILITY).verdict is Verdict.NOT_MET


def test_a_line_that_does_all_meets_all() -> None:
    """Asked for two hours, at its promise, steady, always there, quick."""
    found = result(make_trial(declared=declared()), rows(396.0))
    assert {one.clause: one.verdict for one in found.judgements if one.verdict is not Verdict.MET} == {}
    assert found.verdict is Verdict.MET


def test_a_direction_without_a_promise_is_not_judged() -> None:
    """An unlimited line cannot fail what nobody promised."""
    found = result(make_trial(promise(mbps=None), declared=declared()), rows(20.0))
    assert judgement(found, Clause.CAPACITY).verdict is Verdict.UNKNOWN


def test_no_rows_at_all() -> None:
    """The first minute of a trial: every clause is open, nothing fails."""
    found = result(make_trial(), rows(1.0, count=0), known_seconds=0.0)
    assert {one.verdict for one in found.judgements} == {Verdict.UNKNOWN}
    assert found.lines[0].coverage_ratio == 0.0


def test_percentiles_weigh_by_time() -> None:
    """A rate held for ten minutes counts ten times one of a minute; of nothing there is none."""
    assert weighted_percentile(np.array([1.0, 2.0]), np.array([600.0, 60.0]), 90.0) == 1.0
    assert weighted_percentile(np.array([1.0, 2.0]), np.array([600.0, 60.0]), 95.0) == 2.0
    assert weighted_percentile(np.array([]), np.array([]), 95.0) is None


def test_thresholds_are_the_configurations() -> None:
    """A stricter office: 99 % of the promise."""
    strict = make_trial(declared=declared(), clauses=Clauses(capacity_ratio=0.999))
    assert judgement(result(strict, rows(396.0)), Clause.CAPACITY).verdict is Verdict.NOT_MET


def test_declared_time_takes_whole_samples_only() -> None:
    """A minute that was half inside is not asked for."""
    half = (Declared(start=START + timedelta(seconds=30), end=START + timedelta(minutes=3), by="budi"),)
    assert figures(make_trial(declared=half), rows(20.0)).asked_samples == 2
    assert START.tzinfo is UTC
