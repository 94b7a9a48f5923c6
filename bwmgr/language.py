"""Words for people: sentences, figures, dates and money in Indonesian and English.

Owns the choice of language and how each kind of figure is written in it. Owns no sentence: those stand where they are said,
in English, and `bwmgr/locale/*/LC_MESSAGES/bwmgr.po` holds their translations. Babel stops at this module and
`tools/catalogue.py`.

How to say something new, anywhere in the program:

1. Write the English sentence as a plain literal in one of three places, with {placeholders} for what varies::

       words.text("{link_name} has been silent for {silent_seconds}", link_name=link.name, silent_seconds=420)
       Reason(code="idle", message="{link_name} uses {p95_bps} of {limit_bps}", values={...})
       HEADINGS = (mark("Link"), mark("Usage"))        # said later by words.text(heading)

   and in a Jinja template `{{ words.text("...") }}`. `words.plural("{count} link", "{count} links", count=n)` where English
   has two forms.
   Where no language is known yet, as in a collector: `Said("no interface called {name}", name=...)`, told by `words.said`. So
   are the messages of errors, `raise UsageError(Said(...))`, told by `words.error`; one that goes on with another's message has
   it as a value: `Said("{path}: {why}", path=path, why=said_by(error))`.
2. `python tools/catalogue.py` collects them; write the Indonesian `msgstr` in `bwmgr/locale/id/LC_MESSAGES/bwmgr.po`; run it
   again to compile. A test fails while a sentence has no Indonesian.

A placeholder's name decides how its figure is written: `_bps` a rate, `_ratio` a percentage, `_octets` an amount, `_seconds`
a duration, `_price` money, `_at` an instant, `direction` download or upload, any other number with the language's separators.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from bwmgr.errors import BwmgrError, ConfigurationError, UsageError
from bwmgr.model.decision import Reason
from bwmgr.model.said import Said, said_by
from bwmgr.model.samples import GapReason

LANGUAGES = ("id", "en")
UNKNOWN = "–"
"""What stands where a figure is not known."""

Day = date
"""The class by a name that `Words.date` does not hide. Where a day is asked for, an instant's day in the zone is meant."""
Word = str | int | float | Day | None
"""What a placeholder takes; `datetime` is a `date`."""

_BABEL_LOCALES = {"id": "id_ID", "en": "en_GB"}
_CURRENCY_SIGNS = {"IDR": "Rp"}  # Babel writes IDR in English, where Indonesian offices write Rp in both languages
_PREFIXES = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


def mark(message: str) -> str:
    """The same string; tells `tools/catalogue.py` that it will be said by `Words.text` elsewhere."""
    return message


_DURATION_UNITS = (
    (86400, mark("{count} d")),
    (3600, mark("{count} h")),
    (60, mark("{count} min")),
    (1, mark("{count} s")),
)
_DIRECTIONS = {"down": mark("download"), "up": mark("upload")}
_CALENDARS = {
    "always": mark("around the clock"),
    "office": mark("working hours"),
    "school": mark("school hours"),
    "weekend": mark("the weekend"),
    "night": mark("the night"),
}
"""Ids of calendars that speak for themselves; any other is shown as it stands in the configuration."""
_GAPS = {
    GapReason.NONE: mark("there is a rate"),
    GapReason.FIRST_READING: mark("first reading: a rate needs two"),
    GapReason.TIMEOUT: mark("no answer, or a wrong community"),
    GapReason.AUTHENTICATION: mark("the router refuses the user or key"),
    GapReason.UNRESOLVED: mark("the router has no interface of that name"),
    GapReason.AMBIGUOUS_NAME: mark("several interfaces bear that name"),
    GapReason.MISSING: mark("the interface has no octet counters"),
    GapReason.REBOOT: mark("the router restarted"),
    GapReason.DISCONTINUITY: mark("the interface's counters restarted"),
    GapReason.RESET: mark("a counter went backwards"),
    GapReason.AMBIGUOUS_WRAP: mark("a 32-bit counter may have wrapped more than once"),
    GapReason.IMPLAUSIBLE: mark("more than the line can carry"),
    GapReason.STALE: mark("a reading no newer than the last"),
    GapReason.SUSPENDED: mark("not asked: it failed too often, it is tried again later"),
    GapReason.LATE: mark("no reading in time"),
    GapReason.PROTOCOL: mark("the router answered nonsense"),
    GapReason.NO_COUNTERS: mark("no interface in the configuration"),
    GapReason.NAME_LOOKUP: mark("the router's name does not resolve"),
    GapReason.RENUMBERED: mark("the interface moved; it is being found again"),
    GapReason.NOT_RECORDED: mark("the imported history has no value there"),
}


