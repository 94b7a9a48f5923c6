"""YAML text as values that know their lines.

Owns the guards: aliases, depth, size, duplicate keys. Scalars stay text: what they mean is for the key that asks, so that YAML
1.1 turns no `NO` into false, no `1:30` into 90 and no region code 62.10 into 62.1. Does not know any key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from bwmgr.config.reasons import reason
from bwmgr.errors import Mistake
from bwmgr.model.said import Said

MAX_OCTETS = 8 * 1024 * 1024
MAX_KEYS = 20_000
"""In one mapping: what there are many of (links, devices) are lists."""
MAX_DEPTH = 32
MAX_EVENTS = 2_000_000
MAX_MISTAKES = 2_500
NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(slots=True)
class Text:
    text: str
    file: str
    line: int
    plain: bool = True

    @property
    def empty(self) -> bool:
        """YAML's null."""
        return self.plain and self.text in NULLS


@dataclass(slots=True)
class Items:
    file: str
    line: int
    items: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class Keys:
    """A mapping; `lines` says where each key stands, `line` where the first one does."""

    file: str
    line: int
    entries: dict[str, Value] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


Value = Text | Items | Keys


class Mistakes(list[Mistake]):
    """What was found wrong. Raises: TooMany, where so much is that the file must be another one than was meant."""

    def append(self, mistake: Mistake) -> None:
        super().append(mistake)
        if len(self) >= MAX_MISTAKES:
            raise TooMany(Said("{count} mistakes, and reading stopped there: is it the right file?", count=MAX_MISTAKES))


class TooMany(Exception):
    """Reading goes no further."""


class _Refused(Exception):
    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


def parse(text: bytes, file: str, mistakes: list[Mistake]) -> Value | None:
    """The document's value, None where there is none; what is wrong with it is added to `mistakes`."""
    if len(text) > MAX_OCTETS:
        problem = Said(
            "{count} octets; at most {most} are read: split it with include, or list links in a CSV file",
            count=len(text),
            most=MAX_OCTETS,
        )
        mistakes.append(Mistake(file=file, line=0, key="", problem=problem))
        return None
    try:
        return _Builder(file, mistakes).build(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        mistakes.append(Mistake(file=file, line=line, key="", problem=Said("not UTF-8 text; save the file as UTF-8")))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = reason(error.problem or error.context or "")
        problem = Said("not YAML: {why}", why=why)
        if "cannot start any token" in why:
            problem = Said("not YAML: {why}; indent with spaces, not tabs", why=why)
        mistakes.append(Mistake(file=file, line=mark.line + 1 if mark else 0, key="", problem=problem))
    except yaml.YAMLError as error:
        mistakes.append(Mistake(file=file, line=0, key="", problem=Said("not YAML: {why}", why=" ".join(str(error).split()))))
    except _Refused as error:
        mistakes.append(Mistake(file=file, line=error.line, key="", problem=error.problem))
    return None


class _Builder:
    """Builds from events on a stack of its own: nesting costs no recursion, and an alias is refused before it is followed."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self._file = file
        self._mistakes = mistakes
        self._root: Value | None = None
        self._holder: Items | Keys | None = None
        self._key: Text | None = None
        self._around: list[tuple[Items | Keys | None, Text | None]] = []
        self._documents = 0

    def build(self, text: str) -> Value | None:
        # libyaml's events without yaml.parse around them: that costs as much as the parser itself
        get_event: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        for number, event in enumerate(iter(get_event, None)):
            kind, line = type(event), event.start_mark.line + 1
            if kind is yaml.ScalarEvent:
                self._add(Text(event.value, self._file, line, event.implicit[0]))
            elif kind is yaml.MappingStartEvent:
                self._open(Keys(self._file, line))
            elif kind is yaml.SequenceStartEvent:
                self._open(Items(self._file, line))
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._holder, self._key = self._around.pop()
            else:
                self._other(event, line)
            if number > MAX_EVENTS:
                raise _Refused(
                    line,
                    Said("more than {most} values, keys and ends of them in one file; split it with include", most=MAX_EVENTS),
                )
        return self._root

    def _other(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, Said("aliases are not supported: write out what *{anchor} stands for", anchor=event.anchor))
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused(line, Said("a second document begins here; write one document per file"))

    def _open(self, value: Items | Keys) -> None:
        if len(self._around) >= MAX_DEPTH:
            raise _Refused(value.line, Said("nested deeper than {most} levels", most=MAX_DEPTH))
        self._add(value)
        self._around.append((self._holder, self._key))
        self._holder, self._key = value, None

    def _add(self, value: Value) -> None:
        holder = self._holder
        if type(holder) is Keys:
            if self._key is not None:
                self._set(holder, self._key, value)
                self._key = None
            elif type(value) is Text:
                self._key = value
            else:
                raise _Refused(value.line, Said("a list or mapping as a key; a key is a plain word"))
        elif type(holder) is Items:
            holder.items.append(value)
        else:
            self._root = value

    def _set(self, holder: Keys, key: Text, value: Value) -> None:
        if key.text in holder.entries:
            problem = Said("given twice; the first is at line {line}: keep one", line=str(holder.lines[key.text]))
            self._mistakes.append(Mistake(file=self._file, line=key.line, key=key.text, problem=problem))
            return
        if len(holder.entries) >= MAX_KEYS:
            raise _Refused(key.line, Said("more than {most} keys in one mapping; links and devices are lists", most=MAX_KEYS))
        holder.entries[key.text] = value
        holder.lines[key.text] = key.line
