"""What YAML and the calendar say of a file that is wrong, where it can be said in any language.

Owns the reasons that befall a configuration most; any other stays in the words of the library it came from.
"""

from __future__ import annotations

from bwmgr.errors import system_reason
from bwmgr.model.said import Said

_KNOWN: dict[str, Said] = {
    said: said
    for said in (
        # datetime
        Said("day is out of range for month"),
        Said("month must be in 1..12"),
        Said("hour must be in 0..23"),
        Said("minute must be in 0..59"),
        Said("second must be in 0..59"),
        # libyaml, scanner.c and parser.c
        Said("mapping values are not allowed in this context"),
        Said("block sequence entries are not allowed in this context"),
        Said("did not find expected key"),
        Said("did not find expected ',' or '}}'"),
        Said("did not find expected ',' or ']'"),
        Said("did not find expected '-' indicator"),
        Said("did not find expected node content"),
        Said("could not find expected ':'"),
        Said("found character that cannot start any token"),
        Said("found unexpected end of stream"),
    )
}


def reason(text: str) -> str:
    """The same text; a `Said` where it is one of those that are known."""
    return _KNOWN.get(text, text)


def unreadable(error: OSError | ValueError) -> str:
    """Why a file cannot be read; a path with a null byte is a ValueError."""
    return system_reason(error) if isinstance(error, OSError) else Said("not a path")
