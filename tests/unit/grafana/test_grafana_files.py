"""Provisioning files: sound by Grafana's own types, stable, without secrets, in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bwmgr.language import Words
from bwmgr.model.inventory import Inventory, LinkKind
from bwmgr.reports.grafana.board import agencies, kecamatan
from bwmgr.reports.grafana.files import dashboards, files
from bwmgr.reports.grafana.influxql import alternatives, is_
from bwmgr.reports.grafana.install import unsound
from bwmgr.reports.grafana.panels import LEGEND_FIGURES
from bwmgr.reports.grafana.target import InfluxTarget, Target

NAMES = {"noc", "opd", "tree", "wifi", "events", "providers", "health"}
WATCHED = {"saturated", "silent", "drops", "exceeds", "late", "spool"}
"""Whatever the contracts promise."""
FOLDER = Path("/etc/grafana/provisioning")


@pytest.fixture
def target(make_inventory: Callable[..., Inventory]) -> Target:
    influx = InfluxTarget(url="http://127.0.0.1:8086", database="bwmgr")
    return Target(inventory=make_inventory(links=3), words=Words("en"), influx=influx)


def _panels(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in document["panels"]:
        yield panel
        yield from panel.get("panels", [])


@pytest.mark.parametrize("language", ["id", "en"])
def test_dashboards_are_sound(target: Target, language: str) -> None:
    """Grafana's types take each; uids are fixed and unique, panels have ids and places of their own and a source."""
    found = dashboards(replace(target, words=Words(language)))
    assert set(found) == NAMES
    for name, document in found.items():
        assert unsound(json.dumps(document)) == ""
        assert (document["uid"], document["timezone"]) == (f"bwmgr-{name}-{language}", "Asia/Jakarta")
        assert [panel["id"] for panel in _panels(document)] == list(range(1, len(document["panels"]) + 1))
        panels = [panel for panel in _panels(document) if panel["type"] != "row"]
        assert all(panel["title"] and panel["datasource"]["uid"] for panel in panels)
        assert all(query["datasource"]["uid"] for panel in panels for query in panel["targets"])
        places = [tuple(panel["gridPos"][side] for side in "xy") for panel in panels]
        assert len(set(places)) == len(places)
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_traffic_is_in_bits_mirrored_and_with_figures(target: Target) -> None:
    """Curves of traffic: bps with SI prefixes, upload below the line, min, mean, max, p95 and last in the legend."""
    document = dashboards(target)["opd"]
    panel = next(panel for panel in _panels(document) if panel["title"].startswith("Use against limit"))
    below = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "custom.transform"
    }
    refs_up = {query["refId"] for query in panel["targets"] if "= 'up'" in query["query"]}
    assert panel["fieldConfig"]["defaults"]["unit"] == "bps"
    assert below == refs_up
    assert panel["options"]["legend"]["calcs"] == LEGEND_FIGURES


def test_a_link_is_seen_against_its_terms_and_its_demand(target: Target) -> None:
    """CIR, MIR and limit as dashed lines, demand as a band: filled down to a curve that is there."""
    panel = next(panel for panel in _panels(dashboards(target)["opd"]) if panel["title"].startswith("Use against limit"))
    asked = " ".join(query["query"] for query in panel["targets"])
    for field in ("cir_bps", "mir_bps", "limit_bps", "demand_low_bps", "demand_high_bps", "proposed_mir_bps"):
        assert f'"{field}"' in asked
    bands = [
        one["value"]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "custom.fillBelowTo"
    ]
    assert len(bands) == 2
    assert set(bands) <= {query["alias"] for query in panel["targets"]}


def test_links_lead_to_dashboards_that_exist(target: Target) -> None:
    """Of every click and every alert."""
    found = files(target, FOLDER)
    uids = {document["uid"] for document in dashboards(target).values()}
    linked = set(re.findall(r"/d/([\w-]+)", "".join(found.values())))
    assert linked
    assert linked <= uids


