"""Rates and durations as people write them, and back.

Rates are SI (powers of 1000) in bit/s; durations are seconds. Nothing here knows about languages: text for people is
made in `bwmgr.language`.
"""

from __future__ import annotations

import re
from fractions import Fraction

from bwmgr.model.said import Said

_RATE_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)(?:bps|bit/s)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")


def parse_rate(text: str | int | float) -> int:
    """Bit/s of `10M`, `1.5G`, `512k` or a plain number of bit/s.

    Raises: ValueError that says what would be right (negative, a unit that is not SI, not a whole number of bit/s).
    """
    match = _RATE.fullmatch(str(text).strip()) if not isinstance(text, bool) else None
    if match is None:
        raise ValueError(Said("not a rate: {text}; write bit/s with an SI prefix, such as 512k, 10M or 1.5G", text=repr(text)))
    rate = Fraction(match[1]) * _RATE_UNITS[match[2]]  # exact: in binary 16815387.326k is no whole number
    if rate.denominator != 1:
        raise ValueError(Said("not a whole number of bit/s: {text}", text=repr(text)))
    return rate.numerator


def parse_duration(text: str | int | float) -> float:
    """Seconds of `500ms`, `60s`, `5m`, `2h`, `30d`, `1w`.

    Raises: ValueError where there is no unit: a plain number could be anything.
    """
    match = _DURATION.fullmatch(str(text).strip()) if not isinstance(text, bool) else None
    if match is None:
        raise ValueError(Said("not a duration: {text}; write a number and a unit, such as 60s, 5m, 12h or 30d", text=repr(text)))
    return float(match[1]) * _DURATION_UNITS[match[2]]


def rate_text(rate_bps: float) -> str:
    """Shortest configuration form of a rate: 35000000 -> `35M`, 1500000 -> `1.5M`; exact, so it parses back."""
    for suffix, factor in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if rate_bps >= factor and round(rate_bps) % (factor // 1000) == 0:
            return f"{round(rate_bps) / factor:.3f}".rstrip("0").rstrip(".") + suffix
    return str(round(rate_bps))


def duration_text(seconds: float) -> str:
    """Shortest configuration form of a duration: 300 -> `5m`; exact down to a millisecond."""
    for suffix, factor in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= factor and seconds % factor == 0:
            return f"{round(seconds / factor)}{suffix}"
    return f"{round(seconds * 1000)}ms"
