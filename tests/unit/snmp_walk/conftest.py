"""A virtual router behind a session without sockets, and behind a real one on loopback."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from bwmgr.errors import DeviceTimeout
from bwmgr.model.inventory import Credential, Device, UsmKey
from bwmgr.model.secret import Secret
from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer
from bwmgr.testing.usm import User
from collectors.snmp.ber import encode_request
from collectors.snmp.reference import Reply, decode_reply
from collectors.snmp.session import FIRST_VARIABLES, MOST_VARIABLES

AUTH, PRIV = "sandi otentikasi", "sandi enkripsi"


def credential(user: User, auth: str = AUTH, priv: str = PRIV) -> Credential:
    """The credential that fits a double's user."""
    return Credential(
        id=user.name,
        version="3",
        user=user.name,
        auth=UsmKey(protocol=user.auth[0], key=Secret(auth)) if user.auth else None,
        priv=UsmKey(protocol=user.priv[0], key=Secret(priv)) if user.priv else None,
    )


def user(name: str = "noc", auth: str | None = "SHA-256", priv: str | None = "AES") -> User:
    return User(name=name, auth=(auth, AUTH) if auth else None, priv=(priv, PRIV) if priv else None)


def router(ports: int = 5, name: str = "r1", users: Sequence[User] = (), **options: object) -> VirtualRouter:
    """A router of so many ports, all up, with text that is not only ASCII."""
    made = [
        Port(
            if_index=index,
            if_name=f"ether{index}",
            if_alias=f"Dinas ke-{index} ✓",
            read=lambda _: PortState(in_octets=7, out_octets=9),
        )
        for index in range(1, ports + 1)
    ]
    return VirtualRouter(System(name=name), made, communities=["publik"], users=users, **options)  # type: ignore[arg-type]


class DirectSession:
    """Hands requests to a router in the same thread. `spoil(pdu, reply)` may change a reply, or give None: it got lost."""

    def __init__(
        self, agent: VirtualRouter, *, version: int = 1, spoil: Callable[[int, Reply], Reply | None] | None = None
    ) -> None:
        self.device = Device(id="r1", address="127.0.0.1")
        self.bulk = version == 1
        self.repetitions, self.ceiling = FIRST_VARIABLES, MOST_VARIABLES
        self.rtt_seconds: float | None = None
        self.drops: Counter[str] = Counter()
        self.engine_id = b""
        self.asked: list[tuple[int, int, int]] = []
        """(PDU, variables, max-repetitions) of every request."""
        self._agent, self._version, self._spoil = agent, version, spoil

    def ask(self, pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Reply:
        self.asked.append((pdu, len(names), second))
        message = encode_request(version=self._version, community=b"publik", pdu=pdu, names=names, first=first, second=second)
        octets = self._agent.respond(message.octets, 1_000_000)
        assert octets is not None
        reply: Reply | None = decode_reply(octets)
        if self._spoil is not None and reply is not None:
            reply = self._spoil(pdu, reply)
        if reply is None:
            raise DeviceTimeout("r1", "no answer")
        return reply


@pytest.fixture
def serve() -> Iterator[Callable[..., Device]]:
    """`serve(router, ...)` puts each on a loopback address of its own and gives the first one's device; see `devices`."""
    servers: list[AgentServer] = []

    def start(*agents: VirtualRouter) -> list[Device]:
        at = {f"127.0.0.{number}": agent for number, agent in enumerate(agents, 1)}
        server = AgentServer(at.get, lambda: int(time.time() * 1000))
        servers.append(server)
        server.start()
        return [Device(id=agent.system.name, address=address, port=server.port) for address, agent in at.items()]

    yield start
    for server in servers:
        server.stop()
