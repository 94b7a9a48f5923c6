"""Minutes and views of several flow processes made one."""

from __future__ import annotations

from typing import Any

import numpy as np

from bwmgr.daemon.flow_merge import Claims, joined_snapshot
from bwmgr.daemon.flow_messages import Minutes, Totals
from bwmgr.measure.columns import FLOW_SUM, RateBatch

MINUTE = 60_000
HTTPS, VIDEO = "dinkes|down|https|domestic", "dinkes|down|video|international"
OTHER = "camat|down|https|domestic"


def told(amounts: dict[str, int], *, end: int = 1, own: bool = False) -> Minutes:
    """Octets by series, of the minute that ends at `end`."""
    rows = np.zeros(len(amounts), FLOW_SUM)
    rows["series"] = np.arange(len(amounts))
    rows["end_ms"] = end * MINUTE
    rows["octets"] = list(amounts.values())
    batch = RateBatch(series=tuple(amounts), rows=rows)
    return Minutes(rows=batch, own=np.full(len(amounts), own), totals=Totals(), snapshot={})


def counted(claims: Claims, *round_: tuple[int, Minutes]) -> dict[int, dict[str, int]]:
    return {
        process: {batch.series[row["series"]]: int(row["octets"]) for row in batch.rows}
        for process, batch in claims.shared_out(round_)
    }


def test_what_only_one_heard_of_counts() -> None:
    assert counted(Claims(), (0, told({HTTPS: 5})), (1, told({OTHER: 7}))) == {0: {HTTPS: 5}, 1: {OTHER: 7}}


def test_of_the_same_traffic_the_word_of_who_saw_most_counts_for_all_its_applications() -> None:
    """Two routers of one path, at two processes, are not added."""
    found = counted(Claims(), (0, told({HTTPS: 5, VIDEO: 90})), (1, told({HTTPS: 80})))
    assert found == {0: {HTTPS: 5, VIDEO: 90}, 1: {}}


def test_the_links_own_router_beats_more_octets() -> None:
    assert counted(Claims(), (0, told({HTTPS: 90})), (1, told({HTTPS: 80}, own=True))) == {0: {}, 1: {HTTPS: 80}}


def test_a_minute_that_comes_again_belongs_to_whom_it_belonged() -> None:
    """Late flows of the other process, however many, would be counted beside what is stored already."""
    claims = Claims()
    counted(claims, (1, told({HTTPS: 80})))
    assert counted(claims, (0, told({HTTPS: 900, OTHER: 3}))) == {0: {OTHER: 3}}
    assert counted(claims, (1, told({HTTPS: 85}))) == {1: {HTTPS: 85}}
    assert counted(claims, (0, told({HTTPS: 900}, end=2))) == {0: {HTTPS: 900}}


def test_minutes_of_long_ago_are_forgotten_and_what_still_comes_for_them_is_left_out() -> None:
    claims = Claims()
    for end in range(1, 101):
        counted(claims, (0, told({HTTPS: 1}, end=end)))
    assert counted(claims, (0, told({HTTPS: 2}, end=100)), (1, told({HTTPS: 2}, end=5))) == {0: {HTTPS: 2}, 1: {}}


def test_no_rows_are_no_rows() -> None:
    assert counted(Claims()) == {}
    assert counted(Claims(), (0, told({}))) == {0: {}}


def exporter(address: str, octets: int) -> dict[str, Any]:
    counts = dict.fromkeys(("datagrams", "flows", "unknown_sampling_flows", "lost", "early", "templates", "restarts"), 1)
    return {"address": address, "octets": octets, "last_ms": octets, "longest_seconds": octets, "problems": {"cut": 1}} | counts


def view(address: str, octets: int, end: str) -> dict[str, Any]:
    rows = [{"application": "https", "octets": octets, "share_ratio": 1.0}]
    return {
        "at": end, "listening": ["127.0.0.1 port 2055"], "problem": "", "figures": {"flows": octets}, "problems": {"cut": 1},
        "unattributed": {}, "exporters": [exporter(address, octets)],
        "top": {"start": "", "end": end, "seconds": 300, "approximate": address == "b", "error_octets": octets,
                "links": {"dinkes": {"application": {"down": rows}}}},
    }  # fmt: skip


def test_views_are_joined() -> None:
    """Exporters and figures of all; of a link the list of the process that saw most."""
    found = joined_snapshot([view("a", 5, "10:05"), {}, view("b", 9, "10:00")])
    assert [one["address"] for one in found["exporters"]] == ["a", "b"]
    assert (found["figures"], found["problems"], found["listening"]) == ({"flows": 14}, {"cut": 2}, ["127.0.0.1 port 2055"])
    assert found["top"]["links"]["dinkes"]["application"]["down"][0]["octets"] == 9
    assert (found["top"]["end"], found["top"]["approximate"], found["top"]["error_octets"]) == ("10:05", True, 9)
    assert joined_snapshot([]) == {}


def test_an_exporter_that_two_processes_heard_is_one() -> None:
    """It sends from another port since its restart."""
    (found,) = joined_snapshot([view("a", 5, "10:05"), view("a", 9, "10:00")])["exporters"]
    assert (found["octets"], found["lost"], found["last_ms"], found["longest_seconds"]) == (14, 2, 9, 9)
    assert found["problems"] == {"cut": 2}
