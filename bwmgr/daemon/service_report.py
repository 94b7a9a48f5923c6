"""The report on service levels as a PDF: contracts, months, outages, what is excluded, and how it was reckoned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.errors import UsageError, unwritable
from bwmgr.measure.availability import kept, promised_ratio
from bwmgr.reports.documents.rendering import render_pdf

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.daemon.service_levels import ContractService
    from bwmgr.language import Words


def context(settings: Settings, services: Sequence[ContractService]) -> dict[str, Any]:
    """What the template is given."""
    return {
        "organisation": settings.inventory.organisation,
        "contracts": [_contract(settings, one) for one in services],
        "signers": settings.documents.signers.get("sla", ()),
        "place": settings.documents.place,
        "day": max(month.end for one in services for month in one.months),
    }


def write_report(settings: Settings, words: Words, services: Sequence[ContractService], path: Path) -> None:
    """Raises: UsageError where the file cannot be written or a template is wrong."""
    folder = settings.documents.templates
    content = render_pdf("service-levels", context(settings, services), words=words, templates_folder=folder)
    write_document(path, content)


def write_document(path: Path, content: bytes) -> None:
    """Raises: UsageError where it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(unwritable(path, error)) from error


def _contract(settings: Settings, service: ContractService) -> dict[str, Any]:
    level, promised = service.contract.sla, promised_ratio(service.contract.sla)
    return {
        "of": service.contract,
        "provider": settings.inventory.providers[service.contract.provider],
        "level": level,
        "promised_ratio": None if promised is None else float(promised),
        "excludes": sorted(map(str, level.excludes)),
        "series": service.series,
        "months": service.months,
        "time": service.time,
        "verdict": str(kept(level, service.time)),
        "amount": service.amount,
        "most": service.most,
        "outages": [{"of": one, "treatment": service.treatment(one)} for one in service.outages],
    }
