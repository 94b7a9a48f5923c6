"""What `doctor` looks at without asking any device: data folder, kernel, calendars, files of secrets.

Each check gives findings and raises nothing. Changes nothing on the machine.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bwmgr.daemon.findings import Finding, Severity
from bwmgr.errors import StoreError, StoreLocked, UsageError
from bwmgr.language import mark
from bwmgr.measure.calendars import spans
from bwmgr.model.inventory import Credential, Inventory
from bwmgr.model.said import said_by
from bwmgr.model.secret import Secret
from bwmgr.stores.space import RATES_OCTETS

LEAST_FREE_OCTETS = 1_000_000_000
_REPLY_COST_OCTETS = 2304
"""What the kernel accounts for one reply of a full frame in a receive buffer; it doubles what was asked for (socket(7))."""
_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


def check_store(folder: Path) -> Iterator[Finding]:
    """Writable, not on a full disk, and who holds it."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        yield Finding(
            severity=Severity.ERROR,
            subject=str(folder),
            code="store_not_writable",
            finding=mark("the data folder cannot be written"),
            advice=mark("give its owner to the user that runs bwmgr, or set store.path to another folder"),
        )
        return
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_OCTETS:
        yield Finding(
            severity=Severity.ERROR if free < RATES_OCTETS else Severity.WARNING,
            subject=str(folder),
            code="disk_nearly_full",
            finding=mark("only {free_octets} are free there"),
            advice=mark("make room, or set a retention for the store"),
            values={"free_octets": free},
        )
    if folder.is_dir():
        yield from _check_lock(folder)


def _check_lock(folder: Path) -> Iterator[Finding]:
    from bwmgr.stores.lock import Lock

    try:
        with Lock(folder):
            return
    except StoreLocked as error:
        yield Finding(
            severity=Severity.INFO,
            subject=str(folder),
            code="store_in_use",
            finding=mark("a bwmgr with process id {process} polls into it"),
            advice=mark("nothing: only a second daemon on this folder would be wrong"),
            values={"process": str(error.pid)},
        )
    except (StoreError, OSError) as error:
        yield Finding(
            severity=Severity.ERROR,
            subject=str(folder),
            code="store_unusable",
            finding=mark("the data folder cannot be used: {problem}"),
            advice=mark("give its owner to the user that runs bwmgr, or set store.path to another folder"),
            values={"problem": said_by(error)},
        )


def check_receive_buffer(devices: int, window: int, rmem_max: Path = _RMEM_MAX) -> Iterator[Finding]:
    """Whether the replies of all requests in flight fit the largest receive buffer that the kernel grants."""
    try:
        granted = int(rmem_max.read_text())
    except (OSError, ValueError):
        return
    needed = min(devices, window) * _REPLY_COST_OCTETS // 2
    if granted < needed:
        yield Finding(
            severity=Severity.WARNING,
            subject="net.core.rmem_max",
            code="receive_buffer_small",
            finding=mark(
                "a receive buffer of {granted_octets} holds fewer replies than are asked for at once: polling is slowed down"
            ),
            advice=mark("sysctl -w net.core.rmem_max={wanted}, and the same in /etc/sysctl.d"),
            values={"granted_octets": granted, "wanted": str(8 * 2**20)},
        )


def check_calendars(inventory: Inventory, now: datetime) -> Iterator[Finding]:
    """Whether the public holidays of this year and the next are known."""
    zone = ZoneInfo(inventory.organisation.timezone)
    first = now.astimezone(zone).year
    for calendar in inventory.calendars.values():
        for year in (first, first + 1):
            try:
                spans(
                    calendar,
                    inventory.organisation.timezone,
                    datetime(year, 1, 1, tzinfo=zone),
                    datetime(year + 1, 1, 1, tzinfo=zone),
                )
            except UsageError as error:
                yield Finding(
                    severity=Severity.WARNING if year == first else Severity.INFO,
                    subject=f"calendar {calendar.id}",
                    code="holidays_unknown",
                    finding=mark("the public holidays of {year} are not known: {problem}"),
                    advice=mark("upgrade the Python package holidays, or list the days in the calendar"),
                    values={"year": str(year), "problem": said_by(error)},
                )


def check_secrets(credentials: Iterable[Credential], folder: Path = Path(), others: Iterable[Secret] = ()) -> Iterator[Finding]:
    """Whether files of secrets are readable by others than their owner and group. Relative paths start at `folder`."""
    seen: set[str] = set()
    for secret in (*_secrets(credentials), *others):
        kind, _, name = secret.source.partition(":")
        path = str(folder / name)
        if kind != "file" or path in seen:
            continue
        seen.add(path)
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            continue  # it was read when the configuration was: systemd hides credentials afterwards
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            yield Finding(
                severity=Severity.WARNING,
                subject=path,
                code="secret_exposed",
                finding=mark("others than its owner can read or change this secret (mode {mode})"),
                advice=mark("chmod 600 {path}"),
                values={"mode": f"{stat.S_IMODE(mode):04o}", "path": path},
            )


def _secrets(credentials: Iterable[Credential]) -> Iterator[Secret]:
    for credential in credentials:
        if credential.community is not None:
            yield credential.community
        for key in (credential.auth, credential.priv):
            if key is not None:
                yield key.key
