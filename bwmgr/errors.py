"""Every error that bwmgr raises on purpose, cut by what the caller does about it.

::

    BwmgrError
    |-- ConfigurationError          stop, show every mistake, exit 2
    |-- UsageError                  a question that cannot be answered as asked: exit 2
    |-- DeviceError                 one device: the others go on
    |   |-- DeviceTimeout           retry later, with back-off
    |   |-- DeviceAuthenticationError   do not hammer: tell a person
    |   `-- DeviceProtocolError     the device answers nonsense (OIDs that do not increase ...)
    |-- NotifyError                 one receiver: the others go on
    |   |-- NotifyUnavailable       not now: retry later
    |   `-- NotifyRefused           a person must mend it
    |-- DecodeError                 drop the datagram, count it under its reason
    `-- StoreError
        |-- StoreUnavailable        spool and try again
        |-- StoreRejected           the batch itself is wrong: say which
        `-- StoreLocked             another process owns it: say its pid

A message says what is wrong, where (file, line, key, device, packet) and what would be right. No secret is ever part of one. It
is a `Said`: English for logs and tests, and in the reader's language by `Words.error`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from bwmgr.model.said import Said

_SYSTEM_REASONS = {
    errno.ENOENT: Said("No such file or directory"),
    errno.EACCES: Said("Permission denied"),
    errno.EPERM: Said("Operation not permitted"),
    errno.EISDIR: Said("Is a directory"),
    errno.ENOTDIR: Said("Not a directory"),
    errno.ENOSPC: Said("No space left on device"),
    errno.EROFS: Said("Read-only file system"),
    errno.EADDRINUSE: Said("Address already in use"),
    errno.ECONNREFUSED: Said("Connection refused"),
    errno.EHOSTUNREACH: Said("No route to host"),
    errno.ENETUNREACH: Said("Network is unreachable"),
}
"""The system's own words (strerror) where they are common, so that they too can be said in another language."""


def system_reason(error: OSError) -> str:
    """What the operating system says of it."""
    return _SYSTEM_REASONS.get(error.errno or 0) or error.strerror or str(error)


def path_reason(path: object, error: OSError) -> Said:
    """The same with the path that it befell."""
    return Said("{path}: {why}", path=path, why=system_reason(error))


def unwritable(path: object, error: OSError) -> Said:
    """That a file or folder that a person named cannot be written, and why."""
    return Said("{path} cannot be written: {why}", path=path, why=system_reason(error))


class BwmgrError(Exception):
    """Base of all expected errors; anything else that escapes is a defect."""


@dataclass(frozen=True, kw_only=True, order=True)
class Mistake:
    """One mistake in a configuration or input file.

    `line` and `column` count from 1; 0 means the whole file. `problem` says what is wrong and what would be right.
    """

    file: str
    line: int
    column: int = 0
    key: str
    problem: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.key, self.problem) if part)


class ConfigurationError(BwmgrError):
    """The configuration cannot be used; holds all its mistakes, in file order. `language`: of the file, where it says so."""

    def __init__(self, mistakes: Sequence[Mistake], language: str | None = None) -> None:
        self.mistakes = tuple(mistakes)
        self.language = language
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class UsageError(BwmgrError):
    """What was asked for does not exist or makes no sense (unknown link, end before start)."""


class DeviceError(BwmgrError):
    """A device could not be read; `device` is its id in the inventory, or its address."""

    def __init__(self, device: str, problem: str) -> None:
        self.device = device
        self.problem = problem
        super().__init__(Said("{device}: {problem}", device=device, problem=problem))


class DeviceTimeout(DeviceError):
    """No answer. SNMPv1 and v2c agents are silent on a wrong community too (RFC 1157 section 4.1)."""


class DeviceAuthenticationError(DeviceError):
    """The device refused the user, the key or the protocol; asking again with the same ones is no use."""


class DeviceProtocolError(DeviceError):
    """The device answered something that its protocol forbids."""


class NotifyError(BwmgrError):
    """A receiver could not be told; `receiver` is its id in the configuration."""

    def __init__(self, receiver: str, problem: str) -> None:
        self.receiver = receiver
        self.problem = problem
        super().__init__(Said("{receiver}: {problem}", receiver=receiver, problem=problem))


class NotifyUnavailable(NotifyError):
    """Not now; `retry_after_seconds` where the other side said when."""

    def __init__(self, receiver: str, problem: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(receiver, problem)


class NotifyRefused(NotifyError):
    """The other side will refuse the same again: a wrong token, an unknown chat or mailbox."""


class DecodeError(BwmgrError):
    """Bytes that are not what they claim to be; `reason` is a short constant under which they are counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class StoreError(BwmgrError):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Not now (server away, disk full): what was to be written is still the caller's."""


class StoreRejected(StoreError):
    """Never: what was to be written is wrong, and will be wrong again."""


class StoreLocked(StoreError):
    """Another process holds the data folder; `pid` is its process id, 0 where unknown."""

    def __init__(self, path: str, pid: int) -> None:
        self.pid = pid
        super().__init__(
            Said("{path} is in use by another bwmgr (pid {pid}): stop it, or use another data folder", path=path, pid=str(pid))
        )
