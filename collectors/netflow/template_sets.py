"""Sets of a v9 or IPFIX message, and the templates that template sets hold (RFC 3954 sections 5 and 6, RFC 7011 section 3).

Owns how they are written on the wire; which template is in force is `templates`' business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bwmgr.errors import DecodeError
from collectors.netflow.elements import V9_SCOPE_PEN
from collectors.netflow.records import IPFIX
from collectors.netflow.templates import Field, Template, TemplateLimits, field_of

FIRST_DATA_SET = 256


def acceptable(template: Template, limits: TemplateLimits) -> bool:
    """A template that data can be decoded with: an id of a data set, records of at least one octet, not too many fields."""
    return template.id >= FIRST_DATA_SET and template.octets > 0 and len(template.fields) <= limits.fields


def sets(datagram: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(set id, body) of each set in [start, end). A tail of zeros, or of fewer than four octets, is padding.

    Raises: DecodeError, after the sets before it.
    """
    while end - start >= 4:
        set_id, octets = struct.unpack_from(">HH", datagram, start)
        if octets < 4:
            if any(datagram[start:end]):
                raise DecodeError("set_length", f"{octets} at {start}")
            return
        if start + octets > end:
            raise DecodeError("set_truncated", f"{octets} octets at {start} of {end}")
        yield set_id, datagram[start + 4 : start + octets]
        start += octets


def data_templates(body: bytes, version: int) -> Iterator[Template]:
    """The templates of a set (RFC 3954 section 5.2, RFC 7011 section 3.4.1). Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 4:
        template_id, count = struct.unpack_from(">HH", body, at)
        if template_id < FIRST_DATA_SET and not any(body[at:]):
            return  # a tail of zeros
        fields, at = _fields(body, at + 4, count, enterprises=version == IPFIX)
        yield Template(template_id, fields)


def v9_options_templates(body: bytes) -> Iterator[Template]:
    """RFC 3954 section 6.1: lengths in octets, scope types of their own. Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 6:
        template_id, scope_octets, option_octets = struct.unpack_from(">HHH", body, at)
        if template_id < FIRST_DATA_SET and not any(body[at:]):
            return
        if scope_octets % 4 or option_octets % 4:
            raise DecodeError("options_template", f"lengths {scope_octets} and {option_octets}")
        scopes, at = _fields(body, at + 6, scope_octets // 4, enterprises=False)
        options, at = _fields(body, at, option_octets // 4, enterprises=False)
        named = tuple(Field(V9_SCOPE_PEN, each.id, each.octets) for each in scopes)
        yield Template(template_id, named + options, len(scopes), options=True)


def ipfix_options_templates(body: bytes) -> Iterator[Template]:
    """RFC 7011 section 3.4.2.2. Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 4:
        template_id, count = struct.unpack_from(">HH", body, at)
        if count == 0:  # a withdrawal, or a tail of zeros
            yield Template(template_id, ())
            at += 4
            continue
        if len(body) - at < 6:
            raise DecodeError("options_template", "truncated")
        (scopes,) = struct.unpack_from(">H", body, at + 4)
        fields, at = _fields(body, at + 6, count, enterprises=True)
        if not 0 < scopes <= count:
            raise DecodeError("options_template", f"{scopes} scopes of {count} fields")
        yield Template(template_id, fields, scopes, options=True)


def _fields(body: bytes, at: int, count: int, *, enterprises: bool) -> tuple[tuple[Field, ...], int]:
    """Field specifiers and where they end (RFC 7011 section 3.2: the top bit of the number says that a PEN follows)."""
    if at + 4 * count > len(body):
        raise DecodeError("template_truncated", f"{count} fields in {len(body) - at} octets")
    fields = []
    for _ in range(count):
        if at + 4 > len(body):
            raise DecodeError("template_truncated")
        number, octets = struct.unpack_from(">HH", body, at)
        at += 4
        pen = 0
        if enterprises and number & 0x8000:
            if at + 4 > len(body):
                raise DecodeError("template_truncated")
            (pen,) = struct.unpack_from(">I", body, at)
            number, at = number & 0x7FFF, at + 4
        fields.append(field_of(pen, number, octets))
    return tuple(fields), at
