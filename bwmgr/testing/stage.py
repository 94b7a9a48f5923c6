"""The demo's stage: a folder with a configuration, and the virtual regency that it describes.

Owns the folder and its two kinds of time. Polling, policies and reports are the program's own, as anywhere else.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bwmgr.errors import UsageError
from bwmgr.model.clock import Clock
from bwmgr.model.secret import Secret
from bwmgr.stores import RateStore
from bwmgr.testing.clock import FastClock, LeapClock
from bwmgr.testing.configuration import DOMESTIC_FILE, SERVICES_FILE, Polling, write_configuration
from bwmgr.testing.exporters import domestic_list, service_list
from bwmgr.testing.exporters_history import write_flow_history
from bwmgr.testing.exporters_udp import RegencyExporters
from bwmgr.testing.history import write_history
from bwmgr.testing.kabupaten import Passwords, kabupaten, morning_before, troubles
from bwmgr.testing.regency import HEALTHY, Regency

FLOW_HISTORY = timedelta(hours=24)
SCENARIOS = ("troubled", "calm")
_MARK = "Made by `bwmgr demo`: a virtual regency on loopback. The next `bwmgr demo` here replaces this folder's content."
_OWN = ("bwmgr.yaml", "secrets", "var", "overview.html", DOMESTIC_FILE, SERVICES_FILE)


class Stage:
    """A regency in `folder`: `configuration` is the file, `clock` the time that agents and poller share.

    `live`: that is the wall's, so that other processes can poll the agents too. Otherwise it is ten o'clock of the newest working
    morning, when there is something to see, and waiting costs nothing.
    """

    def __init__(self, folder: Path, *, scenario: str = SCENARIOS[0], live: bool = False, now: datetime | None = None) -> None:
        """Raises: UsageError where the folder holds anything that is not an earlier demo's."""
        _clear(folder)
        self.live = live
        moment = now or datetime.now(UTC)
        self.begins = moment if live else morning_before(moment)
        self.clock: Clock = FastClock(self.begins) if live else LeapClock(self.begins)
        found = kabupaten(Passwords(community=_password(), auth=_password(), priv=_password()))
        wrong = troubles(self.begins) if scenario == "troubled" else HEALTHY
        self.regency = Regency(found, self.clock, troubles=wrong)
        self.polling = Polling(interval_seconds=10 if live else 60, flows=f"127.0.0.1:{_free_port()}")
        (folder / DOMESTIC_FILE).write_text(domestic_list(), encoding="utf-8")
        (folder / SERVICES_FILE).write_text(service_list(), encoding="utf-8")
        self.configuration = write_configuration(self.regency.inventory, folder, polling=self.polling, comment=_MARK)

    def until_next_cycle(self) -> float:
        """Seconds to the next whole interval."""
        interval = self.polling.interval_seconds
        return interval - self.clock.monotonic() % interval

    def write_flow_history(self, store: RateStore) -> int:
        """What flows said in the hours before, five minutes a row; returns how many."""
        return write_flow_history(store, self.regency, start=self.begins - FLOW_HISTORY, end=self.begins)

    @property
    def full_link(self) -> str:
        """The link whose use is worth a look."""
        return "dinkes"

    def exporters(self) -> RegencyExporters:
        """The routers as flow exporters, sending to where the configuration listens."""
        host, _, port = self.polling.flows.rpartition(":")
        return RegencyExporters(self.regency, (host, int(port)))

    def silent_links(self) -> set[str]:
        """Links whose router is off now, or has booted since a polling interval."""
        now_ms, interval_ms = self.regency.now_ms(), round(self.polling.interval_seconds * 1000)
        lives = {name: traffic.life for name, traffic in self.regency.links.items()}
        return {name for name, life in lives.items() if (life.booted_ms(now_ms) or now_ms) > now_ms - interval_ms}

    def write_history(self, store: RateStore, weeks: int) -> int:
        """Five-minute rates of the weeks before; returns how many."""
        return write_history(store, self.regency, start=self.begins - timedelta(weeks=weeks), end=self.begins)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _password() -> Secret:
    return Secret(secrets.token_urlsafe(12))


def _clear(folder: Path) -> None:
    """An empty folder; an earlier demo's content is removed, anybody else's refused."""
    folder.mkdir(parents=True, exist_ok=True)
    content = sorted(path.name for path in folder.iterdir())
    configuration = folder / "bwmgr.yaml"
    ours = configuration.is_file() and configuration.read_text(encoding="utf-8").startswith(f"# {_MARK}")
    if content and not (ours and set(content) <= set(_OWN)):
        raise UsageError(f"{folder} is not empty ({', '.join(content[:3])} ...): give another folder with --dir")
    for name in content:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
