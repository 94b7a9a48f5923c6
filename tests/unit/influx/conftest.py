"""A tiny HTTP server that answers writes as it is told, and keeps what it took; batches of any size."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from bwmgr.measure.columns import RATE, RateBatch

Answering = Callable[[list[bytes]], tuple[int, str]]


class WriteServer(ThreadingHTTPServer):
    """`answer` gets the lines of a write and gives status and text; lines of a 204 are in `taken`. Pings as an InfluxDB does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answering = lambda lines: (204, "")
        self.taken: list[bytes] = []
        self.requests: list[int] = []
        """Statuses of writes, in order."""
        self.probe = (400, '{"error":"error parsing query"}')
        """The answer to what is no InfluxQL."""
        self.version = "1.8.10"
        self.cut = 0
        """So many next writes are taken, and the connection ends before the answer."""
        self.wait = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def saw(self, count: int) -> bool:
        """Waits for so many writes."""
        with self.wait:
            return self.wait.wait_for(lambda: len(self.requests) >= count, 10.0)


class _Handler(BaseHTTPRequestHandler):
    server: WriteServer

    def do_GET(self) -> None:
        self._reply(*((204, "") if self.path == "/ping" else self.server.probe))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/query"):
            self._reply(200, '{"results":[{"statement_id":0}]}')
            return
        lines = zlib.decompress(body, 31).splitlines()
        status, text = self.server.answer(lines)
        with self.server.wait:
            self.server.requests.append(status)
            if status == 204:
                self.server.taken += lines
            cut, self.server.cut = self.server.cut > 0, max(0, self.server.cut - 1)
            self.server.wait.notify_all()
        if cut:
            self.close_connection = True
        else:
            self._reply(status, text)

    def _reply(self, status: int, text: str) -> None:
        self.send_response(status)
        if self.server.version:
            self.send_header("X-Influxdb-Version", self.server.version)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def write_server() -> Iterator[WriteServer]:
    server = WriteServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def batch(links: int, minute: int = 1) -> RateBatch:
    """One row for each of so many links; link n's download is n + minute bit/s."""
    rows = np.zeros(links, RATE)
    rows["series"], rows["end_ms"] = np.arange(links), 1_767_225_600_000 + minute * 60_000
    rows["down_bps"] = rows["up_bps"] = np.arange(links) + minute
    return RateBatch(series=tuple(f"link-{n}" for n in range(links)), rows=rows)
