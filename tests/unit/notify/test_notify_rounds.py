"""Rounds of telling people, from what is stored to what a web service on loopback receives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_watch import WATCHER
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.notify import tell
from bwmgr.daemon.notify_listing import figures
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import NotifyRefused, NotifyUnavailable, StoreLocked, UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction
from bwmgr.model.notice import Receiver
from bwmgr.model.samples import GapReason
from bwmgr.notifiers import Message
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.stores.journal import FILE_NAME as JOURNAL
from bwmgr.stores.lock import Lock
from bwmgr.testing.bot_api import WebPeer
from bwmgr.testing.clock import ManualClock

M = 1_000_000
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 08:00 in Jakarta."""
MINUTE = timedelta(minutes=1)
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: id}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
devices: [{id: rtr-a, address: 127.0.0.1}, {id: rtr-b, address: 127.0.0.2}]
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: a, name: Dinas Kesehatan, kind: opd, parent: kab, limit: {down: 20M, up: 20M},
     interface: {device: rtr-a, if_name: e, faces: subscriber}}
  - {id: b, name: Bappeda, kind: opd, parent: kab, limit: {down: 20M, up: 20M},
     interface: {device: rtr-b, if_name: e, faces: subscriber}}
events: [{id: g20, links: [a], down: 40M, start: "2026-03-04T12:00", end: "2026-03-04T18:00"}]
"""


class Sent:
    """In place of a channel: remembers what arrived, or refuses."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.trouble: dict[str, Exception] = {}

    def __call__(self, receiver: Receiver, message: Message) -> str:
        if receiver.id in self.trouble:
            raise self.trouble[receiver.id]
        self.messages.append((receiver.id, message))
        return ""

    def texts(self, receiver: str = "noc") -> list[str]:
        return [message.text for name, message in self.messages if name == receiver]


@pytest.fixture
def sent() -> Sent:
    return Sent()


Open = Callable[[str], Application]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """The office with these keys under `notify:`, its receiver `noc` first."""
    monkeypatch.setenv("COMMUNITY", "publik")
    monkeypatch.setenv("BOT", "123456:AAs3cr3t-token")
    opened: list[Application] = []

    def open_(keys: str, *, receivers: str = "", pages: str = "https://bwmgr.example") -> Application:
        telegram = "telegram: {token: {env: BOT}, chat: '-100123'}"
        text = f"notify: {{pages: '{pages}', receivers: [{{id: noc, {telegram}{keys}}}{receivers}]}}\n"
        (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION + text)
        opened.append(Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW)))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def later(application: Application, delta: timedelta) -> None:
    clock = application.clock
    assert isinstance(clock, ManualClock)
    clock.advance(delta.total_seconds())


def measured(application: Application, at: datetime, *, silent: str = "", full: str = "") -> None:
    """Half an hour of readings a minute, both links: at 5 Mbit/s, full, or silent."""
    rows = np.zeros(60, dtype=RATE)
    names = ["a", "b"]
    for position in range(2):
        mine = rows[position * 30 : position * 30 + 30]
        mine["series"] = position
        mine["end_ms"] = [int((at - (29 - number) * MINUTE).timestamp() * 1000) for number in range(30)]
        mine["interval_ticks"] = 6000
        rate = 20.0 * M if names[position] == full else 5.0 * M
        for way in Direction:
            mine[f"{way}_bps"], mine[f"{way}_limit_bps"] = rate if way is Direction.DOWN else 1.0 * M, 20.0 * M
        if names[position] == silent:
            mine["reason"] = int(GapReason.TIMEOUT)
            for way in Direction:
                mine[f"{way}_bps"] = np.nan
    application.store.write(LINK_RATE, RateBatch(series=names, rows=rows))


def made(link: str, number: int = 0, **more: Any) -> Recommendation:
    given: dict[str, Any] = {
        "id": f"{link}{number:011d}", "created_at": NOW, "link": link, "direction": Direction.DOWN, "action": Action.RAISE,
        "policy": "right_size", "current": Bandwidth(cir_bps=0, mir_bps=20 * M), "proposed": Bandwidth(cir_bps=0, mir_bps=35 * M),
        "valid_from": NOW, "valid_until": NOW + timedelta(days=7),
        "reason": Reason(code="no_data", message="{link_name} has no {direction} measurements: nothing is changed.",
                         values={"link_name": "Dinas Kesehatan", "direction": "down"}),
        "evidence": Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                             coverage_ratio=1.0, samples=1),
    }  # fmt: skip
    return Recommendation(**given | more)


