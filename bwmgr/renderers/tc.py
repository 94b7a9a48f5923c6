"""Linux traffic control: one HTB class for each link and direction (tc-htb(8)).

Two shapes. A port of its own: bwmgr owns the root qdisc `1:` with one class that everything falls into. A class in a tree that
the office built (`parent` given): only that class is changed. A class without a parent cannot borrow, so there its rate is the
MIR; in a tree the rate is the CIR and the ceiling the MIR. Knows no netlink: the driver sends these very steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig, Settings, lines_of
from bwmgr.model.inventory import ServiceClass, ShaperPort
from bwmgr.model.said import Said
from bwmgr.renderers.names import linux_interface, tc_handle

_TICKS_PER_US = 15.625
"""The kernel's packet scheduler counts in 64 ns (/proc/net/psched), tc in whole microseconds."""
_MTU_OCTETS = 1600
_JIFFIES = 250
_QUANTUM = (1514, 60_000)
"""HTB warns below one packet and above 200,000 octets; LARTC says 60,000."""
_PRIORITY = {ServiceClass.CRITICAL: 0, ServiceClass.OFFICE: 1, ServiceClass.PUBLIC: 2}
_FASTEST_BPS = 8 * (2**32 - 1)
ROOT = "1:"


@dataclass(frozen=True, kw_only=True, slots=True)
class TcStep:
    """One tc command: `verb` on a `what` (qdisc, class) of an interface."""

    what: str
    verb: str
    interface: str
    parent: str
    handle: str
    settings: Settings = field(default_factory=dict)

    @property
    def line(self) -> str:
        where = "root" if self.parent == "root" else f"parent {self.parent}"
        name = "handle" if self.what == "qdisc" else "classid"
        words = ["tc", self.what, self.verb, "dev", self.interface, where, name, self.handle]
        if self.verb == "delete":
            return " ".join(words)
        return " ".join([*words, "htb", *_words(self.settings)])


def wanted(queue: Queue, present: Settings) -> Settings:
    """What the class must be for this queue; a limit that is none takes bwmgr's own qdisc away.

    Raises: UsageError where a class in a tree is to be unlimited, a rate is beyond HTB, or the port has another qdisc.
    """
    port = port_of(queue)
    kind = present.get("qdisc", "")
    if kind not in ("", "htb"):
        raise UsageError(
            Said(
                "{interface} has a qdisc {kind} that bwmgr did not make: remove it, or give the class of an HTB tree",
                interface=port.interface,
                kind=kind,
            )
        )
    if port.parent is None:
        return _own(queue, port)
    if kind != "htb":
        raise UsageError(
            Said(
                "{interface} has no HTB tree with a class {parent}: make it, or leave `parent` out",
                interface=port.interface,
                parent=port.parent,
            )
        )
    if queue.mir_bps is None:
        raise UsageError(
            Said("{link}: a class in a tree needs a limit; give it its parent's rate instead of none", link=queue.link)
        )
    return {"qdisc": "htb", "default": present.get("default", 0), **_class(queue, port.parent, queue.cir_bps, queue.mir_bps)}


def steps(queue: Queue, present: Settings, to: Settings) -> tuple[TcStep, ...]:
    """From the present settings to others; none where they are the same."""
    port = port_of(queue)
    if dict(present) == dict(to):
        return ()
    root = TcStep(what="qdisc", verb="delete", interface=port.interface, parent="root", handle=ROOT)
    if "qdisc" not in to:
        return (root,) if "qdisc" in present else ()
    found = []
    default = {"default": to["default"]}
    if present.get("default") != to["default"]:
        if "qdisc" in present:
            found.append(root)
        found.append(TcStep(what="qdisc", verb="add", interface=port.interface, parent="root", handle=ROOT, settings=default))
    parent = str(to.get("parent", present.get("parent", ROOT)))
    verb = "replace" if "rate_bps" in to else "delete"
    settings = {key: to[key] for key in _CLASS_KEYS if key in to}
    found.append(
        TcStep(what="class", verb=verb, interface=port.interface, parent=parent, handle=port.class_id, settings=settings)
    )
    return tuple(found)


def render(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """The commands for a queue whose present limit is `current`, set by bwmgr, and their undo. Raises: as `wanted`."""
    port = port_of(queue)
    base: Settings = {} if port.parent is None else {"qdisc": "htb", "default": 0}
    before = _with(queue, current)
    present = wanted(before, base)
    to = wanted(queue, base)
    return RenderedConfig(dialect="tc", lines=lines_of(steps(queue, present, to)), undo=lines_of(steps(queue, to, present)))


def burst_from_ticks(ticks: int, rate_octets: int) -> int:
    """The least octets that tc would turn into so many ticks at this rate."""
    return ceil(ceil(ticks / _TICKS_PER_US) * rate_octets / 1_000_000)


def _own(queue: Queue, port: ShaperPort) -> Settings:
    if queue.mir_bps is None:
        return {}
    default = int(port.class_id.partition(":")[2], 16)
    return {"qdisc": "htb", "default": default, **_class(queue, ROOT, queue.mir_bps, queue.mir_bps)}


def _class(queue: Queue, parent: str, rate_bps: int, ceil_bps: int) -> dict[str, str | int]:
    """A class with its bursts as the kernel will give them back."""
    if not 0 < ceil_bps <= _FASTEST_BPS:
        raise UsageError(
            Said(
                "{link}: a limit of {ceil} bit/s; HTB takes 8 to {fastest}", link=queue.link, ceil=ceil_bps, fastest=_FASTEST_BPS
            )
        )
    rate, most = max(1, rate_bps // 8), max(1, ceil_bps // 8)
    low, high = _QUANTUM
    return {
        "parent": parent,
        "rate_bps": rate * 8,
        "ceil_bps": most * 8,
        "burst_octets": _settled(rate),
        "cburst_octets": _settled(most),
        "prio": _PRIORITY[queue.service_class],
        "quantum_octets": min(high, max(low, round(rate / 10 * queue.weight))),
    }


_CLASS_KEYS = ("rate_bps", "ceil_bps", "burst_octets", "cburst_octets", "prio", "quantum_octets")


def _settled(rate_octets: int) -> int:
    """A packet and what a jiffy brings, in steps that the kernel's clock can tell apart."""
    octets = rate_octets // _JIFFIES + _MTU_OCTETS
    ticks = int(int(1_000_000 * octets / rate_octets) * _TICKS_PER_US)
    return burst_from_ticks(ticks, rate_octets)


def _words(settings: Settings) -> list[str]:
    if "default" in settings:
        return ["default", f"{settings['default']:x}"]
    return [
        f"rate {settings['rate_bps']}bit", f"ceil {settings['ceil_bps']}bit", f"burst {settings['burst_octets']}b",
        f"cburst {settings['cburst_octets']}b", f"prio {settings['prio']}", f"quantum {settings['quantum_octets']}",
    ]  # fmt: skip


def port_of(queue: Queue) -> ShaperPort:
    """The queue's port, its words safe. Raises: UsageError."""
    if queue.port is None:
        raise UsageError(
            Said("{link}: its shaper names no interface for {direction}", link=queue.link, direction=queue.direction)
        )
    linux_interface(queue.port.interface)
    tc_handle(queue.port.class_id)
    if queue.port.parent is not None:
        tc_handle(queue.port.parent)
    return queue.port


def _with(queue: Queue, bandwidth: Bandwidth) -> Queue:
    return replace(queue, cir_bps=bandwidth.cir_bps, mir_bps=bandwidth.mir_bps)
