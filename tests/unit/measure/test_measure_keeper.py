"""What stays between cycles: baselines, times that only grow, stuck and coarse counters, reboots told once, restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.errors import DecodeError
from bwmgr.measure.columns import Present, Rows, readings
from bwmgr.measure.keeper import RateEvent, RateEventKind, RateKeeper
from bwmgr.model.inventory import Faces, Interface
from bwmgr.model.samples import CounterSample, GapReason, Quality

AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
STRIDE = 7_500_000  # octets a minute of 1 Mbit/s


def interfaces(*names: str, faces: Faces = Faces.PROVIDER) -> list[Interface]:
    """Interfaces named device/if_name."""
    return [Interface(device=name.split("/")[0], if_name=name.split("/")[1], faces=faces) for name in names]


@dataclass
class Router:
    """A device of `ports` ports whose clock and counters advance by what `cycle` is told."""

    ports: int
    interval_seconds: float = 60.0
    samples: list[CounterSample] = field(init=False)

    def __post_init__(self) -> None:
        first = CounterSample(
            at=AT, sys_uptime_ticks=10**7, in_octets=10**9, out_octets=10**9, oper_up=True, if_high_speed_mbps=100
        )
        self.samples = [first] * self.ports

    def cycle(self, in_octets: Sequence[int], **changes: object) -> Rows:
        """The readings an interval later, with so many octets more on each port."""
        self.samples = [self._later(sample, octets, changes) for sample, octets in zip(self.samples, in_octets, strict=True)]
        return readings(self.samples)

    def _later(self, sample: CounterSample, octets: int, changes: dict[str, object]) -> CounterSample:
        passed = timedelta(seconds=self.interval_seconds)
        ticks = sample.sys_uptime_ticks + round(self.interval_seconds * 100)
        later = replace(sample, at=sample.at + passed, sys_uptime_ticks=ticks, in_octets=sample.in_octets + octets)
        return replace(later, **changes)  # type: ignore[arg-type]


def keeper_of(*names: str, interval_seconds: float = 60.0) -> RateKeeper:
    return RateKeeper(interfaces(*names), interval_seconds=interval_seconds)


def kinds(keeper: RateKeeper) -> list[RateEventKind]:
    return [event.kind for event in keeper.events]


def test_first_readings_then_rates() -> None:
    """fault 8: the first cycle gives gaps, the second rates; nothing is told of either."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    first = keeper.step(router.cycle([0, 0]))
    assert first["reason"].tolist() == [GapReason.FIRST_READING] * 2
    assert np.isnan(first["down_bps"]).all()
    second = keeper.step(router.cycle([STRIDE, 2 * STRIDE]))
    assert second["down_bps"].tolist() == [1e6, 2e6]
    assert second["series"].tolist() == [0, 1]
    assert keeper.events == ()


def test_in_and_out_become_down_and_up_by_what_the_interface_faces() -> None:
    """IN of a port that faces the provider is download, IN of one that faces the subscriber is upload."""
    subscriber, provider = interfaces("r/a", faces=Faces.SUBSCRIBER), interfaces("r/b")
    router, keeper = Router(2), RateKeeper([*subscriber, *provider], interval_seconds=60)
    keeper.step(router.cycle([0, 0]))
    rows = keeper.step(router.cycle([STRIDE, STRIDE]), limits=np.array([[5e6, 4e6], [np.inf, 3e6]]))
    assert rows["down_bps"].tolist() == [0, 1e6]
    assert rows["up_bps"].tolist() == [1e6, 0]
    assert rows["down_limit_bps"].tolist() == [5e6, np.inf]
    assert rows["up_limit_bps"].tolist() == [4e6, 3e6]


