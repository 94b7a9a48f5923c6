"""Writes reports where people find them: whole or not at all.

Owns the file; what stands in it is `bwmgr.reports`. A reader never sees half a report: it is written beside and renamed.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from bwmgr.language import Words
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

WINDOW_DAYS = 28
"""Whole weeks, so that every weekday counts as often."""


def publish_overview(
    application: Application,
    path: Path,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    words: Words | None = None,
) -> None:
    """Writes the overview of [start, end) to `path`, whose folder is made if needed.

    `end` None: now; `start` None: four weeks before, or as far back as there are data. `words` None: the organisation's language.
    Raises: StoreError, OSError where the file cannot be written.
    """
    from bwmgr.engine.importance import by_importance
    from bwmgr.reports.facts import gather
    from bwmgr.reports.overview import overview

    organisation = application.inventory.organisation
    now = application.clock.now()
    last = end or now
    found = gather(
        application.inventory,
        application.store,
        application.history,
        by_importance(application.state.recommendations(status="proposed")),
        start=start or _first(application, last),
        end=last,
        created_at=now,
    )
    said = words or Words(organisation.language, organisation.timezone, organisation.currency)
    replace_file(path, overview(found, said))


def replace_file(path: Path, content: str | bytes) -> None:
    """Puts `content` in the place of `path` in one step; readable by everyone, as pages are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        beside = Path(stream.name)
        try:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
            beside.chmod(0o644)
            beside.rename(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise


def _first(application: Application, end: datetime) -> datetime:
    """Four weeks before the end, but not before the first row that is stored."""
    earliest = end - timedelta(days=WINDOW_DAYS)
    stored = [span.first for span in application.store.spans(LINK_RATE).values() if span.first < end]
    return max(earliest, min(stored, default=earliest))
