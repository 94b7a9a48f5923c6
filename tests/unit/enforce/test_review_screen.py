"""The full screen, driven by its keys (Textual's pilot) over a real store and queue."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from bwmgr.cli.review import review_of
from bwmgr.cli.review.chart import pieces, round_ticks
from bwmgr.cli.review.screen import Review
from bwmgr.cli.session import Session
from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.errors import DeviceTimeout
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Expected, Reason, Recommendation, Status
from bwmgr.model.inventory import Direction
from bwmgr.stores import LINK_RATE
from bwmgr.testing.clock import ManualClock

NOW = datetime(2026, 3, 5, 5, 0, tzinfo=UTC)
START = NOW - timedelta(days=1)
CONFIGURATION = """\
organisation: {name: Diskominfo, language: LANGUAGE}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
devices: [{id: core, address: 127.0.0.1, enforce: {driver: linux}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, limit: {down: 20M, up: 20M}, cir: {down: 5M, up: 5M},
     interface: {device: core, if_name: eth1, faces: subscriber}, shaper: {device: core, down: {interface: eth1}}}
  - {id: dukcapil, name: Dinas Kependudukan, kind: opd, limit: {down: 50M, up: 50M},
     interface: {device: core, if_name: eth2, faces: subscriber}}
"""
Act = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Session:
    monkeypatch.setenv("COMMUNITY", "publik")
    language = getattr(request, "param", "en")
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION.replace("LANGUAGE", language))
    return Session(path=str(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))


@pytest.fixture
def office(session: Session) -> Iterator[Application]:
    """A day of rates with an outage in it, and three recommendations: a raise, a cut, and one that is for the last mile."""
    with session.application() as application:
        application.store.write(LINK_RATE, day_of_rates())
        application.state.add_recommendations([
            recommendation("aaaaaaaaaaaa", "dinkes", Action.RAISE, (20, 35)),
            recommendation("bbbbbbbbbbbb", "dukcapil", Action.LOWER, (50, 30)),
            recommendation("cccccccccccc", "kabupaten", Action.BUY, (500, 600)),
        ])  # fmt: skip
        yield application


def day_of_rates() -> RateBatch:
    rows = np.zeros(1440, RATE)
    minutes = np.arange(1440)
    rows["end_ms"] = int(START.timestamp() * 1000) + (minutes + 1) * 60_000
    rows["interval_ticks"] = 6000
    wave = 12e6 + 9e6 * np.sin(minutes / 1440 * 2 * math.pi) + 2e6 * np.sin(minutes / 17)
    rows["down_bps"] = np.where((minutes > 600) & (minutes < 690), np.nan, np.clip(wave, 0, 20e6))
    rows["up_bps"] = 1e6
    rows["down_limit_bps"] = rows["up_limit_bps"] = 20e6
    return RateBatch(series=("dinkes",), rows=rows)


def recommendation(name: str, link: str, action: Action, megabits: tuple[int, int]) -> Recommendation:
    before, after = (Bandwidth(cir_bps=5_000_000, mir_bps=figure * 1_000_000) for figure in megabits)
    values = {"link_name": link, "saturated_ratio": 0.41}
    return Recommendation(
        id=name, created_at=NOW, link=link, direction=Direction.DOWN, action=action, policy="right_size", current=before,
        proposed=after, valid_from=NOW, valid_until=NOW + timedelta(days=7),
        reason=Reason(code="saturated", message="{link_name} is full {saturated_ratio} of the time", values=values),
        evidence=Evidence(start=START, end=NOW, calendar="always", p95_bps=19.8e6, demand_bps=34.1e6, saturated_ratio=0.41,
                          coverage_ratio=0.998, samples=1350),
        expected=Expected(satisfaction_ratio=0.99, throttled_octets_per_day=12_000_000_000, monthly_price=0),
    )  # fmt: skip


def run(session: Session, office: Application, act: Act, *, size: tuple[int, int] = (150, 46), by: str = "budi") -> Review:
    """The screen from its start to its end, `act` in between."""
    app = review_of(session, office, by)

    async def driven() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(pilot)

    asyncio.run(driven())
    return app


def text(app: Any, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).visual)


def status(office: Application, name: str) -> Status:
    found = office.state.recommendation(name)
    assert found is not None
    return found.status


def test_it_shows_sentence_chart_lines_and_effect_of_what_matters_most(session: Session, office: Application) -> None:
    """By importance: the raise first; its lines are tc's own, with the limit, CIR and proposal named below the chart."""

    async def look(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        assert app.query_one("#list", DataTable).row_count == 3
        assert app.chosen.id == "aaaaaaaaaaaa"
        assert "dinkes is full 41% of the time" in text(app, "sentence")
        assert "limit 20 Mbps" in text(app, "legend")
        assert "proposed 35 Mbps" in text(app, "legend")
        assert "+ tc class replace dev eth1 parent 1: classid 1:10 htb rate 35000000bit" in text(app, "sent")
        assert "12 GB a day are held back by the limit" in text(app, "effect")
        chart = str(app.query_one("#chart").render())
        assert "Mbps" in chart
        assert any(0x2800 < ord(letter) <= 0x28FF for letter in chart)

    run(session, office, look)


def test_approved_with_a_remark_by_the_same_rules(session: Session, office: Application) -> None:
    """`a`, a remark, Enter: in the record with who and why; the next one is shown; Escape would have changed nothing."""

    async def decide(pilot: Pilot[None]) -> None:
        await pilot.press("a", "escape")
        assert status(office, "aaaaaaaaaaaa") is Status.PROPOSED
        await pilot.press("a", *"jam sibuk".replace(" ", "_"), "enter")
        await pilot.pause()
        app: Any = pilot.app
        assert app.query_one("#list", DataTable).row_count == 2
        assert app.chosen.id != "aaaaaaaaaaaa"

    run(session, office, decide)
    (change,) = office.state.changes("aaaaaaaaaaaa")
    assert (change.status, change.by, change.note) == (Status.APPROVED, "budi", "jam_sibuk")


def test_the_author_may_not_approve_and_is_told_so(session: Session, office: Application) -> None:
    told: list[str] = []

    async def decide(pilot: Pilot[None]) -> None:
        await pilot.press("a", "enter")
        await pilot.pause()
        told.extend(one.message for one in pilot.app._notifications)

    run(session, office, decide, by="policy")
    assert "is its author and cannot approve it" in told[0]
    assert status(office, "aaaaaaaaaaaa") is Status.PROPOSED


def test_a_note_waits_for_the_decision_that_takes_it(session: Session, office: Application) -> None:
    async def decide(pilot: Pilot[None]) -> None:
        await pilot.press("n", "t", *"tunggu", "enter")
        await pilot.pause()
        assert "tunggu" in text(pilot.app, "remark")
        await pilot.press("p", "n", "r", "enter")
        await pilot.pause()

    run(session, office, decide)
    rejected = [one for one in office.state.recommendations() if one.status is Status.REJECTED]
    assert [office.state.changes(one.id)[-1].note for one in rejected] == ["tunggu"]


def test_filtered_by_a_link_name(session: Session, office: Application) -> None:
    """Part of a name; the keys of the list work again after Enter, and type letters in the field before it."""

    async def narrow(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        await pilot.press("slash", *"kependudukan")
        await pilot.pause()
        assert [one.link for one in app._found] == ["dukcapil"]
        assert "no device of this link" in text(app, "sent").lower()
        await pilot.press("enter", "n", "slash")
        app.query_one("#filter", Input).value = "tidak ada"
        await pilot.pause()
        assert (app.chosen, app.query_one("#case").display) == (None, False)
        await pilot.press("enter", "a")
        assert len(app.screen_stack) == 1

    run(session, office, narrow)


def test_the_device_is_read_on_demand_and_its_trouble_is_said(
    session: Session, office: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DeviceTimeout("core", "no answer")

    monkeypatch.setattr(applying, "driver_for", away)

    async def read(pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "core: no answer" in text(pilot.app, "sent")

    run(session, office, read)


@pytest.mark.parametrize("session", ["id"], indirect=True)
def test_in_indonesian_and_on_a_small_terminal(session: Session, office: Application) -> None:
    async def look(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        assert app.title == "Rekomendasi yang menunggu keputusan"
        assert {"setujui", "tolak"} <= {active.binding.description for active in app.screen.active_bindings.values()}
        assert app.query_one("#list").size.width > 70

    run(session, office, look, size=(80, 24))


def test_no_line_is_drawn_across_a_gap() -> None:
    assert list(pieces([1, 2, 3, 4], [1e6, None, 2e6, 3e6])) == [[(1.0, 1.0)], [(3.0, 2.0), (4.0, 3.0)]]


@pytest.mark.parametrize(("top", "ticks"), [(1.0, 6), (36.8, 4), (525.0, 3), (0.07, 4)])
def test_the_scale_has_few_round_figures(top: float, ticks: int) -> None:
    found = round_ticks(top)
    assert (found[0], len(found), found[-1] <= top) == (0, ticks, True)