def test_a_lost_poll_is_a_gap_and_its_octets_are_in_the_next_rate() -> None:
    """No answer is a gap with the time since the last reading; the next rate covers both intervals."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    lost = router.cycle([STRIDE])
    lost["reason"], lost["sys_uptime_ticks"], lost["in_octets"] = GapReason.TIMEOUT, 0, 0
    gap = keeper.step(lost)
    assert (gap["reason"][0], gap["interval_ticks"][0]) == (GapReason.TIMEOUT, 6000)
    rows = keeper.step(router.cycle([STRIDE]))
    assert (rows["interval_ticks"][0], rows["down_bps"][0]) == (12_000, 1e6)


def test_renumbered_interfaces_mix_no_octets_of_two_ports() -> None:
    """fault 17: after the name stopped answering at its ifIndex, what comes next is not compared with what was before."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    moved = router.cycle([0])
    moved["reason"] = GapReason.RENUMBERED
    keeper.step(moved)
    assert keeper.step(router.cycle([STRIDE]))["reason"].tolist() == [GapReason.FIRST_READING]


def test_a_reboot_is_told_once_a_device_and_rebaselines_all_its_interfaces() -> None:
    """fault 4: one event for the device, a gap for each interface, and no spike afterwards."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0]))
    rows = keeper.step(router.cycle([STRIDE, STRIDE], sys_uptime_ticks=500, out_octets=9))
    assert rows["reason"].tolist() == [GapReason.REBOOT] * 2
    assert keeper.events == (RateEvent(kind=RateEventKind.REBOOT, device="r"),)
    assert keeper.step(router.cycle([STRIDE, STRIDE]))["down_bps"].tolist() == [1e6, 1e6]


def test_a_discontinuity_rebaselines_that_interface_only() -> None:
    """fault 6: the neighbour on the same device keeps its rate."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0], discontinuity_ticks=0))
    current = router.cycle([0, STRIDE])
    current["discontinuity_ticks"][0] = 9000
    rows = keeper.step(current)
    assert rows["reason"].tolist() == [GapReason.DISCONTINUITY, GapReason.NONE]
    assert keeper.events == (RateEvent(kind=RateEventKind.DISCONTINUITY, device="r", interface="a"),)


def test_counters_that_show_zeros_for_a_while_lose_nothing() -> None:
    """fault 9: zeros mid-stream are resets; when the old values return, one rate covers the time between."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    zeros = router.cycle([STRIDE])
    zeros["in_octets"] = zeros["out_octets"] = 0
    assert keeper.step(zeros)["reason"].tolist() == [GapReason.RESET]
    assert kinds(keeper) == [RateEventKind.RESET]
    rows = keeper.step(router.cycle([STRIDE]))
    assert (rows["down_bps"][0], rows["interval_ticks"][0]) == (1e6, 12_000)


def test_a_stuck_counter_while_oper_up() -> None:
    """fault 10: zeros stay zeros, marked STUCK after five polls and five minutes while peers move; told at both ends."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0]))
    keeper.step(router.cycle([STRIDE, STRIDE]))
    flags, told = [], []
    for _ in range(6):
        rows = keeper.step(router.cycle([0, STRIDE]))
        flags.append(bool(rows["quality"][0] & Quality.STUCK))
        told += kinds(keeper)
        assert rows["down_bps"][0] == 0
    assert flags == [False] * 4 + [True, True]
    assert told == [RateEventKind.STUCK]
    rows = keeper.step(router.cycle([STRIDE, STRIDE]))
    assert not rows["quality"][0] & Quality.STUCK
    assert kinds(keeper) == [RateEventKind.MOVING]


@pytest.mark.parametrize(("octets", "oper_up", "used"), [(0, True, True), (STRIDE, False, True), (STRIDE, True, False)])
def test_an_interface_that_has_reason_to_stand_still_is_not_stuck(octets: int, oper_up: bool, used: bool) -> None:
    """fault 10: not where no peer moves either, not while down, and not where it never counted anything."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0]))
    keeper.step(router.cycle([STRIDE * used, STRIDE]))
    for _ in range(8):
        rows = keeper.step(router.cycle([0, octets], oper_up=oper_up))
        assert not (rows["quality"] & Quality.STUCK).any()
        assert keeper.events == ()


def test_counters_that_are_polled_more_often_than_refreshed() -> None:
    """fault 11: 0, 2x, 0, 2x is told once; the rates are by the agent's own clock, and their mean is right."""
    router, keeper = Router(1, interval_seconds=10), keeper_of("r/a", interval_seconds=10)
    keeper.step(router.cycle([0]))
    told, rates = [], []
    for cycle in range(12):
        rates.append(keeper.step(router.cycle([cycle % 2 * 2_500_000]))["down_bps"][0])
        told += kinds(keeper)
    assert told == [RateEventKind.COARSE]
    assert np.mean(rates) == 1e6


