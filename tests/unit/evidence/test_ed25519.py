"""The verifier's own Ed25519 against the test vectors of RFC 8032 section 7.1, and against the library that signs."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bwmgr.reports.evidence.verifier.ed25519 import ORDER, verify

# (public key, message, signature) of RFC 8032 section 7.1: TEST 1, 2 and 3
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)


@pytest.mark.parametrize(("public_key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(public_key: str, message: str, signature: str) -> None:
    """Each signature is good, and none is for another message, another key or with a bit changed."""
    key, said, sign = bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature)
    assert verify(key, said, sign)
    assert not verify(key, said + b"\0", sign)
    assert not verify(bytes.fromhex(VECTORS[0][0] if public_key != VECTORS[0][0] else VECTORS[1][0]), said, sign)
    for place in (0, 31, 32, 63):
        assert not verify(key, said, sign[:place] + bytes([sign[place] ^ 1]) + sign[place + 1 :])


def test_what_the_library_signs_is_good() -> None:
    """Messages of many lengths under fresh keys."""
    for length in range(8):
        private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([length])).digest())
        message = bytes(range(length))
        assert verify(private.public_key().public_bytes_raw(), message, private.sign(message))


def test_what_is_no_signature_is_refused_and_raises_nothing() -> None:
    """Wrong lengths, points that are none, a scalar beyond the order (malleable, section 5.1.7)."""
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[1])
    assert not verify(key[:31], message, signature)
    assert not verify(key, message, signature[:63])
    assert not verify(b"\xff" * 32, message, signature)
    assert not verify((2).to_bytes(32, "little"), message, signature)
    beyond = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(key, message, signature[:32] + beyond.to_bytes(32, "little"))
