"""What a single value may be: how its text becomes a value, and how JSON Schema says so.

Owns the words of a wrong value. Knows no keys and no lines: a parser raises ValueError with what is wrong and what would
be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bwmgr.config.reasons import reason
from bwmgr.model.inventory import Network
from bwmgr.model.said import Said
from bwmgr.model.units import parse_duration, parse_rate

JsonSchema = dict[str, Any]
MANY = 200


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """How a text becomes a value, or ValueError; each kind is itself alone, so that values can be remembered by it."""

    parse: Callable[[str], Any]
    schema: JsonSchema


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as `; did you mean 'parent'?`, or nothing where no known word is near."""
    words = list(known)
    if len(words) > MANY:  # comparing with each of thousands takes long, for each of what may be thousands of mistakes
        words = [one for one in words if one[:2] == word[:2] and abs(len(one) - len(word)) <= 2][:MANY]
    letters = set(word)
    alike = [one for one in words if 2 * len(letters.intersection(one)) >= len(letters)]  # cheap beside the comparison
    close = get_close_matches(word, alike, n=1, cutoff=0.6) if alike else []
    return Said("; did you mean {word!r}?", word=close[0]) if close else ""


def choice(*words: str) -> Kind:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(
                Said(
                    "{text!r} is not known; write one of {words}{nearest}",
                    text=text,
                    words=", ".join(words),
                    nearest=nearest(text, words),
                )
            )
        return text

    return Kind(parse, {"enum": [*words, *(int(word) for word in words if word.isdigit())]})


def number(least: float, most: float, *, whole: bool = False, above: bool = False) -> Kind:
    """A number within bounds; `above`: greater than `least`, not equal to it."""
    ends = {"least": f"{least:g}", "most": f"{most:.0f}"}
    bounds = Said("above {least} to {most}", **ends) if above else Said("from {least} to {most}", **ends)

    def parse(text: str) -> int | float:
        pattern = r"[+-]?\d{1,18}" if whole else r"[+-]?(\d{1,18}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?"
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(
                Said("not a whole number: {text!r}; write one {bounds}", text=text, bounds=bounds)
                if whole
                else Said("not a number: {text!r}; write one {bounds}", text=text, bounds=bounds)
            )
        found = int(text) if whole else float(text)
        if not least <= found <= most or (above and found == least):
            raise ValueError(
                Said("{text} is out of bounds; write a whole number {bounds}", text=text, bounds=bounds)
                if whole
                else Said("{text} is out of bounds; write a number {bounds}", text=text, bounds=bounds)
            )
        return found

    return Kind(
        parse, {"type": "integer" if whole else "number", "exclusiveMinimum" if above else "minimum": least, "maximum": most}
    )


def _word(text: str) -> str:
    if not text.strip():
        raise ValueError(Said("empty; write a text"))
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError(Said("has a line break or control character; write one line of text"))
    return text


def _lines(text: str) -> str:
    if not text.strip():
        raise ValueError(Said("empty; write a text"))
    return text


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text, re.ASCII):
        raise ValueError(
            Said(
                "{text!r} is no id; write letters, digits, '.', '_' and '-', up to 100, such as dinkes or kec-baamang", text=text
            )
        )
    return text


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(Said("{text!r} is neither true nor false", text=text))
    return text == "true"


def _rate(text: str) -> int:
    rate = parse_rate(text)
    if rate > 10**15:
        raise ValueError(Said("{text} is more than any line carries; write bit/s, such as 10M or 1.5G", text=text))
    return rate


def _rate_or_none(text: str) -> int | None:
    return None if text in ("none", "unlimited") else _rate(text)


def duration(least_seconds: float) -> Kind:
    """A duration of at least so many seconds, and at most a hundred years."""

    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not least_seconds <= seconds <= 100 * 366 * 86400:
            raise ValueError(
                Said("{text} is out of bounds; write from {least}s to 36600d", text=text, least=f"{least_seconds:g}")
            )
        return seconds

    return Kind(parse, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d|w)$"})


def _ratio(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)\s*(%?)", text, re.ASCII)
    if match is None:
        raise ValueError(Said("not a share: {text!r}; write such as 25% or 0.25", text=text))
    return float(match[1]) / (100 if match[2] else 1)


def _share(text: str) -> float:
    found = _ratio(text)
    if found > 1:
        raise ValueError(Said("{text} is more than the whole; write such as 25% or 0.25", text=text))
    return found


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([kMGT])B?", text, re.ASCII)
    if match is None:
        raise ValueError(Said("not a size: {text!r}; write such as 500MB or 20GB", text=text))
    return round(float(match[1]) * {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}[match[2]])


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(Said("not a date: {text!r}; write year-month-day, such as 2026-02-01", text=text))
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(Said("no such day: {text} ({why})", text=text, why=reason(str(error)))) from error


