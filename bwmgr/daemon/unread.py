"""Why a person's file could not be read, for the sentence that names it. Owns the reasons, no sentence and no file."""

from __future__ import annotations

from bwmgr.errors import system_reason
from bwmgr.model.said import Said, said_by


def why_unread(error: Exception) -> str:
    """The operating system's reason, or that it is no text; what a library says of a format stays as it is."""
    if isinstance(error, UnicodeDecodeError):
        return Said("not UTF-8 text; save the file as UTF-8")
    return system_reason(error) if isinstance(error, OSError) else said_by(error)
