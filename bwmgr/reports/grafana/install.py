"""Writes the provisioning files, and looks whether a folder still holds them as they should be.

Owns the rule that nobody else's file is touched: ours bear `files.MARK`, and are rewritten only where they differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from bwmgr.errors import UsageError
from bwmgr.language import Words
from bwmgr.model.said import Said
from bwmgr.reports.grafana.files import MARK

State = Literal["new", "changed", "same"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A file, and what became of it."""

    path: Path
    state: State


def install(folder: Path, files: Mapping[PurePosixPath, str]) -> list[Placed]:
    """Writes all files below `folder`, or none.

    Raises: UsageError where a file of that name is not ours; OSError where a file cannot be written.
    """
    states = {folder / name: state_of(folder / name, text) for name, text in files.items()}
    foreign = [str(path) for path, state in states.items() if state is None]
    if foreign:
        raise UsageError(
            Said(
                "not written by bwmgr, so left as it is: {files}; move it away or choose another folder",
                files=", ".join(foreign),
            )
        )
    placed = []
    for (path, state), text in zip(states.items(), files.values(), strict=True):
        if state in ("new", "changed"):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        placed.append(Placed(path=path, state=state or "same"))
    return placed


def state_of(path: Path, text: str) -> State | None:
    """What writing `text` there would be; None for a file that is not ours."""
    try:
        found = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "new"
    except UnicodeDecodeError:
        return None
    if found == text:
        return "same"
    return "changed" if MARK in found else None


def mistakes(folder: Path, files: Mapping[PurePosixPath, str], words: Words) -> Iterator[str]:
    """What is wrong with the files in `folder`: missing, older than the configuration, unreadable, no dashboard.

    A sentence for each, which begins with the file. Nothing where all is well.
    """
    for name, text in files.items():
        path = folder / name
        state = state_of(path, text)
        if state == "new":
            yield words.text("{path}: missing", path=str(path))
            continue
        if state == "changed":
            yield words.text("{path}: differs from what the configuration asks for", path=str(path))
        elif state is None:
            yield words.text("{path}: not written by bwmgr", path=str(path))
        if problem := unreadable(path):
            yield words.text("{path}: Grafana cannot take it: {problem}", path=str(path), problem=problem)


def unreadable(path: Path) -> str:
    """Why Grafana could not take the file; empty where it could."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        if path.suffix == ".json":
            return unsound(text)
        yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        return str(error).splitlines()[0]
    return ""


def unsound(text: str) -> str:
    """Why the JSON is no dashboard as Grafana's own types have it; empty where it is one. Raises: ValueError for no JSON."""
    document = json.loads(text)
    try:
        dashboard = Dashboard.from_json(document)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        return Said("no dashboard: {why}", why=repr(error))
    places = [panel.grid_pos for panel in dashboard.panels or []]
    if not dashboard.uid or not dashboard.title or not all(places):
        return Said("no dashboard: uid, title or a panel's place is missing")
    return ""
