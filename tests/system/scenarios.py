"""Shipped configurations in the virtual regency: a folder with weeks of history behind it, and commands asked of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.model.inventory import Inventory, PerDirection
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.lives import Life
from bwmgr.testing.regency import Regency, Troubles
from bwmgr.testing.traffic import Condition

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "cases" / "scenarios"


@dataclass(frozen=True, kw_only=True)
class Office:
    """One shipped configuration at an instant."""

    path: Path
    clock: ManualClock

    def at(self, now: datetime) -> Office:
        """The same at another time."""
        return replace(self, clock=ManualClock(now))

    def asked(self, *arguments: str, lang: str = "id") -> Result:
        """A command, as at the clock's time; a failure that nobody expects is raised."""
        session = Session(path=str(self.path), clock=self.clock)
        done = CliRunner().invoke(bwmgr, ["-c", str(self.path), "--lang", lang, *arguments], obj=session)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def write(
        self,
        start: datetime,
        end: datetime,
        *,
        conditions: Mapping[str, Condition] | None = None,
        lives: Mapping[str, Life] | None = None,
        limits: Mapping[str, int] | None = None,
        interval_seconds: int = 900,
    ) -> Inventory:
        """History, by default of quarter-hours; `limits` in force then, both ways, where the configuration has others."""
        inventory = load_settings(self.path).inventory
        changed: dict[str, PerDirection[int | None]] = {
            name: PerDirection(down=rate, up=rate) for name, rate in (limits or {}).items()
        }
        links = {name: replace(link, limit=changed.get(name, link.limit)) for name, link in inventory.links.items()}
        regency = Regency(
            replace(inventory, links=links), ManualClock(end), troubles=Troubles(conditions=conditions or {}, lives=lives or {})
        )
        store = EmbeddedStore(self.path.parent / "var")
        write_history(store, regency, start=start, end=end, interval_seconds=interval_seconds)
        store.close()
        regency.stop()
        return inventory


def office(name: str, folder: Path, now: datetime, *, edit: Callable[[str], str] = str) -> Office:
    """The shipped configuration `name`, copied into `folder`, with what the office adds to it."""
    path = folder / "bwmgr.yaml"
    path.write_text(edit((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")), encoding="utf-8")
    for secret in re.findall(r"env:\s*(\w+)", path.read_text(encoding="utf-8")):
        os.environ.setdefault(secret, "kata-sandi-percobaan")
    return Office(path=path, clock=ManualClock(now))


def golden(text: str, name: str) -> None:
    """What people read, line by line; spaces at ends of lines do not matter. BWMGR_GOLDEN=write makes the file anew."""
    found, path = [line.rstrip() for line in text.splitlines()], GOLDEN / name
    if os.environ.get("BWMGR_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(found) + "\n", encoding="utf-8")
    assert found == path.read_text(encoding="utf-8").splitlines()


WEEKS = timedelta(weeks=4)
