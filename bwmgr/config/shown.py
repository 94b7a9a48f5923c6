"""The effective settings as a document: secrets named by where they come from, defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import TYPE_CHECKING, Any

from bwmgr.model.secret import Secret

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings


def document(settings: Settings) -> dict[str, Any]:
    """Plain values for JSON or YAML; no secret is among them."""
    shown: dict[str, Any] = _plain(settings)
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return f"hidden ({value.source})"
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, frozenset)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, frozenset) else value)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
