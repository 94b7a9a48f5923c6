"""The authoritative side of SNMPv3's user-based security model (RFC 3412, 3414, 3826, 7860).

Owns one engine: its id, boots and time, its users, the reports it sends, and signing and encryption. What is answered inside a
message is the caller's. Engine time runs on this process' monotonic clock even where the routers' virtual time runs faster: the
150 s window of RFC 3414 section 2.2.3 guards against replays between real machines, and a fast one would shut out every client.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from bwmgr.errors import DecodeError
from bwmgr.testing import ber, pdu
from bwmgr.testing.ber import Oid, Reader
from bwmgr.testing.privacy import KEY_OCTETS, decrypt, encrypt

_AUTH = {  # protocol as the configuration names it: (hash, octets of the truncated HMAC); RFC 3414, RFC 7860 section 4
    "MD5": ("md5", 12),
    "SHA": ("sha1", 12),
    "SHA-1": ("sha1", 12),
    "SHA-224": ("sha224", 16),
    "SHA-256": ("sha256", 24),
    "SHA-384": ("sha384", 32),
    "SHA-512": ("sha512", 48),
}
_AUTH_FLAG, _PRIV_FLAG, _REPORTABLE_FLAG = 1, 2, 4
_USM = 3
_WINDOW_SECONDS = 150
_HEADER_OCTETS = 200  # more than header, security parameters and scope ever take
_STATS: dict[str, Oid] = {
    name: (1, 3, 6, 1, 6, 3, 15, 1, 1, number, 0)
    for number, name in enumerate(
        ("unsupported_level", "not_in_time_window", "unknown_user", "unknown_engine", "wrong_digest", "decryption_error"), 1
    )
}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class User:
    """A v3 user: `auth` (MD5, SHA, SHA-224 ... SHA-512) and `priv` (DES, AES, AES-192, AES-256) with their pass phrases.

    None: not used. Raises: ValueError for a protocol that is not known, or privacy without authentication.
    """

    name: str
    auth: tuple[str, str] | None = None
    priv: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.auth is not None and self.auth[0] not in _AUTH:
            raise ValueError(f"unknown authentication protocol {self.auth[0]}; known: {', '.join(_AUTH)}")
        if self.priv is not None and (self.auth is None or self.priv[0] not in KEY_OCTETS):
            raise ValueError(f"privacy needs authentication and one of {', '.join(KEY_OCTETS)}")

    @property
    def level(self) -> int:
        return (_AUTH_FLAG if self.auth else 0) | (_PRIV_FLAG if self.priv else 0)


@lru_cache(maxsize=256)
def password_key(hash_name: str, phrase: str) -> bytes:
    """RFC 3414 appendix A.2: the digest of the pass phrase repeated to 2^20 octets; 2 ms, so it is kept."""
    if not phrase:
        raise ValueError("an empty pass phrase")
    return _stretched(hash_name, phrase.encode())


def _stretched(hash_name: str, octets: bytes) -> bytes:
    return hashlib.new(hash_name, (octets * (2**20 // len(octets) + 1))[: 2**20]).digest()


def localized_key(hash_name: str, phrase: str, engine_id: bytes) -> bytes:
    """The key that this engine and this user share (RFC 3414 section 2.6)."""
    key = password_key(hash_name, phrase)
    return hashlib.new(hash_name, key + engine_id + key).digest()


def _privacy_key(hash_name: str, protocol: str, phrase: str, engine_id: bytes) -> bytes:
    """As long as the cipher wants.

    AES-192 and -256 extend by hashing (draft-blumenthal-aes-usm-04, as net-snmp does), their -C forms by taking the key for a
    pass phrase and localising it again (draft-reeder-snmpv3-usm-3desede-00, as Cisco does).
    """
    key = localized_key(hash_name, phrase, engine_id)
    while len(key) < KEY_OCTETS[protocol]:
        if protocol.endswith("-C"):
            again = _stretched(hash_name, key)
            key += hashlib.new(hash_name, again + engine_id + again).digest()
        else:
            key += hashlib.new(hash_name, key).digest()
    return key[: KEY_OCTETS[protocol]]


class _Keys:
    """One user's keys on one engine."""

    def __init__(self, user: User, engine_id: bytes) -> None:
        self.user = user
        self.hash_name, self.mac_octets = _AUTH[user.auth[0]] if user.auth else ("", 0)
        self._auth = localized_key(self.hash_name, user.auth[1], engine_id) if user.auth else b""
        self.priv = _privacy_key(self.hash_name, *user.priv, engine_id) if user.priv else b""
        self.protocol = user.priv[0] if user.priv else ""

    def mac(self, message: bytes) -> bytes:
        return hmac.digest(self._auth, message, self.hash_name)[: self.mac_octets]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Incoming:
    """What the headers of one message say."""

    message_id: int
    max_octets: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    mac_at: tuple[int, int]
    salt: bytes
    body: Reader


