"""What a manager has to know of SNMPv3's security: keys, engines, clocks, and whether a message is what it claims.

Owns the message of RFC 3412 section 6 under the User-based Security Model (RFC 3414), without sockets or waiting: an
`Exchange` says what to send and judges what came back. pysnmp localises keys, encrypts and decrypts, and stops here.
Its own engine is not used: it takes an engine's boots and time from messages before it has checked them, so that boots that
go backwards pass, keeps one clock for two devices with one engineID, and costs some milliseconds per message.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from bwmgr.errors import DecodeError, DeviceAuthenticationError
from collectors.snmp.ber import REQUEST_ID_BASE, REQUEST_ID_SPAN, Tag, encode, encode_integer
from collectors.snmp.reference import Reply, decode_reply

if TYPE_CHECKING:
    from bwmgr.model.inventory import Credential, UsmKey

AUTH_PROTOCOLS: dict[str, tuple[str, int]] = {
    "MD5": ("md5", 12),
    "SHA": ("sha1", 12),
    "SHA-1": ("sha1", 12),
    "SHA-224": ("sha224", 16),
    "SHA-256": ("sha256", 24),
    "SHA-384": ("sha384", 32),
    "SHA-512": ("sha512", 48),
}
"""Name in the configuration: (hash, octets of the truncated HMAC) (RFC 3414 sections 6 and 7, RFC 7860 section 4)."""

PRIV_PROTOCOLS = ("DES", "AES", "AES-128", "AES-192", "AES-256", "AES-192-C", "AES-256-C")
"""`AES` is AES-128 (RFC 3826). AES-192 and -256 extend keys as draft-blumenthal-aes-usm-04 does (net-snmp, RouterOS, Junos);
the forms that end in -C as Cisco IOS and others do (draft-reeder-snmpv3-usm-3desede-00)."""

_VERSION_3 = encode_integer(3)
_AUTH, _PRIV, _REPORTABLE = 1, 2, 4
_USM_MODEL = 3
_MAX_OCTETS = 65507
_LATCHED = 2**31 - 1
_WINDOW_SECONDS = 150
_REPORT = b"\xa8"
_STATS = bytes.fromhex("2b060106030f0101")  # 1.3.6.1.6.3.15.1.1, usmStats
_UNKNOWN_ENGINE, _NOT_IN_WINDOW = 4, 2
_REFUSALS = {
    1: "the user may not use this security level (unsupported security level)",
    3: "it knows no such user (unknown user name)",
    5: "the authentication key or protocol is wrong (wrong digest)",
    6: "the privacy key or protocol is wrong (decryption error)",
}
_COMMUNITY_HEAD = encode_integer(1) + encode(Tag.OCTET_STRING, b"")


class Verdict(Enum):
    """What a datagram means for the exchange."""

    IGNORED = 0
    """Not the answer: keep waiting."""
    AGAIN = 1
    """The engine is known better now: send again at once."""
    DONE = 2


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A message as it came; `mac_at` is where its digest stands."""

    datagram: bytes
    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    mac_at: tuple[int, int]
    salt: bytes
    data: bytes
    """The scoped PDU, encrypted or not, with its header."""


