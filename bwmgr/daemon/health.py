"""The daemon's own pages: `/metrics` for Prometheus, `/health` for probes, `/` for people. Read-only, plain HTTP."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bwmgr.errors import ConfigurationError, Mistake, system_reason
from bwmgr.model.said import Said

Health = Callable[[], Mapping[str, Any]]
"""Gives the page's facts; `healthy` (bool) decides between 200 and 503."""

_REQUEST_SECONDS = 10.0
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="15"><title>bwmgr: {state}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}
h1 span{{color:{colour}}}td,th{{text-align:left;padding:.2rem 1.5rem .2rem 0}}th{{font-weight:normal;color:#555}}</style></head>
<body><h1>bwmgr: <span>{state}</span></h1><table>{rows}</table>
<p><a href="/health">/health</a> (JSON), <a href="/metrics">/metrics</a> (Prometheus)</p></body></html>
"""


class HealthServer:
    """Serves until `close`. `port` is the one bound, also when 0 was asked for."""

    def __init__(self, listen: str, metrics: Callable[[], bytes], health: Health) -> None:
        """`listen` is HOST:PORT, IPv4 or [IPv6]. Raises: ConfigurationError when it cannot be bound."""
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(metrics, health))
        except (OSError, ValueError, OverflowError) as error:
            why = system_reason(error) if isinstance(error, OSError) else str(error)
            problem = Said(
                "cannot listen on {address}: {why}; choose another port, or stop what listens there", address=listen, why=why
            )
            raise ConfigurationError([Mistake(file="", line=0, key="daemon.metrics", problem=problem)]) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def page(facts: Mapping[str, Any]) -> str:
    """The facts as a page for people; everything in it is escaped."""
    healthy = bool(facts["healthy"])
    rows = "".join(
        f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{html.escape('–' if fact is None else str(fact))}</td></tr>"
        for name, fact in facts.items()
    )
    return _PAGE.format(state="healthy" if healthy else "not healthy", colour="#0a7d33" if healthy else "#b00020", rows=rows)


def _handler(metrics: Callable[[], bytes], health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS  # a client that says nothing must not hold a thread for ever

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", metrics())
            elif path in {"/", "/health"}:
                self._answer_health(for_people=path == "/")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"see /, /health or /metrics\n")

        def _answer_health(self, *, for_people: bool) -> None:
            facts = health()
            status = HTTPStatus.OK if facts["healthy"] else HTTPStatus.SERVICE_UNAVAILABLE
            if for_people:
                self._answer(status, "text/html; charset=utf-8", page(facts).encode())
            else:
                self._answer(status, "application/json", json.dumps(facts, ensure_ascii=False, indent=2).encode() + b"\n")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
            """Requests are not logged: a scrape every 15 s would drown the rest."""

    return Handler
