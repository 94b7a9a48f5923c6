"""The daemon as an operator and systemd see it: a process over real UDP, told by signals, watched over HTTP and sd_notify."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bwmgr.testing.site import COMMUNITY, OCTETS_PER_SECOND, Site

pytestmark = [pytest.mark.system, pytest.mark.clock]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_it_polls_is_read_while_it_writes_and_ends_cleanly(site: Site) -> None:
    """READY once started; rates from the second cycle on; `status` and `usage` beside it; SIGTERM: STOPPING, all written, exit 0.

    Fault 48.
    """
    with site.daemon() as daemon:
        daemon.wait_for_message("STATUS=3 of 3 links have a rate", count=3)
        status = site.json("status")
        assert [link["state"] for link in status["links"]] == ["ok"] * 3
        assert status["completeness_ratio"] == 1
        assert status["links"][1]["down_bps"] == pytest.approx(16 * OCTETS_PER_SECOND, rel=0.05)
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert time.monotonic() - began < 20
        daemon.wait_for_message("STOPPING=1")
        (stopped,) = daemon.logged("daemon stopped")
        assert stopped["unwritten_batches"] == 0
        cycles = len(daemon.logged("cycle done"))
    usage = {(entry["link"], entry["direction"]): entry for entry in site.json("usage", "link-0")}
    assert usage["link-0", "down"]["samples"] == cycles - 1
    assert usage["link-0", "down"]["mean_bps"] == pytest.approx(8 * OCTETS_PER_SECOND, rel=0.05)
    assert usage["link-0", "up"]["mean_bps"] == pytest.approx(2 * OCTETS_PER_SECOND, rel=0.05)


def test_a_second_daemon_and_a_poll_refuse_with_the_pid_of_the_first(site: Site) -> None:
    """Fault 50: one daemon per data folder; the refusal says whom to stop."""
    with site.daemon() as daemon:
        for command in (["daemon"], ["poll", "--once"]):
            refused = site.run(*command)
            assert refused.returncode == 1
            assert f"pid {daemon.process.pid}" in refused.stderr
        assert daemon.process.poll() is None


def test_sighup_takes_a_good_configuration_whole(site: Site) -> None:
    """RELOADING with the monotonic time, then READY; a new link is polled, no interval of the old ones is lost."""
    site.write(links=2)
    with site.daemon() as daemon:
        daemon.wait_for_message("STATUS=2 of 2")
        site.write()
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_message("READY=1", count=2)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", daemon.wait_for_message("RELOADING=1"))
        daemon.wait_for_message("STATUS=3 of 3")
        assert daemon.logged("configuration reloaded")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        cycles = len(daemon.logged("cycle done"))
    (down, _) = site.json("usage", "link-0")
    assert down["samples"] == cycles - 1


def test_sighup_refuses_a_bad_configuration_and_says_why(site: Site) -> None:
    """Fault 49: the old one stays, every mistake is logged with file and line, and RELOADING is followed by READY."""
    with site.daemon() as daemon:
        site.write(more="surprise: 1\nevents: nothing\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_message("READY=1", count=2)
        mistakes = [line["mistake"] for line in daemon.wait_for_log("configuration refused, the old one stays", count=2)]
        assert all(re.match(r".*bwmgr\.yaml:\d+: ", mistake) for mistake in mistakes)
        assert any("surprise" in mistake for mistake in mistakes)
        daemon.wait_for_cycles(2)
        daemon.wait_for_message("STATUS=3 of 3")


def test_metrics_and_health_can_be_scraped_and_the_watchdog_is_fed(site: Site) -> None:
    """Prometheus parses what it gets; a probe sees 200; WATCHDOG=1 comes while polling lives."""
    with site.daemon() as daemon:
        port = daemon.wait_for_log("daemon started")[0]["metrics_port"]
        daemon.wait_for_message("STATUS=3 of 3")
        daemon.wait_for_message("WATCHDOG=1", count=2)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
        assert families["bwmgr_poller_cycles"].samples[0].value >= 2
        links = {sample.labels["state"]: sample.value for sample in families["bwmgr_poller_links"].samples}
        assert links["ok"] == 3
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            assert json.load(answer)["links_ok"] == 3


def test_a_silent_router_is_named_and_the_others_go_on(site: Site) -> None:
    """A dead device costs its own link a gap, a line in the log, and nothing else."""
    with site.daemon() as daemon:
        daemon.wait_for_message("STATUS=3 of 3")
        site.switch(1, on=False)
        daemon.wait_for_message("STATUS=2 of 3")
        assert daemon.wait_for_log("device does not answer")[0]["subject"] == "router-1"
        site.switch(1, on=True)
        daemon.wait_for_log("device answers again")


def test_no_secret_is_printed_anywhere(site: Site) -> None:
    """Fault 53: neither in the daemon's log at its most talkative, nor in its metrics, nor in what commands print."""
    with site.daemon() as daemon:
        port = daemon.wait_for_log("daemon started")[0]["metrics_port"]
        daemon.wait_for_message("STATUS=3 of 3")
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            printed = answer.read().decode()
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        printed += json.dumps(daemon.log) + "".join(daemon.messages)
    for command in (["config", "show"], ["status"], ["poll", "--once"]):
        done = site.run(*command)
        printed += done.stdout + done.stderr
    assert COMMUNITY not in printed
