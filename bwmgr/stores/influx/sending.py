"""Ships the spool to the server: oldest first, nothing dropped while there is hope, nothing sent twice to another effect.

Owns what an answer means and the thread that waits. 204: done. No answer, 429 and 5xx: again later. 401, 403, 404 and an unknown
retention policy: again later, and a person is told. 413: in halves. 400 and 422: the good lines are kept, the bad ones put
aside with the server's reason. Small segments travel together, and stay on the disk until all of that request has been taken.
A point sent again is the same point, so any doubt is settled by sending again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from bwmgr.errors import StoreError, StoreRejected, StoreUnavailable
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import said_by
from bwmgr.stores.influx.access import AccessDiffers, Answer
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.making import ensure
from bwmgr.stores.influx.spool import Spool, load

ROWS_AT_ONCE = 4096
"""Rows to a request: about 12,000 lines, 2.5 MB before gzip; the server's default limit is 25 MB."""
MOST_REQUESTS_FOR_BAD = 512
"""Requests that looking for bad lines in one piece may cost; what is left unseparated then is put aside whole."""
_IDLE_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 30.0


class Verdict(Enum):
    DONE = auto()
    LATER = auto()
    ALARM = auto()
    """Later too, but it takes a person: what is configured and what the server allows differ."""
    SMALLER = auto()
    BAD = auto()


@dataclass(slots=True)
class Counts:
    """Since the start."""

    sent_segments: int = 0
    sent_rows: int = 0
    refused_lines: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Load:
    """Lines for one request, and the segments that end in it: small ones travel together, since each request costs the server
    an fsync."""

    bodies: list[bytes] = field(default_factory=list)
    whole: list[tuple[Path, str, int]] = field(default_factory=list)
    rows: int = 0


def verdict(answer: Answer) -> Verdict:
    """What an answer to a write means for its lines."""
    text = answer.text.lower()
    if 200 <= answer.status < 300:
        return Verdict.DONE
    if answer.status in (401, 403, 404) or ("retention policy" in text and "not found" in text):
        return Verdict.ALARM
    if answer.status == 413:
        return Verdict.SMALLER
    if answer.status in (400, 422):
        return Verdict.BAD
    return Verdict.LATER


