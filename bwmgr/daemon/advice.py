"""Runs the engine over what the stores know, and keeps what comes of it in the queue of recommendations.

Owns which windows are looked at, and a recommendation's way before a person decides: an unchanged one stays as it is, a
changed one supersedes the old one, an old one expires. Owns no judgement: that is `bwmgr.engine` and the policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bwmgr.daemon.acting import same_person
from bwmgr.daemon.apply_records import Phase, read_record
from bwmgr.daemon.held_back import demands
from bwmgr.daemon.node_loads import last_hour, node_loads
from bwmgr.daemon.orders import read_orders
from bwmgr.daemon.part_flows import part_loads
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import Advice, run
from bwmgr.engine.guards import UNKNOWN, Guards, in_dead_band
from bwmgr.errors import StoreError, UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import ENGINE, Action, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction, PerDirection
from bwmgr.model.policy import ENDS_AT, Key, PolicyInput, Usage
from bwmgr.model.said import Said
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.model.people import Person
    from bwmgr.stores.state import StateStore

WINDOW = timedelta(days=28)
"""Four weeks: every weekday four times, and within a month's memory."""
RECENT = timedelta(hours=12)
"""A link without a sample in so long is silent."""
HEALTH = timedelta(days=3)
PARTS_WINDOW = timedelta(days=14)
"""Flows are many: two weeks are read in seconds."""

Slot = tuple[str, Direction, datetime | None, str]
_DECIDED = {Status.APPROVED, Status.REJECTED, Status.APPLIED, Status.VERIFIED, Status.ROLLED_BACK}
_IN_FORCE = {Status.APPLIED, Status.VERIFIED}
_STANDING = {Status.PROPOSED, Status.APPROVED}


def advise(application: Application, now: datetime, *, author: str = ENGINE, keep: bool = True) -> Advice:
    """Recommendations and holds as of `now`, from nothing newer than that; `keep`: stored, with what that ends of older ones.

    A recommendation that says what a waiting one says already comes back as that one, with its id. A run for the past leaves
    a link alone that has a newer recommendation.

    Raises: StoreUnavailable.
    """
    modules = policy_modules()
    choices = [(choice.name, modules[choice.name].propose, choice.parameters) for choice in application.settings.policies]
    known = application.state.recommendations()
    guards = application.settings.guards
    given = gather(application, now, known)
    advice = run(choices, given, guards, author=author)
    if not keep:
        return advice
    if application.settings.store.kind == "influxdb":
        from bwmgr.daemon.influx_allocation import tell_allocation

        with suppress(StoreError):  # dashboards' own copy of what the engine knew: the queue does not wait for it
            tell_allocation(application.influx, given)
    kept = _keep(application.state, advice, known, now, author, guards)
    counts = Counter(str(entry.status) for entry in application.state.recommendations())
    return replace(advice, recommendations=kept, counts={str(status): counts[status] for status in Status})


def gather(application: Application, now: datetime, known: Sequence[Recommendation]) -> PolicyInput:
    """Everything the policies may know at `now`; `known`: the recommendations there are, newest first."""
    inventory = application.inventory
    past = [entry for entry in known if entry.created_at <= now]
    recorded = application.state.all_limits()
    limits = {link: [entry for entry in recorded.get(link, []) if entry[0] <= now] for link in inventory.links}
    usage = _usage(application, now)
    current = _current(application, limits)
    hour = last_hour(application, now)
    modules = policy_modules()
    uses_parts = any(getattr(modules[choice.name], "USES_PARTS", False) for choice in application.settings.policies)
    health = {entry.link: entry for entry in application.history.health(list(inventory.links), start=now - HEALTH, end=now)}
    return PolicyInput(
        now=now,
        inventory=inventory,
        current=current,
        usage=usage,
        recent=_by_link(application.history.usage(list(inventory.links), start=now - RECENT, end=now, calendar="always")),
        demand=demands(application, usage, health, window=WINDOW, end=now),
        health=health,
        health_seconds=HEALTH.total_seconds(),
        node_load=node_loads(application, usage, start=now - WINDOW, end=now),
        node_recent=hour.sums,
        part_load=part_loads(application, now - PARTS_WINDOW, now) if uses_parts else {},
        latest=hour.latest,
        standing=_standing(past),
        changed_at=_changed_at(application.state, limits, past, now),
        orders=tuple(order for order in read_orders(application.state) if order.end is None or order.end > now),
        set_by=_set_by(past, current),
        month=month_so_far(application, now),
    )


