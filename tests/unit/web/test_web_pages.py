"""What stands on the pages is what the commands print, figure by figure, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from bwmgr.daemon.web.curves import step_seconds
from bwmgr.testing.webpage import WebPage

Printed = Callable[..., str]


def lines(text: str) -> list[str]:
    """Each line with its blanks folded, as cells joined by one blank look."""
    return [" ".join(line.split()) for line in text.splitlines()]


def read(client: FlaskClient, address: str) -> WebPage:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return WebPage(answer.text)


@pytest.mark.parametrize("language", ["id", "en"])
def test_overview_is_what_status_prints(client: FlaskClient, printed: Printed, language: str) -> None:
    """Every row of contracts, worst and silent links is a line of `status`; totals, completeness and queue are in its head."""
    page, said = read(client, f"/?lang={language}"), lines(printed("status", lang=language))
    rows = [" ".join(row) for table in ("contracts", "worst", "silent") for row in page.tables[table]]
    assert len(rows) == 4
    assert [row for row in rows if row not in said] == []
    head = " ".join(said[:5])
    for figure in ("total-down", "total-up", "complete", "waiting"):
        assert page.by_id[figure].strip() in head


@pytest.mark.parametrize("language", ["id", "en"])
def test_list_is_what_status_all_prints(client: FlaskClient, printed: Printed, language: str) -> None:
    """All links in the inventory's order, not polled ones too."""
    page, said = read(client, f"/links?lang={language}"), lines(printed("status", "--all", lang=language))
    assert [" ".join(row) for row in page.tables["links"]] == [line for line in said[1:] if line]


def test_link_page_is_what_usage_prints(client: FlaskClient, printed: Printed) -> None:
    """The command on the page prints the page's rows, whatever the window; the head is that of `status LINK`."""
    for window in ("day", "week", "month"):
        page = read(client, f"/links/dinkes?window={window}")
        command = next(part for part in page.text.split("bwmgr usage ")[1:]).split(" Rekomendasi")[0].split()
        said = lines(printed("usage", *command))
        own = [row for row in page.tables["usage"] if row[1] == "jam kerja"]
        assert len(own) == 2
        for direction, _, *figures in own:
            assert " ".join(["dinkes", direction, *figures]) in said
    (status,) = json.loads(printed("status", "dinkes", "--format", "json"))["links"]
    assert f"{status['down_bps'] / 1e6:.3g}".replace(".", ",") + " Mbps dari 20 Mbps" in page.text


def test_chart_draws_the_store_s_rates_and_breaks_at_gaps(client: FlaskClient) -> None:
    """Steps are means of the rates in them; a step without any is null; an unlimited link has no limit's line."""
    html = client.get("/links/setda?window=day").text
    curves = json.loads(html.split('id="curves">')[1].split("</script>")[0])
    rates = curves["rates"]["down"]
    assert curves["step_seconds"] == 300
    assert len(curves["at"]) == len(rates) == 288
    known = [rate for rate in rates if rate is not None]
    assert max(known) == pytest.approx(3e6, rel=0.01)
    assert set(curves["limits"]["down"]) == {None}


@pytest.mark.parametrize(("window", "interval", "step"), [(86400, 60, 300), (604800, 60, 1800), (2419200, 300, 7200), (60, 1, 1)])
def test_steps_are_round_and_not_shorter_than_the_interval(window: int, interval: int, step: int) -> None:
    """At most some five hundred points, each at least a polling interval."""
    assert step_seconds(window, interval) == step


def test_queue_is_what_recommendations_prints(client: FlaskClient, printed: Printed) -> None:
    """A row has the command's figures and sentence, and leads to the recommendation and the link."""
    page = read(client, "/recommendations")
    (document,) = json.loads(printed("recommendations", "list", "--format", "json"))
    ((link, direction, action, limit, proposed, status, reason, name),) = page.tables["queue"]
    assert (link, reason, name) == (document["link"], document["reason"]["text"], document["id"])
    table = " ".join(lines(printed("recommendations", "list")))
    assert " ".join([name, link, direction, action, limit, proposed, status]) in table
    assert {"/links/dinkes", "/recommendations/0123456789ab"} <= set(page.links)
    assert not read(client, "/recommendations?status=approved").tables


def test_recommendation_is_what_show_prints(client: FlaskClient, printed: Printed) -> None:
    """Sentence, facts and evidence, each figure as the command words it."""
    page = read(client, "/recommendations/0123456789ab")
    said = printed("recommendations", "show", "0123456789ab")
    for figure in ("19 Mbps", "34 Mbps", "41 %", "4.210", "Dinas Kesehatan"):
        assert figure in said
        assert figure in page.text


def test_health_shows_the_daemon_s_facts_or_that_it_is_silent(make_client: Callable[..., FlaskClient]) -> None:
    """What `/health` of `daemon.metrics` has; a daemon that does not answer is said to be silent, not well."""
    page = read(make_client(), "/health?lang=en").text
    assert "Links with a rate 2" in page
    assert "Last cycle –" in page
    assert "Since then 1 min 5 s" in page
    assert "Datagrams of flows that were lost 1,007" in page
    assert "flow_exporter_10.0.0.1 NetFlow v9" in page
    silent = read(make_client(health=dict), "/health?lang=en").text
    assert "The daemon did not answer in time" in silent
    assert "Links with a rate" not in silent


def test_list_can_be_narrowed(client: FlaskClient) -> None:
    """By a part of id, name or node in any case, and by state; nothing found is an empty table, not an error."""
    assert [row[0] for row in read(client, "/links?q=KESEH").tables["links"]] == ["dinkes"]
    assert [row[0] for row in read(client, "/links?state=silent").tables["links"]] == ["setda"]
    assert read(client, "/links?q=nothing&page=99").tables["links"] == []


def test_names_are_text_not_markup(client: FlaskClient) -> None:
    """A name with tags in it is shown as it was typed."""
    html = client.get("/links").text
    assert "&lt;b&gt;Dishub&lt;/b&gt; &amp; co" in html
    assert "<b>" not in html
