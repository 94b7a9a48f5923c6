"""Names and texts that go into a device's configuration: what cannot be said safely is replaced or refused, never passed on."""

from __future__ import annotations

import hashlib
import re

from bwmgr.errors import UsageError
from bwmgr.model.said import Said

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,14}")
_PORT = re.compile(r"[A-Za-z0-9<][A-Za-z0-9 _./:<>@-]{0,127}")
"""`<pppoe-dinkes>` is one of RouterOS."""
_TC_HANDLE = re.compile(r"[0-9a-f]{1,4}:[0-9a-f]{0,4}")


def queue_name(link: str, *, longest: int = 40) -> str:
    """`bwmgr-` and the link's id in letters, digits, dot, dash and underscore.

    An id that had to be changed or cut ends in a digest of the whole, so that two of them never share a name.
    """
    safe = _UNSAFE.sub("_", link).strip("_")
    room = longest - len("bwmgr-")
    if safe == link and len(safe) <= room:
        return f"bwmgr-{safe}"
    digest = hashlib.sha256(link.encode()).hexdigest()[:6]
    return f"bwmgr-{safe[: room - 7]}-{digest}"


def linux_interface(name: str) -> str:
    """The name itself. Raises: UsageError for one that Linux or a shell would read otherwise (IFNAMSIZ: 15 octets)."""
    if not _INTERFACE.fullmatch(name):
        raise UsageError(Said("interface {name!r}: 1 to 15 letters, digits, and _ . : / @ - are allowed", name=name))
    return name


def tc_handle(text: str) -> str:
    """A class or qdisc id such as `1:10`, hexadecimal as tc reads it. Raises: UsageError."""
    if not _TC_HANDLE.fullmatch(text):
        raise UsageError(Said("{text!r} is no tc class: write one like 1:10 (hexadecimal)", text=text))
    return text


def plain_id(recommendation: str) -> str:
    """A recommendation's id, without anything that a device could read otherwise."""
    return _UNSAFE.sub("_", recommendation)


def port_name(text: str) -> str:
    """A device interface's name itself. Raises: UsageError for what no device names so: quotes, control characters."""
    if not _PORT.fullmatch(text):
        raise UsageError(
            Said("{text!r} is no name of an interface: letters, digits, space and _ . / : < > @ - are allowed", text=text)
        )
    return text
