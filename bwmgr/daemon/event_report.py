"""An event on paper: the readiness report before it, the report of what was kept after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.daemon.service_report import write_document
from bwmgr.reports.documents.rendering import render_pdf

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.daemon.event_check import EventCheck
    from bwmgr.language import Words


def write_report(settings: Settings, words: Words, checks: Sequence[EventCheck], path: Path) -> None:
    """Raises: UsageError where the file cannot be written or a template is wrong."""
    names = {link.id: link.name for link in settings.inventory.links.values()}
    given = {
        "organisation": settings.inventory.organisation,
        "checks": checks,
        "names": names,
        "findings": [[(one.severity, one.text(words)) for one in check.findings] for check in checks],
        "signers": settings.documents.signers.get("event", ()),
        "place": settings.documents.place,
        "day": max(check.at for check in checks),
    }
    write_document(path, render_pdf("event", given, words=words, templates_folder=settings.documents.templates))
