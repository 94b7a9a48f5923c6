"""A double of InfluxDB 3 Core's HTTP API, from its documentation: token, tables with fixed tags, writing, a little InfluxQL.

A real one is not to be had here as a package or a Go tool. Owns what access, write and set-up answer, with 3's statuses and JSON:
the tags of a table are those of its making or of its first point, a bad line is refused and the good ones beside it are
kept, a query is a GET, of SQL there is `SHOW TABLES`. Of InfluxQL it knows what a test puts into `answers`; lines are kept, not
indexed.
"""

from __future__ import annotations

import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bwmgr.testing.influx_v2 import LINE

Document = dict[str, Any]


class InfluxV3(ThreadingHTTPServer):
    """Runs from its entry to its exit, on a free port of loopback. Without databases at first."""

    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = token
        self.tables: dict[str, dict[str, set[str]]] = {}
        """Database -> table -> its tags."""
        self.retention: dict[str, str] = {}
        self.lines: list[bytes] = []
        self.answers: dict[str, list[Document]] = {}
        """InfluxQL -> the series of the answer."""
        self.asked: list[str] = []
        """The InfluxQL that came in."""
        self.may_configure = True
        """False: the token may read and write, and no more."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> InfluxV3:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def write(self, database: str, lines: list[bytes]) -> tuple[int, Document]:
        """204, or 400 with what is wrong: the other lines are kept all the same."""
        wrong = [problem for number, line in enumerate(lines, 1) if (problem := self._take(database, line, number))]
        return (400, {"error": "partial write of line protocol occurred", "data": wrong}) if wrong else (204, {})

    def configure(self, what: str, wanted: Document) -> tuple[int, Document]:
        """409 where it is there already."""
        if not self.may_configure:
            return 403, {"error": "forbidden"}
        name = wanted["db"]
        if what == "database":
            there = name in self.tables
            self.tables.setdefault(name, {})
            self.retention.setdefault(name, wanted.get("retention_period", ""))
        else:
            there = wanted["table"] in self.tables[name]
            self.tables[name].setdefault(wanted["table"], set(wanted["tags"]))
        return (409, {"error": "attempted to create a resource that already exists"}) if there else (200, {})

    def query(self, database: str, text: str) -> tuple[int, Document]:
        self.asked.append(text)
        if not text.startswith(("SELECT", "SHOW")):
            return 400, {"error": f"error in InfluxQL statement: parsing error: invalid InfluxQL statement at pos 0: {text}"}
        if database not in self.tables:
            return 404, {"error": f"database not found: {database}"}
        found = self.answers.get(text, [])
        return 200, {"results": [{"statement_id": 0, **({"series": found} if found else {})}]}

    def show_tables(self, database: str) -> tuple[int, Any]:
        if database not in self.tables:
            return 404, {"error": f"database not found: {database}"}
        found = [{"table_schema": "iox", "table_name": name} for name in sorted(self.tables[database])]
        return 200, [*found, {"table_schema": "system", "table_name": "queries"}]

    def _take(self, database: str, line: bytes, number: int) -> Document | None:
        """What is wrong with a line, or None: it is kept."""
        problem = "" if LINE.fullmatch(line) else "invalid line protocol"
        if not problem:
            table, *tags = line.split(b" ", 1)[0].replace(rb"\,", b"").decode().split(",")
            names = {tag.split("=")[0] for tag in tags}
            known = self.tables.setdefault(database, {}).setdefault(table, names)
            new = sorted(names - known)
            problem = (
                f"Detected a new tag '{new[0]}' in write. The tag set is immutable on first write to the table." if new else ""
            )
        if problem:
            return {"original_line": line.decode(errors="replace"), "line_number": number, "error_message": problem}
        self.lines.append(line)
        return None


class _Handler(BaseHTTPRequestHandler):
    server: InfluxV3

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self._is_known():
            self._reply(401, {"error": "the request was not authenticated"}, named=False)
        elif parts.path == "/ping":
            self._reply(200, {"version": "3.2.0", "revision": "double", "process_id": "0"})
        elif parts.path == "/api/v3/query_sql" and asked["q"] == "SHOW TABLES":
            self._reply(*self.server.show_tables(asked["db"]))
        elif parts.path == "/query":
            self._reply(*self.server.query(asked["db"], asked["q"]))
        else:
            self._reply(404, {"error": "not found"})

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_known():
            self._reply(401, {"error": "the request was not authenticated"}, named=False)
        elif parts.path == "/api/v2/write":
            self._reply(*self.server.write(asked["bucket"], zlib.decompress(body, 31).splitlines()))
        elif parts.path.startswith("/api/v3/configure/"):
            self._reply(*self.server.configure(parts.path.rpartition("/")[2], json.loads(body)))
        else:  # also a query by POST: the documentation has GET only
            self._reply(404, {"error": "not found"})

    def _is_known(self) -> bool:
        return self.headers.get("Authorization") in {f"Token {self.server.token}", f"Bearer {self.server.token}"}

    def _reply(self, status: int, document: Any, *, named: bool = True) -> None:
        body = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        if named:
            self.send_header("x-influxdb-version", "3.2.0")
            self.send_header("x-influxdb-build", "Core")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""
