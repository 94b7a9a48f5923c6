"""The trail and telling people, as processes: beside each other, reloaded, killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from bwmgr.stores.journal import Journal
from bwmgr.stores.journal_check import check
from bwmgr.stores.journal_keys import make_key
from bwmgr.testing.bot_api import WebPeer
from bwmgr.testing.site import Site

pytestmark = [pytest.mark.system, pytest.mark.clock]

TOKEN = "123456:AAs3cr3t-token"
MORE = """\
journal: {{key: {{file: journal.pem}}}}
notify:
  every: 5s
  receivers: [{{id: noc, kinds: [recommendation], telegram: {{token: {{file: bot}}, chat: "-100123", api: "{api}"}}}}]
"""
WRITER = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from bwmgr.model.journal import Actor, Note
from bwmgr.stores.journal import Journal
from bwmgr.stores.journal_keys import signing_key
folder = Path(sys.argv[1])
journal = Journal(folder, signing_key((folder / "key").read_text(), "key"))
while True:
    note = Note(id=uuid4().hex, at=datetime.now(UTC), actor=Actor(name=sys.argv[2]), action="test.done", subject="x")
    (entry,) = journal.append([note])
    print(entry.number, entry.hash, flush=True)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, links=1)
    yield made
    made.close()


@pytest.mark.slow
def test_what_people_and_the_daemon_do_is_in_one_whole_journal(site: Site) -> None:
    """Commands beside the daemon, a reload, a kill -9 and an end by SIGTERM: each has its entry, signed and chained; the bot told
    the office once; the token stands nowhere (faults 46, 49, 53)."""
    key = make_key(site.folder / "journal.pem")
    (site.folder / "bot").write_text(TOKEN)
    with WebPeer(TOKEN) as peer:
        site.write(more=MORE.format(api=peer.url))
        with site.daemon() as daemon:
            (asked,) = site.json("lift", "link-0", "--down", "30M", "--until", "2099-01-01T00:00", "--by", "sari")
            while not peer.texts:
                daemon.wait_for_cycles(1)
            site.write(limit="25M", more=MORE.format(api=peer.url))
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log("configuration reloaded")
            site.write(limit="25M", more=MORE.format(api=peer.url) + "nonsense: true\n")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log("configuration refused, the old one stays")
            site.write(limit="25M", more=MORE.format(api=peer.url))
            daemon.signal(signal.SIGKILL)
            daemon.wait()
            told = "".join(map(json.dumps, daemon.log))
        with site.daemon() as daemon:
            (started,) = daemon.wait_for_log("daemon started")
            metrics = urlopen(f"http://127.0.0.1:{started['metrics_port']}/metrics", timeout=5).read().decode()
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
            told += "".join(map(json.dumps, daemon.log))
        assert len(peer.texts) == 1
    journal = Journal(site.folder / "var")
    done = check(journal, [key.public])
    assert (done.problems, done.unsigned) == ([], 0)
    entries = [json.loads(entry.body) for entry in journal.entries()]
    assert [entry["action"] for entry in entries if not entry["action"].startswith("recommendation.")] == [
        "config.started", "order.given", "config.reloaded", "config.refused", "config.started", "daemon.stopped",
    ]  # fmt: skip
    assert [entry["actor"]["name"] for entry in entries if entry["subject"] == asked["id"]] == ["sari"]
    changes = next(entry["details"]["changes"] for entry in entries if entry["action"] == "config.reloaded")
    assert changes == ["links.link-0.limit.down: 20M -> 25M", "links.link-0.limit.up: 20M -> 25M"]
    kept = b"".join(path.read_bytes() for path in (site.folder / "var").glob("*.sqlite*"))
    assert TOKEN not in told + metrics + json.dumps(entries)
    assert TOKEN.encode() not in kept


def test_writers_that_are_killed_leave_one_chain_with_all_they_were_promised(tmp_path: Path) -> None:
    """Three at once, kill -9 among them: every acknowledged entry is there, in its place, and the chain holds (fault 46)."""
    key = make_key(tmp_path / "key")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), f"writer-{number}"], stdout=subprocess.PIPE, text=True, env=environment
        )
        for number in range(3)
    ]
    journal = Journal(tmp_path)
    until = time.monotonic() + 30
    while (last := journal.head()) is None or (last.number < 60 and time.monotonic() < until):
        assert all(writer.poll() is None for writer in writers)
    promised: dict[int, str] = {}
    for writer in writers:
        writer.kill()
        said = writer.communicate()[0].splitlines()
        promised |= {int(number): hash_ for number, hash_ in (line.split() for line in said if line.count(" ") == 1)}
    done = check(journal, [key.public])
    kept = {row.number: row.hash for row in journal.rows()}
    assert (done.problems, len(promised) > 50) == ([], True)
    assert {number: kept.get(number) for number, hash_ in promised.items() if len(hash_) == 64} == {
        number: hash_ for number, hash_ in promised.items() if len(hash_) == 64
    }