class Keys:
    """One user's keys localised to one engine; making them costs milliseconds, so they are kept with the engine."""

    def __init__(self, credential: Credential, engine_id: bytes) -> None:
        """Raises: ValueError for a protocol that is not known."""
        self.user = (credential.user or "").encode()
        self.flags = (_AUTH if credential.auth else 0) | (_PRIV if credential.priv else 0)
        self.hash_name, self.mac_octets = AUTH_PROTOCOLS[credential.auth.protocol] if credential.auth else ("", 0)
        self._auth = b""
        if credential.auth is not None:
            self._auth = _localised(credential.auth, engine_id)
        if credential.priv is not None and credential.auth is not None:
            self._cipher = _cipher(credential.priv.protocol)
            self._priv = _privacy_key(credential.auth.protocol, credential.priv, engine_id)

    def mac(self, message: bytes) -> bytes:
        return hmac.digest(self._auth, message, self.hash_name)[: self.mac_octets]

    def encrypt(self, boots: int, engine_time: int, plain: bytes) -> tuple[bytes, bytes]:
        """(encrypted, salt)."""
        encrypted, salt = self._cipher.encrypt_data(self._priv, (boots, engine_time, None), plain)
        return bytes(encrypted), bytes(salt)

    def decrypt(self, incoming: _Incoming) -> bytes:
        """Raises: DecodeError where the octets cannot have come from this cipher."""
        from pyasn1.type.univ import OctetString
        from pysnmp.proto.error import StatusInformation

        reader = _Reader(incoming.data)
        secret = OctetString(reader.octets[slice(*reader.element(Tag.OCTET_STRING))])
        numbers = (incoming.boots, incoming.time, OctetString(incoming.salt))
        try:
            return bytes(self._cipher.decrypt_data(self._priv, numbers, secret))
        except (StatusInformation, ValueError) as error:
            raise DecodeError("decryption") from error


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

    def discovered(self, incoming: _Incoming) -> None:
        """Takes the id that an engine has said, and drops what was known of another one."""
        if incoming.engine_id != self.engine_id:
            self.engine_id, self.proven = incoming.engine_id, False
            self.keys = Keys(self.credential, incoming.engine_id)
        if not self.proven:
            self._set_clock(incoming)

    def check_clock(self, incoming: _Incoming) -> None:
        """Timeliness of an authentic message (RFC 3414 section 3.2 step 7b).

        Raises: DeviceAuthenticationError where its clock is latched or went backwards.
        """
        newer = (incoming.boots, incoming.time) > (self.boots, self._time)
        backwards = self.proven and (
            incoming.boots < self.boots
            or (incoming.boots == self.boots and not newer and incoming.time < self.engine_time - _WINDOW_SECONDS)
        )
        if incoming.boots == _LATCHED:
            raise self.refusal("its engine boots are latched at 2147483647: give it a new engineID or new keys")
        if backwards:
            raise self.refusal(
                f"its engine clock went back from boot {self.boots} second {self.engine_time} to boot {incoming.boots} "
                f"second {incoming.time}: a replay, or a device that lost its memory; give it new keys, or restart bwmgr"
            )
        if newer or not self.proven:
            self._set_clock(incoming)
        self.proven = True

    def refusal(self, problem: str) -> DeviceAuthenticationError:
        return DeviceAuthenticationError(self.device, problem)

    def _set_clock(self, incoming: _Incoming) -> None:
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
        if not incoming.flags & _AUTH and self._is_report(incoming):
            return self._report(incoming, self._scoped_pdu(incoming.data))
        keys = self.engine.keys
        if keys is None or incoming.engine_id != self.engine.engine_id:
            return Verdict.IGNORED
        self._authenticate(incoming, keys)
        pdu = self._scoped_pdu(keys.decrypt(incoming) if incoming.flags & _PRIV else incoming.data)
        return self._report(incoming, pdu) if pdu[:1] == _REPORT else self._response(incoming, keys, pdu)

    def _response(self, incoming: _Incoming, keys: Keys, pdu: bytes) -> Verdict:
        """A response must be as secure as its request (RFC 3412 section 7.2 step 12) and bear its request-id."""
        reply = _decode(pdu)
        if incoming.flags & (_AUTH | _PRIV) != keys.flags or reply.request_id != self._request_id:
            return Verdict.IGNORED
        self.reply = reply
        return Verdict.DONE

    def _is_report(self, incoming: _Incoming) -> bool:
        return not incoming.flags & _PRIV and self._scoped_pdu(incoming.data)[:1] == _REPORT

    def _authenticate(self, incoming: _Incoming, keys: Keys) -> None:
        if not incoming.flags & _AUTH:
            return
        start, stop = incoming.mac_at
        blank = incoming.datagram[:start] + bytes(stop - start) + incoming.datagram[stop:]
        if not keys.mac_octets or not hmac.compare_digest(keys.mac(blank), incoming.datagram[start:stop]):
            raise DecodeError("wrong_digest")
        self.engine.check_clock(incoming)

    def _report(self, incoming: _Incoming, pdu: bytes) -> Verdict:
        """RFC 3414 section 3.2: what the engine has against our message."""
        variables = _decode(bytes((Tag.RESPONSE,)) + pdu[1:]).variables
        self._message_ids.discard(incoming.message_id)  # a duplicate of this report says nothing new
        name = variables[0].name if variables else b""
        number = name[len(_STATS)] if name.startswith(_STATS) and len(name) > len(_STATS) else 0
        if number == _UNKNOWN_ENGINE:
            return self._learn_engine(incoming)
        if number == _NOT_IN_WINDOW:
            return self._resynchronise(incoming)
        raise self.engine.refusal(_REFUSALS.get(number, f"it answers with report {name.hex()}"))

    def _learn_engine(self, incoming: _Incoming) -> Verdict:
        self._discoveries += 1
        if self._discoveries > 2 or not 5 <= len(incoming.engine_id) <= 32:
            raise self.engine.refusal("it does not keep to the engineID it names (unknown engineID)")
        self.engine.discovered(incoming)
        return Verdict.AGAIN

    def _resynchronise(self, incoming: _Incoming) -> Verdict:
        """A reboot shows itself so; `check_clock` has taken the new time from an authentic report."""
        self._resyncs += 1
        if self._resyncs > 1 or not incoming.flags & _AUTH:
            raise self.engine.refusal(
                "it says that our messages are not in its time window, again after its clock was taken over"
            )
        return Verdict.AGAIN

    @staticmethod
    def _scoped_pdu(data: bytes) -> bytes:
        """The PDU inside contextEngineID and contextName; padding behind it is cut off."""
        outer = _Reader(data)
        start, stop = outer.element(Tag.SEQUENCE)
        inner = _Reader(data[start:stop])
        inner.element(Tag.OCTET_STRING)
        inner.element(Tag.OCTET_STRING)
        return inner.octets[inner.at :]


