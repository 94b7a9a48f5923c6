"""Policies that look at several links together: fair share, pool, class priority, quota, buying and selling."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bwmgr.engine import Advice, run
from bwmgr.engine.guards import Guards
from bwmgr.language import Words
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.decision import Action, Recommendation, Status
from bwmgr.model.inventory import Contract, Direction, Faces, Interface, LinkKind, PerDirection, Provider, ServiceClass, Uplink
from bwmgr.model.policy import RESTORE_BPS, NodeLoad, PolicyInput
from policies import class_priority, fair_share, market, pool, quota, restore

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from engine_inputs import NOW, M, given, link, window


def said(policy: object, parameters: object, inputs: PolicyInput, **guards: float) -> Advice:
    name, propose = policy.NAME, policy.propose  # type: ignore[attr-defined]
    return run([(name, propose, parameters)], inputs, Guards(**guards))  # type: ignore[arg-type]


def limits(advice: Advice) -> dict[str, int | None]:
    return {entry.link: entry.proposed.mir_bps for entry in advice.recommendations if entry.direction is Direction.DOWN}


def busy(name: str, rate: float, **more: float) -> object:
    return window(name, p95_bps=rate * M, max_bps=rate * M, mean_bps=rate * M / 2, octets=10**12, **more)


def radio(recent: tuple[float, ...], **more: object) -> PolicyInput:
    """A bridge of 80 Mbps that cannot share: one link uses 60 (its limit is 100), two use 15 and 5."""
    links = [link("big", limit=100 * M, mir=100 * M, cir=5 * M), link("b", limit=20 * M), link("c", limit=20 * M)]
    rates = {"big": 60, "b": 15, "c": 5}
    found = given(links, {name: busy(name, rate) for name, rate in rates.items()}, district=80 * M, **more)  # type: ignore[arg-type,misc]
    latest = {name: {Direction.DOWN: float(rate * M)} for name, rate in rates.items()}
    return replace(found, node_recent={"kec": {Direction.DOWN: recent}}, latest=latest)


PARAMETERS = fair_share.Parameters(nodes=("kec",))
FULL, CALM = (80.0 * M,) * 12, (50.0 * M,) * 12


def limited(before: PolicyInput, lowered: Recommendation, at: datetime, **latest: float) -> PolicyInput:
    """A while later, with the limit in force."""
    current = {**before.current, "big": {**before.current["big"], Direction.DOWN: lowered.proposed}}
    used = {name: {Direction.DOWN: rate * M} for name, rate in latest.items()}
    set_by = {("big", Direction.DOWN): replace(lowered, status=Status.APPLIED)}
    return replace(before, now=at, current=current, set_by=set_by, latest={**before.latest, **used})


def test_the_large_links_of_a_full_node_that_cannot_share_bear_one_level() -> None:
    """93 % of 80 is 74.4: beside 15 and 5 the large one may have 54.4 (55 in whole steps), the small ones bear no limit."""
    advice = said(fair_share, PARAMETERS, radio(FULL), dead_band_ratio=0.0)
    assert limits(advice) == {"big": 55 * M}
    (made,) = advice.recommendations
    assert made.evidence.more[RESTORE_BPS] == 100 * M
    assert made.evidence.more[fair_share.LEVEL_BPS] == 54.4 * M
    assert "cannot share by itself" in Words("en").reason(made.reason)


def test_a_bandwidth_function_stands_in_the_place_of_a_weight() -> None:
    """The large link's part of the level is what its function gives on top of its CIR of 5: 49.4 at level 58.5, 54.4 in all."""
    before = radio(FULL)
    function = BandwidthFunction(((0, 0), (50 * M, 40 * M), (100 * M, 95 * M)))
    links = {**before.inventory.links, "big": replace(before.inventory.links["big"], bandwidth_function=function)}
    inputs = replace(before, inventory=replace(before.inventory, links=links))
    advice = said(fair_share, PARAMETERS, inputs, dead_band_ratio=0.0)
    assert limits(advice) == {"big": 55 * M}
    level = advice.recommendations[0].evidence.more[fair_share.LEVEL_BPS]
    assert isinstance(level, float)
    assert round(level / M, 2) == 58.55


def test_a_node_that_can_share_gets_no_dynamic_limits() -> None:
    """Nodes are named by the office; without a name nothing happens, full or not."""
    assert said(fair_share, fair_share.Parameters(), radio(FULL)).recommendations == ()


