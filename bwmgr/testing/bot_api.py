"""A web service on loopback for whoever sends messages: Telegram's Bot API as it documents itself, and any webhook.

Owns the answers: `sendMessage` takes JSON with `chat_id` and `text` (1 to 4096 characters) and gives `{"ok": true, ...}`; a wrong
token is 401, an unknown chat 400, too much 429 with `parameters.retry_after`. What was received is kept for whoever asks.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Scripted = tuple[int, Mapping[str, Any] | str, Mapping[str, str]]
"""Status, body, headers of an answer that was put in front of the usual one."""


class WebPeer:
    """Used as a context manager. `requests` are (path, headers, body); `say` puts answers before the usual ones."""

    def __init__(self, token: str, chats: tuple[str, ...] = ("-100123",)) -> None:
        self.token, self.chats = token, chats
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._scripted: deque[Scripted] = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def say(self, status: int, body: Mapping[str, Any] | str = "", **headers: str) -> None:
        """The next answer, once; underscores in header names are hyphens."""
        self._scripted.append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))

    def too_many(self, seconds: int) -> None:
        """The next answer is 429, as the Bot API says it."""
        body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
        self.say(429, {**body, "parameters": {"retry_after": seconds}})

    @property
    def texts(self) -> list[str]:
        """Of the messages that were asked for, also of those refused."""
        return [json.loads(body)["text"] for path, _, body in self.requests if path.endswith("/sendMessage")]

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Scripted:
        self.requests.append((path, headers, body))
        if self._scripted:
            return self._scripted.popleft()
        return self._bot(path, body) if path.startswith("/bot") else (200, {"status": True}, {})

    def _bot(self, path: str, body: bytes) -> Scripted:
        if path != f"/bot{self.token}/sendMessage":
            return _refusal(404 if path.count("/") != 2 else 401, "Not Found" if path.count("/") != 2 else "Unauthorized")
        asked = json.loads(body)
        if asked["chat_id"] not in self.chats:
            return _refusal(400, "Bad Request: chat not found")
        if not 1 <= len(asked["text"].encode("utf-16-le")) // 2 <= 4096:
            return _refusal(400, "Bad Request: message is too long" if asked["text"] else "Bad Request: message text is empty")
        result = {"message_id": len(self.requests), "chat": {"id": asked["chat_id"]}, "text": asked["text"]}
        return 200, {"ok": True, "result": result}, {}

    def __enter__(self) -> WebPeer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _refusal(code: int, description: str) -> Scripted:
    return code, {"ok": False, "error_code": code, "description": description}, {}


def _handler(peer: WebPeer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, content, headers = peer.answer(self.path, dict(self.headers.items()), body)
            octets = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
            """Nothing on stderr."""

    return Handler
