"""A router that speaks MikroTik's API and REST over TLS as their documentation has them: /queue/simple and /system/scheduler.

From help.mikrotik.com, "API" (words with their lengths, sentences, !re, !done, !trap, !fatal, .id) and "REST API" (methods,
status codes, error bodies). Not RouterOS: it shapes nothing, and what the documentation leaves open is not here.
"""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

USER, PASSWORD = "bwmgr", "sandi router"
_DEFAULTS = {"max-limit": "0/0", "limit-at": "0/0", "priority": "8/8", "disabled": "false", "comment": "", "parent": "none"}
_KNOWN = {*_DEFAULTS, "name", "target", "queue", "burst-limit"}
_ENTRY = {"name", "interval", "start-date", "start-time", "on-event", "policy", "comment", "disabled"}
QUEUES, SCHEDULER = "/queue/simple", "/system/scheduler"
_NONE = "no such item"


class Refusal(Exception):
    """What the router says no to."""


@dataclass
class Router:
    """The tables, and what was asked of it."""

    folder: Path
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    """Simple queues by their ids."""
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of the scheduler. Time passes when `expire` says so."""
    asked: list[str] = field(default_factory=list)
    refuse: str = ""
    """The next change is refused with this message."""
    before_change: Callable[[], None] | None = None
    after_change: Callable[[], None] | None = None
    """Called when a change has come in, and when it is in the table but not answered yet."""
    _next: int = 1
    api_port: int = 0
    rest_port: int = 0

    @property
    def ca(self) -> str:
        return str(self.folder / "router.pem")

    def table(self, path: str) -> dict[str, dict[str, str]]:
        if path not in (QUEUES, SCHEDULER):
            raise Refusal("no such command prefix")
        return self.rows if path == QUEUES else self.entries

    def add(self, words: Mapping[str, str], path: str = QUEUES) -> str:
        self._check(words, path)
        table = self.table(path)
        if any(row["name"] == words.get("name") for row in table.values()):
            raise Refusal("failure: already have such name")
        identity = f"*{self._next:X}"
        self._next += 1
        table[identity] = {**(_DEFAULTS if path == QUEUES else {}), ".id": identity, **words}
        self._changed(path)
        return identity

    def set(self, identity: str, words: Mapping[str, str], path: str = QUEUES) -> dict[str, str]:
        self._check(words, path)
        table = self.table(path)
        if identity not in table:
            raise Refusal(_NONE)
        table[identity] |= words
        self._changed(path)
        return table[identity]

    def remove(self, identity: str, path: str = QUEUES) -> None:
        table = self.table(path)
        if (self.refuse and path == QUEUES) or identity not in table:
            raise Refusal(self.refuse or _NONE)
        del table[identity]
        self._changed(path)

    def expire(self) -> None:
        """So much time passes that every entry of the scheduler is due; its script is run."""
        for entry in list(self.entries.values()):
            for words in _console(entry["on-event"]):
                self._typed(words)

    def _typed(self, words: list[str]) -> None:
        """A console line `/queue simple set [find name=N] key=word ...` as its words, the brackets taken off."""
        verb = next(word for word in words if word in ("add", "set", "remove"))
        path = "/".join(words[: words.index(verb)])
        pairs = dict(word.split("=", 1) for word in words[words.index(verb) + 1 :])
        found = [row[".id"] for row in self.table(path).values() if row["name"] == pairs.get("find")]
        pairs.pop("find", None)
        if verb == "add":
            self.add(pairs, path)
        for identity in found:
            if verb == "set":
                self.set(identity, pairs, path)
            elif verb == "remove":
                self.remove(identity, path)

    def _changed(self, path: str) -> None:
        if self.after_change is not None and path == QUEUES:
            self.after_change()

    def _check(self, words: Mapping[str, str], path: str) -> None:
        if path == SCHEDULER:
            if unknown := set(words) - _ENTRY:
                raise Refusal(f"unknown parameter {min(unknown)}")
            return
        if self.before_change is not None:
            self.before_change()
        if self.refuse:
            refused, self.refuse = self.refuse, ""
            raise Refusal(refused)
        if unknown := set(words) - _KNOWN:
            raise Refusal(f"unknown parameter {min(unknown)}")
        for pair in (words.get("max-limit"), words.get("limit-at")):
            if pair is not None and not all(half.isdecimal() for half in pair.split("/")):
                raise Refusal("invalid value for argument max-limit")


@contextmanager
def running(folder: Path) -> Iterator[Router]:
    """A router with its API and REST on free ports of 127.0.0.1; its certificate is its own authority (`ca`)."""
    router = Router(folder=folder)
    _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "router.pem", folder / "router.key")
    api = _Api(("127.0.0.1", 0), _ApiHandler)
    rest = ThreadingHTTPServer(("127.0.0.1", 0), _RestHandler)
    servers: tuple[socketserver.TCPServer, ...] = (api, rest)
    for server in servers:
        server.router = router  # type: ignore[attr-defined]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    router.api_port, router.rest_port = api.server_address[1], rest.server_address[1]
    try:
        yield router
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Api(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _ApiHandler(socketserver.StreamRequestHandler):
    """One connection: sentences in, replies out, nothing but /login before the login."""

    def handle(self) -> None:
        router: Router = self.server.router  # type: ignore[attr-defined]
        known = False
        while sentence := self._sentence():
            command, words = sentence[0], dict(word[1:].split("=", 1) for word in sentence[1:] if word.startswith("="))
            tag = [word for word in sentence if word.startswith(".tag=")]
            router.asked.append(" ".join([command, *(f"{key}={word}" for key, word in words.items() if key != "password")]))
            if command == "/login":
                known = (words.get("name"), words.get("password")) == (USER, PASSWORD)
                self._say("!done", *tag) if known else self._trap(tag, "invalid user name or password (6)")
            elif not known:
                self._say("!fatal", "not logged in")
                return
            else:
                self._answer(router, command, words, tag)

    def _answer(self, router: Router, command: str, words: dict[str, str], tag: list[str]) -> None:
        path, _, verb = command.rpartition("/")
        done: list[str] = []
        try:
            if verb == "print":
                for row in router.table(path).values():
                    self._say("!re", *tag, *(f"={key}={word}" for key, word in row.items()))
            elif verb == "add":
                done = [f"=ret={router.add(words, path)}"]
            elif verb == "set":
                router.set(words.pop(".id", ""), words, path)
            elif verb == "remove":
                router.remove(words.get(".id", ""), path)
            else:
                raise Refusal("no such command")
        except Refusal as error:
            self._trap(tag, str(error))
        else:
            self._say("!done", *tag, *done)

    def _trap(self, tag: list[str], message: str) -> None:
        """A trap is followed by !done, as every command's end is."""
        self._say("!trap", *tag, f"=message={message}")
        self._say("!done", *tag)

    def _sentence(self) -> list[str]:
        words: list[str] = []
        while word := self._word():
            words.append(word)
        return words

    def _word(self) -> str:
        first = self.rfile.read(1)
        if not first or first == b"\0":
            return ""
        more = next(count for count, bound in enumerate((0x80, 0xC0, 0xE0, 0xF0, 0xF8)) if first[0] < bound)
        length = int.from_bytes(first + self.rfile.read(more), "big") & ((1 << (7 * (more + 1))) - 1)
        return self.rfile.read(length).decode()

    def _say(self, *words: str) -> None:
        octets = b"".join(_length(len(word.encode())) + word.encode() for word in words)
        self.wfile.write(octets + b"\0")


