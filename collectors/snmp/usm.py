"""What a manager has to know of SNMPv3's security: engines, clocks, and whether a message is what it claims.

Owns the message of RFC 3412 section 6 under the User-based Security Model (RFC 3414), without sockets or waiting: an
`Exchange` says what to send and judges what came back. Keys and ciphers are in `usm_keys`, the octets in `usm_message`.
pysnmp's own engine is not used: it takes an engine's boots and time from messages before it has checked them, so that boots that
go backwards pass, keeps one clock for two devices with one engineID, and costs some milliseconds per message.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from bwmgr.errors import DecodeError, DeviceAuthenticationError
from bwmgr.model.said import Said
from collectors.snmp.ber import REQUEST_ID_BASE, REQUEST_ID_SPAN, Tag, encode, encode_integer
from collectors.snmp.reference import Reply, decode_reply
from collectors.snmp.usm_keys import Keys
from collectors.snmp.usm_message import AUTH, PRIV, REPORTABLE, USM_MODEL, Incoming, Reader, read

if TYPE_CHECKING:
    from bwmgr.model.inventory import Credential

_VERSION_3 = encode_integer(3)
_MAX_OCTETS = 65507
_LATCHED = 2**31 - 1
_WINDOW_SECONDS = 150
_REPORT = b"\xa8"
_STATS = bytes.fromhex("2b060106030f0101")  # 1.3.6.1.6.3.15.1.1, usmStats
_UNKNOWN_ENGINE, _NOT_IN_WINDOW = 4, 2
_REFUSALS = {
    1: Said("the user may not use this security level (unsupported security level)"),
    3: Said("it knows no such user (unknown user name)"),
    5: Said("the authentication key or protocol is wrong (wrong digest)"),
    6: Said("the privacy key or protocol is wrong (decryption error)"),
}
_COMMUNITY_HEAD = encode_integer(1) + encode(Tag.OCTET_STRING, b"")


class Verdict(Enum):
    """What a datagram means for the exchange."""

    IGNORED = 0
    """Not the answer: keep waiting."""
    AGAIN = 1
    """The engine is known better now: send again at once."""
    DONE = 2


@dataclass(kw_only=True)
class Engine:
    """What is known of one device's SNMP engine: its id, and its clock as far as authentic messages tell (RFC 3414 2.3)."""

    credential: Credential
    device: str
    now: Callable[[], float] = time.monotonic
    engine_id: bytes = b""
    keys: Keys | None = None
    boots: int = 0
    proven: bool = False
    """The clock comes from an authentic message; until then it is what the discovery said, and only used for asking."""
    _time: int = 0
    _time_at: float = 0.0

    @cached_property
    def discovery_keys(self) -> Keys:
        from bwmgr.model.inventory import Credential

        return Keys(Credential(id="", version="3", user=""), b"")

    @property
    def engine_time(self) -> int:
        """Seconds since its boot, as we reckon."""
        return self._time + int(self.now() - self._time_at) if self.boots or self._time else 0

    def discovered(self, incoming: Incoming) -> None:
        """Takes the id that an engine has said, and drops what was known of another one."""
        if incoming.engine_id != self.engine_id:
            self.engine_id, self.proven = incoming.engine_id, False
            self.keys = Keys(self.credential, incoming.engine_id)
        if not self.proven:
            self._set_clock(incoming)

    def check_clock(self, incoming: Incoming) -> None:
        """Timeliness of an authentic message (RFC 3414 section 3.2 step 7b).

        Raises: DeviceAuthenticationError where its clock is latched or went backwards.
        """
        newer = (incoming.boots, incoming.time) > (self.boots, self._time)
        backwards = self.proven and (
            incoming.boots < self.boots
            or (incoming.boots == self.boots and not newer and incoming.time < self.engine_time - _WINDOW_SECONDS)
        )
        if incoming.boots == _LATCHED:
            raise self.refusal(Said("its engine boots are latched at 2147483647: give it a new engineID or new keys"))
        if backwards:
            raise self.refusal(
                Said(
                    "its engine clock went back from {before} to {now} (boots/seconds): a replay, or a device that lost its "
                    "memory; give it new keys, or restart bwmgr",
                    before=f"{self.boots}/{self.engine_time}",
                    now=f"{incoming.boots}/{incoming.time}",
                )
            )
        if newer or not self.proven:
            self._set_clock(incoming)
        self.proven = True

    def refusal(self, problem: str) -> DeviceAuthenticationError:
        return DeviceAuthenticationError(self.device, problem)

    def _set_clock(self, incoming: Incoming) -> None:
        self.boots, self._time, self._time_at = incoming.boots, incoming.time, self.now()


