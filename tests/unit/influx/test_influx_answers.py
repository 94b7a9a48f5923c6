"""What each answer of a server does to the lines that were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bwmgr.errors import StoreUnavailable
from bwmgr.model.secret import Secret
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx.access import Access, AccessDiffers, Answer
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.sending import Sender, Verdict, verdict
from bwmgr.stores.influx.spool import Spool
from tests.unit.influx.conftest import WriteServer, batch


class Setup:
    """A spool and a sender whose thread is not started: each `drain` is one attempt."""

    def __init__(self, server: WriteServer, folder: Path) -> None:
        self.server, self.spool = server, Spool(folder)
        self.client = Client(Access(url=server.url, database="bwmgr", timeout_seconds=5.0))
        self.sender = Sender(self.client, self.spool, Renderer())

    def refused(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.spool.folder / "refused.jsonl").read_text().splitlines()]


@pytest.fixture
def setup(write_server: WriteServer, tmp_path: Path) -> Iterator[Setup]:
    made = Setup(write_server, tmp_path / "spool")
    yield made
    made.client.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=204, text=""), Verdict.DONE),
        (Answer(status=429, text=""), Verdict.LATER),
        (Answer(status=503, text=""), Verdict.LATER),
        (Answer(status=401, text=""), Verdict.ALARM),
        (Answer(status=403, text=""), Verdict.ALARM),
        (Answer(status=404, text='{"code":"not found"}'), Verdict.ALARM),
        (Answer(status=500, text='{"error":"retention policy not found: 30d"}'), Verdict.ALARM),
        (Answer(status=413, text=""), Verdict.SMALLER),
        (Answer(status=400, text="partial write"), Verdict.BAD),
        (Answer(status=422, text=""), Verdict.BAD),
    ],
)
def test_every_answer_has_one_meaning(answer: Answer, expected: Verdict) -> None:
    """As measured on 1.6, 1.8, 2.x and 3."""
    assert verdict(answer) is expected


@pytest.mark.parametrize(("status", "alarm"), [(401, True), (404, True), (429, False), (500, False)])
def test_a_refusal_that_time_may_mend_drops_nothing(setup: Setup, status: int, alarm: bool) -> None:
    """fault 42: an hour of 401 or 404 keeps all in order, tells a person, and goes on where it stopped."""
    for minute in range(3):
        setup.spool.add(LINK_RATE, batch(5, minute))
    setup.server.answer = lambda lines: (status, '{"error":"no"}')
    for _ in range(60):
        with pytest.raises(StoreUnavailable, match=str(status)) as caught:
            setup.sender.drain()
    assert (len(setup.spool.waiting()), isinstance(caught.value, AccessDiffers)) == (3, alarm)
    setup.server.answer = lambda lines: (204, "")
    setup.sender.drain()
    stamps = [line.rsplit(b" ", 1)[1] for line in setup.server.taken]
    assert (len(stamps), stamps) == (3 * 15, sorted(stamps))
    assert not setup.spool.waiting()


def test_a_body_that_is_too_large_is_halved(setup: Setup) -> None:
    """fault 43: until the server takes it; every line arrives once, in order."""
    setup.server.answer = lambda lines: (413, "too large") if len(lines) > 40 else (204, "")
    setup.spool.add(LINK_RATE, batch(100))
    setup.sender.drain()
    assert b"\n".join(setup.server.taken) + b"\n" == Renderer().body(LINK_RATE, batch(100))


def test_one_bad_line_of_thousands_is_put_aside(setup: Setup) -> None:
    """fault 41: where the server refuses a request whole (2.x), the others arrive and the bad one is kept with the reason."""
    bad = b"link_rate,direction=up,link=link-77 "
    setup.server.answer = lambda lines: (
        (400, "unable to parse") if any(map(bad.__eq__, (x[: len(bad)] for x in lines))) else (204, "")
    )
    setup.spool.add(LINK_RATE, batch(1667))
    setup.sender.drain()
    assert len(setup.server.taken) == 5000
    assert len(setup.server.requests) < 30
    assert [(entry["reason"], entry["line"][: len(bad)]) for entry in setup.refused()] == [("400: unable to parse", bad.decode())]
    assert setup.sender.counts.refused_lines == 1


def test_a_server_that_refuses_everything_does_not_cost_a_request_a_line(setup: Setup) -> None:
    """A type conflict hits every line: what cannot be separated within bounds is put aside whole, and the spool goes on."""
    setup.server.answer = lambda lines: (400, "field type conflict")
    setup.spool.add(LINK_RATE, batch(1000))
    setup.sender.drain()
    assert len(setup.server.requests) < 1100
    assert len(setup.refused()) == 3000
    assert not setup.spool.waiting()


def test_small_segments_travel_together(setup: Setup) -> None:
    """Each request costs the server an fsync: a hundred minutes of five links are one, in order."""
    for minute in range(100):
        setup.spool.add(LINK_RATE, batch(5, minute))
    setup.sender.drain()
    assert setup.server.requests == [204]
    assert b"".join(line + b"\n" for line in setup.server.taken) == b"".join(
        Renderer().body(LINK_RATE, batch(5, minute)) for minute in range(100)
    )
    assert (setup.spool.waiting(), setup.sender.counts.sent_segments, setup.sender.counts.sent_rows) == ([], 100, 500)


def test_a_request_that_fails_keeps_every_segment_in_it(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it fails half way through a segment that is larger than a request, and after the bad lines were looked for."""
    monkeypatch.setattr("bwmgr.stores.influx.sending.ROWS_AT_ONCE", 20)
    for minute, links in enumerate((5, 50, 5)):
        setup.spool.add(LINK_RATE, batch(links, minute))
    calls = iter([204, 204, 503])
    setup.server.answer = lambda lines: (next(calls), "")
    with pytest.raises(StoreUnavailable):
        setup.sender.drain()
    assert len(setup.spool.waiting()) == 2  # the first has arrived whole, the second in part
    setup.server.answer = lambda lines: (204, "")
    setup.sender.drain()
    assert not setup.spool.waiting()
    every = [
        line for minute, links in enumerate((5, 50, 5)) for line in Renderer().body(LINK_RATE, batch(links, minute)).splitlines()
    ]
    assert sorted(set(setup.server.taken)) == sorted(every)