def test_a_recommendation_is_told_once_in_the_office_s_language(office: Open, sent: Sent) -> None:
    """One short paragraph: why, from what to what, and the link; the next round says nothing."""
    application = office("")
    application.state.add_recommendations([made("a")])
    assert tell(application, sender=sent).sent == {"noc": 1}
    (text,) = sent.texts()
    assert text.startswith("Dinas Kesehatan tidak punya data ukur unduh")
    assert "dari 20 Mbps menjadi 35 Mbps" in text
    assert text.endswith(" https://bwmgr.example/recommendations/a00000000000")
    assert "\n" not in text
    later(application, 10 * MINUTE)
    assert tell(application, sender=sent).sent == {"noc": 0}


def test_many_at_once_are_one_message(office: Open, sent: Sent) -> None:
    """A first run with dozens in the queue does not ring dozens of times."""
    application = office("")
    application.state.add_recommendations([made("a", number, valid_from=NOW) for number in range(30)])
    tell(application, sender=sent)
    assert sent.texts() == [
        "30 rekomendasi menunggu keputusan; yang terpenting: Dinas Kesehatan https://bwmgr.example/recommendations"
    ]


def test_a_silent_router_is_told_after_its_patience_and_when_it_answers_again(office: Open, sent: Sent) -> None:
    """Not at the first missing answer; the end with how long it took."""
    application = office("")
    measured(application, NOW, silent="a")
    tell(application, sender=sent)
    assert sent.texts() == []
    later(application, 15 * MINUTE)
    measured(application, NOW + 15 * MINUTE, silent="a")
    tell(application, sender=sent)
    assert sent.texts() == [
        "rtr-a tidak menjawab selama 15 menit: tidak ada pengukuran dari 1 titik. https://bwmgr.example/links"
    ]
    later(application, 15 * MINUTE)
    measured(application, NOW + 30 * MINUTE)
    tell(application, sender=sent)
    assert sent.texts()[1].startswith("rtr-a menjawab lagi, setelah 30 menit.")


def test_a_full_line_is_told_with_its_figures(office: Open, sent: Sent) -> None:
    """How much of the time, and what it uses."""
    application = office("")
    measured(application, NOW, full="a")
    tell(application, sender=sent)
    assert sent.texts() == [
        "Dinas Kesehatan (unduh) berada pada batasnya selama 100 % dari 15 menit, memakai 20 Mbps. https://bwmgr.example/links/a"
    ]


def test_an_event_is_told_before_it_begins_and_while_its_reservation_is_missing(office: Open, sent: Sent) -> None:
    """A day before; critical where it has begun and nothing is in force; once each."""
    application = office("")
    for hours in (0, 28, 1, 23, 0):
        later(application, timedelta(hours=hours))
        tell(application, sender=sent)
    said = [(str(message.severity), message.text) for _, message in sent.messages]
    assert [severity for severity, _ in said] == ["warning", "critical"]
    assert "Acara g20 dimulai 4 Maret 2026 12.00 WIB: 0 dari 1 reservasi disetujui." in said[0][1]
    assert "Acara g20 sudah dimulai: 0 dari 1 reservasi berlaku." in said[1][1]


def test_a_change_that_was_taken_back_is_critical(office: Open, sent: Sent) -> None:
    """With the reason; one whose time had ended is no news."""
    application = office("")
    application.state.add_recommendations([made("a"), made("b")])
    for name, note in (("a", "a rolls back: it discards more"), ("b", "its time has ended")):
        for status, by in ((Status.APPROVED, "budi"), (Status.APPLIED, "sari"), (Status.ROLLED_BACK, WATCHER)):
            entry = made(name)
            application.state.change_status(StatusChange(recommendation=entry.id, at=NOW, status=status, by=by, note=note))
    tell(application, sender=sent)
    ((_, message),) = sent.messages
    assert (str(message.severity), message.kind) == ("critical", "enforcement")
    assert "ke 35 Mbps dibatalkan sendiri: a rolls back: it discards more" in message.text


