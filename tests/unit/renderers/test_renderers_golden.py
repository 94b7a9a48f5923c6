"""Every dialect against its golden file, there and back; and what a hostile name comes to.

`BWMGR_GOLDEN=write` writes the files anew: read the difference before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig
from bwmgr.model.inventory import Direction, ServiceClass, ShaperPort
from bwmgr.renderers import ios, junos, radius, routeros, tc
from bwmgr.renderers.names import queue_name

GOLDEN = Path(__file__).parent / "golden"
Render = Callable[[Queue, Bandwidth], RenderedConfig]
DIALECTS: dict[str, Render] = {
    "tc": tc.render, "routeros": routeros.render_simple, "routeros6": routeros.render_simple6,
    "routeros-tree": routeros.render_tree, "ios": ios.render, "junos": junos.render, "radius": radius.render,
}  # fmt: skip
BY_ADDRESS = Queue(
    recommendation="0123456789ab", link="dinkes", direction=Direction.DOWN, cir_bps=5_000_000, mir_bps=35_000_000,
    parent="kec-baamang", networks=(ip_network("10.20.1.0/24"),), other=Bandwidth(cir_bps=1_000_000, mir_bps=10_000_000),
)  # fmt: skip
CASES = {
    "address-down": BY_ADDRESS,
    "address-up": replace(BY_ADDRESS, direction=Direction.UP, service_class=ServiceClass.CRITICAL),
    "port-down": replace(BY_ADDRESS, networks=(), port=ShaperPort(interface="eth1")),
    "port-up": replace(BY_ADDRESS, networks=(), port=ShaperPort(interface="eth1"), direction=Direction.UP),
    "tree-down": replace(BY_ADDRESS, port=ShaperPort(interface="eth1", class_id="1:20", parent="1:1")),
    "unlimited": replace(BY_ADDRESS, networks=(), port=ShaperPort(interface="eth1"), cir_bps=0, mir_bps=None),
}
CURRENT = Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_as_the_golden_file_has_it(dialect: str) -> None:
    """All cases of a dialect: the lines, their undo, or why it cannot be said in it."""
    text = "".join(f"== {case}\n{said(DIALECTS[dialect], queue)}" for case, queue in CASES.items())
    path = GOLDEN / f"{dialect}.txt"
    if os.environ.get("BWMGR_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def said(render: Render, queue: Queue) -> str:
    try:
        config = render(queue, CURRENT)
    except UsageError as error:
        return f"refused: {error}\n"
    return "".join(f"{line}\n" for line in (*config.lines, "-- undo", *config.undo))


HOSTILE = [
    '"; /system reset',
    "a\nreboot",
    "$(reboot)",
    "`id`",
    "]; /user remove [find]",
    "dinkes\x00",
    "-rf",
    "dïnkes",
    "a" * 300,
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_a_name_or_is_refused(dialect: str, hostile: str) -> None:
    """A link, node, recommendation or port called `"; /system reset` never becomes a command: as many lines as for a tame one."""
    for case in CASES.values():
        port = case.port and replace(case.port, interface=hostile)
        evil = replace(case, link=hostile, parent=hostile, recommendation=hostile, port=port)
        try:
            config = DIALECTS[dialect](evil, CURRENT)
        except UsageError:
            continue
        assert len(config.lines) == len(DIALECTS[dialect](case, CURRENT).lines)
        for line in (*config.lines, *config.undo):
            assert line.isprintable()
            assert line.isascii()
            for word in ("; ", "$(", "`", "/system reset", "/user remove"):
                assert word not in line


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_links_never_share_a_queue(one: str, two: str) -> None:
    """Names are short, plain, and differ where the links do."""
    names = [queue_name(one), queue_name(two)]
    assert (names[0] == names[1]) == (one == two)
    assert all(
        len(name) <= 40 and name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum() for name in names
    )


@given(
    cir=st.integers(0, 10**9), mir=st.integers(8, 10**10), old=st.integers(8, 10**10),
    way=st.sampled_from(list(Direction)), weight=st.floats(0, 10**6),
)  # fmt: skip
def test_tc_steps_there_and_back_are_each_others_undo(cir: int, mir: int, old: int, way: Direction, weight: float) -> None:
    """From any settings to any others and back: nothing is left to do, and rates are within the kernel's grain."""
    queue = replace(CASES["port-down"], cir_bps=cir, mir_bps=mir, direction=way, weight=weight)
    before, after = tc.wanted(replace(queue, mir_bps=old), {}), tc.wanted(queue, {})
    assert mir - 8 < int(after["rate_bps"]) <= mir
    assert tc.steps(queue, after, after) == ()
    assert bool(tc.steps(queue, before, after)) == (before != after)


def test_routeros_keeps_the_office_own_remark_and_the_other_direction() -> None:
    """The other half of every pair and a remark typed in WinBox stay as they are."""
    row = {"name": "bwmgr-dinkes", "target": "10.20.1.0/24", "max-limit": "7000000/20000000", "limit-at": "0/0",
           "priority": "8/8", "comment": "Dinas Kesehatan [bwmgr up=ffffffffffff]"}  # fmt: skip
    (step,) = routeros.steps(BY_ADDRESS, row, routeros.wanted(BY_ADDRESS))
    assert step.words["max-limit"] == "7000000/35000000"
    assert step.words["comment"] == "Dinas Kesehatan [bwmgr down=0123456789ab up=ffffffffffff]"
    changed = {**row, **step.words}
    (back,) = routeros.steps(BY_ADDRESS, changed, routeros.half(BY_ADDRESS, row))
    assert {**changed, **back.words} == row


def test_a_guarantee_above_the_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="a guarantee of 50000000"):
        routeros.wanted(replace(BY_ADDRESS, cir_bps=50_000_000))