def test_traffic_with_pauses_longer_than_any_agent_needs_is_not_coarse() -> None:
    """fault 11: an idle link that speaks every two minutes is no agent that refreshes late."""
    router, keeper = Router(1), keeper_of("r/a")
    for cycle in range(20):
        keeper.step(router.cycle([STRIDE if cycle % 3 == 0 else 0]))
        assert RateEventKind.COARSE not in kinds(keeper)


def test_rows_never_overwrite_older_ones_when_our_clock_is_stepped_back() -> None:
    """fault 15: after a step back of an hour rows stand a second apart until the clock has caught up; rates stay right."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    before = keeper.step(router.cycle([STRIDE]))["end_ms"][0]
    router.samples = [replace(router.samples[0], at=router.samples[0].at - timedelta(hours=1))]
    ends = []
    for _ in range(3):
        rows = keeper.step(router.cycle([STRIDE]))
        assert (rows["down_bps"][0], rows["interval_ticks"][0]) == (1e6, 6000)
        ends.append(int(rows["end_ms"][0] - before))
    assert ends == [1000, 2000, 3000]


def test_a_step_forward_is_no_huge_or_negative_rate() -> None:
    """fault 16: a step forward of an hour leaves the rate alone; the missed time has no rows, so coverage shows it."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    before = keeper.step(router.cycle([STRIDE]))["end_ms"][0]
    router.samples = [replace(router.samples[0], at=router.samples[0].at + timedelta(hours=1))]
    rows = keeper.step(router.cycle([STRIDE]))
    assert (rows["down_bps"][0], rows["interval_ticks"][0]) == (1e6, 6000)
    assert rows["end_ms"][0] - before == 3_660_000


def test_a_clock_that_was_wrong_by_days_is_not_followed() -> None:
    """A step back of more than a day is believed at once: rows must not stand in the future for days."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    router.samples = [replace(router.samples[0], at=AT - timedelta(days=3))]
    assert keeper.step(router.cycle([0]))["end_ms"][0] == AT_MS - 3 * 86_400_000 + 60_000


def test_a_leap_second_overwrites_no_row() -> None:
    """fault 59: two readings of the same second, polled every second, are two rows."""
    router, keeper = Router(1, interval_seconds=1), keeper_of("r/a", interval_seconds=1)
    keeper.step(router.cycle([0]))
    first = keeper.step(router.cycle([125_000]))
    repeated = keeper.step(router.cycle([125_000], at=router.samples[0].at))
    assert repeated["end_ms"][0] == first["end_ms"][0] + 1000
    assert repeated["down_bps"][0] == 1e6


def test_line_speed_is_told_and_never_divided_by() -> None:
    """fault 18, 19: 4294967295 is no speed; where a device tells none, the configured capacity judges."""
    router = Router(2)
    keeper = RateKeeper(interfaces("r/a", "r/b"), interval_seconds=60, capacity_bps=np.array([0.0, 1e7]))
    unknown = {"if_high_speed_mbps": 0, "if_speed_bps": 4_294_967_295}
    keeper.step(router.cycle([0, 0], **unknown))
    rows = keeper.step(router.cycle([20 * STRIDE, 20 * STRIDE], **unknown))
    assert rows["reason"].tolist() == [GapReason.NONE, GapReason.IMPLAUSIBLE]
    assert rows["down_bps"][0] == 2e7
    assert rows["if_high_speed_mbps"].tolist() == [0, 0]


def test_errors_and_discards_per_second() -> None:
    """Errors and discards become rates of their own; NaN and PARTIAL where the agent has none, or they fell."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    counted = Present.DISCARDS | Present.ERRORS
    for cycle in range(2):
        current = router.cycle([STRIDE, STRIDE])
        current["present"][0] |= counted
        current["in_errors"][0], current["out_discards"][0] = 600 * cycle, (2**32 - 60 + 120 * cycle) % 2**32
        rows = keeper.step(current)
    assert (rows["down_errors_ps"][0], rows["up_discards_ps"][0]) == (10, 2)
    assert (rows["up_errors_ps"][0], rows["down_discards_ps"][0]) == (0, 0)
    assert np.isnan([rows[column][1] for column in ("down_errors_ps", "up_discards_ps")]).all()
    assert rows["quality"].tolist() == [Quality.OK, Quality.PARTIAL]