def test_an_altered_journal_is_critical(office: Open, sent: Sent) -> None:
    """The state remembers an entry that is not there."""
    application = office("")
    application.trail.record("history.imported", "a.csv", by="sari")
    application.trail.close()
    (application.folder / JOURNAL).unlink()
    for path in application.folder.glob(f"{JOURNAL}-*"):
        path.unlink()
    tell(application, sender=sent)
    ((_, message),) = sent.messages
    assert (str(message.severity), message.kind) == ("critical", "trail")


def test_a_receiver_gets_what_it_wants(office: Open, sent: Sent) -> None:
    """By least severity and kinds, each in its language."""
    hook = "webhook: {url: 'http://127.0.0.1:1'}"
    others = f", {{id: low, {hook}, kinds: [silence]}}, {{id: english, {hook}, language: en, severity: warning}}"
    application = office(", severity: critical", receivers=others)
    application.state.add_recommendations([made("a")])
    tell(application, sender=sent)
    assert [name for name, _ in sent.messages] == ["english"]
    assert "from 20 Mbps to 35 Mbps" in sent.texts("english")[0]


def test_a_digest_waits_for_its_time(office: Open, sent: Sent) -> None:
    """Told at 08:00, collected until tomorrow 07:30, one list; what is critical goes at once."""
    application = office(", digest: '07:30', kinds: [recommendation, enforcement]")
    application.state.add_recommendations([made("a"), made("b", proposed=Bandwidth(cir_bps=0, mir_bps=30 * M))])
    tell(application, sender=sent)
    assert sent.messages == []
    entry = made("a", 9)
    application.state.add_recommendations([entry])
    for status in (Status.APPROVED, Status.APPLIED, Status.ROLLED_BACK):
        application.state.change_status(StatusChange(recommendation=entry.id, at=NOW, status=status, by=WATCHER, note="harm"))
    tell(application, sender=sent)
    assert [message.kind for _, message in sent.messages] == ["enforcement"]
    later(application, timedelta(hours=23, minutes=29))
    tell(application, sender=sent)
    assert len(sent.messages) == 1
    later(application, MINUTE)
    tell(application, sender=sent)
    assert (sent.messages[1][1].kind, sent.messages[1][1].text.count("• ")) == ("digest", 2)
    assert sent.messages[1][1].subject == "Diskominfo: 2 pemberitahuan"


def test_quiet_hours_hold_all_but_what_is_critical(office: Open, sent: Sent) -> None:
    """Until their end, also overnight."""
    application = office(", quiet: '22:00-09:00', kinds: [recommendation, enforcement]")
    application.state.add_recommendations([made("a"), made("b", 1)])
    for status in (Status.APPROVED, Status.APPLIED, Status.ROLLED_BACK):
        application.state.change_status(StatusChange(recommendation=made("b", 1).id, at=NOW, status=status, by=WATCHER, note="x"))
    tell(application, sender=sent)
    assert [message.kind for _, message in sent.messages] == ["enforcement"]
    later(application, timedelta(hours=1))
    tell(application, sender=sent)
    assert [message.kind for _, message in sent.messages] == ["enforcement", "recommendation"]


def test_too_many_messages_become_one_and_then_wait(office: Open, sent: Sent) -> None:
    """Two an hour: the first alone, the next two together, the fourth an hour later."""
    application = office(", most_per_hour: 2, kinds: [recommendation]")
    for number, count in ((0, 1), (1, 2), (3, 1)):
        application.state.add_recommendations([made("a", number + more) for more in range(count)])
        tell(application, sender=sent)
    assert [message.kind for _, message in sent.messages] == ["recommendation", "digest"]
    later(application, timedelta(minutes=61))
    tell(application, sender=sent)
    assert len(sent.messages) == 3


