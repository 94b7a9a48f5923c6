"""Stamps follow the wall clock and never go backwards (faults 15, 16, 59)."""

from __future__ import annotations

from bwmgr.daemon.clock import SteadyClock

HOUR, DAY = 3600.0, 86400.0


class Machine:
    """A machine's clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.slept = 1_700_000_000.0, 10.0, 0.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.monotonic, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def stamp(self) -> float:
        return self.clock.now().timestamp()


def test_it_follows_the_wall_clock() -> None:
    machine = Machine()
    machine.advance(60)
    assert machine.stamp() == machine.wall
    assert machine.clock.offset_seconds() == 0


def test_after_a_step_back_stamps_go_on_at_half_speed_until_caught_up() -> None:
    """Fault 15: an hour back costs no stamp; after two hours stamps and wall clock agree again."""
    machine = Machine()
    before = machine.stamp()
    machine.wall -= HOUR
    machine.advance(60)
    assert machine.stamp() == before + 30
    assert machine.clock.offset_seconds() == HOUR - 30
    for _ in range(120):
        machine.advance(60)
        machine.stamp()
    assert machine.stamp() == machine.wall


def test_after_a_step_forward_stamps_follow_at_once() -> None:
    """Fault 16: the time skipped is a gap, not a rate."""
    machine = Machine()
    machine.wall += HOUR
    assert machine.stamp() == machine.wall


def test_a_leap_second_repeated_gives_no_stamp_twice() -> None:
    """Fault 59: the same second comes again; stamps still grow."""
    machine = Machine()
    stamps = []
    for _ in range(4):
        machine.advance(0.5)
        stamps.append(machine.stamp())
    machine.wall -= 1
    for _ in range(4):
        machine.advance(0.5)
        stamps.append(machine.stamp())
    assert stamps == sorted(set(stamps))


def test_more_than_a_day_back_is_believed() -> None:
    """A clock that was a year ahead was wrong: stamps must not stay there for a year."""
    machine = Machine()
    machine.stamp()
    machine.wall -= 365 * DAY
    assert machine.stamp() == machine.wall


def test_waiting_is_never_negative() -> None:
    machine = Machine()
    machine.clock.wait(-1)
    machine.clock.wait(2)
    assert machine.slept == 2
    assert machine.clock.monotonic() == machine.monotonic
