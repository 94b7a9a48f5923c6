"""What each built-in policy proposes, and what it leaves alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bwmgr.language import Words
from bwmgr.measure.demand import estimate
from bwmgr.model.decision import Action
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason
from bwmgr.model.usage import LinkHealth, UsageWindow
from policies import BUILTIN, idle, right_size, saturated, unreliable

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import engine_inputs as regency

M = regency.M


def test_right_size_raises_what_is_too_small() -> None:
    """P95 of 19 Mbps with headroom of a quarter is 23.75, more than a fifth above 19."""
    (found,) = right_size.propose(
        regency.given([regency.link(limit=19 * M)], {"dinkes": regency.window(p95_bps=19.0 * M)}), right_size.Parameters()
    )
    assert (found.action, found.mir_bps) == (Action.RAISE, 23.75 * M)
    assert found.more["demand_kind"] == "measured"


def test_right_size_lowers_what_is_too_large() -> None:
    """P95 of 12 Mbps needs 15; a limit of 20 is more than a fifth above that."""
    (found,) = right_size.propose(regency.given([regency.link()], {"dinkes": regency.window()}), right_size.Parameters())
    assert (found.action, found.mir_bps) == (Action.LOWER, 15 * M)


@pytest.mark.parametrize("limit", [13 * M, 15 * M, 18 * M])
def test_right_size_leaves_what_fits(limit: int) -> None:
    """Within a fifth of the target either way: no proposal."""
    assert not list(
        right_size.propose(regency.given([regency.link(limit=limit)], {"dinkes": regency.window()}), right_size.Parameters())
    )


def test_saturated_proposes_the_demand_but_no_more_than_double() -> None:
    """41 % of the time at 20 Mbps: about 33.5 are wanted; a smaller step on demand."""
    inputs = regency.given([regency.link()], {"dinkes": regency.saturated()})
    (found,) = saturated.propose(inputs, saturated.Parameters())
    assert found.mir_bps == pytest.approx(33.5 * M, rel=0.01)
    assert found.more["demand_kind"] == "at least"
    (small,) = saturated.propose(inputs, saturated.Parameters(most_raised_ratio=0.25))
    assert small.mir_bps == 25 * M


@pytest.mark.parametrize("share", [None, 0.0, 0.049])
def test_saturated_leaves_links_that_are_not(share: float | None) -> None:
    """Under 5 % of the time the limit does not touch the 95th percentile."""
    inputs = regency.given([regency.link()], {"dinkes": regency.window(saturated_ratio=share)})
    assert not list(saturated.propose(inputs, saturated.Parameters()))


@pytest.mark.parametrize(
    ("interval", "size", "said"),
    [
        ({"kind": "measured", "high_bps": 24.0 * M}, 24.0, "24 Mbps (measured)"),
        ({"kind": "estimated", "high_bps": 30.0 * M}, 27.0, "between 24 Mbps and 30 Mbps (estimated)"),
        ({"kind": "at least", "high_bps": None}, 25.0, "at least 24 Mbps"),
    ],
)
def test_the_samples_interval_is_what_is_sized_by_and_said(interval: dict[str, Any], size: float, said: str) -> None:
    """Measured: the figure; estimated: the middle; unknown above: a probe of 1.25 times the limit. The sentence says which."""
    inputs = regency.given([regency.link()], {"dinkes": regency.window(saturated_ratio=0.2)})
    demand = DemandInterval(low_bps=24.0 * M, percentile=95, samples=2000, saturated_ratio=0.2, limit_bps=20.0 * M, **interval)
    inputs = replace(inputs, demand={"dinkes": {Direction.DOWN: demand}})
    (found,) = saturated.propose(inputs, saturated.Parameters())
    assert (found.mir_bps, found.more["demand_kind"]) == (size * M, interval["kind"])
    assert said in Words("en").reason(replace(found.reason, values={**found.reason.values, "proposed_bps": 25 * M}))
    (sized,) = right_size.propose(inputs, right_size.Parameters())
    assert sized.mir_bps == size * M * 1.25
    assert said.split(" (", maxsplit=1)[0] in Words("en").reason(
        replace(sized.reason, values={**sized.reason.values, "proposed_bps": 25 * M})
    )


@pytest.mark.parametrize("policy", [right_size, idle])
def test_some_days_of_history_size_nothing(policy: Any) -> None:
    """Six days have no Sunday, or no market day: a limit set on them cuts off what comes."""
    quiet = regency.window(p95_bps=1.0 * M, max_bps=1.5 * M)
    assert list(policy.propose(regency.given([regency.link()], {"dinkes": quiet}), policy.Parameters()))
    young = replace(quiet, start=regency.NOW - timedelta(days=6))
    assert not list(policy.propose(regency.given([regency.link()], {"dinkes": young}), policy.Parameters()))


def test_idle_leaves_twice_the_maximum() -> None:
    """Never more than 1.5 of 20 Mbps: 3 are enough."""
    quiet = regency.window(p95_bps=1.0 * M, max_bps=1.5 * M)
    (found,) = idle.propose(regency.given([regency.link()], {"dinkes": quiet}), idle.Parameters())
    assert (found.action, found.mir_bps) == (Action.LOWER, 3 * M)


@pytest.mark.parametrize("figures", [{"p95_bps": 3.0 * M}, {"p95_bps": 1.0 * M, "max_bps": 9.0 * M}])
def test_idle_leaves_links_that_are_used_at_times(figures: dict[str, float]) -> None:
    """A busy hour a week, or a peak, is use."""
    inputs = regency.given([regency.link()], {"dinkes": regency.window(**figures)})
    assert not list(idle.propose(inputs, idle.Parameters()))


@pytest.mark.parametrize(
    ("health", "code"),
    [
        (LinkHealth(link="dinkes", readings=900, flaps=12), "flapping"),
        (LinkHealth(link="dinkes", readings=900, down_ratio=0.2), "down"),
        (LinkHealth(link="dinkes", readings=900, errors_ps=3.0), "errors"),
        (LinkHealth(link="dinkes", readings=900, stuck_ratio=0.2), "counters"),
        (LinkHealth(link="dinkes", readings=900, gaps={GapReason.AMBIGUOUS_WRAP: 100}), "counters"),
        (LinkHealth(link="dinkes", readings=900, flaps=11, down_ratio=0.05, errors_ps=0.5, gaps={GapReason.TIMEOUT: 500}), None),
        (LinkHealth(link="dinkes", readings=0), None),
    ],
)
def test_unreliable_names_what_is_broken(health: LinkHealth, code: str | None) -> None:
    """Flapping, down, errors or useless counters: one repair a link; timeouts are not the line's fault alone."""
    inputs = regency.given([regency.link()], {"dinkes": regency.window()}, health={"dinkes": health})
    found = list(unreliable.propose(inputs, unreliable.Parameters()))
    assert [(entry.reason.code, entry.action) for entry in found] == ([] if code is None else [(code, Action.FIX)])


