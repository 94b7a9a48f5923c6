"""One writer per data folder: an advisory lock (flock(2)) that ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from bwmgr.errors import StoreLocked, StoreUnavailable, path_reason

FILE_NAME = "lock"


class Lock:
    """Held inside `with`. The file keeps the holder's pid for people and for the message of the next one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._descriptor = -1

    def __enter__(self) -> Lock:
        """Raises: StoreLocked with the other's pid, StoreUnavailable where the folder cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StoreUnavailable(path_reason(self._path, error)) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._holder()
            self._close()
            raise StoreLocked(str(self._path.parent), holder) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _holder(self) -> int:
        text = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else 0

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