def _console(script: str) -> Iterator[list[str]]:
    """Commands as lists of words, quotes and escapes undone (help.mikrotik.com, Scripting); `[find name=N]` becomes `find=N`."""
    words, word, quoted, place = [], "", False, 0
    script = script.replace("[find name=", "find=")
    while place < len(script):
        letter = script[place]
        if letter == "\\" and quoted:
            place += 1
            word += script[place] if script[place] in '"\\$?' else chr(int(script[place : place + 2], 16))
            place += 0 if script[place] in '"\\$?' else 1
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter in " ;":
            words += [word] if word else []
            word = ""
            if letter == ";":
                yield words
                words = []
        elif quoted or letter != "]":
            word += letter
        place += 1
    yield [*words, word]


def _length(octets: int) -> bytes:
    if octets < 0x80:
        return bytes([octets])
    if octets < 0x4000:
        return (octets | 0x8000).to_bytes(2, "big")
    return (octets | 0xC00000).to_bytes(3, "big")


class _RestHandler(BaseHTTPRequestHandler):
    """GET reads, PUT adds, PATCH sets, DELETE removes."""

    def do_GET(self) -> None:
        self._handle(lambda router, path, _: (200, list(router.table(path).values())))

    def do_PUT(self) -> None:
        self._handle(lambda router, path, _: (201, router.table(path)[router.add(self._body(), path)]))

    def do_PATCH(self) -> None:
        self._handle(lambda router, path, identity: (200, router.set(identity, self._body(), path)))

    def do_DELETE(self) -> None:
        self._handle(lambda router, path, identity: (204, router.remove(identity, path)))

    def log_message(self, *words: Any) -> None:
        """Says nothing: the test's output is the test's."""

    def _handle(self, act: Any) -> None:
        router: Router = self.server.router  # type: ignore[attr-defined]
        router.asked.append(f"{self.command} {self.path}")
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        asked = self.path.removeprefix("/rest").replace("%2A", "*")
        path = next((known for known in (QUEUES, SCHEDULER) if f"{asked}/".startswith(f"{known}/")), "")
        if self.headers.get("Authorization") != wanted:
            self._reply(401, {"error": 401, "message": "Unauthorized"})
        elif not path:
            self._reply(400, {"error": 400, "message": "Bad Request", "detail": "no such command or directory"})
        else:
            try:
                self._reply(*act(router, path, asked.removeprefix(path).removeprefix("/")))
            except Refusal as error:
                missing = str(error) == _NONE
                code, message = (404, "Not Found") if missing else (400, "Bad Request")
                self._reply(code, {"error": code, "message": message, "detail": str(error)})

    def _body(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        return found

    def _reply(self, code: int, document: object) -> None:
        body = b"" if code == 204 else json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _certificate(folder: Path) -> None:
    """A key and a certificate for 127.0.0.1 that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "router uji")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "router.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "router.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
