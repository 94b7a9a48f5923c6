"""The keys `documents:` and `trial:`: who signs, by whose templates, and what a trial is judged by.

Owns what they come to and how they are shown. Their names and kinds are in `bwmgr.config.shapes`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.config.reading import Record, parameter_keys
from bwmgr.config.settings import ActiveSection, DocumentsSection, MonthlySection, Signer
from bwmgr.model.trial import Clauses
from bwmgr.model.units import duration_text, rate_text

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings


def sections(documents: Record | None, trial: Record | None) -> dict[str, Any]:
    """The fields of `Settings` that come of the two sections; fewer where they are left out."""
    found: dict[str, Any] = {}
    if documents is not None:
        found["documents"] = _documents(documents)
    if trial is not None:
        keys = parameter_keys(Clauses).items()
        found["clauses"] = Clauses(**{name: trial.get(key) for name, key in keys if key in trial.values})
        found["active"] = _active(trial.get("active"))
    return found


def shown(settings: Settings) -> dict[str, Any]:
    """In the configuration's words."""
    found: dict[str, Any] = {}
    if settings.documents != DocumentsSection():
        found["documents"] = _shown_documents(settings.documents)
    trial: dict[str, Any] = {
        key: _told(name, getattr(settings.clauses, name))
        for name, key in parameter_keys(Clauses).items()
        if getattr(settings.clauses, name) != getattr(Clauses(), name)
    }
    if settings.active is not None:
        trial["active"] = _shown_active(settings.active)
    return {**found, **({"trial": trial} if trial else {})}


def _documents(record: Record) -> DocumentsSection:
    folder = Path(record.source.file).absolute().parent
    monthly = record.get("monthly")
    return DocumentsSection(
        monthly=None if monthly is None else _monthly(monthly),
        templates=(folder / record.get("templates")).resolve() if "templates" in record.values else None,
        place=record.get("place", ""),
        signers={name: tuple(Signer(**one.values) for one in signers) for name, signers in record.get("signers", {}).items()},
    )


def _monthly(record: Record) -> MonthlySection:
    values = dict(record.values)
    return MonthlySection(email=tuple(values.pop("email", ())), pages=dict(values.pop("pages", {})), **values)


def _active(record: Record | None) -> ActiveSection | None:
    if record is None:
        return None
    values = dict(record.values)
    return ActiveSection(most_bps=values.pop("rate", None), at=tuple(values.pop("at", ())), **values)


def _shown_documents(documents: DocumentsSection) -> dict[str, Any]:
    signers = {
        name: [{key: word for key, word in asdict(signer).items() if word} for signer in signed]
        for name, signed in documents.signers.items()
    }
    templates = None if documents.templates is None else str(documents.templates)
    parts = {"templates": templates, "place": documents.place, "signers": signers, "monthly": _shown_monthly(documents.monthly)}
    return {key: told for key, told in parts.items() if told}


def _shown_monthly(monthly: MonthlySection | None) -> dict[str, Any] | None:
    if monthly is None:
        return None
    told: dict[str, Any] = {"day": monthly.day, "at": _clock(monthly.at)}
    return {
        **told,
        **({"email": list(monthly.email)} if monthly.email else {}),
        **({"pages": dict(monthly.pages)} if monthly.pages else {}),
    }


def _shown_active(active: ActiveSection) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in fields(active):
        value = getattr(active, field.name)
        if field.name == "most_bps":
            told |= {} if value is None else {"rate": rate_text(value)}
        elif field.name == "at":
            told |= {"at": [_clock(one) for one in value]} if value else {}
        else:
            told[field.name] = value
    return told


def _clock(at: time) -> str:
    return f"{at:%H:%M}"


def _told(name: str, value: float) -> str | float:
    if name == "tests":
        return value
    return duration_text(value) if name.endswith("_seconds") else f"{value * 100:.9f}".rstrip("0").rstrip(".") + "%"
