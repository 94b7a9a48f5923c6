"""`bwmgr demo`, the whole program in a folder of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


def _bwmgr(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "bwmgr", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, _bwmgr("demo", "--dir", str(folder), "--weeks", "2")


def test_the_demo_shows_status_and_recommendations(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """In Indonesian: the saturated link first and to be raised, the silent one named."""
    _, done = demo
    assert "Paling dekat dengan batasnya" in done.stdout
    assert re.search(r"dinkes.*100", done.stdout)
    assert re.search(r"gedung-wanita", done.stdout)
    assert re.search(r"dinkes.*naikkan|naikkan.*dinkes", done.stdout)


def test_the_report_has_the_figures_that_usage_prints(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The row of a link in the page is what `bwmgr usage` computes from the same store for the window that it names."""
    folder, _ = demo
    page = (folder / "overview.html").read_text(encoding="utf-8")
    window = re.search(r"--start (\S+) --end (\S+) --calendar link", page)
    assert window is not None
    asked = ("usage", "setda", "--start", window[1], "--end", window[2], "--calendar", "link", "--format", "json")
    usage = json.loads(_bwmgr("-c", str(folder / "bwmgr.yaml"), *asked).stdout)
    row = page[page.index('data-link="setda"') :][:3000]
    for entry in usage:
        assert f"{entry['samples']:,}".replace(",", ".") in row
        assert f"{entry['p95_bps'] / 1e6:.3g}".replace(".", ",") in row


def test_the_folder_can_be_used_further(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The commands that the demo names work on its folder; recommendations are in the queue."""
    folder, _ = demo
    configuration = str(folder / "bwmgr.yaml")
    queue = json.loads(_bwmgr("-c", configuration, "recommendations", "list", "--format", "json").stdout)
    assert any(entry["link"] == "dinkes" and entry["action"] == "raise" for entry in queue)
    again = folder.parent / "again.html"
    _bwmgr("-c", configuration, "report", "overview", "-o", str(again))
    assert again.stat().st_size > 10_000


def test_secrets_are_the_owner_s(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Each secret is a file of mode 600, and in no other file (fault 53)."""
    folder, _ = demo
    paths = list((folder / "secrets").iterdir())
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    texts = [folder / "bwmgr.yaml", folder / "overview.html"]
    for secret in (path.read_text() for path in paths):
        assert not any(secret in text.read_text(encoding="utf-8") for text in texts)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """Anything that is not an earlier demo's is refused, with what to do instead."""
    (tmp_path / "thesis.txt").write_text("years of work")
    done = _bwmgr("demo", "--dir", str(tmp_path), expect=2)
    assert "--dir" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_kept_routers_answer_other_processes(tmp_path: Path) -> None:
    """With --keep another terminal can poll them and see rates; SIGINT ends it with exit code 0."""
    command = [sys.executable, "-m", "bwmgr", "--lang", "en", "demo", "--keep", "--dir", str(tmp_path), "--weeks", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as keeping:
        assert keeping.stderr is not None
        try:
            heard = []
            for line in keeping.stderr:
                heard.append(line)
                if "Ctrl-C" in line and "terminal" in line:
                    break
            assert "Ctrl-C" in heard[-1], "".join(heard)
            polled = _bwmgr("-c", str(tmp_path / "bwmgr.yaml"), "poll", "--once", "--format", "json", expect=3)
            cycle = json.loads(polled.stdout)["cycle"]
            assert cycle["answered"] >= cycle["devices"] - 2
            assert cycle["links_ok"] > 45
        finally:
            keeping.send_signal(signal.SIGINT)
            began = time.monotonic()
            keeping.communicate(timeout=30)
    assert keeping.returncode == 0
    assert time.monotonic() - began < 10
