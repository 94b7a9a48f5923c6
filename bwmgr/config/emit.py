"""Plain values as YAML text: a line for each item of a list, plain words where no YAML reader could take them for something else.

PyYAML's own emitter takes ten seconds for 9,000 links. Only what `bwmgr.config.shown` produces is known here: mappings, lists,
text, numbers, flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*|\d+(\.\d+)?(ms|[skKmMGTdh%])B?|\d+(\.\d+){3}(/\d+)?", re.ASCII)
_TAKEN = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])


def emit(document: Mapping[str, Any]) -> str:
    """Sections on lines of their own; within them a line for each key or item."""
    return "".join(_sections(document))


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        if value and isinstance(value, list):
            yield f"{key}:\n"
            yield from (f"  - {_flow(item)}\n" for item in value)
        elif value and isinstance(value, dict):
            yield f"{key}:\n"
            yield from (f"  {_word(name)}: {_flow(item)}\n" for name, item in value.items())
        else:
            yield f"{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_word(key)}: {_flow(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([_flow(item) for item in value]) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in escaped) + '"'
