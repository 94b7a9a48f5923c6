"""What `doctor` finds: a fact with its weight, and what a person can do about it. Owns the form, no check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bwmgr.language import Word, Words


class Severity(StrEnum):
    """ERROR: figures are missing or wrong now. WARNING: they may be. INFO: worth knowing, nothing to do."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding. `finding` and `advice` are English sentences marked for translation, with {placeholders} in `values`."""

    severity: Severity
    subject: str
    """Device, `device interface`, file or setting that it is about."""
    code: str
    """Short and constant, for scripts."""
    finding: str
    advice: str
    values: Mapping[str, Word] = field(default_factory=dict)

    def row(self, words: Words) -> dict[str, str]:
        """In a person's language, as a row of the table."""
        return {
            "severity": self.severity.value,
            "subject": self.subject,
            "code": self.code,
            "finding": words.text(self.finding, **self.values),
            "advice": words.text(self.advice, **self.values),
        }
