"""Writes configs/grafana anew: `python tools/grafana_example.py`.

The provisioning files that `bwmgr grafana install` would write for Kotawaringin Timur's example, in both languages, for an
InfluxDB 1.8; and the data source as 2.x and 3 want it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from bwmgr import config
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.language import LANGUAGES, Words
from bwmgr.reports.grafana.files import files
from bwmgr.reports.grafana.target import InfluxTarget, Target

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "configs" / "grafana"
_PROVISIONING = Path("/etc/grafana/provisioning")
_SOURCE = PurePosixPath("datasources/bwmgr.yaml")
_WITH_TOKEN = PurePosixPath("datasources/bwmgr-2.x-and-3.yaml.example")


def example() -> dict[PurePosixPath, str]:
    """Path below configs/grafana -> text."""
    settings = config.load(ROOT / "configs" / "kotawaringin-timur.yaml", policies=parameter_classes(), secrets=False)
    influx = InfluxTarget(url="http://127.0.0.1:8086", database="bwmgr")
    targets = [
        Target(
            inventory=settings.inventory,
            words=Words(language, settings.inventory.organisation.timezone),
            influx=influx,
            poll_seconds=round(settings.snmp.interval_seconds),
        )
        for language in reversed(LANGUAGES)
    ]
    found: dict[PurePosixPath, str] = {}
    for target in targets:
        found |= files(target, _PROVISIONING)
    found[_WITH_TOKEN] = files(replace(targets[0], influx=replace(influx, token=True)), _PROVISIONING)[_SOURCE]
    return found


def main() -> None:
    """Writes what differs; a file that is there no more in the example is left to git."""
    for name, text in example().items():
        path = EXAMPLE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
