"""The verdict on an applied limit, from readings before and after it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bwmgr.engine.verify import Measured, Outcome, Reading, judge

M = 1_000_000


def link(
    before: Sequence[float | None], after: Sequence[float | None], cir: int = 0, discards: tuple[float, float] = (0, 0)
) -> Measured:
    """A link with these rates in Mbit/s (None: a gap) and packets/s discarded before and after."""
    sides = [
        [Reading(rate_bps=None if rate is None else rate * M, discards_ps=lost) for rate in rates]
        for rates, lost in zip((before, after), discards, strict=True)
    ]
    return Measured(cir_bps=cir * M, before=sides[0], after=sides[1])


def verdict(
    limit: int | None, own: Measured, other: Measured | None = None, *, lowered: bool = False, last: bool = False
) -> tuple[Outcome, str]:
    measured = {"dinkes": own} | ({"lapar": other} if other else {})
    found = judge("dinkes", None if limit is None else limit * M, lowered, measured, last_call=last)
    return found.outcome, found.note


def test_readings_that_obey_are_good_after_a_raise_three() -> None:
    """What shares a bottleneck with a raised link loses its part over some seconds, not at once."""
    assert verdict(10, link([18, 18], [9.6, 9.7]), lowered=True) == (Outcome.GOOD, "")
    assert verdict(None, link([18, 18], [40, 41]))[0] is Outcome.PENDING
    assert verdict(None, link([18, 18], [40, 41]), last=True)[0] is Outcome.GOOD
    assert verdict(None, link([18, 18], [40, 41, 41]))[0] is Outcome.GOOD


@pytest.mark.parametrize("after", [[], [9.6], [9.6, None]])
def test_too_few_readings_wait_until_there_is_no_more_time(after: list[float | None]) -> None:
    """Absence is not proof: after the deadline what could not be verified counts as harm."""
    assert verdict(10, link([18, 18], after))[0] is Outcome.PENDING
    assert verdict(10, link([18, 18], after), last=True) == (Outcome.HARM, "too few readings since the change")


def test_one_reading_above_the_limit_may_be_a_stale_counter_two_are_not() -> None:
    assert verdict(10, link([18], [18, 9.5]), lowered=True)[0] is Outcome.GOOD
    outcome, note = verdict(10, link([18], [18, 17.5]))
    assert (outcome, note) == (Outcome.HARM, "dinkes carries 17500000 bit/s, above its new limit of 10000000")


def test_silence_since_the_change_is_harm_but_not_if_it_was_silent_before() -> None:
    """fault 61: a link without data proves nothing, and is not left changed on a guess."""
    assert verdict(10, link([18, 18], [None, None])) == (Outcome.HARM, "dinkes is not reached since the change")
    assert verdict(10, link([None, None], [None, None]))[0] is Outcome.PENDING


def test_discards_that_grow_after_a_raise_are_harm_after_a_cut_they_are_how_it_works() -> None:
    assert verdict(30, link([18, 18], [25, 25], discards=(1.0, 9.0)))[0] is Outcome.HARM
    assert verdict(10, link([18, 18], [9, 9], discards=(1.0, 9.0)), lowered=True)[0] is Outcome.GOOD


def test_a_cut_below_the_links_own_guarantee_is_harm() -> None:
    assert verdict(3, link([8, 8], [2.9, 2.9], cir=5), lowered=True)[0] is Outcome.HARM


def test_who_takes_anothers_guarantee_is_rolled_back_who_only_stands_beside_is_not() -> None:
    """Another that simply asks for less falls below its CIR too: it counts only where this link took what he lost."""
    falls = link([8, 8], [2, 2], cir=5)
    assert verdict(19, link([10, 10], [18, 18]), falls) == (
        Outcome.HARM, "lapar fell below its guarantee of 5000000 bit/s as dinkes took more"
    )  # fmt: skip
    assert verdict(19, link([10, 10], [10, 10, 10]), falls)[0] is Outcome.GOOD
    assert verdict(19, link([10, 10], [18, 18, 18]), link([3, 3], [2, 2], cir=5))[0] is Outcome.GOOD