def write(engine: Engine, keys: Keys, message_id: int, pdu: bytes) -> bytes:
    """A whole request message (RFC 3414 section 3.1)."""
    boots, engine_time = engine.boots, engine.engine_time
    context = engine.credential.context.encode()
    data = encode(Tag.SEQUENCE, encode(Tag.OCTET_STRING, engine.engine_id) + encode(Tag.OCTET_STRING, context) + pdu)
    salt = b""
    if keys.flags & _PRIV:
        secret, salt = keys.encrypt(boots, engine_time, data)
        data = encode(Tag.OCTET_STRING, secret)
    header = (
        encode_integer(message_id) + encode_integer(_MAX_OCTETS) + encode(Tag.OCTET_STRING, bytes((keys.flags | _REPORTABLE,)))
    )
    before = encode(Tag.OCTET_STRING, engine.engine_id) + encode_integer(boots) + encode_integer(engine_time)
    before += encode(Tag.OCTET_STRING, keys.user)
    after = encode(Tag.OCTET_STRING, salt)
    parameters = encode(Tag.SEQUENCE, before + encode(Tag.OCTET_STRING, bytes(keys.mac_octets)) + after)
    inside = _VERSION_3 + encode(Tag.SEQUENCE, header + encode_integer(_USM_MODEL)) + encode(Tag.OCTET_STRING, parameters)
    message = encode(Tag.SEQUENCE, inside + data)
    if not keys.mac_octets:
        return message
    at = len(message) - len(data) - len(after) - keys.mac_octets
    return message[:at] + keys.mac(message) + message[at + keys.mac_octets :]


def read(datagram: bytes) -> _Incoming:
    """Headers of a message (RFC 3412 section 6, RFC 3414 section 2.4). Raises: DecodeError."""
    outer = _Reader(datagram)
    start, stop = outer.element(Tag.SEQUENCE)
    message = _Reader(datagram[:stop], start)
    if message.integer() != 3:
        raise DecodeError("version")
    header = message.inside(Tag.SEQUENCE)
    message_id, _, flags, model = header.integer(), header.integer(), header.octets_of(), header.integer()
    if model != _USM_MODEL or len(flags) != 1:
        raise DecodeError("security_model")
    security = message.inside(Tag.OCTET_STRING).inside(Tag.SEQUENCE)
    engine_id, boots, engine_time, _ = security.octets_of(), security.integer(), security.integer(), security.octets_of()
    mac_at = security.element(Tag.OCTET_STRING)
    salt = security.octets_of()
    return _Incoming(
        datagram[:stop], message_id, flags[0], engine_id, boots, engine_time, mac_at, salt, datagram[message.at : stop]
    )