def test_a_restart_goes_on_where_the_last_run_stopped() -> None:
    """fault 60: rates before and after `state` and `restored` are those of one run; interfaces are found by name."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0]))
    state = keeper.state()
    renamed = interfaces("r/b", "r/new", "r/a")
    again = RateKeeper.restored(state, renamed, interval_seconds=60)
    current = router.cycle([STRIDE, 2 * STRIDE])
    rows = again.step(current[[1, 0, 0]])
    assert rows["reason"].tolist() == [GapReason.NONE, GapReason.FIRST_READING, GapReason.NONE]
    assert rows["down_bps"][[0, 2]].tolist() == [2e6, 1e6]


def test_no_octet_is_counted_twice_where_the_state_is_older_than_the_store() -> None:
    """fault 46, 60: killed between rows and state, the interval that is stored already is not covered by a second row."""
    router, keeper = Router(2), keeper_of("r/a", "r/b")
    keeper.step(router.cycle([0, 0]))
    state = keeper.state()
    stored = keeper.step(router.cycle([STRIDE, STRIDE]))
    again = RateKeeper.restored(state, keeper.interfaces, interval_seconds=60)
    again.forget_before(np.array([stored["end_ms"][0], np.iinfo(np.int64).min]))
    rows = again.step(router.cycle([STRIDE, STRIDE]))
    assert rows["reason"].tolist() == [GapReason.FIRST_READING, GapReason.NONE]
    assert (rows["interval_ticks"][1], rows["down_bps"][1]) == (12_000, 1e6)


def test_a_state_as_new_as_the_store_keeps_its_baselines() -> None:
    """fault 60: after a clean stop nothing is forgotten."""
    router, keeper = Router(1), keeper_of("r/a")
    keeper.step(router.cycle([0]))
    stored = keeper.step(router.cycle([STRIDE]))
    again = RateKeeper.restored(keeper.state(), keeper.interfaces, interval_seconds=60)
    again.forget_before(stored["end_ms"])
    assert again.step(router.cycle([STRIDE]))["down_bps"].tolist() == [1e6]


def test_rows_stay_later_than_those_stored_though_the_state_is_lost() -> None:
    """fault 15: a new keeper told of stored rows overwrites none of them after our clock was stepped back."""
    router, keeper = Router(1), RateKeeper.restored(None, interfaces("r/a"), interval_seconds=60)
    keeper.forget_before(np.array([AT_MS + 600_000]))
    assert keeper.step(router.cycle([0]))["end_ms"].tolist() == [AT_MS + 601_000]


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: b"",
        lambda state: b"bwmgr rate state 0\n" + state.partition(b"\n")[2],
        lambda state: state[:-1],
        lambda state: state.replace(b'"interfaces"', b'"interfaced"'),
        lambda state: state.replace(b"baseline", b"bassline"),
        lambda state: state.partition(b"\n")[0] + b"\n{\n",
    ],
)
def test_a_state_that_is_not_whole_is_refused(damage: object) -> None:
    """Bytes that are not a whole state of this version raise DecodeError and never become a baseline."""
    keeper = keeper_of("r/a")
    with pytest.raises(DecodeError, match="rate_state"):
        RateKeeper.restored(damage(keeper.state()), keeper.interfaces, interval_seconds=60)  # type: ignore[operator]


def test_nothing_to_poll_is_no_error() -> None:
    """A configuration without devices has cycles without rows."""
    keeper = RateKeeper([], interval_seconds=60)
    assert len(keeper.step(readings([]))) == 0
    assert len(RateKeeper.restored(keeper.state(), [], interval_seconds=60).step(readings([]))) == 0