def test_a_measurement_that_is_refused_takes_no_other_with_it(setup: Setup) -> None:
    """A type conflict in one measurement puts its lines aside, however many; what travels with it lands."""
    setup.server.answer = lambda lines: (
        (400, "field type conflict") if any(line.startswith(b"link_rate,") for line in lines) else (204, "")
    )
    for minute in range(3):
        setup.spool.add(LINK_RATE, batch(400, minute))
    setup.sender.drain()
    assert len(setup.server.taken) == 3 * 400  # link_state
    assert len(setup.refused()) == 3 * 800
    assert {entry["reason"] for entry in setup.refused()} == {"400: field type conflict"}


def test_an_answer_that_is_lost_is_asked_for_again(setup: Setup) -> None:
    """fault 44: the server took it, the connection ended: the same points are sent again, which changes nothing there."""
    setup.spool.add(LINK_RATE, batch(5))
    setup.server.cut = 1
    with pytest.raises(StoreUnavailable):
        setup.sender.drain()
    setup.sender.drain()
    assert len(setup.server.taken) == 30
    assert len(set(setup.server.taken)) == 15


def test_a_token_never_shows(write_server: WriteServer) -> None:
    """Neither in what an error says nor in the access's own text."""
    access = Access(
        url="http://127.0.0.1:1", org="o", bucket="b", token=Secret("rahasia-sekali", "env:TOKEN"), timeout_seconds=1.0
    )
    with pytest.raises(StoreUnavailable) as caught:
        Client(access).write(b"a b=1")
    assert "rahasia" not in str(caught.value) + repr(access)
