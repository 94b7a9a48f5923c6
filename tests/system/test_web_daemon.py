"""The pages as the daemon serves them: a process beside it, with its figures, whose readers cannot slow polling down."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from bwmgr.testing.site import Daemon, Site
from bwmgr.testing.webpage import WebPage

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.slow]

WEB = ', web: {listen: "127.0.0.1:0"}'
SECURED = ', web: {listen: "127.0.0.1:0", token: {file: token}}'
TOKEN = "a-token-of-the-noc-2026"
PATIENCE_SECONDS = 60.0
SLOW_CLIENTS = 30


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.write(daemon=WEB)
    (tmp_path / "token").write_text(TOKEN)
    yield made
    made.close()


def test_it_shows_what_is_polled_comes_back_when_killed_and_ends_with_the_daemon(site: Site) -> None:
    """Pages follow polling and know the daemon's health; after kill -9 the same port answers again; SIGTERM ends both in time."""
    with site.daemon() as daemon:
        daemon.wait_for_message("STATUS=3 of 3 links have a rate")
        first, port = started(daemon)
        page = WebPage(read(port, "/"))
        assert page.by_id["complete"].strip() == "100 %"
        assert {row[0] for row in page.tables["worst"]} == {"link-0", "link-1", "link-2"}
        assert "Titik dengan laju 3" in WebPage(read(port, "/health")).text
        os.kill(first, signal.SIGKILL)
        (gone,) = daemon.wait_for_log("web pages ended, to be started again")
        assert gone["exit_code"] == -signal.SIGKILL
        second, again = started(daemon, count=2)
        assert again == port
        assert "bwmgr" in read(port, "/")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert ended(second)
        with pytest.raises(URLError):
            read(port, "/")


def test_sighup_changes_who_may_read_and_what_is_shown(site: Site) -> None:
    """A token from one moment to the next, and a link less, on the same port; a refused configuration changes nothing."""
    with site.daemon() as daemon:
        daemon.wait_for_message("STATUS=3 of 3")
        _, port = started(daemon)
        assert "link-2" in read(port, "/links")
        site.write(daemon=SECURED, links=2)
        daemon.signal(signal.SIGHUP)
        _, again = started(daemon, count=2)
        assert again == port
        with pytest.raises(HTTPError, match="401"):
            read(port, "/links")
        page = read(port, "/links", token=TOKEN)
        assert "link-1" in page
        assert "link-2" not in page
        site.write(daemon=', web: {listen: "0.0.0.0:0"}')
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration refused, the old one stays")
        assert "link-1" in read(port, "/links", token=TOKEN)
        assert TOKEN not in str(daemon.log)


def test_slow_and_hostile_clients_disturb_nobody(site: Site) -> None:
    """Clients that dribble hold no thread; too large a header and a raw way out of the folder are refused; polling goes on.

    After kill -9 of the daemon no orphan stays.
    """
    with site.daemon() as daemon, ExitStack() as stack:
        pid, port = started(daemon)
        for _ in range(SLOW_CLIENTS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert "bwmgr" in read(port, "/")
        assert spoken(port, b"GET /static/../../site.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").startswith(
            b"HTTP/1.1 404"
        )
        assert spoken(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n").startswith(b"HTTP/1.0 431")
        assert spoken(port, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
        cycles = sum(message.startswith("STATUS=") for message in daemon.messages)
        daemon.wait_for_message("STATUS=", count=cycles + 2)
        daemon.signal(signal.SIGKILL)
        assert ended(pid)


def started(daemon: Daemon, count: int = 1) -> tuple[int, int]:
    """The pages' process id and port, once they started so often."""
    line = daemon.wait_for_log("web pages started", count=count)[-1]
    return line["pid"], line["port"]


def read(port: int, path: str, *, token: str = "") -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read().decode())


def spoken(port: int, request: bytes) -> bytes:
    """The head of the answer to these very octets."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
        client.sendall(request)
        return client.recv(4096)


def ended(pid: int) -> bool:
    """Waits for the end of a process that is not ours."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_SECONDS)[0])
    finally:
        os.close(handle)