@cache
def _translations(language: str) -> gettext.NullTranslations:
    catalogue = files("bwmgr") / "locale" / language / "LC_MESSAGES" / "bwmgr.mo"
    with catalogue.open("rb") as stream:
        return gettext.GNUTranslations(stream)


class Words:
    """Everything that is said to people in one language and time zone."""

    def __init__(self, language: str = "id", timezone: str = "Asia/Jakarta", currency: str = "IDR") -> None:
        """`language` is `id` or `en`; `timezone` an IANA name.

        Raises: UsageError for another language.
        """
        if language not in LANGUAGES:
            raise UsageError(Said("unknown language {name!r}: write one of {known}", name=language, known=", ".join(LANGUAGES)))
        self.language = language
        self.zone: tzinfo = ZoneInfo(timezone)
        self.currency = currency
        self._gettext = _translations(language)
        self._locale = _BABEL_LOCALES[language]
        self._writers: dict[str, Callable[[float], str]] = {
            "_bps": self.rate,
            "_ratio": self.ratio,
            "_octets": self.octets,
            "_seconds": self.duration,
            "_price": self.money,
        }

    def text(self, message: str, /, **values: Word) -> str:
        """The sentence in this language with its placeholders filled; one without a translation is said in English."""
        return self._filled(self._gettext.gettext(message), values)

    def plural(self, singular: str, plural: str, /, *, count: int, **values: Word) -> str:
        """As `text`, in the form that `count` asks for (Indonesian has one form)."""
        return self._filled(self._gettext.ngettext(singular, plural, count), {"count": count, **values})

    def pattern(self, message: str) -> str:
        """The sentence in this language with its placeholders, as a translator sees it."""
        return self._gettext.gettext(message)

    def said(self, said: str) -> str:
        """What a part of the program says, in this language; any other string stays as it is."""
        return self._filled(self._gettext.gettext(said.pattern), dict(said.values)) if isinstance(said, Said) else said

    def error(self, error: BwmgrError) -> str:
        """What went wrong, where, and what would be right; of a configuration all its mistakes, a line each."""
        if isinstance(error, ConfigurationError):
            return "\n".join(str(replace(mistake, problem=self.said(mistake.problem))) for mistake in error.mistakes)
        return self.said(said_by(error))

    def reason(self, reason: Reason) -> str:
        """The one sentence that says why."""
        return self.text(reason.message, **reason.values)

    def direction(self, direction: str) -> str:
        """`unduh` or `unggah` for `down` or `up`."""
        return self.text(_DIRECTIONS[direction])

    def calendar(self, calendar: str) -> str:
        """`jam kerja` for `office`, and so for the usual ids; any other id as it is."""
        return self.text(_CALENDARS[calendar]) if calendar in _CALENDARS else calendar

    def gap(self, reason: GapReason) -> str:
        """Why there is no rate, for people."""
        return self.text(_GAPS[reason])

    def number(self, figure: float | None, *, decimals: int = 2) -> str:
        """At most so many decimals, with the language's separators: 1234.5 -> `1.234,5`."""
        from babel.numbers import format_decimal

        if figure is None:
            return UNKNOWN
        pattern = "#,##0." + "#" * decimals if decimals else "#,##0"
        return format_decimal(figure, format=pattern, locale=self._locale)

    def rate(self, rate_bps: float | None) -> str:
        """Three significant digits, SI: 35000000 -> `35 Mbps`, 1234567 -> `1,23 Mbps`."""
        return UNKNOWN if rate_bps is None else f"{self._scaled(rate_bps)}bps"

    def limit(self, limit_bps: float | None) -> str:
        """A rate limit, where None means that there is none."""
        return self.text("unlimited") if limit_bps is None else self.rate(limit_bps)

    def octets(self, octets: float | None) -> str:
        """Three significant digits, SI: 1500000000 -> `1,5 GB`."""
        return UNKNOWN if octets is None else f"{self._scaled(octets)}B"

    def ratio(self, ratio: float | None) -> str:
        """A share as a percentage with one decimal: 0.975 -> `97,5 %`."""
        if ratio is None:
            return UNKNOWN
        return f"{self.number(100 * ratio, decimals=1)}{' ' if self.language == 'id' else ''}%"

    def duration(self, seconds: float | None) -> str:
        """The two largest units that are not zero: 7500 -> `2 jam 5 menit`; under a second `0 detik`."""
        if seconds is None:
            return UNKNOWN
        left, parts = round(seconds), []
        for unit_seconds, message in _DURATION_UNITS:
            count, left = divmod(left, unit_seconds)
            if count:
                parts.append(self.text(message, count=count))
        return " ".join(parts[:2]) or self.text("{count} s", count=0)

    def money(self, amount: float | None) -> str:
        """Whole units of the organisation's currency: `Rp1.920.000.000`."""
        from babel.numbers import get_currency_symbol

        if amount is None:
            return UNKNOWN
        sign = _CURRENCY_SIGNS.get(self.currency) or get_currency_symbol(self.currency, locale=self._locale)
        return f"{'-' if amount < 0 else ''}{sign}{self.number(abs(amount), decimals=0)}"

    def date(self, day: Day) -> str:
        """`5 Januari 2026`; of an instant, the day in the organisation's zone."""
        from babel.dates import format_date

        return format_date(self._local(day), "d MMMM y", locale=self._locale)

    def month(self, day: Day) -> str:
        """`Januari 2026`."""
        from babel.dates import format_date

        return format_date(self._local(day), "MMMM y", locale=self._locale)

    def weekday(self, day: Day) -> str:
        """`Senin`."""
        from babel.dates import format_date

        return format_date(self._local(day), "EEEE", locale=self._locale)

    def time(self, instant: datetime) -> str:
        """`16.30 WIB`: hours and minutes in the organisation's zone, with its name (WIB, WITA, WIT)."""
        local = instant.astimezone(self.zone)
        return f"{local:%H}{'.' if self.language == 'id' else ':'}{local:%M} {local.tzname()}"

    def instant(self, instant: datetime) -> str:
        """`5 Januari 2026 16.30 WIB`."""
        return f"{self.date(instant)} {self.time(instant)}"

    def _local(self, day: Day) -> Day:
        return day.astimezone(self.zone).date() if isinstance(day, datetime) else day

    def _scaled(self, figure: float) -> str:
        for prefix, factor in _PREFIXES:
            # 999.6 k would be written 1.000 k, so the next prefix starts where rounding reaches it
            if abs(figure) >= 0.9995 * factor:
                whole_digits = len(str(int(abs(figure) / factor + 0.0005)))
                return f"{self.number(figure / factor, decimals=max(0, 3 - whole_digits))} {prefix}"
        return f"{self.number(figure, decimals=0)} "

    def _filled(self, sentence: str, values: dict[str, Word] | dict[str, int | Word]) -> str:
        return sentence.format_map({name: self._worded(name, word) for name, word in values.items()})

    def _worded(self, name: str, word: Word) -> str:
        if isinstance(word, str):
            return self._worded_string(name, word)
        if isinstance(word, datetime):
            return self.instant(word)
        if isinstance(word, date):
            return self.date(word)
        for suffix, writer in self._writers.items():
            if name.endswith(suffix) and word is not None:
                return writer(word)
        return self.number(word)

    def _worded_string(self, name: str, word: str) -> str:
        if name == "direction":
            return self.direction(word)
        if name == "calendar_name":
            return self.calendar(word)
        return self.instant(datetime.fromisoformat(word)) if name.endswith("_at") else self.said(word)