def decide(
    state: StateStore, name: str, status: Status, *, by: str, note: str, at: datetime, people: Sequence[Person] = ()
) -> Recommendation:
    """A person's decision on the recommendation with this id, or a unique prefix of it. May `by` decide? That is `acting`'s.

    Raises: UsageError for an unknown id, for an approver who is the author, for one that is decided already, and for an approval
    that comes too late.
    """
    found = find(state, name)
    if status is Status.APPROVED and same_person(people, by, found.author):
        raise UsageError(
            Said("{id}: {by} is its author and cannot approve it; a second person must (--by NAME)", id=found.id, by=by)
        )
    if found.status is not Status.PROPOSED:
        raise UsageError(
            Said(
                "{id} is {status}: only a proposed recommendation can be approved or rejected",
                id=found.id,
                status=Said(str(found.status)),
            )
        )
    if status is Status.APPROVED and found.valid_until <= at:
        until = found.valid_until.strftime("%Y-%m-%dT%H:%MZ")
        raise UsageError(
            Said("{id} was valid until {until_at}: `bwmgr recommend` says what would be right now", id=found.id, until_at=until)
        )
    changes = [StatusChange(recommendation=found.id, at=at, status=status, by=by, note=note)]
    if status is Status.APPROVED:
        remark = f"superseded by {found.id}, approved"
        changes += [
            StatusChange(recommendation=one.id, at=at, status=Status.SUPERSEDED, by=by, note=remark)
            for one in _overtaken(state, found)
        ]
    state.change_statuses(changes)
    return find(state, found.id)


def _overtaken(state: StateStore, approved: Recommendation) -> list[Recommendation]:
    """What was approved for the same slot before and is not on its way to the device: one limit does not take two changes."""
    earlier = state.recommendations(status=Status.APPROVED, link=approved.link)
    return [one for one in earlier if _slot(one) == _slot(approved) and _unsent(state, one)]


def _unsent(state: StateStore, approved: Recommendation) -> bool:
    """Has its device nothing of it?"""
    record = read_record(state, approved.id)
    return record is None or record.phase is Phase.UNDONE


def find(state: StateStore, name: str) -> Recommendation:
    """The recommendation with this id or unique prefix. Raises: UsageError."""
    found = state.recommendation(name)
    if found is None:
        raise UsageError(Said("no recommendation {name!r}; `bwmgr recommendations list` shows their ids", name=name))
    return found


def _usage(application: Application, now: datetime) -> Usage:
    """Each link over its own calendar, from where its history begins, so that a young link is not one with gaps."""
    inventory, began = application.inventory, application.store.spans(LINK_RATE)
    starts: dict[datetime, list[str]] = {}
    for link in inventory.links:
        first = began[link].first.replace(minute=0, second=0, microsecond=0) if link in began else now - WINDOW
        starts.setdefault(max(now - WINDOW, first), []).append(link)
    found: dict[str, Mapping[Direction, UsageWindow]] = {}
    for start, links in starts.items():
        if start < now:
            calendars = {link: inventory.links[link].calendar for link in links}
            found |= _by_link(application.history.usage(links, start=start, end=now, calendar=calendars))
    return found


def month_so_far(application: Application, now: datetime) -> Usage:
    """Use since the first of the local month, where a policy asks for it (`uses_month`)."""
    modules = policy_modules()
    asking = (getattr(modules[choice.name], "uses_month", None) for choice in application.settings.policies)
    if not any(
        asks is not None and asks(choice.parameters) for asks, choice in zip(asking, application.settings.policies, strict=True)
    ):
        return {}
    local = now.astimezone(ZoneInfo(application.inventory.organisation.timezone))
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    return _by_link(application.history.usage(list(application.inventory.links), start=start, end=now)) if start < now else {}


def _by_link(windows: Iterable[UsageWindow]) -> dict[str, Mapping[Direction, UsageWindow]]:
    found: dict[str, dict[Direction, UsageWindow]] = {}
    for window in windows:
        found.setdefault(window.link, {})[window.direction] = window
    return dict(found)


def _current(
    application: Application, limits: Mapping[str, Sequence[tuple[datetime, PerDirection[int | None]]]]
) -> Mapping[str, Mapping[Direction, Bandwidth]]:
    current = {}
    for link in application.inventory.links.values():
        limit = limits[link.id][-1][1] if limits[link.id] else link.limit
        current[link.id] = {way: Bandwidth(cir_bps=link.cir[way], mir_bps=limit[way]) for way in Direction}
    return current


def _set_by(
    known: Sequence[Recommendation], current: Mapping[str, Mapping[Direction, Bandwidth]]
) -> Mapping[Key, Recommendation]:
    """The newest recommendation in force of each link and direction whose limit is the present one; `known` is newest first."""
    found: dict[Key, Recommendation] = {}
    for entry in known:
        key = (entry.link, entry.direction)
        if entry.status in _IN_FORCE and key not in found and entry.link in current:
            found[key] = entry
    return {key: entry for key, entry in found.items() if entry.proposed.mir_bps == current[key[0]][key[1]].mir_bps}


