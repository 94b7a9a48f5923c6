"""The provisioning files: path below Grafana's provisioning folder -> text.

Owns their layout and the mark by which we know our own files again; writing them is `install`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.reports.grafana.alerts import contacts, rules
from bwmgr.reports.grafana.events import events
from bwmgr.reports.grafana.health import health
from bwmgr.reports.grafana.noc import noc
from bwmgr.reports.grafana.opd import opd
from bwmgr.reports.grafana.sources import providers, sources
from bwmgr.reports.grafana.suppliers import suppliers
from bwmgr.reports.grafana.target import Target
from bwmgr.reports.grafana.tree import tree
from bwmgr.reports.grafana.wifi import wifi

MARK = "Written by `bwmgr grafana install`"
"""Stands in every file that we may overwrite; without it a file is someone else's."""

_JSON_BELOW = PurePosixPath("dashboards/bwmgr")

_DASHBOARDS: Mapping[str, Callable[[Target], Dashboard]] = {
    "noc": noc,
    "opd": opd,
    "tree": tree,
    "wifi": wifi,
    "events": events,
    "providers": suppliers,
    "health": health,
}


def files(target: Target, folder: Path) -> dict[PurePosixPath, str]:
    """All files, for one language. `folder`: where Grafana will find them, since it wants the dashboards' absolute path."""
    found = {
        PurePosixPath("datasources/bwmgr.yaml"): _yaml(sources(target)),
        PurePosixPath("dashboards/bwmgr.yaml"): _yaml(providers(str(folder.absolute() / _JSON_BELOW))),
        PurePosixPath("alerting/bwmgr.yaml"): _yaml(rules(target)),
        PurePosixPath("alerting/bwmgr-contacts.yaml.example"): _yaml(contacts(target)),
    }
    for name, document in dashboards(target).items():
        found[_JSON_BELOW / target.words.language / f"{name}.json"] = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    return found


def dashboards(target: Target) -> dict[str, Any]:
    """Name -> the dashboard's JSON, in stable order; the mark stands in its description."""
    return {name: _document(build(target)) for name, build in _DASHBOARDS.items()}


def _document(dashboard: Dashboard) -> Any:
    dashboard.description = f"{dashboard.description or ''}\n\n{MARK}".strip()
    return json.loads(json.dumps(dashboard, cls=JSONEncoder))


def _yaml(document: Mapping[str, object]) -> str:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return f"# {MARK}; the next one overwrites it.\n{text}"
