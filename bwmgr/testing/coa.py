"""An access server that takes CoA-Requests over UDP (RFC 5176), on pyrad's server classes: sessions by user name and by address.

It shapes nothing. A request with a wrong secret or a wrong Message-Authenticator is dropped without a word, as the RFC wants it.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pyrad.packet import CoANAK, PacketError
from pyrad.server import RemoteHost, Server, ServerPacketError

from bwmgr.drivers.radius import dictionary

SECRET = "rahasia bersama"  # noqa: S105  # the double's own
_NO_SESSION, _MISSING = 503, 402


@dataclass
class AccessServer:
    """`sessions` by `User-Name` or `Framed-IP-Address`: the attributes that were last set."""

    sessions: dict[str, dict[str, Any]]
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    cause: int = 0
    """The next request is refused with this Error-Cause."""


class _Coa(Server):  # type: ignore[misc]  # pyrad has no types
    def __init__(self, box: AccessServer) -> None:
        hosts = {"127.0.0.1": RemoteHost("127.0.0.1", SECRET.encode(), "bwmgr")}
        super().__init__(coaport=0, hosts=hosts, dict=dictionary(), auth_enabled=False, acct_enabled=False, coa_enabled=True)
        self._box = box
        self.BindToAddress("127.0.0.1")
        box.port = self.coafds[0].getsockname()[1]

    def HandleCoaPacket(self, pkt: Any) -> None:  # noqa: N802  # pyrad's name
        if not pkt.message_authenticator or not pkt.verify_message_authenticator():
            raise ServerPacketError("without a Message-Authenticator")
        words = {name: pkt[name][0] for name in pkt.keys()}  # noqa: SIM118  # its keys() gives names, its iteration numbers
        self._box.requests.append(words)
        reply, cause = self.CreateReplyPacket(pkt), self._refusal(words)
        if cause:
            reply.code = CoANAK
            reply.AddAttribute("Error-Cause", cause)
        self.SendReplyPacket(pkt.fd, reply)

    def _refusal(self, words: dict[str, Any]) -> int:
        if self._box.cause:
            return self._box.cause
        name = words.get("User-Name") or words.get("Framed-IP-Address")
        if name is None:
            return _MISSING
        if name not in self._box.sessions:
            return _NO_SESSION
        self._box.sessions[name] = {key: word for key, word in words.items() if key.startswith(("Mikrotik", "WISPr"))}
        return 0


@contextmanager
def running(*names: str) -> Iterator[AccessServer]:
    """An access server on a free port of 127.0.0.1 with a session for each name."""
    box = AccessServer(sessions={name: {} for name in names})
    server, (ours, theirs) = _Coa(box), socket.socketpair()

    def serve() -> None:
        while theirs not in (ready := select.select([server.coafds[0], theirs], [], [])[0]):
            try:
                server._ProcessInput(ready[0])
            except (ServerPacketError, PacketError):
                box.dropped += 1

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        ours.send(b"x")
        thread.join()
        for one in (ours, theirs, *server.coafds):
            one.close()
