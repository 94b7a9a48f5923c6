"""Outages from the poller's rows: what is down, what is unknown, what only the poller did not see."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.measure.columns import RateBatch
from bwmgr.measure.outages import Known, Timeline, answered, compacted, outages, short_ms, timelines
from bwmgr.model.samples import GapReason
from bwmgr.model.service import Outage, Sign
from tests.unit.service.slots import MINUTE_MS, START, M, batch


def line(letters: str, *, others: str | None = None, usual: bool = False, **more: int) -> Timeline:
    """The timeline of one link; `others` is what another device did meanwhile."""
    witnesses = None if others is None else answered(batch(other=others, **more))
    (found,) = timelines(batch(link=letters, **more), witnesses=witnesses, usual=usual)
    return found


def found(letters: str, *, others: str | None = None, least_seconds: float = 120) -> list[tuple[int, int, str]]:
    """(minute it began, minutes it lasted, sign) of each outage."""
    made = outages(line(letters, others=others), least_seconds=least_seconds)
    return [(_minutes(one.start - START), _minutes(one.end - one.start), str(one.sign)) for one in made]


def _minutes(length: timedelta) -> int:
    return round(length.total_seconds() / 60)


def test_an_interface_that_is_down_is_an_outage() -> None:
    """Each reading speaks for the minute before it: five readings of down are five minutes."""
    assert found("uuudddddu") == [(3, 5, "down")]


def test_silence_of_a_device_is_an_outage_while_others_answer() -> None:
    """A timeout and a device that is no longer asked are the same silence."""
    assert found("uuuttsssu", others="uuuuuuuuu") == [(3, 5, "silent")]


def test_silence_of_everybody_is_not_the_links_outage() -> None:
    """Nobody answered: the poller was cut off, and what the link did is unknown."""
    silent = line("uuuttttuu", others="uuuttttuu")
    assert outages(silent) == ()
    assert silent.spans(Known.UNKNOWN).tolist() == [[_ms(3), _ms(7)]]


def test_a_single_device_has_no_witness() -> None:
    """With one device only, its silence is an outage that a person has to judge, not thrown away."""
    assert found("uutttttu") == [(2, 5, "silent")]


def test_a_poller_that_was_off_knows_nothing() -> None:
    """No rows for an hour, then a rate over the whole hour: the hour is neither up nor down."""
    hole = line("uuuuuuuuuu" + "." * 60 + "uuuuuuuuuu")
    assert outages(hole) == ()
    unknown_ms = (hole.start_ms[1:] - hole.end_ms[:-1]).sum()
    assert unknown_ms == 59.5 * MINUTE_MS  # a row late by half an interval still speaks for all of it


@pytest.mark.parametrize("letter", ["l", "a", "f"])
def test_other_gaps_are_unknown(letter: str) -> None:
    """Not asked, not let in, nothing to compare with: no statement about the link."""
    doubtful = line(f"uuu{letter * 4}uu")
    assert outages(doubtful, least_seconds=0) == ()
    assert doubtful.spans(Known.UNKNOWN).tolist() == [[_ms(3), _ms(7)]]


def test_a_counter_reset_is_no_outage() -> None:
    """fault 3: the device answered and the port was up; only the rate is missing."""
    assert line("uurruu").spans(Known.UP).tolist() == [[_ms(0), _ms(6)]]


def test_a_reboot_is_seen_and_its_minute_is_unknown() -> None:
    """fault 4: the outage ends where the device answered last in it; the minute of its return is neither up nor down."""
    rebooted = line("uutttbuu", others="uuuuuuuu")
    (outage,) = outages(rebooted, least_seconds=60)
    assert (outage.rebooted, outage.is_open, _minutes(outage.end - outage.start)) == (True, False, 3)
    assert rebooted.spans(Known.UNKNOWN).tolist() == [[_ms(5), _ms(6)]]


def test_an_outage_that_has_not_ended_is_open() -> None:
    """It lasts as far as the evidence does."""
    (outage,) = outages(line("uuuttttt", others="uuuuuuuu"))
    assert outage.is_open
    assert outage.end == START + timedelta(minutes=8)


def test_shorter_than_the_least_is_kept_apart() -> None:
    """Two minutes of five are no outage, but they are not lost."""
    brief = line("uuuddudddddduu")
    assert [_minutes(one.end - one.start) for one in outages(brief, least_seconds=300)] == [6]
    assert short_ms(brief, least_seconds=300).tolist() == [[_ms(3), _ms(5)]]


def test_flapping_is_as_many_outages_as_there_were() -> None:
    """Up for a reading between two: two outages, none merged and none lost."""
    assert found("udddudddu") == [(1, 3, "down"), (5, 3, "down")]


def test_traffic_that_flowed_in_the_silence_proves_that_it_was_none() -> None:
    """The counters grew by more than the last minute could carry, so only the agent was not reached."""
    rows = batch(link="uuutttttu").rows.copy()
    rows["down_bps"][-1] = 5 * M  # over all six minutes of its interval, where the line carries 10 in one
    (proven,) = timelines(RateBatch(series=("link",), rows=rows))
    assert outages(proven) == ()
    assert proven.spans(Known.UP).tolist() == [[_ms(0), _ms(9)]]


def test_an_uplink_that_is_up_and_carries_nothing_is_dark() -> None:
    """Where its hour usually carries 5 Mbit/s, nothing at all is the provider's outage; a link's users may have gone home."""
    letters = "u" * 40 + "0" * 8 + "u" * 12
    (dark,) = outages(line(letters, usual=True))
    assert (dark.sign, _minutes(dark.end - dark.start)) == (Sign.DARK, 8)
    assert outages(line(letters)) == ()


def test_a_closed_office_is_not_dark() -> None:
    """A weekend with 4 kbit/s where the hour usually has 5 Mbit/s, or more received than sent: nobody is there."""
    for down_bps, up_bps in ((4000.0, 5000.0), (900.0, 300.0)):
        rows = batch(link="u" * 60).rows.copy()
        rows["down_bps"][40:50], rows["up_bps"][40:50] = down_bps, up_bps
        (closed,) = timelines(RateBatch(series=("link",), rows=rows), usual=True)
        assert outages(closed) == ()


def test_imported_history_of_five_minutes_is_as_complete() -> None:
    """The usual distance of rows is taken from the rows, so coarse history leaves no holes."""
    coarse = line("uuuuuudduuuu", step_ms=5 * MINUTE_MS)
    assert (coarse.start_ms[1:] == coarse.end_ms[:-1]).all()
    assert [one.seconds for one in outages(coarse)] == [600]


def test_the_clock_stepped_forward_is_a_hole() -> None:
    """fault 16: missed slots are unknown time, not up and not down."""
    rows = batch(link="u" * 20).rows.copy()
    rows["end_ms"][10:] += 3_600_000
    (stepped,) = timelines(RateBatch(series=("link",), rows=rows))
    assert outages(stepped) == ()
    assert len(stepped.spans(Known.UP)) == 2


def test_no_rows_are_no_timeline() -> None:
    """A link that was never polled is neither up nor down at any time."""
    empty = batch(link="u").rows[:0]
    (nothing,) = timelines(RateBatch(series=("link",), rows=empty))
    assert (outages(nothing), len(nothing.known)) == ((), 0)


def test_an_id_does_not_depend_on_the_window() -> None:
    """It is made of series and start; an outage judged in January is found again in a yearly report."""
    (outage,) = outages(line("uuddddduu"))
    assert outage.id == "link@20260302T010200Z"
    assert replace(outage, end=outage.end + timedelta(hours=1)).id == outage.id


@settings(max_examples=40, deadline=None)
@given(st.text("udtsbflra.0", min_size=1, max_size=60), st.text("ut", min_size=60, max_size=60))
def test_every_instant_is_known_once(letters: str, others: str) -> None:
    """Slots never overlap, and up, down, silent and unknown add up to the whole whatever the rows are."""
    made = line(letters, others=others[: len(letters)])
    assert (made.start_ms[1:] >= made.end_ms[:-1]).all()
    assert (made.end_ms >= made.start_ms).all()
    total = sum(int(np.diff(made.spans(known)).sum()) for known in Known)
    assert total == int((made.end_ms - made.start_ms).sum())
    fewer = compacted(made)
    assert outages(fewer, least_seconds=60) == outages(made, least_seconds=60)
    assert all((fewer.spans(known) == made.spans(known)).all() for known in Known)
    assert len(fewer.known) <= len(made.known)
    for outage in outages(made, least_seconds=0):
        assert isinstance(outage, Outage)
        assert made.known[(made.end_ms > _of(outage.start))][0] >= Known.DOWN


def test_reasons_that_count_as_silence_are_few() -> None:
    """A new gap reason is unknown until somebody thinks about it."""
    rows = batch(link="u" * len(GapReason)).rows.copy()
    rows["reason"] = list(GapReason)
    (one_each,) = timelines(RateBatch(series=("link",), rows=rows))
    silent = {GapReason(reason) for reason, known in zip(rows["reason"], one_each.known, strict=True) if known == Known.SILENT}
    assert silent == {GapReason.TIMEOUT, GapReason.SUSPENDED}


def _ms(minute: int) -> int:
    return _of(START) + minute * MINUTE_MS


def _of(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
