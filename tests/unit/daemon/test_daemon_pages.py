"""The daemon's own pages: metrics that Prometheus reads, health for probes, a page for people; what the log says of cycles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from bwmgr.daemon.cycle_log import CycleLog
from bwmgr.daemon.health import HealthServer, page
from bwmgr.daemon.logs import Repeats
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.polling import CycleReport, LinkGap
from bwmgr.errors import ConfigurationError
from bwmgr.measure.keeper import RateEvent, RateEventKind
from bwmgr.model.samples import GapReason
from collectors.snmp.outcome import DeviceOutcome, Outcomes

REPORT = CycleReport(
    started_at=datetime(2026, 3, 2, 1, 0, tzinfo=UTC),
    duration_seconds=1.5,
    worked_seconds=0.25,
    write_seconds=0.02,
    devices=Outcomes.of(
        [DeviceOutcome("core", True, GapReason.NONE), DeviceOutcome("rtr", False, GapReason.TIMEOUT, "no answer")]
    ),
    links_ok=1,
    gaps=(LinkGap(link="dinkes", reason=GapReason.TIMEOUT),),
    drops={"late": 2},
    events=(RateEvent(kind=RateEventKind.REBOOT, device="core"),),
    requests=3,
    replies=2,
)


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    """(name, label values) -> value, as a scraper reads them."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {(each.name, ",".join(each.labels.values())): each.value for family in families for each in family.samples}


def test_a_cycle_is_told_to_prometheus() -> None:
    """Names are `bwmgr_<component>_<what>`; counters end in _total; what a cycle came to can be scraped."""
    metrics = Metrics()
    metrics.cycle(REPORT)
    found = samples(metrics)
    assert all(name.startswith("bwmgr_") and not name.endswith("_created") for name, _ in found)
    assert found["bwmgr_poller_cycles_total", ""] == 1
    assert found["bwmgr_poller_devices", "yes"] == found["bwmgr_poller_devices", "no"] == 1
    assert (found["bwmgr_poller_links", "ok"], found["bwmgr_poller_links", "timeout"]) == (1, 1)
    assert found["bwmgr_poller_replies_dropped_total", "late"] == 2
    assert found["bwmgr_poller_events_total", "reboot"] == 1
    assert found["bwmgr_poller_cycle_seconds_sum", ""] == 1.5
    assert found["bwmgr_poller_worked_seconds", ""] == 0.25
    assert found["bwmgr_process_resident_memory_bytes", ""] > 1e6


@pytest.fixture
def facts() -> dict[str, Any]:
    return {"healthy": True, "links_ok": 3, "trouble": "<script>", "last_cycle_at": None}


@pytest.fixture
def server(facts: Mapping[str, Any]) -> Iterator[HealthServer]:
    serving = HealthServer("127.0.0.1:0", lambda: b"bwmgr_up 1\n", lambda: facts)
    yield serving
    serving.close()


def fetch(server: HealthServer, path: str) -> tuple[int, str, str]:
    """(status, type, body)."""
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_health_is_json_for_probes_and_a_page_for_people(server: HealthServer, facts: dict[str, Any]) -> None:
    """The same facts; in the page everything is escaped."""
    status, kind, body = fetch(server, "/health")
    assert (status, kind, json.loads(body)) == (200, "application/json", facts)
    status, kind, body = fetch(server, "/")
    assert (status, kind.split(";")[0]) == (200, "text/html")
    assert "healthy" in body
    assert "<script>" not in body
    assert fetch(server, "/metrics?x=1")[2] == "bwmgr_up 1\n"
    assert fetch(server, "/etc/passwd")[0] == 404


def test_an_unhealthy_daemon_answers_503(server: HealthServer, facts: dict[str, Any]) -> None:
    """A probe needs no JSON to see it."""
    facts["healthy"] = False
    assert fetch(server, "/health")[0] == fetch(server, "/")[0] == 503
    assert "not healthy" in page(facts)


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "127.0.0.1:99999", "127.0.0.1:http"])
def test_an_address_that_cannot_be_bound_is_a_mistake_in_the_configuration(server: HealthServer, listen: str) -> None:
    """The key is named, and what would be right."""
    with pytest.raises(ConfigurationError, match=r"daemon\.metrics: cannot listen on .*choose another port"):
        HealthServer(listen.format(port=server.port), bytes, dict)


def test_a_dead_device_is_logged_once_and_its_return_too(replaced: Callable[..., CycleReport]) -> None:
    """Fault 27's quiet half: the log names it, hourly at most, and says when it is back."""
    cycle_log = CycleLog(Repeats(lambda: 0.0))
    with capture_logs() as heard:
        for _ in range(3):
            cycle_log.cycle(REPORT, 60)
        cycle_log.cycle(replaced(devices=Outcomes.of([DeviceOutcome("rtr", True, GapReason.NONE)])), 60)
    told = [(line["event"], line.get("subject") or line.get("device")) for line in heard if line["log_level"] != "debug"]
    assert told == [
        ("device does not answer", "rtr"),
        ("counters restarted or doubtful", "core"),
        ("device answers again", "rtr"),
    ]


def test_a_cycle_that_outlasts_its_interval_is_told() -> None:
    """Fault 54: never silently."""
    with capture_logs() as heard:
        CycleLog(Repeats(lambda: 0.0)).cycle(REPORT, 1.0)
    assert any(line["event"] == "cycle outlasted its interval" and line["duration_seconds"] == 1.5 for line in heard)


def test_a_store_that_takes_nothing_is_told_and_what_was_given_up_is_an_error(replaced: Callable[..., CycleReport]) -> None:
    """Fault 45: the operator hears of the full disk, of lost batches, and of its end."""
    cycle_log = CycleLog(Repeats(lambda: 0.0))
    with capture_logs() as heard:
        cycle_log.cycle(replaced(trouble="no space left", unwritten=4, lost=1), 60)
        cycle_log.cycle(replaced(trouble="", unwritten=0), 60)
    told = [(line["log_level"], line["event"]) for line in heard if "store" in line["event"] or "batches" in line["event"]]
    assert told == [
        ("error", "batches given up"),
        ("warning", "store takes nothing"),
        ("info", "store takes batches again"),
    ]


@pytest.fixture
def replaced() -> Callable[..., CycleReport]:
    from dataclasses import replace

    return lambda **changes: replace(REPORT, **changes)
