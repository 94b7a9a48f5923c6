"""What changed in the configuration, for the journal: compared with the last one that a daemon ran by, also over a restart.

Owns the comparison and where the last one is remembered. No secret is in it: `bwmgr.config.shown` gives only their places.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bwmgr.config.shown import document
from bwmgr.daemon.acting import system_user
from bwmgr.errors import BwmgrError, ConfigurationError
from bwmgr.model.journal import Actor

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

MOST_CHANGES = 200
_KEY = "journal.configuration"
_NAME = "daemon"


def enter_configuration(application: Application, action: str) -> None:
    """The configuration that is in force from now on, and how it differs from the last one. Raises: StoreError."""
    now = document(application.settings)
    text = json.dumps(now, sort_keys=True, default=str)
    kept = application.state.get(_KEY)
    before = json.loads(zlib.decompress(kept)) if kept else None
    changes = [] if before is None else [*_first(changed(before, json.loads(text)))]
    details = {"file": str(application.settings.source), "sha256": hashlib.sha256(text.encode()).hexdigest(), "changes": changes}
    application.trail.record(action, application.settings.source.name, details, by=_actor())
    if before is None or changes:
        application.state.put(_KEY, zlib.compress(text.encode()))


def enter_refusal(application: Application, error: BwmgrError) -> None:
    """A configuration that was not taken, and why. Raises: StoreError."""
    mistakes = error.mistakes if isinstance(error, ConfigurationError) else [error]
    said = [str(mistake) for mistake in mistakes[:20]]
    details = {"mistakes": len(mistakes), "first": said}
    application.trail.record("config.refused", application.settings.source.name, details, by=_actor())


def enter_end(application: Application) -> None:
    """The daemon stops; a full disk does not keep it from that."""
    with suppress(BwmgrError):
        application.trail.record("daemon.stopped", application.settings.source.name, by=_actor())


def changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """`links.dinkes.limit.down: 20M -> 35M`, in order of the document; items of a list are known by their ids."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from changed(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and _by_id(before) is not None and _by_id(after) is not None:
        yield from changed(_by_id(before), _by_id(after), path)
    elif before != after:
        yield f"{path}: {_plain(before)} -> {_plain(after)}"


def _by_id(items: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(item, Mapping) and "id" in item for item in items):
        return None
    return {str(item["id"]): item for item in items}


def _plain(content: Any) -> str:
    text = "–" if content is None else content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _first(changes: Iterator[str]) -> Iterator[str]:
    for number, change in enumerate(changes):
        if number == MOST_CHANGES:
            yield "..."
            return
        yield change


def _actor() -> Actor:
    return Actor(name=_NAME, user=system_user())
