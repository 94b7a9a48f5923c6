"""The daemon's own page on loopback: `/metrics` for Prometheus, `/health` for people and probes. Read-only, plain HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bwmgr.errors import ConfigurationError, Mistake

Health = Callable[[], Mapping[str, Any]]
"""Gives the page's facts; `healthy` (bool) decides between 200 and 503."""


class HealthServer:
    """Serves until `close`. `port` is the one bound, also when 0 was asked for."""

    def __init__(self, listen: str, metrics: Callable[[], bytes], health: Health) -> None:
        """Raises: ConfigurationError when the address cannot be bound."""
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(metrics, health))
        except OSError as error:
            problem = f"cannot listen on {listen}: {error.strerror}; choose another port, or stop what listens there"
            raise ConfigurationError([Mistake(file="", line=0, key="daemon.metrics", problem=problem)]) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(metrics: Callable[[], bytes], health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", metrics())
            elif self.path in {"/", "/health"}:
                facts = health()
                status = HTTPStatus.OK if facts["healthy"] else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(facts, ensure_ascii=False, indent=2).encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"see /metrics or /health\n")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
            """Requests are not logged: a scrape every 15 s would drown the rest."""

    return Handler