class Engine:
    """One authoritative engine named after its router; `stats` counts what it reported."""

    def __init__(self, name: str, users: Iterable[User]) -> None:
        # RFC 3411 snmpEngineID: high bit, an enterprise (net-snmp's: we have none), format 5 (octets chosen by the administrator)
        self.engine_id = bytes.fromhex("80001f8805") + hashlib.blake2s(name.encode(), digest_size=8).digest()
        self._users = {user.name.encode(): user for user in users}
        self._keys: dict[bytes, _Keys] = {}
        self.boots = 1
        self._booted_ms: int | None = None
        self._begun = time.monotonic()
        self.stats = dict.fromkeys(_STATS, 0)

    def respond(
        self, datagram: bytes, message: Reader, answer: Callable[[pdu.Pdu, int], bytes], *, booted_ms: int, room: int
    ) -> bytes | None:
        """The message for one whose version has been read from `message`; None where none may be sent.

        `answer(request, room)` gives the response PDU of at most `room` octets. Raises: DecodeError.
        """
        self._notice_boot(booted_ms)
        incoming = _read_headers(message)
        problem = self._problem(datagram, incoming)
        if problem is not None:
            return self._report(incoming, problem)
        keys = self._keys_of(incoming.user)
        try:
            scoped = self._scoped(incoming, keys)
            engine_id, context = scoped.string(), scoped.string()
            request = pdu.read_pdu(scoped)
        except DecodeError:
            if not incoming.flags & _PRIV_FLAG:
                raise
            return self._report(incoming, "decryption_error")  # a wrong privacy key makes nonsense of the scoped PDU
        response = answer(request, min(room, incoming.max_octets) - _HEADER_OCTETS - len(context))
        body = ber.tlv(ber.SEQUENCE, ber.octets(engine_id) + ber.octets(context) + response)
        return self._write(incoming.message_id, incoming.flags & ~_REPORTABLE_FLAG, keys, body)

    def _notice_boot(self, booted_ms: int) -> None:
        if self._booted_ms not in (None, booted_ms):
            self.boots += 1
            self._begun = time.monotonic()
        self._booted_ms = booted_ms

    @property
    def engine_time(self) -> int:
        return int(time.monotonic() - self._begun)

    def _problem(self, datagram: bytes, incoming: _Incoming) -> str | None:
        """The checks of RFC 3414 section 3.2, in their order."""
        if incoming.engine_id != self.engine_id:
            return "unknown_engine"
        user = self._users.get(incoming.user)
        if user is None:
            return "unknown_user"
        if incoming.flags & (_AUTH_FLAG | _PRIV_FLAG) != user.level:
            return "unsupported_level"  # more than the user has, or less than its access asks for
        return self._authenticity_problem(datagram, incoming) if user.level else None

    def _authenticity_problem(self, datagram: bytes, incoming: _Incoming) -> str | None:
        start, end = incoming.mac_at
        blank = datagram[:start] + bytes(end - start) + datagram[end:]
        if not hmac.compare_digest(self._keys_of(incoming.user).mac(blank), datagram[start:end]):
            return "wrong_digest"
        if incoming.boots != self.boots or abs(incoming.time - self.engine_time) > _WINDOW_SECONDS:
            return "not_in_time_window"
        return None

    def _keys_of(self, user: bytes) -> _Keys:
        if user not in self._keys:
            self._keys[user] = _Keys(self._users[user], self.engine_id)
        return self._keys[user]

    def _scoped(self, incoming: _Incoming, keys: _Keys) -> Reader:
        if not incoming.flags & _PRIV_FLAG:
            return incoming.body.inner()
        plain = decrypt(keys.protocol, keys.priv, incoming.boots, incoming.time, incoming.salt, incoming.body.string())
        return Reader(plain).inner()

    def _report(self, incoming: _Incoming, problem: str) -> bytes | None:
        """A report is signed only where the sender has proved who it is (RFC 3414 section 3.2 step 7)."""
        self.stats[problem] += 1
        if not incoming.flags & _REPORTABLE_FLAG:
            return None
        counter = pdu.binding(_STATS[problem], ber.integer(self.stats[problem], ber.COUNTER32))
        report = pdu.write_pdu(pdu.REPORT, 0, counter)
        body = ber.tlv(ber.SEQUENCE, ber.octets(self.engine_id) + ber.octets(b"") + report)
        proven = problem == "not_in_time_window"
        keys = self._keys_of(incoming.user) if proven else _Keys(User(name=""), self.engine_id)
        return self._write(incoming.message_id, _AUTH_FLAG if proven else 0, keys, body, user=incoming.user)

    def _write(self, message_id: int, flags: int, keys: _Keys, body: bytes, *, user: bytes | None = None) -> bytes:
        salt = b""
        engine_time = self.engine_time
        if flags & _PRIV_FLAG:
            salt = os.urandom(8)
            body = ber.octets(encrypt(keys.protocol, keys.priv, self.boots, engine_time, salt, body))
        header = ber.tlv(
            ber.SEQUENCE,
            ber.integer(message_id) + ber.integer(65507) + ber.octets(bytes((flags,))) + ber.integer(_USM),
        )
        mac_octets = keys.mac_octets if flags & _AUTH_FLAG else 0
        before_mac = (
            ber.octets(self.engine_id)
            + ber.integer(self.boots)
            + ber.integer(engine_time)
            + ber.octets(keys.user.name if user is None else user)
        )
        after_mac = ber.octets(salt)
        security = ber.octets(ber.tlv(ber.SEQUENCE, before_mac + ber.octets(bytes(mac_octets)) + after_mac))
        message = ber.tlv(ber.SEQUENCE, ber.integer(pdu.VERSION_3) + header + security + body)
        if not mac_octets:
            return message
        at = len(message) - len(body) - len(after_mac) - mac_octets
        return message[:at] + keys.mac(message) + message[at + mac_octets :]


def _read_headers(message: Reader) -> _Incoming:
    """msgGlobalData and the security parameters (RFC 3412 section 6, RFC 3414 section 2.4)."""
    header = message.inner()
    message_id, max_octets, flags, model = header.integer(), header.integer(), header.string(), header.integer()
    if model != _USM or len(flags) != 1:
        raise DecodeError("bad_security_model", str(model))
    security = message.inner(ber.OCTET_STRING).inner()
    engine_id, boots, engine_time, user = security.string(), security.integer(), security.integer(), security.string()
    _, mac_start, mac_end = security.content(ber.OCTET_STRING)
    return _Incoming(
        message_id=message_id,
        max_octets=max_octets,
        flags=flags[0],
        engine_id=engine_id,
        boots=boots,
        time=engine_time,
        user=user,
        mac_at=(mac_start, mac_end),
        salt=security.string(),
        body=message,
    )