class Sender:
    """The thread that empties `spool`, and what it has to say. Only one process sends at a time."""

    def __init__(self, client: Client, spool: Spool, renderer: Renderer) -> None:
        self._client, self._spool, self._renderer = client, spool, renderer
        self._stop, self._news, self._hurry = threading.Event(), threading.Event(), threading.Event()
        self._empty = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ready = False
        self.counts = Counts()
        self.trouble = ""
        """Why nothing is being taken; empty: all is well."""
        self.alarm = False
        """The trouble needs a person."""

    def start(self) -> None:
        """Begins sending; once is enough."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="influx-sender", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something new waits."""
        self.start()
        self._news.set()

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until nothing waits; False: some still does."""
        self.wake()
        deadline = time.monotonic() + timeout_seconds
        with self._empty:
            while self._spool.waiting() and (left := deadline - time.monotonic()) > 0:
                self._hurry.set()  # someone waits: no long back-off now
                self._empty.wait(min(left, _IDLE_SECONDS))
        return not self._spool.waiting()

    def close(self, timeout_seconds: float) -> None:
        """Ends after what is under way; what still waits stays on the disk for the next one."""
        for event in (self._stop, self._news, self._hurry):
            event.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def drain(self) -> None:
        """Sends all that waits, once. Raises: StoreUnavailable at the first that cannot be delivered."""
        if not self._ready:
            ensure(self._client)
            self._ready = True
        load_of_lines = _Load()
        for path in self._spool.waiting():
            self._pack(path, load_of_lines)
            if self._stop.is_set():
                return
        self._unload(load_of_lines)
        with self._empty:
            self._empty.notify_all()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._spool.sender() as ours:
                    if ours:
                        self._send_until_told()
            except Exception as error:  # noqa: BLE001  supervised: whatever goes wrong once, what waits is tried again
                self._failed(error)
            self._stop.wait(_IDLE_SECONDS)

    def _send_until_told(self) -> None:
        again = Retrying(
            retry=retry_if_exception_type(StoreError),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS),
            stop=stop_when_event_set(self._stop),
            sleep=self._pause,
            reraise=True,
        )
        while not self._stop.is_set():
            self._news.clear()
            try:
                again(self._attempt)
            except StoreError:
                return
            self._news.wait(_IDLE_SECONDS)

    def _pause(self, seconds: float) -> None:
        self._hurry.wait(seconds)
        if not self._stop.is_set():
            self._hurry.clear()

    def _attempt(self) -> None:
        try:
            self.drain()
        except StoreError as error:
            self._failed(error)
            raise
        self.trouble, self.alarm = "", False

    def _failed(self, error: Exception) -> None:
        self.trouble, self._ready = said_by(error) or repr(error), False
        self.alarm = isinstance(error, AccessDiffers)
        self._client.forget()
        self.counts.failures += 1

    def _pack(self, path: Path, load_of_lines: _Load) -> None:
        """Adds a segment to what is sent next, and sends whenever that is enough for a request."""
        loaded = load(path)
        if loaded is None:
            return
        measurement, content = loaded
        rows = 0
        for body, count in self._bodies(measurement, content):
            load_of_lines.bodies.append(body)
            load_of_lines.rows += count
            rows += count
            if load_of_lines.rows >= ROWS_AT_ONCE:
                self._unload(load_of_lines)
        load_of_lines.whole.append((path, measurement, rows))

    def _bodies(self, measurement: str, content: RateBatch | bytes) -> Iterator[tuple[bytes, int]]:
        """Lines, and how many rows they are."""
        if isinstance(content, bytes):
            yield content, content.count(b"\n")
            return
        for piece in _pieces(content):
            try:
                yield self._renderer.body(measurement, piece), len(piece.rows)
            except StoreRejected as error:  # rows that an older version let in
                self._refuse([f"{len(piece.rows)} rows of {measurement}".encode()], str(error))

    def _unload(self, load_of_lines: _Load) -> None:
        """Sends, and ends the segments of which all is sent; whatever fails, all of them are still there."""
        if load_of_lines.bodies:
            self._ship(b"".join(load_of_lines.bodies))
        for path, measurement, rows in load_of_lines.whole:
            self._spool.remove(path, measurement)
            self.counts.sent_segments += 1
            self.counts.sent_rows += rows
        load_of_lines.bodies, load_of_lines.whole, load_of_lines.rows = [], [], 0

    def _ship(self, body: bytes) -> None:
        """Sends lines in pieces as large as the server takes. Raises: StoreUnavailable for what only time can mend."""
        outcome, answer = self._sent(body)
        if outcome is Verdict.DONE:
            return
        parts = _by_measurement(body) if outcome is Verdict.BAD else [body]
        for part in parts:  # a field that changed its type spoils every line of its measurement, and no other's
            self._ship_apart(part, answer if len(parts) == 1 else None)

    def _ship_apart(self, body: bytes, known: Answer | None) -> None:
        """Sends what was refused in ever smaller pieces, until the bad lines are alone. `known`: the answer to the whole."""
        pieces, looked = [body], 0
        refused: dict[str, list[bytes]] = {}
        while pieces:
            piece = pieces.pop()
            outcome, answer = self._sent(piece) if known is None else (verdict(known), known)
            known = None
            if outcome is Verdict.DONE:
                continue
            looked += 1
            lines = piece.splitlines(keepends=True)
            if len(lines) > 1 and (outcome is Verdict.SMALLER or looked < MOST_REQUESTS_FOR_BAD):
                middle = len(lines) // 2
                pieces += [b"".join(lines[middle:]), b"".join(lines[:middle])]
            else:
                refused.setdefault(f"{answer.status}: {answer.text.strip()[:300]}", []).extend(lines)
        for reason, lines in refused.items():
            self._refuse(lines, reason)

    def _sent(self, lines: bytes) -> tuple[Verdict, Answer]:
        """One request. Raises: StoreUnavailable where the same lines may be taken later."""
        answer = self._client.write(lines)
        outcome = verdict(answer)
        if outcome in (Verdict.LATER, Verdict.ALARM):
            kind = AccessDiffers if outcome is Verdict.ALARM else StoreUnavailable
            raise kind(f"{self._client.access.url}: {answer.status}: {answer.text.strip()[:300]}")
        return outcome, answer

    def _refuse(self, lines: list[bytes], reason: str) -> None:
        self._spool.quarantine([line.rstrip(b"\n") for line in lines], reason)
        self.counts.refused_lines += len(lines)


def _pieces(batch: RateBatch) -> Iterator[RateBatch]:
    for first in range(0, len(batch.rows), ROWS_AT_ONCE):
        yield RateBatch(series=batch.series, rows=batch.rows[first : first + ROWS_AT_ONCE])


def _by_measurement(body: bytes) -> list[bytes]:
    """The lines of each measurement, in their order."""
    found: dict[bytes, list[bytes]] = {}
    for line in body.splitlines(keepends=True):
        found.setdefault(line[: line.index(b",")], []).append(line)
    return [b"".join(lines) for lines in found.values()]
