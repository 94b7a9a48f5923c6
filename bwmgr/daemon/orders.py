"""What people ask for over the policies' heads: a lift for some time, an override until further notice.

Owns where orders are kept (the state store) and which may be given. They become recommendations at the next run, by the policies
`lift` and `override`, with the person as their author; a second person approves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from bwmgr.daemon.status import choose_links
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Direction, Inventory
from bwmgr.model.journal import Actor, Note
from bwmgr.model.policy import Order
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bwmgr.stores.state import StateStore

_KEY = "orders"


def read_orders(state: StateStore) -> tuple[Order, ...]:
    """All that were given and not ended by a person, newest first. Raises: StoreUnavailable."""
    content = state.get(_KEY)
    return _adapter().validate_json(content) if content else ()


def give(state: StateStore, inventory: Inventory, orders: Sequence[Order], now: datetime) -> None:
    """Adds orders; one for the same link, direction and kind takes the place of an older one.

    Raises: UsageError for an unknown link, a rate above the link's MIR or below its guarantee, an end that has passed.
    """
    for order in orders:
        _check(inventory, order, now)
    taken = {(order.link, order.direction, order.kind) for order in orders}
    kept = [order for order in _lasting(read_orders(state), now) if (order.link, order.direction, order.kind) not in taken]
    _write(state, [*orders, *kept], [_note("order.given", order, now, order.by, state.user) for order in orders])


def end(state: StateStore, link: str, kind: str, now: datetime, *, by: str) -> tuple[Order, ...]:
    """Ends the link's orders of a kind and returns them; `by`: who ends them. Raises: UsageError where there is none."""
    standing = list(_lasting(read_orders(state), now))
    ended = tuple(order for order in standing if (order.link, order.kind) == (link, kind))
    if not ended:
        raise UsageError(Said("{link} has no {kind} to end", link=link, kind=kind))
    _write(
        state,
        [order for order in standing if order not in ended],
        [_note("order.ended", one, now, by, state.user) for one in ended],
    )
    return ended


def _lasting(orders: Iterable[Order], now: datetime) -> Iterable[Order]:
    return (order for order in orders if order.end is None or order.end > now)


def _check(inventory: Inventory, order: Order, now: datetime) -> None:
    (link,) = choose_links(inventory, [order.link])
    ceiling, floor = link.mir[order.direction], link.cir[order.direction]
    if ceiling is not None and order.mir_bps > ceiling:
        raise UsageError(
            Said(
                "{link}: {rate} bit/s {direction} is above its MIR of {most} bit/s",
                link=order.link,
                rate=order.mir_bps,
                direction=order.direction,
                most=ceiling,
            )
        )
    if order.mir_bps < floor:
        raise UsageError(
            Said(
                "{link}: {rate} bit/s {direction} is below its guarantee of {least} bit/s",
                link=order.link,
                rate=order.mir_bps,
                direction=order.direction,
                least=floor,
            )
        )
    if order.end is not None and order.end <= now:
        raise UsageError(Said("{link}: {end_at} has passed; give a later end", link=order.link, end_at=order.end.isoformat()))


def _write(state: StateStore, orders: Sequence[Order], notes: Sequence[Note]) -> None:
    state.put_many({_KEY: _adapter().dump_json(tuple(orders))}, notes)


def _note(action: str, order: Order, now: datetime, by: str, user: str) -> Note:
    """For the journal."""
    return Note(
        id=uuid4().hex, at=now, actor=Actor(name=by, user=user), action=action, subject=order.link,
        details={
            "kind": order.kind, "direction": str(order.direction), "mir_bps": order.mir_bps, "asked_by": order.by,
            "end": order.end.isoformat() if order.end else None, "note": order.note,
        },
    )  # fmt: skip


def orders_for(link: str, rates: dict[Direction, int | None], template: Order) -> list[Order]:
    """One order for each direction with a rate."""
    return [replace(template, link=link, direction=way, mir_bps=rate) for way, rate in rates.items() if rate is not None]


@cache
def _adapter() -> TypeAdapter[tuple[Order, ...]]:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Order, ...])
