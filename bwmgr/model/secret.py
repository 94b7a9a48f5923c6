"""A string that does not show itself."""

from __future__ import annotations


class Secret:
    """A community, key, token or password. `reveal()` is the only way to its text; repr, str and format mask it."""

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str = "") -> None:
        self._text = text
        self.source = source
        """Where it came from, such as `env:SNMP_COMMUNITY` or `file:/etc/bwmgr/auth`; safe to print."""

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self.source or 'hidden'})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