@pytest.mark.parametrize(
    ("influx", "expected"),
    [
        (InfluxTarget(url="http://a:8086", database="bwmgr"), None),
        (
            InfluxTarget(url="http://a:8086", database="bwmgr", username="noc"),
            {"password": "$__env{BWMGR_GRAFANA_PASSWORD}"},
        ),
        (
            InfluxTarget(url="http://a:8086", database="bucket", token=True),
            {"httpHeaderValue1": "Token $__env{BWMGR_GRAFANA_TOKEN}"},
        ),
    ],
    ids=["open", "1.8", "2.x and 3"],
)
def test_source_fits_the_version(target: Target, influx: InfluxTarget, expected: dict[str, str] | None) -> None:
    """A user for 1.x, a token's header for 2.x and 3; a secret is only named (fault 53)."""
    document = yaml.safe_load(files(replace(target, influx=influx), FOLDER)[_path("datasources/bwmgr.yaml")])
    source = document["datasources"][0]
    assert (source["uid"], source["jsonData"]["dbName"]) == ("bwmgr-influxdb", influx.database)
    assert source.get("secureJsonData") == expected
    assert source["jsonData"].get("httpHeaderName1") == ("Authorization" if influx.token else None)


def test_rules_are_chains_that_end_in_their_condition(target: Target) -> None:
    """Every step refers to an earlier one; each rule has a uid and says what happened."""
    document = yaml.safe_load(files(target, FOLDER)[_path("alerting/bwmgr.yaml")])
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len({rule["uid"] for rule in rules}) == len(rules)
    watched = ("saturated", "silent", "drops", "available-0", "exceeds", "late", "spool", "waiting")
    assert {f"bwmgr-{name}" for name in watched} >= {rule["uid"] for rule in rules} >= {f"bwmgr-{name}" for name in WATCHED}
    for rule in rules:
        refs = [step["refId"] for step in rule["data"]]
        assert rule["condition"] == refs[-1]
        assert rule["annotations"]["summary"]
        for place, step in enumerate(rule["data"]):
            asked = re.findall(r"\$(\w)|^(\w)$", step["model"].get("expression", ""))
            assert all((one or other) in refs[:place] for one, other in asked)


def test_same_configuration_same_bytes(target: Target) -> None:
    """So that version control and Grafana see changes only where there are any."""
    assert files(target, FOLDER) == files(target, FOLDER)


def test_names_are_quoted() -> None:
    """Ids with characters that InfluxQL or regular expressions would read (fault 64)."""
    assert is_("link", "it's") == "\"link\" = 'it\\'s'"
    assert re.fullmatch(alternatives(["a.b", "c|d"]), "a.b")
    assert not re.fullmatch(alternatives(["a.b", "c|d"]), "axb")
    assert not re.fullmatch(alternatives([]), "")


def test_kecamatan_lists_its_links(target: Target) -> None:
    """The variable's value is a regular expression of the links there, for no tag says where a link is."""
    links = {name: replace(link, site=replace(link.site, kecamatan="Baamang")) for name, link in target.inventory.links.items()}
    found = kecamatan(replace(target, inventory=replace(target.inventory, links=links)))
    assert found == [("Baamang", "link-0|link-1|link-2")]


def test_an_opd_has_what_belongs_to_it(target: Target) -> None:
    """Its own link first of all; a facility without an agency belongs to none."""
    links = dict(target.inventory.links)
    links["link-1"] = replace(links["link-1"], kind=LinkKind.FACILITY, opd="link-0")
    links["link-2"] = replace(links["link-2"], kind=LinkKind.WIFI)
    found = agencies(replace(target, inventory=replace(target.inventory, links=links)))
    assert found == [("Link-0", "link-0|link-1")]


def _path(text: str) -> Any:
    from pathlib import PurePosixPath

    return PurePosixPath(text)
