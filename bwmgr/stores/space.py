"""Room that must stay free on the disk. SQLite needs some even to delete, so writing stops before the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

from bwmgr.errors import StoreUnavailable, path_reason
from bwmgr.model.said import Said

RATES_OCTETS = 32 << 20
"""Left free by rates: state and the log of a deletion find room when rates no longer do."""
STATE_OCTETS = 8 << 20
"""Left free by small state, which is the last that stops."""


def require_space(folder: Path, octets: int) -> None:
    """Raises: StoreUnavailable where less than `octets` are free for us on the folder's disk, or it cannot be asked."""
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        raise StoreUnavailable(path_reason(folder, error)) from error
    free = disk.f_bavail * disk.f_frsize
    if free < octets:
        raise StoreUnavailable(
            Said(
                "{folder}: {free} MiB are free on the disk and {needed} MiB are needed: free some",
                folder=folder,
                free=free >> 20,
                needed=-(-octets >> 20),
            )
        )
