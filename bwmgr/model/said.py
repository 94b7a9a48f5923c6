"""What a part of the program has to say to people, before anybody knows in which language: a sentence with its figures.

Owns the shape. A `Said` is its English sentence, so that logs, JSON and tests take it as any string; `Words.said` says it in the
reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping


class Said(str):
    """`Said("no interface with {what} among {rows}", what="ifName", rows=12)`. The sentence is a literal, for the catalogue."""

    pattern: str
    values: Mapping[str, str | int]

    def __new__(cls, pattern: str, /, **values: object) -> Said:
        """Values are strings and whole numbers; any other (a path, an operating system's reason) is kept as its text."""
        kept = {name: value if isinstance(value, str | int) else str(value) for name, value in values.items()}
        said = super().__new__(cls, pattern.format_map(kept))
        said.pattern, said.values = pattern, kept
        return said

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str | int]]:
        return (self.pattern,), dict(self.values)


def said_by(error: BaseException) -> str:
    """Its message, for a sentence that goes on with it: still to be said in any language where it is a `Said`."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Said) else str(error)


_BOTH = "{first}; {second}"


def both(first: str, second: str) -> str:
    """One after the other, where there are two."""
    return Said("{first}; {second}", first=first, second=second) if first and second else first or second


def but_first(said: str) -> str:
    """What stands behind the first of several; empty where it is the only one."""
    found = said.values["second"] if isinstance(said, Said) and said.pattern == _BOTH else ""
    return found if isinstance(found, str) else str(found)