class Exchange:
    """One request to one engine: what to send next, and what the datagrams that come back mean."""

    def __init__(self, engine: Engine, pdu: Callable[[int], bytes]) -> None:
        """`pdu(request_id)` gives the whole request PDU."""
        self.engine = engine
        self._pdu = pdu
        self._request_id = _fresh_id()
        self._message_ids: set[int] = set()
        self._discoveries = 0
        self._resyncs = 0
        self.reply: Reply | None = None

    def datagram(self) -> bytes:
        """The next message: a discovery while the engine is unknown (RFC 3414 section 4), else the request."""
        message_id = _fresh_id()
        self._message_ids.add(message_id)
        if self.engine.keys is None:
            return write(self.engine, self.engine.discovery_keys, message_id, _empty_request(self._request_id))
        return write(self.engine, self.engine.keys, message_id, self._pdu(self._request_id))

    def receive(self, datagram: bytes) -> Verdict:
        """Judges a datagram that came from the device's address. `reply` is set when it is DONE.

        Raises: DeviceAuthenticationError for what no retry will mend, DecodeError for bytes that are no such message.
        """
        incoming = read(datagram)
        if incoming.message_id not in self._message_ids:
            return Verdict.IGNORED
        if not incoming.flags & AUTH and self._is_report(incoming):
            return self._report(incoming, self._scoped_pdu(incoming.data))
        keys = self.engine.keys
        if keys is None or incoming.engine_id != self.engine.engine_id:
            return Verdict.IGNORED
        self._authenticate(incoming, keys)
        pdu = self._scoped_pdu(keys.decrypt(incoming) if incoming.flags & PRIV else incoming.data)
        return self._report(incoming, pdu) if pdu[:1] == _REPORT else self._response(incoming, keys, pdu)

    def _response(self, incoming: Incoming, keys: Keys, pdu: bytes) -> Verdict:
        """A response must be as secure as its request (RFC 3412 section 7.2 step 12) and bear its request-id."""
        reply = _decode(pdu)
        if incoming.flags & (AUTH | PRIV) != keys.flags or reply.request_id != self._request_id:
            return Verdict.IGNORED
        self.reply = reply
        return Verdict.DONE

    def _is_report(self, incoming: Incoming) -> bool:
        return not incoming.flags & PRIV and self._scoped_pdu(incoming.data)[:1] == _REPORT

    def _authenticate(self, incoming: Incoming, keys: Keys) -> None:
        if not incoming.flags & AUTH:
            return
        start, stop = incoming.mac_at
        blank = incoming.datagram[:start] + bytes(stop - start) + incoming.datagram[stop:]
        if not keys.mac_octets or not hmac.compare_digest(keys.mac(blank), incoming.datagram[start:stop]):
            raise DecodeError("wrong_digest")
        self.engine.check_clock(incoming)

    def _report(self, incoming: Incoming, pdu: bytes) -> Verdict:
        """RFC 3414 section 3.2: what the engine has against our message."""
        variables = _decode(bytes((Tag.RESPONSE,)) + pdu[1:]).variables
        self._message_ids.discard(incoming.message_id)  # a duplicate of this report says nothing new
        name = variables[0].name if variables else b""
        number = name[len(_STATS)] if name.startswith(_STATS) and len(name) > len(_STATS) else 0
        if number == _UNKNOWN_ENGINE:
            return self._learn_engine(incoming)
        if number == _NOT_IN_WINDOW:
            return self._resynchronise(incoming)
        raise self.engine.refusal(_REFUSALS.get(number, Said("it answers with report {name}", name=name.hex())))

    def _learn_engine(self, incoming: Incoming) -> Verdict:
        self._discoveries += 1
        if self._discoveries > 2 or not 5 <= len(incoming.engine_id) <= 32:
            raise self.engine.refusal(Said("it does not keep to the engineID it names (unknown engineID)"))
        self.engine.discovered(incoming)
        return Verdict.AGAIN

    def _resynchronise(self, incoming: Incoming) -> Verdict:
        """A reboot shows itself so; `check_clock` has taken the new time from an authentic report."""
        self._resyncs += 1
        if self._resyncs > 1 or not incoming.flags & AUTH:
            raise self.engine.refusal(
                Said("it says that our messages are not in its time window, again after its clock was taken over")
            )
        return Verdict.AGAIN

    @staticmethod
    def _scoped_pdu(data: bytes) -> bytes:
        """The PDU inside contextEngineID and contextName; padding behind it is cut off."""
        outer = Reader(data)
        start, stop = outer.element(Tag.SEQUENCE)
        inner = Reader(data[start:stop])
        inner.element(Tag.OCTET_STRING)
        inner.element(Tag.OCTET_STRING)
        return inner.octets[inner.at :]


