"""The ciphers of SNMPv3: DES-CBC (RFC 3414 section 8) and AES-CFB128 (RFC 3826). `cryptography` stops here."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bwmgr.errors import DecodeError

try:  # moved in cryptography 47
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:
    from cryptography.hazmat.primitives.ciphers.modes import CFB

KEY_OCTETS = {"DES": 16, "AES": 16, "AES-128": 16, "AES-192": 24, "AES-256": 32, "AES-192-C": 24, "AES-256-C": 32}
"""Protocol as the configuration names it: octets of localized key that it takes."""


def _cipher(protocol: str, key: bytes, boots: int, engine_time: int, salt: bytes) -> Cipher[CFB] | Cipher[modes.CBC]:
    if len(salt) != 8:
        raise DecodeError("bad_salt", f"{len(salt)} octets")
    if protocol == "DES":
        initial = bytes(a ^ b for a, b in zip(key[8:], salt, strict=True))
        return Cipher(TripleDES(key[:8] * 3), modes.CBC(initial))  # three equal keys are single DES
    return Cipher(algorithms.AES(key), CFB(boots.to_bytes(4, "big") + engine_time.to_bytes(4, "big") + salt))


def encrypt(protocol: str, key: bytes, boots: int, engine_time: int, salt: bytes, plain: bytes) -> bytes:
    """The encrypted scoped PDU; DES pads to whole blocks."""
    if protocol == "DES":
        plain += bytes(-len(plain) % 8)
    encryptor = _cipher(protocol, key, boots, engine_time, salt).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def decrypt(protocol: str, key: bytes, boots: int, engine_time: int, salt: bytes, secret: bytes) -> bytes:
    """What `encrypt` was given, padding included. Raises: DecodeError for a salt or a length that cannot be."""
    if protocol == "DES" and len(secret) % 8:
        raise DecodeError("bad_block", f"{len(secret)} octets")
    decryptor = _cipher(protocol, key, boots, engine_time, salt).decryptor()
    return decryptor.update(secret) + decryptor.finalize()