def test_one_failing_receiver_harms_no_other(office: Open, sent: Sent) -> None:
    """The other is told; the failing one is tried again later, longer each time, and then gets it once."""
    application = office("", receivers=", {id: hook, kinds: [recommendation], webhook: {url: 'http://127.0.0.1:1'}}")
    application.state.add_recommendations([made("a")])
    sent.trouble["hook"] = NotifyUnavailable("hook", "no answer")
    done = tell(application, sender=sent)
    assert (done.sent, done.failed) == ({"noc": 1, "hook": 0}, {"hook": "no answer"})
    for minutes in (0.5, 1, 1, 2):
        later(application, minutes * MINUTE)
        tell(application, sender=sent)
    sent.trouble.clear()
    later(application, 10 * MINUTE)
    tell(application, sender=sent)
    tell(application, sender=sent)
    assert (len(sent.texts("hook")), len(sent.texts("noc"))) == (1, 1)


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (NotifyUnavailable("noc", "429", 35.0), 35.0),
        (NotifyRefused("noc", "401"), 3600.0),
        (NotifyUnavailable("noc", "away"), 60.0),
    ],
)
def test_a_receiver_is_left_alone_as_long_as_it_takes(office: Open, sent: Sent, error: Exception, after: float) -> None:
    """As long as it said, an hour where a person must mend it, else a minute, doubling; new notices do not ask sooner."""
    application = office(", kinds: [recommendation]")
    application.state.add_recommendations([made("a")])
    sent.trouble["noc"] = error
    tell(application, sender=sent)
    sent.trouble.clear()
    later(application, timedelta(seconds=after - 1))
    application.state.add_recommendations([made("b", 1)])
    tell(application, sender=sent)
    assert sent.messages == []
    later(application, timedelta(seconds=1))
    tell(application, sender=sent)
    assert len(sent.messages) == 2


def test_what_was_not_delivered_is_there_after_a_restart(office: Open, sent: Sent) -> None:
    """Another process sends it, and none sends it again (fault 46)."""
    first = office(", kinds: [recommendation]")
    first.state.add_recommendations([made("a")])
    sent.trouble["noc"] = NotifyUnavailable("noc", "away", 1.0)
    tell(first, sender=sent)
    first.close()
    sent.trouble.clear()
    second = office(", kinds: [recommendation]")
    later(second, timedelta(seconds=2))
    tell(second, sender=sent)
    tell(second, sender=sent)
    assert len(sent.messages) == 1


def test_two_rounds_at_once_are_refused(office: Open) -> None:
    """The daemon's and one by hand: nobody gets a message twice."""
    application = office("")
    with Lock(application.folder / "notify"), pytest.raises(StoreLocked):
        tell(application)


def test_metrics_say_what_became_of_messages(office: Open, sent: Sent) -> None:
    """By receiver: waiting now; sent, failed and dropped counted once."""
    application = office(", kinds: [recommendation]")
    application.state.add_recommendations([made("a")])
    metrics = Metrics()
    sent.trouble["noc"] = NotifyUnavailable("noc", "away", 1.0)
    for _ in range(2):
        metrics.notified(figures(application, tell(application, sender=sent)))
        sent.trouble.clear()
        later(application, timedelta(seconds=2))
    text = metrics.text().decode()
    assert 'bwmgr_notify_waiting{receiver="noc"} 0.0' in text
    for what in ("sent", "failed"):
        assert f'bwmgr_notify_messages_total{{receiver="noc",what="{what}"}} 1.0' in text


def said(application: Application, *words: str) -> Result:
    session = Session(clock=ManualClock(NOW))
    return CliRunner().invoke(bwmgr, ["-c", str(application.settings.source), *words], obj=session)


def api(application: Application, peer: WebPeer) -> None:
    """The office's bot is the one on loopback."""
    path = application.settings.source
    path.write_text(path.read_text().replace("chat: '-100123'", f"chat: '-100123', api: '{peer.url}'"))


def test_the_whole_way_to_telegram(office: Open) -> None:
    """`notify run` over a Bot API on loopback; `notify list` says that it arrived; nothing twice."""
    application = office(", kinds: [recommendation]")
    application.state.add_recommendations([made("a")])
    with WebPeer("123456:AAs3cr3t-token") as peer:
        api(application, peer)
        done = json.loads(said(application, "notify", "run", "--format", "json").stdout)
        assert (done, len(peer.texts)) == ({"new": 1, "sent": {"noc": 1}, "failed": {}}, 1)
        assert said(application, "notify", "run").exit_code == 0
        assert len(peer.texts) == 1
    (row,) = json.loads(said(application, "notify", "list", "--format", "json").stdout)
    assert (row["receiver"], row["channel"], row["to"], row["sent"], row["waiting"]) == ("noc", "telegram", "chat -100123", 1, 0)
    assert "s3cr3t" not in said(application, "notify", "list").stdout + json.dumps(row)


