"""A virtual router: an SNMP v1, v2c and v3 agent that answers one datagram with one datagram, or with silence.

Owns who is heard (communities, users) and the state of one agent. Sockets belong to `bwmgr.testing.server`, what the ports
count to whoever makes them. Any bytes may come in: what is not a request for this agent is dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from bwmgr.errors import DecodeError
from bwmgr.testing import ber, pdu
from bwmgr.testing.ber import Reader
from bwmgr.testing.mib import Port, PortTable, Snapshot, System
from bwmgr.testing.usm import Engine, User

MAX_MESSAGE_OCTETS = 1472
"""One Ethernet frame without fragments: more is tooBig, as on small routers."""


class VirtualRouter:
    """An honest agent over `ports`.

    `booted_ms(now_ms)` is the instant of the last boot, or None while the router is off: then it is silent. A wrong community
    is silence too (RFC 1157 section 4.1); a wrong v3 user gets the report that RFC 3414 section 3.2 prescribes.
    """

    def __init__(
        self,
        system: System,
        ports: Sequence[Port],
        *,
        communities: Iterable[str] = (),
        users: Iterable[User] = (),
        booted_ms: Callable[[int], int | None] = lambda _: 0,
        max_message_octets: int = MAX_MESSAGE_OCTETS,
    ) -> None:
        self.system = system
        self.table = PortTable(ports)
        self.communities = frozenset(community.encode() for community in communities)
        self.engine = Engine(system.name, users)
        self.booted_ms = booted_ms
        self.max_message_octets = max_message_octets
        self.dropped: Counter[str] = Counter()
        """Datagrams that got no answer, by reason."""

    def respond(self, datagram: bytes, now_ms: int) -> bytes | None:
        """The answer to `datagram` at an instant (ms since 1970 UTC), None for silence."""
        try:
            return self._answer(datagram, now_ms)
        except DecodeError as error:
            self.dropped[error.reason] += 1
            return None

    def _answer(self, datagram: bytes, now_ms: int) -> bytes | None:
        """Raises: DecodeError with the reason for silence."""
        booted = self.booted_ms(now_ms)
        if booted is None:
            raise DecodeError("off")
        snapshot = Snapshot(self.system, self.table, now_ms=now_ms, uptime_ms=now_ms - booted)
        message = Reader(datagram).inner()
        version = message.integer()
        if version == pdu.VERSION_3:
            return self._respond_v3(datagram, message, snapshot, booted)
        if version in (pdu.VERSION_1, pdu.VERSION_2C):
            return self._respond_community(message, version, snapshot)
        raise DecodeError("bad_version", str(version))

    def _respond_community(self, message: Reader, version: int, snapshot: Snapshot) -> bytes:
        community = message.string()
        if community not in self.communities:
            raise DecodeError("wrong_community")
        head = ber.integer(version) + ber.octets(community)
        request = pdu.read_pdu(message)
        response = pdu.answer(request, snapshot, version=version, room=self.max_message_octets - len(head) - 8)
        return ber.tlv(ber.SEQUENCE, head + response)

    def _respond_v3(self, datagram: bytes, message: Reader, snapshot: Snapshot, booted_ms: int) -> bytes | None:
        def answer_scoped(request: pdu.Pdu, room: int) -> bytes:
            return pdu.answer(request, snapshot, version=pdu.VERSION_3, room=room)

        return self.engine.respond(datagram, message, answer_scoped, booted_ms=booted_ms, room=self.max_message_octets)
