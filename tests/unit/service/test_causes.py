"""Proposed causes: one test a rule, in the rules' order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bwmgr.measure.causes import with_causes
from bwmgr.model.inventory import Inventory, Site
from bwmgr.model.service import Cause, Judgement, Maintenance, Outage, Sign
from tests.unit.service.slots import START

HOUR = timedelta(hours=1)


def outage(series: str, after: timedelta = timedelta(), lasts: timedelta = HOUR, **more: object) -> Outage:
    return Outage(series=series, start=START + after, end=START + after + lasts, **{"sign": Sign.SILENT, **more})  # type: ignore[arg-type]


def causes(inventory: Inventory, *outages: Outage, maintenance: tuple[Maintenance, ...] = ()) -> list[tuple[str, str]]:
    return [(str(one.proposed), one.rule) for one in with_causes(inventory, outages, maintenance)]


@pytest.fixture
def office(make_inventory: Callable[..., Inventory]) -> Inventory:
    """Ten links of a router each, one uplink `contract-1`."""
    return make_inventory(10)


def test_maintenance_that_was_agreed_is_planned(office: Inventory) -> None:
    """Half of it in the window is enough; a window of another link is none of its business."""
    window = Maintenance(id="m", start=START, end=START + HOUR / 2, links=("link-1",))
    found = causes(office, outage("link-1", rebooted=True), outage("link-2", rebooted=True), maintenance=(window,))
    assert found == [("planned", "maintenance"), ("power", "restarted")]


def test_maintenance_of_a_contract_is_of_its_uplink(office: Inventory) -> None:
    """And one that names nothing is of everything."""
    window = Maintenance(id="m", start=START, end=START + HOUR, contracts=("contract-1",))
    assert causes(office, outage("contract-1", sign=Sign.DOWN), maintenance=(window,)) == [("planned", "maintenance")]
    everything = replace(window, contracts=())
    assert causes(office, outage("link-1"), maintenance=(everything,)) == [("planned", "maintenance")]


def test_the_offices_own_router_is_not_the_providers_outage(office: Inventory) -> None:
    """Restarted: our power. Merely silent: nobody knows what the provider's line did."""
    assert causes(office, outage("contract-1", rebooted=True)) == [("power", "own-router")]
    assert causes(office, outage("contract-1")) == [("undetermined", "own-router")]


def test_an_uplink_down_or_dark_is_the_providers(office: Inventory) -> None:
    """And so are the outages of links in it, even of one that restarted then."""
    uplink = outage("contract-1", sign=Sign.DARK)
    found = causes(office, uplink, outage("link-3"), outage("link-4", timedelta(hours=5), rebooted=True))
    assert found == [("provider", "uplink"), ("provider", "uplink"), ("power", "restarted")]


def test_many_at_once_are_the_providers(office: Inventory) -> None:
    """Half of ten links within five minutes; four are not many."""
    assert causes(office, *[outage(f"link-{n}", timedelta(minutes=n)) for n in range(5)]) == [("provider", "many-at-once")] * 5
    assert causes(office, *[outage(f"link-{n}", timedelta(minutes=n)) for n in range(4)]) == [("last-mile", "unreached")] * 4


def test_two_devices_of_one_place_are_its_power(office: Inventory) -> None:
    """The same kelurahan of the same kecamatan; with no place known nothing follows."""
    site = Site(kecamatan="Baamang", kelurahan="Baamang Hulu")
    links = {name: replace(link, site=site) if name in ("link-1", "link-2") else link for name, link in office.links.items()}
    found = causes(replace(office, links=links), outage("link-1"), outage("link-2"), outage("link-3"))
    assert found == [("power", "same-site"), ("power", "same-site"), ("last-mile", "unreached")]


def test_a_port_that_is_down(make_inventory: Callable[..., Inventory], office: Inventory) -> None:
    """On the agency's own router: its device. On one where several lines end: the line."""
    assert causes(office, outage("link-1", sign=Sign.DOWN)) == [("opd-device", "port-down")]
    shared = make_inventory(10, links_per_device=5)
    assert causes(shared, outage("link-1", sign=Sign.DOWN)) == [("last-mile", "port-down")]


def test_still_silent_is_not_judged(office: Inventory) -> None:
    """Whether the device restarted is seen only when it is back."""
    assert causes(office, outage("link-1", is_open=True)) == [("undetermined", "unclear")]
    assert causes(office, outage("gone-from-the-configuration")) == [("undetermined", "unclear")]


def test_a_persons_word_stands_over_the_rule(office: Inventory) -> None:
    """The last one, and the proposal stays beside it."""
    said = [Judgement(cause=cause, by="Siti", at=START) for cause in (Cause.POWER, Cause.PROVIDER)]
    (judged,) = with_causes(office, [outage("link-1", judgements=tuple(said))])
    assert (judged.cause, judged.proposed) == (Cause.PROVIDER, Cause.LAST_MILE)