def _instant(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?", text, re.ASCII):
        raise ValueError(Said("not a time: {text!r}; write such as 2022-09-07T00:00, in the organisation's zone", text=text))
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(Said("no such time: {text} ({why})", text=text, why=reason(str(error)))) from error


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = ("Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura")
        raise ValueError(
            Said("unknown time zone {text!r}; write such as Asia/Jakarta{nearest}", text=text, nearest=nearest(text, known))
        ) from error
    return text


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        labels = text.rstrip(".").split(".")
        if labels[-1].isdigit() or not all(re.fullmatch(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", label, re.ASCII) for label in labels):
            raise ValueError(Said("{text!r} is no address; write IPv4, IPv6 or a host name, without port", text=text)) from None
        return text


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(
                Said("{text} is an address inside a network; write {network}", text=text, network=ip_network(text, strict=False))
            ) from error
        raise ValueError(Said("{text!r} is no network; write such as 10.20.1.0/24", text=text)) from error


def _endpoint(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\]:(\d{1,5})|([^:\[\]]+):(\d{1,5})", text, re.ASCII)
    if match is None:
        raise ValueError(Said("{text!r} is no address and port; write such as 127.0.0.1:9464 or [::1]:9464", text=text))
    port = int(match[2] or match[4])
    if port > 65535:
        raise ValueError(Said("port {port} is out of bounds; write from 0 to 65535", port=str(port)))
    return _address(match[1] or match[3]), port


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text, re.ASCII):
        raise ValueError(Said("{text!r} is no header's name; write such as X-Remote-User", text=text))
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        credentials = parts.username or parts.password
    except ValueError as error:
        raise ValueError(Said("no URL; write such as http://127.0.0.1:8086")) from error
    if credentials:
        raise ValueError(Said("has a user or password in it; write username: and password: {{file: PATH}} instead"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(Said("no URL; write such as http://127.0.0.1:8086"))
    return text


def _country(text: str) -> str:
    from bwmgr.measure.calendars import knows_holidays

    if not knows_holidays(text):
        raise ValueError(
            Said(
                "no holidays are known of {text!r}; write a country's two letters, such as ID, or a part, such as DE-BE",
                text=text,
            )
        )
    return text


def _currency(text: str) -> str:
    from babel.numbers import is_currency

    if not is_currency(text):
        raise ValueError(Said("{text!r} is no currency; write its ISO 4217 code, such as IDR", text=text))
    return text


def clock_time(text: str) -> time | None:
    """`HH:MM`, None for 24:00. Raises: ValueError."""
    if text == "24:00":
        return None
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError(Said("no such time: {text!r}; write HH:MM, such as 07:30, up to 24:00", text=text))
    return time.fromisoformat(text)


def _clock(text: str) -> time:
    found = clock_time(text)
    if found is None:
        raise ValueError(Said("not a time of day: {text!r}; write such as 02:00", text=text))
    return found


def hours(text: str) -> tuple[tuple[time, time | None], ...]:
    """`07:30-12:00, 13:00-16:00` as (opens, closes) in order; `22:00-06:00` ends on the next day.

    Raises: ValueError, for overlaps too.
    """
    if text == "closed":
        return ()
    spans: list[tuple[time, time | None]] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not dash:
            raise ValueError(Said("not hours: {text!r}; write such as 07:30-16:00, quoted", text=text))
        opens, closes = clock_time(first.strip()), clock_time(last.strip())
        if opens is None:
            raise ValueError(Said("{part} starts at the day's end; write it for the next day, from 00:00", part=part.strip()))
        if spans and not _follows(spans[-1], opens):
            raise ValueError(Said("{part} overlaps or precedes the hours before it; write them in order", part=part.strip()))
        spans.append((opens, closes))
    return tuple(spans)


def _follows(earlier: tuple[time, time | None], opens: time) -> bool:
    """Whether hours may open then after others of the same day, which last overnight where they end at or before their start."""
    began, closed = earlier
    return closed is not None and began < closed <= opens


_TEXT: JsonSchema = {"type": ["string", "number"]}
WORD = Kind(_word, _TEXT)
LINES = Kind(_lines, _TEXT)
ID = Kind(_id, {"type": ["string", "integer"], "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"})
FLAG = Kind(_flag, {"type": "boolean"})
RATE = Kind(_rate, {"type": ["string", "integer"], "pattern": r"^\d+(\.\d+)?\s*[kKMGT]?(bps|bit/s)?$", "minimum": 0})
RATE_OR_NONE = Kind(_rate_or_none, {"type": ["string", "integer"], "minimum": 0})
RATIO = Kind(_ratio, {"type": ["string", "number"]})
SHARE = Kind(_share, {"type": ["string", "number"]})
SIZE = Kind(_size, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[kMGT]B?$"})
DATE = Kind(_date, {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
INSTANT = Kind(_instant, {"type": "string"})
ZONE = Kind(_zone, {"type": "string"})
ADDRESS = Kind(_address, {"type": "string"})
NETWORK = Kind(_network, {"type": "string"})
ENDPOINT = Kind(_endpoint, {"type": "string"})
HEADER = Kind(_header, {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"})
URL = Kind(_url, {"type": "string", "pattern": "^https?://"})
CURRENCY = Kind(_currency, {"type": "string", "pattern": "^[A-Z]{3}$"})
COUNTRY = Kind(_country, {"type": "string"})
PORT = number(1, 65535, whole=True)
CLOCK = Kind(_clock, {"type": "string", "pattern": r"^\d{2}:\d{2}$"})
HOURS = Kind(hours, {"type": "string"})
