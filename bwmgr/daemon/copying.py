"""`store copy`: opens the two stores that one configuration names, and brings one's rows into the other.

Owns which folder and server they are, and who may write meanwhile; the copying is `bwmgr.stores.copying`. State, the queue and
limits stay where they are: both kinds keep them in the same SQLite file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from bwmgr.errors import StoreUnavailable, UsageError
from bwmgr.model.said import Said
from bwmgr.stores.copying import Copied, Finished, copy

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.stores import RateStore

Kind = Literal["embedded", "influxdb"]
KINDS: tuple[Kind, ...] = ("embedded", "influxdb")
COPY_FOLDER = "influx-copy"
PATIENCE_SECONDS = 60.0
"""With a server that takes nothing at all; what was written is kept, and a later run goes on."""

Opened = tuple["RateStore", Callable[[], None]]
"""A store, and what waits until it has everything."""


def copy_store(
    application: Application, source: Kind, target: Kind, *, again: bool, progress: Callable[[int, int], None]
) -> Copied:
    """All measurements from one kind of store of this configuration to the other. `again`: also the days that are done.

    Raises: UsageError where the two are the same or no server is configured, StoreLocked where the daemon writes to a folder that
    is to be written, StoreError (also where rows did not arrive).
    """
    from bwmgr.stores.embedded.layouts import LAYOUTS

    if source == target:
        raise UsageError(
            Said(
                "{source} to {target} are the same store; write embedded influxdb, or influxdb embedded",
                source=source,
                target=target,
            )
        )
    finished = Finished(application.folder / f"copied-{source}-{target}.json")
    if again:
        finished.forget()
    with ExitStack() as opened:
        origin, _ = opened.enter_context(_source(application, source))
        goal, settle = opened.enter_context(_target(application, target))
        return copy(
            origin, goal, tuple(LAYOUTS), now=application.clock.now(), finished=finished, settle=settle, progress=progress
        )


@contextmanager
def _source(application: Application, kind: Kind) -> Iterator[Opened]:
    if kind == "influxdb":
        _require_server(application)
        yield application.influx, lambda: None  # its spool too: what waits for the server counts as stored
        return
    from bwmgr.stores.embedded import EmbeddedStore

    store = EmbeddedStore(application.folder, readonly=True)
    try:
        yield store, lambda: None
    finally:
        store.close()


@contextmanager
def _target(application: Application, kind: Kind) -> Iterator[Opened]:
    if kind == "influxdb":
        with _server(application) as opened:
            yield opened
        return
    from bwmgr.stores.embedded import EmbeddedStore

    with application.lock():
        store = EmbeddedStore(application.folder)
        try:
            yield store, lambda: None
            store.compact(application.clock.now())
        finally:
            store.close()


@contextmanager
def _server(application: Application) -> Iterator[Opened]:
    """With a spool of its own: the daemon's goes on beside it."""
    from bwmgr.daemon.application import access
    from bwmgr.stores.influx import InfluxStore, series_tags

    _require_server(application)
    folder = application.folder / COPY_FOLDER
    store = InfluxStore(access(application.settings.store), folder, tags=series_tags(application.inventory))

    def settle() -> None:
        if not store.deliver(PATIENCE_SECONDS):
            raise StoreUnavailable(
                store.spool_state().trouble or Said("the server takes nothing; what waits is in {folder}", folder=folder)
            )

    try:
        yield store, settle
    finally:
        store.close()


def _require_server(application: Application) -> None:
    if not application.settings.store.url:
        raise UsageError(Said("store.url is missing: name the InfluxDB in the section store; kind may still be embedded"))
