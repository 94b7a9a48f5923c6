"""YAML text as values that know their lines.

Owns the guards: aliases, depth, size, duplicate keys. Scalars stay text: what they mean is for the key that asks, so that YAML
1.1 turns no `NO` into false, no `1:30` into 90 and no region code 62.10 into 62.1. Does not know any key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from bwmgr.errors import Mistake

MAX_OCTETS = 8 * 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 1_000_000


@dataclass(slots=True)
class Text:
    text: str
    file: str
    line: int
    plain: bool = True

    @property
    def empty(self) -> bool:
        """YAML's null."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


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


class _Refused(Exception):
    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


def parse(text: bytes, file: str, mistakes: list[Mistake]) -> Value | None:
    """The document's value, None where there is none; what is wrong with it is added to `mistakes`."""
    if len(text) > MAX_OCTETS:
        problem = f"{len(text)} octets; at most {MAX_OCTETS} are read: split it with include, or list links in a CSV file"
        mistakes.append(Mistake(file=file, line=0, key="", problem=problem))
        return None
    try:
        return _Builder(file, mistakes).build(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        mistakes.append(Mistake(file=file, line=line, key="", problem="not UTF-8 text; save the file as UTF-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"not YAML: {error.problem or error.context}"
        mistakes.append(Mistake(file=file, line=mark.line + 1 if mark else 0, key="", problem=problem))
    except yaml.YAMLError as error:
        mistakes.append(Mistake(file=file, line=0, key="", problem=f"not YAML: {' '.join(str(error).split())}"))
    except _Refused as error:
        mistakes.append(Mistake(file=file, line=error.line, key="", problem=error.problem))
    return None


class _Builder:
    """Builds from events on a stack of its own: nesting costs no recursion, and an alias is refused before it is followed."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self._file = file
        self._mistakes = mistakes
        self._root: Value | None = None
        self._stack: list[tuple[Items | Keys, Text | None]] = []
        self._values = 0
        self._documents = 0

    def build(self, text: str) -> Value | None:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.ScalarEvent):
                self._add(Text(event.value, self._file, line, event.implicit[0]), line)
            elif isinstance(event, yaml.MappingStartEvent):
                self._open(Keys(self._file, line), line)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open(Items(self._file, line), line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._stack.pop()
            else:
                self._other(event, line)
        return self._root

    def _other(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, f"aliases are not supported: write out what *{event.anchor} stands for")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused(line, "a second document begins here; write one document per file")

    def _open(self, value: Items | Keys, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(line, f"nested deeper than {MAX_DEPTH} levels")
        self._add(value, line)
        self._stack.append((value, None))

    def _add(self, value: Value, line: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Refused(line, f"more than {MAX_VALUES} values in one file")
        if not self._stack:
            self._root = value
            return
        holder, key = self._stack[-1]
        if isinstance(holder, Items):
            holder.items.append(value)
        elif key is None:
            if not isinstance(value, Text):
                raise _Refused(line, "a list or mapping as a key; a key is a plain word")
            self._stack[-1] = (holder, value)
        else:
            self._stack[-1] = (holder, None)
            self._set(holder, key, value)

    def _set(self, holder: Keys, key: Text, value: Value) -> None:
        if key.text in holder.entries:
            problem = f"given twice; the first is at line {holder.lines[key.text]}: keep one"
            self._mistakes.append(Mistake(file=self._file, line=key.line, key=key.text, problem=problem))
            return
        holder.entries[key.text] = value
        holder.lines[key.text] = key.line
