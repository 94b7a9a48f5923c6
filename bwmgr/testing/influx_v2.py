"""A double of InfluxDB 2.x's HTTP API, from its documentation: token, organisation, buckets, their names for InfluxQL, writing.

A real one takes ten minutes to build (`tools/influxd2.sh`), so it is not everywhere. Owns what access, write and set-up
answer, with 2.x's statuses and JSON; of InfluxQL it knows only that a statement it cannot parse is an error. Lines are kept, not
indexed.
"""

from __future__ import annotations

import json
import re
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LINE = re.compile(rb'[^,\s]+(,(\\.|[^\\ ])+)? [^=\s]+=("(\\.|[^"\\])*"|[^,\s]+)(,[^=\s]+=("(\\.|[^"\\])*"|[^,\s]+))* \d+')
_NO_TASKS: tuple[int, dict[str, Any]] = (200, {"tasks": []})
_FORBIDDEN: tuple[int, dict[str, Any]] = (
    403,
    {"code": "forbidden", "message": "read:orgs/0000000000000001/tasks is unauthorized"},
)
_ORGANISATION = {"id": "0000000000000001", "name": "kominfo"}


class InfluxV2(ThreadingHTTPServer):
    """Runs from its entry to its exit, on a free port of loopback. Without buckets at first."""

    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = token
        self.buckets: dict[str, dict[str, Any]] = {}
        self.mappings: list[dict[str, Any]] = []
        self.lines: list[bytes] = []
        self.may_set_up_tasks = True
        self.asked: list[str] = []
        """The selections that came in."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> InfluxV2:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def write(self, bucket: str, lines: list[bytes]) -> tuple[int, dict[str, Any]]:
        """204, 404 for a bucket that is not there, 400 for a request with a line that cannot be parsed: nothing of it is kept."""
        if bucket not in self.buckets:
            return 404, {"code": "not found", "message": f'bucket "{bucket}" not found'}
        for line in lines:
            if not LINE.fullmatch(line):
                return 400, {"code": "invalid", "message": f"unable to parse '{line.decode(errors='replace')}'"}
        self.lines += lines
        return 204, {}

    def make_bucket(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        made = {"id": f"{len(self.buckets) + 16:016x}", "type": "user", **wanted}
        self.buckets[wanted["name"]] = made
        return 201, made

    def make_mapping(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        made = {"id": f"{len(self.mappings) + 64:016x}", "virtual": False, "orgID": _ORGANISATION["id"], **wanted}
        self.mappings.append(made)
        return 201, made


class _Handler(BaseHTTPRequestHandler):
    server: InfluxV2

    def do_GET(self) -> None:
        path, asked = self._asked()
        if path == "/ping":
            self._reply(204, {})
        elif not self._is_known():
            self._reply(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif path == "/query":
            self._reply(400, {"code": "invalid", "message": "failed to parse query: found BWMGR, expected SELECT"})
        elif path == "/api/v2/tasks":
            self._reply(*(_NO_TASKS if self.server.may_set_up_tasks else _FORBIDDEN))
        elif path == "/api/v2/orgs":
            self._reply(200, {"orgs": [_ORGANISATION]})
        elif path == "/api/v2/buckets":
            found = [bucket for name, bucket in self.server.buckets.items() if name == asked.get("name", name)]
            self._reply(200, {"buckets": found})
        elif path == "/api/v2/dbrps":
            self._reply(200, {"content": [one for one in self.server.mappings if one["database"] == asked.get("db")]})
        else:
            self._reply(404, {"code": "not found", "message": "path not found"})

    def do_POST(self) -> None:
        path, asked = self._asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_known():
            self._reply(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif path == "/api/v2/write":
            self._reply(*self.server.write(asked["bucket"], zlib.decompress(body, 31).splitlines()))
        elif path == "/api/v2/buckets":
            self._reply(*self.server.make_bucket(json.loads(body)))
        elif path == "/api/v2/dbrps":
            self._reply(*self.server.make_mapping(json.loads(body)))
        elif path == "/query" and (said := parse_qs(body.decode())["q"][0]).startswith("SELECT"):
            self.server.asked.append(said)
            self._reply(200, {"results": [{"statement_id": 0}]})
        elif path == "/query":
            self._reply(200, {"results": [{"statement_id": 0}]})
        else:
            self._reply(404, {"code": "not found", "message": "path not found"})

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}

    def _is_known(self) -> bool:
        return self.headers.get("Authorization") == f"Token {self.server.token}"

    def _reply(self, status: int, document: dict[str, Any]) -> None:
        body = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("X-Influxdb-Version", "v2.7.12")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""
