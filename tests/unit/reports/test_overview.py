"""The overview: complete, self-contained, and with the store's own figures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from bwmgr.language import Words
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.reports.facts import Facts, gather
from bwmgr.reports.overview import overview
from bwmgr.testing.regency import Regency

TEN_O_CLOCK = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_VOID = {"meta", "br"}
_START = TEN_O_CLOCK - timedelta(days=7)


class _Document(HTMLParser):
    """Checks that elements nest, and keeps attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, content) for name, content in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, content) for name, content in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _recommendation() -> Recommendation:
    return Recommendation(
        id="00112233445566778899",
        created_at=TEN_O_CLOCK,
        link="dinkes",
        direction=Direction.DOWN,
        action=Action.RAISE,
        policy="saturated",
        current=Bandwidth(cir_bps=2_000_000, mir_bps=10_000_000),
        proposed=Bandwidth(cir_bps=2_000_000, mir_bps=15_000_000),
        valid_from=TEN_O_CLOCK,
        valid_until=TEN_O_CLOCK + timedelta(days=7),
        reason=Reason(code="test", message="<b>{link_name}</b>", values={"link_name": "Dinas Kesehatan"}),
        evidence=Evidence(
            start=_START,
            end=TEN_O_CLOCK,
            calendar="office",
            p95_bps=9_990_000.0,
            demand_bps=None,
            saturated_ratio=0.41,
            coverage_ratio=0.998,
            samples=421,
        ),
    )


@pytest.fixture(scope="module")
def found(place: Regency, store: Any, history: Any) -> Facts:
    return gather(place.inventory, store, history, [_recommendation()], start=_START, end=TEN_O_CLOCK, created_at=TEN_O_CLOCK)


@pytest.fixture(scope="module")
def page(found: Facts) -> str:
    return overview(found, Words("id"))


def _parsed(page: str) -> _Document:
    document = _Document()
    document.feed(page)
    document.close()
    return document


def test_the_page_is_well_formed(page: str) -> None:
    """Every element that is opened is closed, in order."""
    assert _parsed(page).open == []


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    """No address, no script, no imported style: it can be mailed and opened years later."""
    document = _parsed(page)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not [entry for entry in document.attributes if entry[1] in {"src", "href"} or entry[0] in {"script", "link", "iframe"}]


def test_every_link_is_there_with_its_figures(page: str, found: Facts, history: Any) -> None:
    """Names, and the 95th percentile as `usage` gives it over the link's own calendar."""
    words = Words("id")
    links = found.inventory.links
    calendars = {link.id: link.calendar for link in links.values()}
    usage = history.usage(list(links), start=_START, end=TEN_O_CLOCK, calendar=calendars)
    for window in usage:
        row = page[page.index(f'data-link="{window.link}"') :][:4000]
        assert links[window.link].name in row
        assert f"<b>{words.rate(window.p95_bps)}</b>" in row
        assert words.octets(window.octets) in row


def test_what_is_wrong_is_said(found: Facts) -> None:
    """Each trouble of the regency is found by the figures alone."""
    named = {
        kind: {facts.link.id for facts in found.polled if getattr(facts, kind)}
        for kind in ("saturated", "silent", "idle", "unreliable")
    }
    assert named["saturated"] == {"dinkes"}
    assert named["silent"] == {"gedung-wanita"}
    assert named["idle"] == {"dispusip"}
    assert named["unreliable"] == {"bpbd", "satpolpp", "wifi-terminal"}


def test_a_recommendation_stands_there_with_its_evidence(page: str) -> None:
    """Its sentence escaped, its change, the figures that it rests on."""
    assert "&lt;b&gt;Dinas Kesehatan&lt;/b&gt;" in page
    assert "10 Mbps → 15 Mbps" in page
    assert "9,99 Mbps" in page


def test_the_total_is_the_uplinks(found: Facts) -> None:
    """The sum of the links agrees with what the uplinks counted, but for the gaps."""
    links = found.total[Direction.DOWN].octets
    uplinks = sum(uplink.usage[Direction.DOWN].octets for uplink in found.uplinks)
    assert abs(uplinks - links) < 0.001 * links


def test_the_busy_hour_is_in_the_morning(found: Facts) -> None:
    """Offices are busiest between eight and twelve, local time."""
    assert found.busy_hour in range(8, 12)


def test_both_languages(found: Facts, page: str) -> None:
    """Indonesian by its own words; English says the same."""
    english = overview(found, Words("en"))
    assert "Kelengkapan data" in page
    assert "Jam sibuk" in page
    assert "Data complete" in english
    assert "Jam sibuk" not in english
    assert '<html lang="en">' in english


def test_an_office_without_any_data_gets_a_page_too(empty_facts: Facts) -> None:
    """A first day: no samples, no figure invented."""
    page = overview(empty_facts, Words("id"))
    assert _parsed(page).open == []
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    assert empty_facts.busy_hour is None