def write(engine: Engine, keys: Keys, message_id: int, pdu: bytes) -> bytes:
    """A whole request message (RFC 3414 section 3.1)."""
    boots, engine_time = engine.boots, engine.engine_time
    context = engine.credential.context.encode()
    data = encode(Tag.SEQUENCE, encode(Tag.OCTET_STRING, engine.engine_id) + encode(Tag.OCTET_STRING, context) + pdu)
    salt = b""
    if keys.flags & PRIV:
        secret, salt = keys.encrypt(boots, engine_time, data)
        data = encode(Tag.OCTET_STRING, secret)
    header = (
        encode_integer(message_id) + encode_integer(_MAX_OCTETS) + encode(Tag.OCTET_STRING, bytes((keys.flags | REPORTABLE,)))
    )
    before = encode(Tag.OCTET_STRING, engine.engine_id) + encode_integer(boots) + encode_integer(engine_time)
    before += encode(Tag.OCTET_STRING, keys.user)
    after = encode(Tag.OCTET_STRING, salt)
    parameters = encode(Tag.SEQUENCE, before + encode(Tag.OCTET_STRING, bytes(keys.mac_octets)) + after)
    inside = _VERSION_3 + encode(Tag.SEQUENCE, header + encode_integer(USM_MODEL)) + encode(Tag.OCTET_STRING, parameters)
    message = encode(Tag.SEQUENCE, inside + data)
    if not keys.mac_octets:
        return message
    at = len(message) - len(data) - len(after) - keys.mac_octets
    return message[:at] + keys.mac(message) + message[at + keys.mac_octets :]


def _decode(pdu: bytes) -> Reply:
    """A Response-PDU by the reference decoder, which reads v2c messages: the PDU is the same (RFC 3416)."""
    return decode_reply(encode(Tag.SEQUENCE, _COMMUNITY_HEAD + pdu))


def _empty_request(request_id: int) -> bytes:
    zero = encode_integer(0)
    return encode(Tag.GET, encode_integer(request_id) + zero + zero + encode(Tag.SEQUENCE, b""))


def _fresh_id() -> int:
    """Unpredictable, so that a blind attacker cannot answer for a device."""
    return REQUEST_ID_BASE + secrets.randbelow(REQUEST_ID_SPAN)
