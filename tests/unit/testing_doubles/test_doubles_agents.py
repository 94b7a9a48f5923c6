"""The doubles by themselves: any bytes, clocks, boots, size limits, the socket that serves many addresses."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.errors import DecodeError
from bwmgr.testing import ber, pdu
from bwmgr.testing.clock import FastClock, ManualClock
from bwmgr.testing.mib import Port, PortState, PortTable, System
from bwmgr.testing.privacy import KEY_OCTETS, decrypt, encrypt
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer
from bwmgr.testing.usm import User, localized_key, password_key

SYS_UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
IN_OCTETS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 10)


def router(ports: int = 3, **options: object) -> VirtualRouter:
    made = [Port(if_index=i, if_name=f"e{i}", read=lambda _: PortState(in_octets=2**32 + 7)) for i in range(1, ports + 1)]
    return VirtualRouter(System(name="r"), made, communities=["publik"], **options)  # type: ignore[arg-type]


def request(kind: int, *oids: ber.Oid, first: int = 0, second: int = 0, version: int = pdu.VERSION_2C) -> bytes:
    bindings = b"".join(pdu.binding(oid, ber.EMPTY) for oid in oids)
    body = pdu.write_pdu(kind, 77, bindings, error=first, index=second)
    return ber.tlv(ber.SEQUENCE, ber.integer(version) + ber.octets("publik") + body)


def answer(agent: VirtualRouter, datagram: bytes, now_ms: int = 10_000) -> tuple[int, int, list[tuple[ber.Oid, bytes]]]:
    """(error-status, error-index, bindings with values in BER)."""
    octets = agent.respond(datagram, now_ms)
    assert octets is not None
    message = ber.Reader(octets).inner()
    message.integer()
    message.string()
    response = message.inner(pdu.RESPONSE)
    assert response.integer() == 77
    error, index = response.integer(), response.integer()
    bindings = response.inner()
    found = []
    while not bindings.done:
        one = bindings.inner()
        found.append((one.oid(), one.octets[one.at : one.end]))
    return error, index, found


@given(st.integers(-(2**63), 2**64))
def test_integers_read_back(number: int) -> None:
    """Any integer is read back as it was written."""
    assert ber.Reader(ber.integer(number)).integer() == number


@given(
    st.tuples(st.integers(0, 1), st.integers(0, 39)).flatmap(
        lambda head: st.lists(st.integers(0, 2**32 - 1)).map(lambda r: (*head, *r))
    )
)
def test_oids_read_back(oid: tuple[int, ...]) -> None:
    """Any object identifier is read back as it was written."""
    assert ber.Reader(ber.object_identifier(oid)).oid() == oid


@given(st.binary(max_size=200))
def test_any_bytes_are_dropped_or_answered(garbage: bytes) -> None:
    """fault 24: nothing that arrives raises."""
    agent = router(users=[User(name="u", auth=("SHA", "sandi otentikasi"))])
    assert agent.respond(garbage, 10_000) is None
    assert sum(agent.dropped.values()) == 1


@given(st.data())
def test_damaged_requests_are_dropped_or_answered(data: st.DataObject) -> None:
    """fault 24: a request with octets changed, or cut short, raises nothing."""
    octets = bytearray(request(pdu.GET_BULK, (1, 3), second=20))
    for position in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=4)):
        octets[position] = data.draw(st.integers(0, 255))
    router().respond(bytes(octets[: data.draw(st.integers(0, len(octets)))]), 10_000)


def test_uptime_counts_from_the_boot_and_wraps() -> None:
    """sysUpTime is hundredths since the boot modulo 2^32."""
    agent = router(booted_ms=lambda _: 4_000)
    assert answer(agent, request(pdu.GET, SYS_UPTIME))[2][0][1] == ber.integer(600, ber.TIMETICKS)
    assert answer(agent, request(pdu.GET, SYS_UPTIME), 4_000 + 2**32 * 10 + 50)[2][0][1] == ber.integer(5, ber.TIMETICKS)


def test_a_router_that_is_off_is_silent() -> None:
    """No boot, no answer, and a count."""
    agent = router(booted_ms=lambda _: None)
    assert agent.respond(request(pdu.GET, SYS_UPTIME), 1) is None
    assert agent.dropped == {"off": 1}


def test_counter32_is_the_counter_modulo_2_32() -> None:
    """ifInOctets shows the low 32 bits."""
    assert answer(router(), request(pdu.GET, (*IN_OCTETS, 1)))[2][0][1] == ber.integer(7, ber.COUNTER32)


def test_get_that_does_not_fit_is_toobig() -> None:
    """fault 21: a GET beyond the room is tooBig, with no bindings (RFC 3416 section 4.2.1)."""
    agent = router(100, max_message_octets=484)
    error, _, bindings = answer(agent, request(pdu.GET, *((*IN_OCTETS, i) for i in range(1, 101))))
    assert (error, bindings) == (pdu.TOO_BIG, [])


def test_getbulk_is_cut_to_fit() -> None:
    """A GETBULK beyond the room has as many bindings as fit, in order."""
    agent = router(100, max_message_octets=484)
    octets = agent.respond(request(pdu.GET_BULK, IN_OCTETS, second=100), 10_000)
    assert octets is not None
    assert len(octets) <= 484
    _, _, bindings = answer(agent, request(pdu.GET_BULK, IN_OCTETS, second=100))
    assert [oid[-1] for oid, _ in bindings] == list(range(1, len(bindings) + 1))
    assert len(bindings) > 10


def test_getbulk_with_non_repeaters() -> None:
    """RFC 3416 section 4.2.3: the first names once, the others max-repetitions times, interleaved."""
    _, _, bindings = answer(router(), request(pdu.GET_BULK, SYS_UPTIME[:-1], IN_OCTETS, (*IN_OCTETS[:-1], 16), first=1, second=2))
    assert [oid[-2:] for oid, _ in bindings] == [(3, 0), (10, 1), (16, 1), (10, 2), (16, 2)]


def test_set_is_refused() -> None:
    """Nobody configures a virtual router."""
    assert answer(router(), request(pdu.SET, SYS_UPTIME))[:2] == (pdu.NOT_WRITABLE, 1)
    assert answer(router(), request(pdu.SET, SYS_UPTIME, version=pdu.VERSION_1))[:2] == (pdu.READ_ONLY, 1)


def test_two_ports_with_one_index_are_a_mistake() -> None:
    """The table refuses what no router can have."""
    with pytest.raises(ValueError, match="one ifIndex"):
        PortTable([Port(if_index=1, if_name=name, read=lambda _: PortState()) for name in "ab"])


def test_keys_of_the_rfc() -> None:
    """The sample keys of RFC 3414 appendix A.3."""
    engine = bytes.fromhex("000000000000000000000002")
    assert password_key("md5", "maplesyrup").hex() == "9faf3283884e92834ebc9847d8edd963"
    assert localized_key("md5", "maplesyrup", engine).hex() == "526f5eed9fcce26f8964c2930787d82b"
    assert password_key("sha1", "maplesyrup").hex() == "9fb5cc0381497b3793528939ff788d5d79145211"
    assert localized_key("sha1", "maplesyrup", engine).hex() == "6695febc9288e36282235fc7151f128497b38f3f"


@pytest.mark.parametrize("protocol", list(KEY_OCTETS))
@given(
    plain=st.binary(max_size=200),
    boots=st.integers(0, 2**31 - 1),
    seconds=st.integers(0, 2**31 - 1),
    salt=st.binary(min_size=8, max_size=8),
)
def test_ciphers_read_back(protocol: str, plain: bytes, boots: int, seconds: int, salt: bytes) -> None:
    """What was encrypted is decrypted, DES with its padding."""
    key = bytes(range(KEY_OCTETS[protocol]))
    again = decrypt(protocol, key, boots, seconds, salt, encrypt(protocol, key, boots, seconds, salt, plain))
    assert again[: len(plain)] == plain
    assert len(again) - len(plain) < 8


def test_impossible_secrets_are_refused() -> None:
    """A salt or a block that cannot be is a DecodeError."""
    with pytest.raises(DecodeError, match="bad_salt"):
        decrypt("AES", bytes(16), 1, 1, b"1234", b"x")
    with pytest.raises(DecodeError, match="bad_block"):
        decrypt("DES", bytes(16), 1, 1, bytes(8), b"x")


@pytest.mark.parametrize(
    "wrong", [{"auth": ("SHA3", "x")}, {"priv": ("AES", "x")}, {"auth": ("SHA", "x"), "priv": ("ROT13", "x")}]
)
def test_users_that_cannot_be(wrong: dict[str, tuple[str, str]]) -> None:
    """Unknown protocols, and privacy without authentication, are mistakes."""
    with pytest.raises(ValueError, match=r"protocol|privacy"):
        User(name="u", **wrong)


def test_one_socket_serves_many_addresses() -> None:
    """Each loopback address is its own router, answers leave from it, nobody answers for an address without one."""
    agents = {f"127.0.3.{number}": router(number) for number in (1, 2, 3)}
    server = AgentServer(agents.get, lambda: 10_000)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(2)
        for address in (*agents, "127.0.3.9", "127.0.3.1"):
            peer.sendto(request(pdu.GET, SYS_UPTIME), (address, server.port))
        heard = {peer.recvfrom(2000)[1] for _ in range(4)}
    server.stop()
    server.stop()
    assert heard == {(address, server.port) for address in agents}
    assert server.dropped["nobody_there"] == 1


def test_clocks() -> None:
    """A manual clock moves only when told, steps move its wall alone; a fast one needs an aware start."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    clock = ManualClock(start)
    clock.wait(5)
    clock.step(-3600)
    assert (clock.monotonic(), (clock.now() - start).total_seconds()) == (5, -3595)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="aware"):
        FastClock(datetime(2026, 1, 1))  # noqa: DTZ001
    fast = FastClock(start, factor=1000)
    fast.wait(1)
    assert fast.monotonic() >= 1
    assert fast.now() > start