def _standing(known: Sequence[Recommendation]) -> Mapping[Key, Recommendation]:
    """The newest of each link and direction that waits; `known` is newest first."""
    found: dict[Key, Recommendation] = {}
    for entry in known:
        if entry.status in _STANDING and not is_dated(entry):
            found.setdefault((entry.link, entry.direction), entry)
    return found


def _changed_at(
    state: StateStore,
    limits: Mapping[str, Sequence[tuple[datetime, PerDirection[int | None]]]],
    known: Sequence[Recommendation],
    now: datetime,
) -> Mapping[Key, datetime]:
    """When each limit last changed (the first one known is no change), or a recommendation for it was last decided."""
    found: dict[Key, datetime] = {}
    for link, history in limits.items():
        for (_, before), (at, after) in pairwise(history):
            found |= {(link, way): at for way in Direction if before[way] != after[way]}
    for entry in known:
        if entry.status in _DECIDED:
            key, changes = (entry.link, entry.direction), state.changes(entry.id)
            decided = [change.at for change in changes if change.at <= now and change.status in _DECIDED]
            found[key] = max([*decided, found.get(key, entry.created_at)])
    return found


def _keep(
    state: StateStore, advice: Advice, known: Sequence[Recommendation], now: datetime, author: str, guards: Guards
) -> tuple[Recommendation, ...]:
    """What stands after this run. Ended with a reason: what nobody decided in time, what is said anew, what nobody needs now."""
    waiting: dict[Slot, list[Recommendation]] = {}
    ended: list[tuple[Recommendation, Status, str]] = []
    for entry in known:
        if entry.status is Status.APPROVED and entry.valid_until <= now and _unsent(state, entry):
            ended.append((entry, Status.EXPIRED, "approved, but not applied in time"))
        if entry.status is not Status.PROPOSED:
            continue
        if entry.valid_until <= now:
            ended.append((entry, Status.EXPIRED, "nobody decided in time"))
        else:
            waiting.setdefault(_slot(entry), []).append(entry)
    kept: list[Recommendation] = []
    for recommendation in advice.recommendations:
        older = waiting.pop(_slot(recommendation), [])
        if older and _says_the_same(older[0], recommendation, guards):
            kept.append(older[0])
        elif not any(entry.created_at > now for entry in older):
            kept.append(recommendation)
            ended += [(entry, Status.SUPERSEDED, f"superseded by {recommendation.id}") for entry in older]
    ended += _needless(advice, waiting, now)
    # the new ones first and in one transaction: stopped half-way, no link is without its recommendation
    state.add_recommendations([entry for entry in kept if entry.created_at == now])
    state.change_statuses(
        [StatusChange(recommendation=entry.id, at=now, status=status, by=author, note=note) for entry, status, note in ended]
    )
    return tuple(kept)


def _needless(
    advice: Advice, waiting: Mapping[Slot, Sequence[Recommendation]], now: datetime
) -> Iterator[tuple[Recommendation, Status, str]]:
    """What waits for a decision and is not proposed any more; where the data are missing nobody knows, so it stays."""
    holds = {(entry.link, entry.direction): entry.reason.code for entry in advice.holds}
    for (link, direction, start, _), entries in waiting.items():
        code = holds.get((link, direction), "the need has passed") if start is None else "it is not planned any more"
        for entry in entries:
            if code not in UNKNOWN and entry.created_at <= now:
                yield entry, Status.SUPERSEDED, f"not proposed any more: {code}"


def _slot(entry: Recommendation) -> Slot:
    """What can wait beside each other: one change at once for each link and direction, one for each date, and of each policy one
    statement about a node's contracts."""
    of_node = entry.policy if entry.action in (Action.BUY, Action.SELL) else ""
    return entry.link, entry.direction, entry.valid_from if is_dated(entry) else None, of_node


def is_dated(entry: Recommendation) -> bool:
    """Whether it is a change for a stated time."""
    return ENDS_AT in entry.evidence.more


def _says_the_same(old: Recommendation, new: Recommendation, guards: Guards) -> bool:
    """Same action from the same limit to about the same one: what people are looking at is not replaced for a trifle."""
    if (old.action, old.current, old.reason.code) != (new.action, new.current, new.reason.code):
        return False
    before, after = old.proposed.mir_bps, new.proposed.mir_bps
    return before == after or (before is not None and after is not None and in_dead_band(after, before, guards))
