"""Which links a policy is for: the parameters that several policies have in common.

Owns the choice by id, kind and class; an empty choice is everybody. Not a policy itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bwmgr.model.inventory import Inventory, Link
from bwmgr.model.usage import UsageWindow


def chosen(
    inventory: Inventory,
    *,
    links: Collection[str] = (),
    kinds: Collection[str] = (),
    classes: Collection[str] = (),
    except_links: Collection[str] = (),
) -> Iterator[Link]:
    """Links that are named, or of one of the kinds and of one of the classes, and not excepted; in the inventory's order."""
    for link in inventory.links.values():
        named = link.id in links if links else True
        kind = str(link.kind) in kinds if kinds else True
        service = str(link.service_class) in classes if classes else True
        if named and kind and service and link.id not in except_links:
            yield link


def observed_days(window: UsageWindow) -> float:
    """How long ago a window's history began, whatever of it is covered."""
    return (window.end - window.start).total_seconds() / 86400