def test_a_node_with_room_limits_nobody() -> None:
    """It is the newest five minutes that count: full before, roomy now."""
    assert said(fair_share, PARAMETERS, radio(FULL[:11] + CALM[:1])).recommendations == ()


def test_the_level_follows_the_room_and_goes_in_the_end() -> None:
    """It rests for a quarter of an hour, rises by a third where the link needs it, and is lifted when nobody comes near it."""
    before = radio(FULL)
    (lowered,) = said(fair_share, PARAMETERS, before, dead_band_ratio=0.0).recommendations
    calm = replace(before, node_recent={"kec": {Direction.DOWN: CALM}})
    soon, later = NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)
    assert limits(said(fair_share, PARAMETERS, limited(calm, lowered, soon, big=54.0))) == {}
    assert limits(said(fair_share, PARAMETERS, limited(calm, lowered, later, big=20.0))) == {}
    assert limits(said(fair_share, PARAMETERS, limited(calm, lowered, later, big=54.0))) == {"big": 75 * M}
    quiet = replace(limited(calm, lowered, later, big=5.0), recent={"big": {Direction.DOWN: busy("big", 10)}})  # type: ignore[dict-item]
    (back,) = said(fair_share, PARAMETERS, quiet).recommendations
    assert (back.action, back.proposed.mir_bps, back.reason.code) == (Action.RESTORE, 100 * M, "room_again")


def test_what_had_no_limit_gets_back_one_that_nobody_feels() -> None:
    """A link without limit and MIR: what the node carries."""
    free = radio(FULL)
    links = {**free.inventory.links, "big": replace(free.inventory.links["big"], mir=PerDirection(down=None, up=None))}
    current = {**free.current, "big": {way: replace(free.current["big"][way], mir_bps=None) for way in Direction}}
    free = replace(free, inventory=replace(free.inventory, links=links), current=current)
    (lowered,) = said(fair_share, PARAMETERS, free).recommendations
    assert (lowered.proposed.mir_bps, lowered.evidence.more[RESTORE_BPS]) == (55 * M, 80 * M)


def wifi(rates: Iterable[float], *, capacity: int, load: float | None = None) -> PolicyInput:
    points = [link(f"w{at}", limit=40 * M, cir=0, mir=100 * M, kind=LinkKind.WIFI) for at, _ in enumerate(rates)]
    found = given(points, {f"w{at}": busy(f"w{at}", rate) for at, rate in enumerate(rates)}, district=capacity)  # type: ignore[misc]
    if load is None:
        return found
    return replace(found, node_load={"kec": {Direction.DOWN: NodeLoad(window=window("kec", p95_bps=load))}})


def test_a_dead_access_point_is_reported_not_sized() -> None:
    """It answers, its neighbours are used, nothing passes: mend it."""
    advice = said(pool, pool.Parameters(), wifi([10, 12, 0, 9], capacity=350 * M))
    assert [(entry.link, entry.action, entry.reason.code) for entry in advice.recommendations] == [
        ("w2", Action.FIX, "dead_point")
    ]


def test_the_greedy_point_of_a_full_pool_makes_room() -> None:
    """38, 10, 10, 10 in a full pool of 40: fair is 10, so the greedy one may have 15; one step takes half of its 40 at most."""
    assert limits(said(pool, pool.Parameters(), wifi([38, 10, 10, 10], capacity=40 * M, load=40.0 * M))) == {"w0": 20 * M}
    assert limits(said(pool, pool.Parameters(), wifi([38, 10, 10, 10], capacity=350 * M, load=60.0 * M))) == {}


def test_offices_are_no_pool() -> None:
    """A node with anything else than WiFi below it is left to other policies."""
    links = [link(f"o{at}") for at in range(4)]
    usage = {f"o{at}": busy(f"o{at}", 0 if at == 2 else 5) for at in range(4)}
    assert said(pool, pool.Parameters(), given(links, usage)).recommendations == ()  # type: ignore[arg-type]


