"""Asking one device, one request at a time, over one blocking socket: what walks and discovery stand on.

Owns tries, patience and the matching of replies for v1, v2c and v3. Deliberately not the cycle's path, which asks thousands
of devices at once (`collector`).
"""

from __future__ import annotations

import secrets
import socket
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bwmgr.errors import DecodeError, DeviceAuthenticationError, DeviceError, DeviceTimeout, system_reason
from bwmgr.model.inventory import Credential, Device
from bwmgr.model.said import Said, both
from collectors.snmp.ber import REQUEST_ID_BASE, REQUEST_ID_SPAN, RequestMessage, Tag, encode, encode_integer, encode_request
from collectors.snmp.reference import Reply, decode_reply
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.usm import Engine, Exchange, Verdict

AUTHORIZATION_ERROR = 16
"""error-status with which an agent refuses what the user's view does not hold (RFC 3416 section 3)."""
FIRST_VARIABLES, MOST_VARIABLES = 32, 400
"""In one GETBULK: what fits a frame to begin with, and at most some ten frames' worth of fragments."""
_RECEIVE_OCTETS = 65535


class NameLookupError(DeviceError):
    """The device's host name did not resolve."""


class Session(Protocol):
    """What `walk` needs of a device."""

    device: Device
    bulk: bool
    """GETBULK is there (v2c, v3)."""
    repetitions: int
    """Variables to ask for in one GETBULK; walks move it up and down, it is remembered as long as the session."""
    ceiling: int
    """More than this was too big for the device, or would be for any."""

    rtt_seconds: float | None
    """Of the last reply, from the try that it followed."""
    drops: Counter[str]
    """Datagrams that were no answer, by reason."""

    @property
    def engine_id(self) -> bytes:
        """Of a v3 agent once it has answered, else empty."""
        ...

    def ask(self, pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Reply:
        """One request until its reply. `first` and `second` are GETBULK's non-repeaters and max-repetitions.

        Raises: DeviceTimeout, DeviceAuthenticationError.
        """
        ...


def resolve(device: Device) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Family and address of a device. Raises: NameLookupError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(device.address, device.port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise NameLookupError(
            device.id,
            Said("the name {address} does not resolve ({why})", address=device.address, why=system_reason(error)),
        ) from error
    return family, (str(address[0]), int(address[1]))


def open_session(device: Device, credential: Credential, settings: SnmpSettings) -> _UdpSession:
    """A session by the version that the credential names; close it, or use it as a context. Raises: NameLookupError."""
    kind = _UserSession if credential.version == "3" else _CommunitySession
    return kind(device, credential, settings)


class _UdpSession(ABC):
    """One socket, connected to the device unless its replies come from elsewhere."""

    bulk = True

    def __init__(self, device: Device, credential: Credential, settings: SnmpSettings) -> None:
        self.device, self.credential = device, credential
        self.patience = settings.patience()
        self.repetitions = FIRST_VARIABLES
        self.ceiling = MOST_VARIABLES
        self.drops: Counter[str] = Counter()
        self.rtt_seconds: float | None = None
        family, self._address = resolve(device)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)

    def __enter__(self) -> _UdpSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    @property
    def engine_id(self) -> bytes:
        return b""

    @abstractmethod
    def ask(self, pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Reply: ...

    def _exchange(self, datagram: Callable[[], bytes], judge: Callable[[bytes], Verdict]) -> None:
        """Sends until `judge` says DONE."""
        refused = ""
        for patience in self.patience:
            verdict = Verdict.AGAIN
            while verdict is Verdict.AGAIN:
                sent = time.monotonic()
                try:
                    self._socket.sendto(datagram(), self._address)
                    verdict = self._await(judge, sent + patience)
                except OSError as error:  # ICMP: nothing listens there, no route
                    refused = system_reason(error)
                    verdict = Verdict.IGNORED
            if verdict is Verdict.DONE:
                self.rtt_seconds = time.monotonic() - sent
                return
        raise DeviceTimeout(
            self.device.id, self._silence() if not refused else Said("{what} ({why})", what=self._silence(), why=refused)
        )

    def _await(self, judge: Callable[[bytes], Verdict], until: float) -> Verdict:
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                datagram, source = self._socket.recvfrom(_RECEIVE_OCTETS)
            except TimeoutError:
                break
            if (verdict := self._judged(datagram, source, judge)) is not Verdict.IGNORED:
                return verdict
        return Verdict.IGNORED

    def _judged(self, datagram: bytes, source: tuple[str, int], judge: Callable[[bytes], Verdict]) -> Verdict:
        if not self.device.unconnected and (source[0], source[1]) != self._address:
            self.drops["foreign"] += 1
            return Verdict.IGNORED
        try:
            verdict = judge(datagram)
        except DecodeError as error:
            self.drops[error.reason] += 1
            return Verdict.IGNORED
        if verdict is Verdict.IGNORED:
            self.drops["unexpected"] += 1
        return verdict

    def _silence(self) -> str:
        foreign, malformed = self.drops["foreign"], sum(self.drops.values()) - self.drops["foreign"]
        silence = (
            Said("no answer from its address: replies came from another one, see `unconnected`") if foreign else Said("no answer")
        )
        return both(silence, Said("{count} datagrams could not be read", count=malformed)) if malformed else silence


class _CommunitySession(_UdpSession):
    """SNMPv1 and v2c."""

    def __init__(self, device: Device, credential: Credential, settings: SnmpSettings) -> None:
        super().__init__(device, credential, settings)
        self.bulk = credential.version == "2c"
        self._community = credential.community.reveal().encode() if credential.community else b""

    def ask(self, pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Reply:
        version = 1 if self.bulk else 0
        message = encode_request(version=version, community=self._community, pdu=pdu, names=names, first=first, second=second)
        request_id = REQUEST_ID_BASE + secrets.randbelow(REQUEST_ID_SPAN)
        replies: list[Reply] = []

        def judge(datagram: bytes) -> Verdict:
            reply = decode_reply(datagram)
            if reply.request_id != request_id or reply.version != version:
                return Verdict.IGNORED
            replies.append(reply)
            return Verdict.DONE

        octets = _with_id(message, request_id)
        self._exchange(lambda: octets, judge)
        return replies[0]

    def _silence(self) -> str:
        return Said("{what}: it is away, or the community is wrong", what=super()._silence())


class _UserSession(_UdpSession):
    """SNMPv3."""

    def __init__(self, device: Device, credential: Credential, settings: SnmpSettings) -> None:
        super().__init__(device, credential, settings)
        self.engine = Engine(credential=credential, device=device.id)

    @property
    def engine_id(self) -> bytes:
        return self.engine.engine_id

    def ask(self, pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Reply:
        exchange = Exchange(self.engine, request_pdu(pdu, names, first, second))
        try:
            self._exchange(exchange.datagram, exchange.receive)
        except DeviceTimeout as error:
            if self.drops["wrong_digest"]:
                raise DeviceAuthenticationError(
                    self.device.id, Said("its replies are signed with another key (wrong digest)")
                ) from error
            raise
        assert exchange.reply is not None
        if exchange.reply.error_status == AUTHORIZATION_ERROR:
            raise DeviceAuthenticationError(
                self.device.id, Said("the user may not read this at its security level (authorizationError)")
            )
        return exchange.reply


def request_pdu(pdu: int, names: Sequence[bytes], first: int = 0, second: int = 0) -> Callable[[int], bytes]:
    """The whole request PDU as a function of its request-id."""
    null = encode(Tag.NULL, b"")
    variables = b"".join(encode(Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, name) + null) for name in names)
    after = encode_integer(first) + encode_integer(second) + encode(Tag.SEQUENCE, variables)
    return lambda request_id: encode(pdu, encode_integer(request_id) + after)


def _with_id(message: RequestMessage, request_id: int) -> bytes:
    at = message.id_offset
    return message.octets[:at] + request_id.to_bytes(4, "big") + message.octets[at + 4 :]
