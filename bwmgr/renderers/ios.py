"""Cisco IOS and IOS-XE: modular QoS (Cisco, QoS: Policing and Shaping Configuration Guide).

A link with networks is a class of its node's policy map: `bandwidth` for its CIR, `shape average` for its MIR; that map the
office binds to a shaped port (hierarchical). A link with a port of its own has a map on that port: a shaper where packets
leave for it, a policer where they come in, since IOS shapes outgoing packets only.
"""

from __future__ import annotations

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.renderers.names import plain_id, port_name, queue_name


def render(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """Configuration lines, and those that bring the present limit back.

    Raises: UsageError for a link with neither networks nor a port, an IPv6 network, and a policer without a limit.
    """
    new = Bandwidth(cir_bps=queue.cir_bps, mir_bps=queue.mir_bps)
    remark = f" description bwmgr {plain_id(queue.recommendation)}"
    if queue.networks:
        return RenderedConfig(
            dialect="ios", lines=(*_matching(queue, remark), *_class(queue, current, new)), undo=_class(queue, new, current)
        )
    if queue.port is None:
        raise UsageError(Said("{link} has neither networks nor an interface at its shaper", link=queue.link))
    return RenderedConfig(
        dialect="ios", lines=(*_own(queue, current, new, remark), *_bound(queue)), undo=_own(queue, new, current)
    )


def _name(queue: Queue) -> str:
    return f"{queue_name(queue.link, longest=32)}-{queue.direction}"


def _matching(queue: Queue, remark: str) -> tuple[str, ...]:
    name, lines = _name(queue), []
    for network in queue.networks:
        if network.version != 4:
            raise UsageError(Said("{link}: {network}: IPv6 networks are not rendered for IOS", link=queue.link, network=network))
        address = f"{network.network_address} {network.hostmask}"
        lines.append(f" permit ip any {address}" if queue.direction is Direction.DOWN else f" permit ip {address} any")
    return (
        f"ip access-list extended {name}", *lines, f"class-map match-any {name}", remark, f" match access-group name {name}",
    )  # fmt: skip


def _class(queue: Queue, before: Bandwidth, after: Bandwidth) -> tuple[str, ...]:
    node = queue_name(queue.parent or "root", longest=32)
    lines = [f"policy-map {node}-{queue.direction}", f" class {_name(queue)}"]
    if after.cir_bps:
        lines.append(f"  bandwidth {max(1, after.cir_bps // 1000)}")
    elif before.cir_bps:
        lines.append("  no bandwidth")
    return (*lines, *_shape(before, after))


def _shape(before: Bandwidth, after: Bandwidth) -> tuple[str, ...]:
    if after.mir_bps is not None:
        return (f"  shape average {after.mir_bps}",)
    return ("  no shape average",) if before.mir_bps is not None else ()


def _own(queue: Queue, before: Bandwidth, after: Bandwidth, remark: str = "") -> tuple[str, ...]:
    head = (f"policy-map {_name(queue)}", *([remark] if remark else []), " class class-default")
    if queue.direction is Direction.DOWN:
        return (*head, *_shape(before, after))
    if after.mir_bps is None:
        return (*head, *(["  no police"] if before.mir_bps is not None else []))
    return (*head, f"  police cir {after.mir_bps} conform-action transmit exceed-action drop")


def _bound(queue: Queue) -> tuple[str, ...]:
    if queue.port is None:
        return ()
    way = "output" if queue.direction is Direction.DOWN else "input"
    interface = port_name(queue.port.interface)
    return (f"interface {interface}", f" service-policy {way} {_name(queue)}")
