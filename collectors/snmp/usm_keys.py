"""SNMPv3's protocols and one user's keys (RFC 3414 sections 2.6, 6 to 8; RFC 3826; RFC 7860).

Owns the names that the configuration has for protocols. pysnmp makes keys, encrypts and decrypts, and stops here.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bwmgr.errors import DecodeError
from collectors.snmp.ber import Tag
from collectors.snmp.usm_message import AUTH, PRIV, Incoming, Reader

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


class Keys:
    """One user's keys localised to one engine; making them costs milliseconds, so they are kept with the engine."""

    def __init__(self, credential: Credential, engine_id: bytes) -> None:
        """Raises: ValueError for a protocol that is not known."""
        self.user = (credential.user or "").encode()
        self.flags = (AUTH if credential.auth else 0) | (PRIV if credential.priv else 0)
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

    def decrypt(self, incoming: Incoming) -> bytes:
        """Raises: DecodeError where the octets cannot have come from this cipher."""
        from pyasn1.type.univ import OctetString
        from pysnmp.proto.error import StatusInformation

        reader = Reader(incoming.data)
        secret = OctetString(reader.octets[slice(*reader.element(Tag.OCTET_STRING))])
        numbers = (incoming.boots, incoming.time, OctetString(incoming.salt))
        try:
            return bytes(self._cipher.decrypt_data(self._priv, numbers, secret))
        except (StatusInformation, ValueError) as error:
            raise DecodeError("decryption") from error


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
