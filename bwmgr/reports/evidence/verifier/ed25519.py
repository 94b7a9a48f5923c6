"""Ed25519 signatures, verification only (RFC 8032 section 5.1), written to be read beside the RFC.

Does not sign, and does not hide its timing: all that it sees is public.
"""

from __future__ import annotations

import hashlib

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
_SQRT_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)

Point = tuple[int, int, int, int]  # (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z: extended coordinates, section 5.1.4


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 octets) is that of `message` under `public_key` (32 octets). Section 5.1.7; never raises."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, nonce = decoded(public_key), decoded(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    return _equal(multiplied(scalar, BASE), _added(nonce, multiplied(challenge, key)))


def decoded(octets: bytes) -> Point | None:
    """The point that 32 octets stand for; None where they stand for none. Section 5.1.3."""
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= PRIME:
        return None
    x_squared = (y * y - 1) * pow(_D * y * y + 1, PRIME - 2, PRIME) % PRIME
    if x_squared == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(x_squared, (PRIME + 3) // 8, PRIME)
    if (x * x - x_squared) % PRIME:
        x = x * _SQRT_MINUS_1 % PRIME
    if (x * x - x_squared) % PRIME:
        return None
    if x & 1 != sign:
        x = PRIME - x
    return (x, y, 1, x * y % PRIME)


def multiplied(scalar: int, point: Point) -> Point:
    """The point added to itself so many times, by doubling."""
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _added(total, point)
        point, scalar = _added(point, point), scalar >> 1
    return total


def _added(one: Point, other: Point) -> Point:
    """Section 5.1.4; complete, so that it doubles as well."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * _D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def _equal(one: Point, other: Point) -> bool:
    """x1/z1 == x2/z2 and y1/z1 == y2/z2."""
    return (one[0] * other[2] - other[0] * one[2]) % PRIME == 0 and (one[1] * other[2] - other[1] * one[2]) % PRIME == 0


_BASE_Y = 4 * pow(5, PRIME - 2, PRIME) % PRIME
_base = decoded(_BASE_Y.to_bytes(32, "little"))
assert _base is not None
BASE: Point = _base
