"""`render`: recommendations in a vendor's words, from what the recommendation itself says. Reads no device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.advice import find
from bwmgr.daemon.apply import queue_of
from bwmgr.errors import UsageError
from bwmgr.model.decision import Status
from bwmgr.model.said import said_by

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.model.bandwidth import Bandwidth
    from bwmgr.model.decision import Recommendation
    from bwmgr.model.enforcement import Queue, RenderedConfig

_RENDERERS: Mapping[str, tuple[str, str]] = {
    "routeros": ("bwmgr.renderers.routeros", "render_simple"),
    "routeros6": ("bwmgr.renderers.routeros", "render_simple6"),
    "routeros-tree": ("bwmgr.renderers.routeros", "render_tree"),
    "ios": ("bwmgr.renderers.ios", "render"),
    "junos": ("bwmgr.renderers.junos", "render"),
    "tc": ("bwmgr.renderers.tc", "render"),
    "radius": ("bwmgr.renderers.radius", "render"),
}


_DIALECTS = {
    "linux": "tc",
    "routeros": "routeros",
    "routeros-rest": "routeros",
    "ios": "ios",
    "junos": "junos",
    "radius": "radius",
}
"""A driver's own words."""


def render_for_device(application: Application, found: Recommendation) -> tuple[str, Sequence[str], str]:
    """(device, lines, problem) for the device that holds the link's limits; no device: bwmgr sends nothing."""
    link = application.inventory.links.get(found.link)
    if link is None or link.shaper is None:
        return "", (), ""
    device = application.inventory.devices[link.shaper.device]
    if device.enforce is None:
        return device.id, (), ""
    render = _renderer(_DIALECTS[device.enforce.driver])
    try:
        return device.id, render(queue_of(application.inventory, found), found.current).lines, ""
    except UsageError as error:
        return device.id, (), said_by(error)


def _renderer(vendor: str) -> Callable[[Queue, Bandwidth], RenderedConfig]:
    module, function = _RENDERERS[vendor]
    found: Callable[[Queue, Bandwidth], RenderedConfig] = getattr(import_module(module), function)
    return found


def render_recommendations(application: Application, names: Sequence[str], vendor: str) -> list[dict[str, Any]]:
    """One document for each; no names: every approved one that changes a limit. Raises: UsageError where one cannot be said."""
    render = _renderer(vendor)
    if names:
        found = [find(application.state, name) for name in names]
    else:
        found = application.state.recommendations(status=Status.APPROVED)
    documents = []
    for entry in found:
        try:
            config = render(queue_of(application.inventory, entry), entry.current)
        except UsageError:
            if names:
                raise
            continue
        documents.append({"id": entry.id, "vendor": vendor, "lines": list(config.lines), "undo": list(config.undo)})
    return documents
