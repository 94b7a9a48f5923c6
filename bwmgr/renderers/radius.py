"""RADIUS attributes for access that a RADIUS server manages (hotspot, PPPoE): MikroTik's dictionary and WISPr's.

Mikrotik-Rate-Limit is `rx/tx burst threshold time priority rx-min/tx-min` as the router sees its client: rx is the upload
(help.mikrotik.com, RADIUS). WISPr-Bandwidth-Max and -Min are whole bit/s (WISPr 1.0, table 7). Sent as a change of
authorisation (RFC 5176) or kept with the user.
"""

from __future__ import annotations

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig
from bwmgr.model.inventory import Direction, ServiceClass
from bwmgr.renderers.names import plain_id

_PRIORITY = {ServiceClass.CRITICAL: 1, ServiceClass.OFFICE: 4, ServiceClass.PUBLIC: 8}


def attributes(queue: Queue, own: Bandwidth) -> dict[str, str | int]:
    """Attribute name -> value for a direction's bandwidth beside the other one's."""
    down, up = (own, queue.other) if queue.direction is Direction.DOWN else (queue.other, own)
    rates = f"{up.mir_bps or 0}/{down.mir_bps or 0} 0/0 0/0 0/0 {_PRIORITY[queue.service_class]} {up.cir_bps}/{down.cir_bps}"
    found: dict[str, str | int] = {"Mikrotik-Rate-Limit": rates}
    for word, bandwidth in (("Down", down), ("Up", up)):
        if bandwidth.mir_bps is not None:
            found[f"WISPr-Bandwidth-Max-{word}"] = bandwidth.mir_bps
        if bandwidth.cir_bps:
            found[f"WISPr-Bandwidth-Min-{word}"] = bandwidth.cir_bps
    return found


def render(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """Attributes as in a FreeRADIUS users file, of the new limit and of the present one."""
    new = Bandwidth(cir_bps=queue.cir_bps, mir_bps=queue.mir_bps)
    remark = f"# bwmgr {plain_id(queue.recommendation)}"
    return RenderedConfig(dialect="radius", lines=(remark, *_lines(queue, new)), undo=(remark, *_lines(queue, current)))


def _lines(queue: Queue, own: Bandwidth) -> list[str]:
    return [
        f'{name} := "{value}"' if isinstance(value, str) else f"{name} := {value}"
        for name, value in attributes(queue, own).items()
    ]
