"""What stands between a proposal and a recommendation for one link: enough data, calm, sensible steps, its own CIR and MIR.

Owns the guards that look at one link and direction; what the tree can carry is in `tree`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Reason, Status
from bwmgr.model.inventory import Direction, Link, SiteStatus
from bwmgr.model.policy import PolicyInput
from bwmgr.model.usage import UsageWindow

UNKNOWN = frozenset({"no_data", "silent", "low_coverage", "short_history"})
"""Codes of the holds of `data_hold`: whether there is a need is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guards:
    """How careful the engine is. The same for all policies, so that none can be careless."""

    min_coverage_ratio: float = 0.7
    """Below this share of the calendar's time covered: hold."""
    min_covered_seconds: float = 4 * 3600.0
    """Less than this much measured time: hold."""
    cooldown_seconds: float = 24 * 3600.0
    """After a limit changed or a recommendation was decided: hold."""
    dynamic_cooldown_seconds: float = 900.0
    """The same for what answers a congestion of now."""
    dead_band_ratio: float = 0.1
    """A change smaller than this share of the limit in force is none."""
    most_lowered_ratio: float = 0.5
    """One step takes away no more than this share of the limit."""
    least_lowered_bps: int = 10_000_000
    """A lowering that gives up less is not proposed, unless a raise below the same node lacks room."""
    most_lowerings: int = 10
    """So many lowerings are proposed in one run, the largest; the others wait."""
    most_changes_per_device_hour: int = 8
    """Changes of the links of one router within an hour; orders, events and schedules are exempt."""
    load_margin_ratio: float = 0.1
    """Kept free above what a node was measured to carry, as a share of that."""
    valid_seconds: float = 7 * 86400.0


def data_hold(given: PolicyInput, guards: Guards, link: Link, direction: Direction) -> Reason | None:
    """Why the data do not allow a decision on this link; None: they do (FAULTS 61: no change on stale data)."""
    said = link_values(link, direction)
    window = given.usage.get(link.id, {}).get(direction)
    if window is None or not window.samples:
        return Reason(code="no_data", message="{link_name} has no {direction} measurements: nothing is changed.", values=said)
    recent = given.recent.get(link.id, {}).get(direction)
    if recent is None or not recent.samples:
        return Reason(
            code="silent", message="{link_name} has been silent for hours ({direction}): nothing is changed.", values=said
        )
    if window.coverage_ratio < guards.min_coverage_ratio:
        return Reason(
            code="low_coverage",
            message="Only {coverage_ratio} of the {direction} time of {link_name} is measured: too little, nothing is changed.",
            values={**said, "coverage_ratio": window.coverage_ratio},
        )
    covered = covered_seconds(window)
    if covered < guards.min_covered_seconds:
        return Reason(
            code="short_history",
            message="{link_name} has been measured for only {covered_seconds} ({direction}): too short, nothing is changed.",
            values={**said, "covered_seconds": covered},
        )
    return None


def calm_hold(given: PolicyInput, guards: Guards, link: Link, direction: Direction, *, dynamic: bool = False) -> Reason | None:
    """Why it is too soon for another change of this link; None: it is not. `dynamic`: by the shorter wait."""
    key = (link.id, direction)
    standing = given.standing.get(key)
    if standing is not None and standing.status is Status.APPROVED:
        return Reason(
            code="approved",
            message="The change of {link_name} ({direction}) approved earlier is not applied yet: no other is proposed.",
            values=link_values(link, direction),
        )
    changed_at = given.changed_at.get(key)
    if changed_at is None:
        return None
    wait_seconds = guards.dynamic_cooldown_seconds if dynamic else guards.cooldown_seconds
    left = wait_seconds - (given.now - changed_at).total_seconds()
    if left <= 0:
        return None
    return Reason(
        code="cooldown",
        message="{link_name} ({direction}) was changed or decided on recently: nothing is changed for another {left_seconds}.",
        values={**link_values(link, direction), "left_seconds": left},
    )


def guarded_mir(target_bps: float, current: Bandwidth, ceiling_bps: int | None, guards: Guards) -> int:
    """The limit nearest to the target that is a sensible step, at least the CIR, at most the MIR, and not lowered too far."""
    wanted = target_bps
    if current.mir_bps is not None:
        wanted = max(wanted, current.mir_bps * (1 - guards.most_lowered_ratio))
    return clamped(rounded_up(max(wanted, 1.0)), current.cir_bps, ceiling_bps)


def in_dead_band(proposed_bps: int, current_bps: int | None, guards: Guards) -> bool:
    """True where the change is too small to be worth one."""
    return current_bps is not None and abs(proposed_bps - current_bps) < max(guards.dead_band_ratio * current_bps, 1)


def opposite(action: Action, proposed_bps: int, current_bps: int | None) -> bool:
    """True where the guards turned a raise into less, or a lowering into more, than there is."""
    if current_bps is None:
        return action is Action.RAISE
    return proposed_bps <= current_bps if action is Action.RAISE else proposed_bps >= current_bps


def clamped(rate_bps: int, floor_bps: int, ceiling_bps: int | None) -> int:
    """Within [CIR, MIR]; a CIR above the MIR is a mistake that the configuration refuses."""
    return max(floor_bps, rate_bps if ceiling_bps is None else min(rate_bps, ceiling_bps))


def step_bps(rate_bps: float) -> int:
    """The step in which people write limits of this size: a tenth or twentieth of it (100k, 500k, 1M, 5M, 10M, 50M ...)."""
    magnitude = 10 ** math.floor(math.log10(max(rate_bps, 1e5)))
    return int(magnitude // 10 if rate_bps < 2 * magnitude else magnitude // 2 if magnitude >= 10**7 else magnitude // 10 * 5)


def rounded_up(rate_bps: float) -> int:
    """The next sensible limit at or above a rate: 34.1M -> 35M, 6.2M -> 6.5M, 112M -> 120M."""
    step = step_bps(rate_bps)
    return math.ceil(rate_bps / step - 1e-9) * step


def rounded_down(rate_bps: float) -> int:
    """The last limit of two digits at or below a rate: 34.1M -> 34M. Finer than `rounded_up`, to leave no capacity lying idle."""
    step = int(10 ** math.floor(math.log10(max(rate_bps, 1e5)))) // 10
    return math.floor(rate_bps / step + 1e-9) * step


def covered_seconds(window: UsageWindow) -> float:
    """How much time the samples of a window cover, from its volume and mean; from the window's length where nothing passed."""
    if window.mean_bps:
        return window.octets * 8 / window.mean_bps
    return (window.end - window.start).total_seconds() * window.coverage_ratio


def planned(link: Link) -> bool:
    """True for a link that does not exist yet."""
    return link.site.status is SiteStatus.PLANNED


def link_values(link: Link, direction: Direction) -> dict[str, str | int | float]:
    """What every sentence about a link says of it."""
    return {"link_name": link.name, "direction": str(direction)}
