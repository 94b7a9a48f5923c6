"""Limits on this machine, or in one of its network namespaces, by rtnetlink.

Needs CAP_NET_ADMIN. Sends the very steps that `bwmgr.renderers.tc` makes, and reads the kernel's own figures back, in tc's words.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from bwmgr.drivers import Undo
from bwmgr.errors import DeviceAuthenticationError, DeviceProtocolError, DeviceTimeout, system_reason
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Enforcer
from bwmgr.model.said import Said
from bwmgr.renderers import tc
from bwmgr.renderers.tc import TcStep

_ROOT = 0xFFFFFFFF
_OWN = 0x10000
"""Handle 1:, the only root qdisc that bwmgr makes or touches."""


class LinuxDriver:
    """Opens netlink anew for each call: none of them is frequent, and none can find a stale socket."""

    def __init__(self, device: str, enforcer: Enforcer) -> None:
        self._device = device
        self._namespace = enforcer.namespace
        self._seconds = enforcer.timeout_seconds

    def read(self, queue: Queue) -> Settings:
        port = tc.port_of(queue)
        with self._netlink() as netlink:
            index = self._index(netlink, port.interface)
            found = _qdisc(netlink.get_qdiscs(index))
            if found.get("qdisc") == "htb":
                found |= _class(netlink.get_classes(index), _number(port.class_id))
        return found

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return tc.wanted(queue, present)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[TcStep]:
        return tc.steps(queue, present, to)

    def guarded(self, queue: Queue, steps: Sequence[TcStep], undo: Undo, seconds: float) -> Sequence[TcStep]:
        return steps  # it is this very machine: while bwmgr runs it is reached

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """Nothing waits."""

    def send(self, steps: Sequence[TcStep]) -> None:
        with self._netlink() as netlink:
            for step in steps:
                self._send(netlink, step)

    def _send(self, netlink: IPRoute, step: TcStep) -> None:
        index = self._index(netlink, step.interface)
        what = step.verb if step.what == "qdisc" else f"{step.verb}-class"
        parent = _ROOT if step.parent == "root" else _number(step.parent)
        given: dict[str, Any] = {"index": index, "handle": _number(step.handle), "parent": parent}
        verb = {"delete": "del", "delete-class": "del-class"}.get(what, what)
        if step.verb != "delete":  # a kind would make pyroute2 look for a rate
            given |= {"kind": "htb", **_options(step.settings)}
        netlink.tc(verb, **given)

    def _index(self, netlink: IPRoute, interface: str) -> int:
        found = netlink.link_lookup(ifname=interface)
        if not found:
            raise DeviceProtocolError(self._device, Said("has no interface {interface!r}", interface=interface))
        return int(found[0])

    @contextmanager
    def _netlink(self) -> Iterator[IPRoute]:
        """A socket in the right namespace; the kernel's refusals in bwmgr's words."""
        try:
            with IPRoute(netns=self._namespace, flags=0) if self._namespace else IPRoute() as netlink:
                yield netlink
        except NetlinkError as error:
            if error.code in (errno.EPERM, errno.EACCES):
                raise DeviceAuthenticationError(self._device, Said("needs CAP_NET_ADMIN (root) to change limits")) from error
            raise DeviceProtocolError(self._device, Said("the kernel refused: {why}", why=str(error))) from error
        except TimeoutError as error:
            raise DeviceTimeout(self._device, Said("the kernel did not answer")) from error
        except OSError as error:
            raise DeviceProtocolError(self._device, Said("no rtnetlink: {why}", why=system_reason(error))) from error


def _options(settings: Settings) -> dict[str, int]:
    if not settings:
        return {}
    if "default" in settings:
        return {"default": int(settings["default"])}
    whole = {key: int(number) for key, number in settings.items()}
    return {
        "rate": whole["rate_bps"] // 8,
        "ceil": whole["ceil_bps"] // 8,
        "burst": whole["burst_octets"],
        "cburst": whole["cburst_octets"],
        "prio": whole["prio"],
        "quantum": whole["quantum_octets"],
    }


def _qdisc(found: Sequence[Any]) -> dict[str, str | int]:
    """The root qdisc; the kernel's own default (handle 0) counts as none, since it comes back by itself."""
    for message in found:
        if message["parent"] != _ROOT or message["handle"] == 0:
            continue
        kind = str(message.get_attr("TCA_KIND"))
        if kind != "htb" or message["handle"] != _OWN:
            return {"qdisc": kind if kind != "htb" else f"htb {message['handle'] >> 16:x}:"}
        glob = message.get_attr("TCA_OPTIONS").get_attr("TCA_HTB_INIT")
        return {"qdisc": "htb", "default": int(glob["defcls"])}
    return {}


def _class(found: Sequence[Any], wanted: int) -> dict[str, str | int]:
    for message in found:
        if message["handle"] != wanted:
            continue
        options = message.get_attr("TCA_OPTIONS")
        parms = options.get_attr("TCA_HTB_PARMS")
        rate, most = (int(options.get_attr(f"TCA_HTB_{name.upper()}64") or parms[name]) for name in ("rate", "ceil"))
        parent = message["parent"]
        return {
            "parent": tc.ROOT if parent == _ROOT else f"{parent >> 16:x}:{parent & 0xFFFF:x}",
            "rate_bps": rate * 8,
            "ceil_bps": most * 8,
            "burst_octets": tc.burst_from_ticks(parms["buffer"], rate),
            "cburst_octets": tc.burst_from_ticks(parms["cbuffer"], most),
            "prio": int(parms["prio"]),
            "quantum_octets": int(parms["quantum"]),
        }
    return {}


def _number(handle: str) -> int:
    major, _, minor = handle.partition(":")
    return int(major, 16) << 16 | int(minor or "0", 16)
