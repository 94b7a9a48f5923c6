"""The provisioning files: path below Grafana's provisioning folder -> text.

Owns their layout and the mark by which we know our own files again; writing them is `install`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.reports.grafana.noc import noc
from bwmgr.reports.grafana.sources import providers, sources
from bwmgr.reports.grafana.target import Target

MARK = "Written by `bwmgr grafana install`"
"""Stands in every file that we may overwrite; without it a file is someone else's."""

_DASHBOARDS: Mapping[str, Callable[[Target], Dashboard]] = {
    "noc": noc,
}


def files(target: Target) -> dict[PurePosixPath, str]:
    """All files, for one language."""
    found = {PurePosixPath("datasources/bwmgr.yaml"): _yaml(sources(target))}
    found[PurePosixPath("dashboards/bwmgr.yaml")] = _yaml(providers(target))
    for name, build in _DASHBOARDS.items():
        found[PurePosixPath(f"dashboards/bwmgr/{target.words.language}/{name}.json")] = dashboard_text(build(target))
    return found


def dashboard_text(dashboard: Dashboard) -> str:
    """As JSON, with stable order; the mark stands in its description."""
    dashboard.description = f"{dashboard.description or ''}\n\n{MARK}".strip()
    return json.dumps(dashboard, cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


def _yaml(document: Mapping[str, object]) -> str:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return f"# {MARK}; the next one overwrites it.\n{text}"