class _Reader:
    """Steps over elements; positions are those of the whole datagram."""

    def __init__(self, octets: bytes, at: int = 0) -> None:
        self.octets = octets
        self.at = at

    def element(self, tag: int) -> tuple[int, int]:
        """Content start and end of the next element, which must have this tag. Raises: DecodeError."""
        octets, at = self.octets, self.at
        if len(octets) - at < 2:
            raise DecodeError("truncated")
        if octets[at] != tag:
            raise DecodeError("tag")
        length, start = octets[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise DecodeError("length")
            length, start = int.from_bytes(octets[start : start + count], "big"), start + count
        if start + length > len(octets):
            raise DecodeError("truncated")
        self.at = start + length
        return start, self.at

    def inside(self, tag: int) -> _Reader:
        start, stop = self.element(tag)
        return _Reader(self.octets[:stop], start)

    def octets_of(self) -> bytes:
        start, stop = self.element(Tag.OCTET_STRING)
        return self.octets[start:stop]

    def integer(self) -> int:
        start, stop = self.element(Tag.INTEGER)
        if not 1 <= stop - start <= 8:
            raise DecodeError("integer")
        return int.from_bytes(self.octets[start:stop], "big", signed=True)


def _decode(pdu: bytes) -> Reply:
    """A Response-PDU by the reference decoder, which reads v2c messages: the PDU is the same (RFC 3416)."""
    return decode_reply(encode(Tag.SEQUENCE, _COMMUNITY_HEAD + pdu))


def _empty_request(request_id: int) -> bytes:
    zero = encode_integer(0)
    return encode(Tag.GET, encode_integer(request_id) + zero + zero + encode(Tag.SEQUENCE, b""))


def _fresh_id() -> int:
    """Unpredictable, so that a blind attacker cannot answer for a device."""
    return REQUEST_ID_BASE + secrets.randbelow(REQUEST_ID_SPAN)


def _services() -> tuple[dict[str, Any], dict[str, Any]]:
    """pysnmp's authentication and privacy services under the names of the configuration."""
    from pysnmp.entity import config
    from pysnmp.proto.secmod.rfc3414.service import SnmpUSMSecurityModel

    auth = {
        "md5": config.USM_AUTH_HMAC96_MD5,
        "sha1": config.USM_AUTH_HMAC96_SHA,
        "sha224": config.USM_AUTH_HMAC128_SHA224,
        "sha256": config.USM_AUTH_HMAC192_SHA256,
        "sha384": config.USM_AUTH_HMAC256_SHA384,
        "sha512": config.USM_AUTH_HMAC384_SHA512,
    }
    priv = {
        "DES": config.USM_PRIV_CBC56_DES,
        "AES": config.USM_PRIV_CFB128_AES,
        "AES-128": config.USM_PRIV_CFB128_AES,
        "AES-192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
        "AES-256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
        "AES-192-C": config.USM_PRIV_CFB192_AES,
        "AES-256-C": config.USM_PRIV_CFB256_AES,
    }
    ciphers = SnmpUSMSecurityModel.PRIV_SERVICES
    return auth, {name: ciphers[service] for name, service in priv.items()}


def _cipher(protocol: str) -> Any:
    return _services()[1][protocol]


def _localised(key: UsmKey, engine_id: bytes) -> bytes:
    """RFC 3414 section 2.6; pysnmp's HMAC services leave the result as an OctetString."""
    from pyasn1.type.univ import OctetString
    from pysnmp.proto.secmod.rfc3414.service import SnmpUSMSecurityModel

    service = SnmpUSMSecurityModel.AUTH_SERVICES[_services()[0][AUTH_PROTOCOLS[key.protocol][0]]]
    master = _master_key(AUTH_PROTOCOLS[key.protocol][0], key.key.reveal())
    return bytes(service.localize_key(OctetString(master), OctetString(engine_id)))


def _privacy_key(auth_protocol: str, key: UsmKey, engine_id: bytes) -> Any:
    """An OctetString, as pysnmp's ciphers want it."""
    from pyasn1.type.univ import OctetString

    hash_name = AUTH_PROTOCOLS[auth_protocol][0]
    master = OctetString(_master_key(hash_name, key.key.reveal()))
    localised = _cipher(key.protocol).localize_key(_services()[0][hash_name], master, OctetString(engine_id))
    return OctetString(bytes(localised))


@lru_cache(maxsize=256)
def _master_key(hash_name: str, phrase: str) -> bytes:
    """The pass phrase as a key (RFC 3414 appendix A.2): a megabyte hashed, so it is done once per phrase, not per device."""
    import hashlib

    from pysnmp.proto.secmod.rfc3414.localkey import hash_passphrase

    return bytes(hash_passphrase(phrase.encode(), getattr(hashlib, hash_name)))