def test_public_use_makes_room_for_the_registry() -> None:
    """Held back, and too little free: the public link that is used makes room, the idle one is left alone."""
    links = [
        link("registry", service_class=ServiceClass.CRITICAL),
        link("park", limit=40 * M, service_class=ServiceClass.PUBLIC),
        link("quiet", limit=40 * M, service_class=ServiceClass.PUBLIC),
    ]
    usage = {
        "registry": window("registry", mean_bps=15.0 * M, p95_bps=20.0 * M, max_bps=20.0 * M, saturated_ratio=0.41),
        "park": busy("park", 30),
        "quiet": busy("quiet", 2),
    }
    load = NodeLoad(window=window("kec", p95_bps=64.0 * M))
    found = replace(given(links, usage, district=70 * M), node_load={"kec": {Direction.DOWN: load}})  # type: ignore[arg-type]
    advice = said(class_priority, class_priority.Parameters(), found)
    (made,) = advice.recommendations
    assert (made.link, made.action) == ("park", Action.LOWER)
    assert 20 * M <= (made.proposed.mir_bps or 0) < 30 * M
    roomy = replace(found, node_load={"kec": {Direction.DOWN: NodeLoad(window=window("kec", p95_bps=20.0 * M))}})
    assert said(class_priority, class_priority.Parameters(), roomy).recommendations == ()


def test_over_its_quota_a_link_is_slower_until_the_month_ends() -> None:
    """110 of 100 GB on 2 February: half of 20 Mbps until 1 March 00:00 WIB, then 20 Mbps again."""
    month = {"dinkes": {Direction.DOWN: window(octets=90 * 10**9), Direction.UP: window(octets=20 * 10**9)}}
    found = replace(given([link()], {"dinkes": window()}), month=month)
    parameters = quota.Parameters(quota_gigabytes=100)
    advice = said(quota, parameters, found)
    (slow,) = [entry for entry in advice.recommendations if entry.direction is Direction.DOWN]
    assert (slow.proposed.mir_bps, slow.valid_until) == (10 * M, datetime(2026, 2, 28, 17, tzinfo=UTC))
    assert said(quota, quota.Parameters(quota_gigabytes=111), found).recommendations == ()
    assert said(quota, quota.Parameters(), found).recommendations == ()
    key = ("dinkes", Direction.DOWN)
    current = {**found.current, "dinkes": {**found.current["dinkes"], Direction.DOWN: slow.proposed}}
    march = replace(found, now=slow.valid_until, current=current, set_by={key: replace(slow, status=Status.APPLIED)}, month={})
    (back,) = said(restore, restore.Parameters(), march).recommendations
    assert (back.action, back.proposed.mir_bps) == (Action.RESTORE, 20 * M)


def rooted(p95: float) -> PolicyInput:
    """A root of one contract of 500 Mbps for Rp160 million a month."""
    found = given([link()], {"dinkes": window()}, root=None)
    contract = Contract(id="icon", provider="p", capacity=PerDirection(down=500 * M, up=500 * M), price=160_000_000)
    port = Uplink(interface=Interface(device="core", if_name="e1", faces=Faces.PROVIDER), contract="icon")
    nodes = {**found.inventory.nodes, "root": replace(found.inventory.nodes["root"], uplinks=(port,))}
    inventory = replace(found.inventory, nodes=nodes, providers={"p": Provider(id="p", name="P", contracts=(contract,))})
    up = NodeLoad(window=window("root", Direction.UP, p95_bps=20.0 * M))
    loads = {Direction.DOWN: NodeLoad(window=window("root", p95_bps=p95)), Direction.UP: up}
    return replace(found, inventory=inventory, node_load={"root": loads})


def traded(p95: float) -> list[Recommendation]:
    return list(said(market, market.Parameters(), rooted(p95)).recommendations)


def test_a_full_root_buys_and_an_empty_one_sells() -> None:
    """450 of 500 with a quarter kept free needs 600: 32 million more a month; 100 of 500 needs 150: 112 million less.

    An upload that is nearly idle sells nothing: the contract has both.
    """
    (bought,) = traded(450.0 * M)
    assert (bought.action, bought.link, bought.current.mir_bps, bought.proposed.mir_bps) == (Action.BUY, "root", 500 * M, 600 * M)
    assert bought.expected.monthly_price == 32_000_000
    (sold,) = traded(100.0 * M)
    assert (sold.action, sold.proposed.mir_bps, sold.expected.monthly_price) == (Action.SELL, 150 * M, -112_000_000)
    assert traded(300.0 * M) == []


def test_short_history_buys_nothing() -> None:
    """Two weeks are no ground for a contract."""
    short = rooted(450.0 * M)
    load = NodeLoad(window=replace(window("root", p95_bps=450.0 * M), start=NOW - timedelta(days=14)))
    loads = {**short.node_load["root"], Direction.DOWN: load}
    assert said(market, market.Parameters(), replace(short, node_load={"root": loads})).recommendations == ()