def test_every_policy_is_complete() -> None:
    """A name, parameters with defaults, a docstring that is its page."""
    for module in (idle, right_size, saturated, unreliable):
        assert module.NAME in BUILTIN
        assert module.Parameters() == module.Parameters()
        assert module.__doc__.startswith(f"{module.NAME}:")
        assert "Parameters:" in module.__doc__


def full_window(share: float, mean: float) -> UsageWindow:
    return regency.window(saturated_ratio=share, mean_bps=mean, p95_bps=20.0 * M, max_bps=20.0 * M)


def test_demand_is_measured_estimated_or_at_least() -> None:
    """The label says how the figure is known."""
    kinds = [estimate(full_window(share, 12.0 * M), 20 * M) for share in (0.05, 0.2, 0.5)]
    assert [kind.kind for kind in kinds if kind] == ["measured", "estimated", "at least"]
    assert estimate(regency.window(p95_bps=None, mean_bps=None), 20 * M) is None


def test_demand_recovers_a_normal_distribution() -> None:
    """Normal with mean 15 and sigma 6 cut at its 0.8 quantile: the 95th percentile comes back."""
    from statistics import NormalDist

    true = NormalDist(15.0 * M, 6.0 * M)
    limit, standard = true.inv_cdf(0.8), NormalDist()
    z = standard.inv_cdf(0.8)
    mean = limit - 6.0 * M * (standard.pdf(z) + z * standard.cdf(z))
    window = regency.window(saturated_ratio=0.2, mean_bps=mean, p95_bps=limit)
    found = estimate(window, round(limit))
    assert found is not None
    assert found.rate_bps == pytest.approx(true.inv_cdf(0.95), rel=1e-6)


def test_a_link_that_is_always_full_is_worth_a_try() -> None:
    """Nothing but the limit was ever seen: at least a quarter more, never more than 2.5 times."""
    found = estimate(full_window(1.0, 20.0 * M), 20 * M)
    assert found is not None
    assert (found.kind, found.rate_bps) == ("at least", 25 * M)
    wild = estimate(full_window(0.9, 1.0 * M), 20 * M)
    assert wild is not None
    assert wild.rate_bps == 50 * M
