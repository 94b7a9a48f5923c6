"""What is still open before an event: each finding with its weight, which grows as the day comes nearer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bwmgr.daemon.labels import STATUSES
from bwmgr.daemon.status import LinkState
from bwmgr.language import Word, Words, mark
from bwmgr.model.decision import Status
from bwmgr.model.inventory import Event, Inventory, SiteStatus

if TYPE_CHECKING:
    from bwmgr.daemon.event_check import Reserved

Severity = Literal["error", "warning", "info"]

_URGENT: Mapping[str, Severity] = {"planned": "info", "T-30": "info", "T-7": "warning", "T-1": "error"}
"""How much a thing weighs that only has to be done in time."""
_PROVEN_RATIO = 0.95
_COMPLETE_RATIO = 0.7
_GOING = {Status.APPROVED, Status.APPLIED, Status.VERIFIED}
_STATUSES = {**STATUSES, "planned": mark("planned"), "installed": mark("installed"), "trial": mark("on trial")}
_SENTENCES = {
    "not-admitted": mark("{link_name}: only {feasible_bps} of the {asked_bps} of {direction} can be kept in every minute."),
    "squeezed": mark("{link_name}: beside the {direction} reserved, the demand of these is not met: {links}."),
    "medium": mark("{link_name}: its line carries at most {mir_bps} of {direction} (mir); {asked_bps} is asked for."),
    "line-speed": mark("{link_name}: the port runs at {speed_bps}; {asked_bps} is asked for."),
    "no-recommendation": mark("{link_name}: nothing is recommended for {direction} yet; run `bwmgr recommend`."),
    "not-approved": mark("{link_name}: recommendation {id} ({direction}) is {status}; a second person has to approve it."),
    "unproven": mark(
        "{link_name}: at most {measured_bps} of {direction} was measured there; {missing_bps} still have to be shown by a test."
    ),
    "incomplete": mark("{link_name}: not enough data of the last four weeks ({coverage_ratio} complete)."),
    "silent": mark("{link_name}: there is no reading now."),
    "outages": mark("{link_name}: {count} outages in the last seven days."),
    "not-active": mark("{link_name}: the site is {status}, not active."),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFinding:
    """`code` is constant, for scripts."""

    severity: Severity
    code: str
    link: str
    values: Mapping[str, Word] = field(default_factory=dict)

    def text(self, words: Words) -> str:
        """The sentence, a status in it said in words."""
        status = str(self.values.get("status", ""))
        said = {"status": words.text(_STATUSES[status])} if status in _STATUSES else {}
        return words.text(_SENTENCES[self.code], **{**self.values, **said})


def findings(inventory: Inventory, event: Event, stage: str, reserved: Sequence[Reserved]) -> tuple[EventFinding, ...]:
    """The worst first; of one severity in the order of links."""
    found = [finding for one in reserved for finding in _of_direction(inventory, one, stage)]
    seen: set[str] = set()
    for one in reserved:
        if one.link not in seen:
            seen.add(one.link)
            found += _of_link(inventory, one)
    return tuple(sorted(found, key=lambda one: list(_WEIGHT).index(one.severity)))


_WEIGHT: tuple[Severity, ...] = ("error", "warning", "info")


def _of_direction(inventory: Inventory, one: Reserved, stage: str) -> Iterator[EventFinding]:
    link, urgent = inventory.links[one.link], _URGENT[stage or "T-1"]
    said: dict[str, Word] = {"link_name": link.name, "direction": str(one.direction), "asked_bps": one.asked_bps}

    def finding(severity: Severity, code: str, **values: Word) -> EventFinding:
        return EventFinding(severity=severity, code=code, link=link.id, values={**said, **values})

    if not one.admitted:
        yield finding("error", "not-admitted", feasible_bps=one.feasible_bps)
    if one.squeezed:
        yield finding("warning", "squeezed", links=", ".join(one.squeezed))
    ceiling = link.mir[one.direction]
    if ceiling is not None and ceiling < one.asked_bps:
        yield finding("error", "medium", mir_bps=ceiling)
    if one.limit_bps is not None and one.limit_bps < one.feasible_bps:
        yield from _of_recommendation(one, urgent, finding)
    if one.usage is None or one.usage.coverage_ratio < _COMPLETE_RATIO:
        yield finding("warning", "incomplete", coverage_ratio=one.usage.coverage_ratio if one.usage else 0.0)
    if (one.measured_bps or 0) < _PROVEN_RATIO * one.asked_bps:
        yield finding(
            max(urgent, "warning", key=_heaviness), "unproven", measured_bps=one.measured_bps or 0.0, missing_bps=one.missing_bps
        )


def _of_recommendation(one: Reserved, urgent: Severity, finding: _Finding) -> Iterator[EventFinding]:
    """A limit in the way has to be raised in time: is that on its way?"""
    known = one.recommendation
    if known is None or known.status in {Status.EXPIRED, Status.SUPERSEDED}:
        yield finding(urgent, "no-recommendation")
    elif known.status not in _GOING:
        yield finding(urgent, "not-approved", id=known.id, status=str(known.status))


def _of_link(inventory: Inventory, one: Reserved) -> Iterator[EventFinding]:
    link = inventory.links[one.link]
    said: dict[str, Word] = {"link_name": link.name}
    if link.site.status is not SiteStatus.ACTIVE:
        yield EventFinding(severity="error", code="not-active", link=link.id, values={**said, "status": str(link.site.status)})
    if one.now is not None and one.now.state not in (LinkState.OK, LinkState.DOWN):
        yield EventFinding(severity="error", code="silent", link=link.id, values=said)
    if one.outages:
        yield EventFinding(severity="warning", code="outages", link=link.id, values={**said, "count": len(one.outages)})


def _heaviness(severity: Severity) -> int:
    return -_WEIGHT.index(severity)


if TYPE_CHECKING:
    from typing import Protocol

    class _Finding(Protocol):
        def __call__(self, severity: Severity, code: str, **values: Word) -> EventFinding: ...