def test_a_test_message_by_hand(office: Open) -> None:
    """To all or one; exit 0, 1 where none, 3 where not all were reached; no secret in what is said."""
    others = ", {id: gone, webhook: {url: 'http://127.0.0.1:1/x?key=1'}}"
    application = office("", receivers=others)
    with WebPeer("123456:AAs3cr3t-token") as peer:
        api(application, peer)
        one = said(application, "notify", "test", "noc")
        assert (one.exit_code, "noc: tersampaikan" in one.stdout) == (0, True)
        assert "Uji coba oleh bwmgr untuk noc" in peer.texts[0]
        peer.say(401, {"ok": False, "description": "Unauthorized"})
        bad = said(application, "notify", "test", "noc")
        assert (bad.exit_code, "Unauthorized" in bad.stdout, "s3cr3t" in bad.output) == (1, True, False)
    unknown = said(application, "notify", "test", "nobody")
    assert isinstance(unknown.exception, UsageError)
    assert "there are noc, gone" in str(unknown.exception)


def test_without_receivers_nothing_is_told(office: Open) -> None:
    """And `notify list` says so."""
    application = office("")
    path = application.settings.source
    path.write_text(CONFIGURATION)
    assert "Tidak ada yang diberi tahu" in said(application, "notify", "list").stdout
    assert isinstance(said(application, "notify", "test").exception, UsageError)
    shutil.rmtree(application.folder, ignore_errors=True)


PROVIDERS = """\
providers: [{id: isp, name: PT Penyedia, contracts: [{id: isp-26, down: 100M, up: 100M, start: 2026-01-01, end: 2026-12-31,
  sla: {availability: 99.5}}]}]
"""
UPLINK = "nodes: [{id: kab, uplinks: [{interface: {device: rtr-a, if_name: wan, faces: provider}, contract: isp-26}]}]\n"


@pytest.fixture
def supplied(office: Open) -> Application:
    """The office with a provider, whose line stands on the first router."""
    path = office(", severity: warning").settings.source
    text = path.read_text().replace("nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]\n", UPLINK)
    path.write_text(text + PROVIDERS)
    return Application(load_settings(path), clock=ManualClock(NOW))


def test_a_full_uplink_is_critical(supplied: Application, sent: Sent) -> None:
    """What it carries against its contract."""
    ((name, _, _),) = supplied.inventory.uplinks()
    rows = np.zeros(30, dtype=RATE)
    rows["end_ms"] = [int((NOW - (29 - number) * MINUTE).timestamp() * 1000) for number in range(30)]
    rows["interval_ticks"] = 6000
    rows["down_bps"], rows["up_bps"] = 97.0 * M, 10.0 * M
    supplied.store.write(UPLINK_RATE, RateBatch(series=[name], rows=rows))
    tell(supplied, sender=sent)
    ((_, message),) = sent.messages
    assert (str(message.severity), "penuh: 97 Mbps dari 100 Mbps selama 15 menit" in message.text) == ("critical", True)
    supplied.close()


@pytest.mark.parametrize(("hours", "told"), [(3.5, 0), (4.0, 1)])
def test_a_provider_is_told_of_when_its_promise_cannot_be_kept_any_more(
    supplied: Application, sent: Sent, monkeypatch: pytest.MonkeyPatch, hours: float, told: int
) -> None:
    """99.5 % of March are 3.72 hours away: less may still turn out well; more is broken whatever follows; looked at hourly."""
    asked: list[datetime] = []
    contract = supplied.inventory.contracts["isp-26"]
    start = datetime(2026, 2, 28, 17, 0, tzinfo=UTC)
    month = SimpleNamespace(
        first=start.date(), start=start, end=start + timedelta(days=31), time=SimpleNamespace(down_ms=hours * 3.6e6)
    )

    def served(application: Application, *_: object) -> Any:
        asked.append(application.clock.now())
        return (SimpleNamespace(contract=contract, months=(month,)),)

    monkeypatch.setattr("bwmgr.daemon.service_levels.service_levels", served)
    for _ in range(3):
        tell(supplied, sender=sent)
        later(supplied, 40 * MINUTE)
    texts = [message.text for _, message in sent.messages if message.kind == "provider"]
    assert (len(texts), len(asked)) == (told, 2)
    assert all(text.startswith("PT Penyedia melanggar janjinya: isp-26 terputus 4 jam, dari 3 jam 43 menit") for text in texts)
    supplied.close()
