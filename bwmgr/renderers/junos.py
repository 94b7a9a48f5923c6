"""Juniper Junos: a traffic control profile on the link's own port, or a policer by its networks (Junos CoS guide).

`set` lines; `apply-macro` carries the recommendation, since names must stay the same from one change to the next.
"""

from __future__ import annotations

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.renderers.names import plain_id, port_name, queue_name

_BURST_SECONDS = 0.05
_LEAST_BURST_OCTETS = 15_000
"""Ten packets: below that a policer starves TCP."""


def render(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """`set` and `delete` lines, to be committed with `commit confirmed 10`, and their undo.

    Raises: UsageError for a link with neither networks nor a port, and for a profile on incoming packets.
    """
    new = Bandwidth(cir_bps=queue.cir_bps, mir_bps=queue.mir_bps)
    if queue.networks:
        lines, undo = _policer(queue, current, new), _policer(queue, new, current)
        bound = _term(queue) if current.mir_bps is None or new.mir_bps is not None else ()
    elif queue.port is not None and queue.direction is Direction.DOWN:
        lines, undo = _profile(queue, current, new), _profile(queue, new, current)
        port = port_name(queue.port.interface).replace(" ", "_")
        bound = (f"set class-of-service interfaces {port} output-traffic-control-profile {_name(queue)}",)
    else:
        raise UsageError(
            Said(
                "{link}: Junos shapes what leaves a port; give the link networks for its {direction} limit",
                link=queue.link,
                direction=queue.direction,
            )
        )
    return RenderedConfig(dialect="junos", lines=(*lines, *bound), undo=undo)


def burst_octets(limit_bps: int) -> int:
    """A policer's bucket for this limit."""
    return max(_LEAST_BURST_OCTETS, int(limit_bps / 8 * _BURST_SECONDS))


def _name(queue: Queue) -> str:
    return f"{queue_name(queue.link)}-{queue.direction}"


def _profile(queue: Queue, before: Bandwidth, after: Bandwidth) -> tuple[str, ...]:
    path = f"class-of-service traffic-control-profiles {_name(queue)}"
    figures = (("shaping-rate", before.mir_bps, after.mir_bps), ("guaranteed-rate", before.cir_bps, after.cir_bps))
    found = [f"set {path} {key} {new}" if new else f"delete {path} {key}" for key, old, new in figures if new or old]
    return (*found, _macro(path, queue))


def _policer(queue: Queue, before: Bandwidth, after: Bandwidth) -> tuple[str, ...]:
    path = f"firewall policer {_name(queue)}"
    if after.mir_bps is None:
        term = f"firewall family inet filter bwmgr-{queue.direction} term {_name(queue)}"
        return (f"delete {term} then policer", f"delete {path}") if before.mir_bps is not None else ()
    limits = f"set {path} if-exceeding bandwidth-limit {after.mir_bps} burst-size-limit {burst_octets(after.mir_bps)}"
    return (limits, f"set {path} then discard", _macro(path, queue))


def _term(queue: Queue) -> tuple[str, ...]:
    side = "destination" if queue.direction is Direction.DOWN else "source"
    found = []
    for version, family in ((4, "inet"), (6, "inet6")):
        term = f"set firewall family {family} filter bwmgr-{queue.direction} term {_name(queue)}"
        networks = [network for network in queue.networks if network.version == version]
        found += [f"{term} from {side}-address {network}" for network in networks]
        found += [f"{term} then policer {_name(queue)}", f"{term} then accept"] if networks else []
    return tuple(found)


def _macro(path: str, queue: Queue) -> str:
    return f"set {path} apply-macro bwmgr recommendation {plain_id(queue.recommendation)}"
