"""What `doctor` says of an InfluxDB store: which server answers, whether it may be believed, what waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.daemon.application import SPOOL_FOLDER, access
from bwmgr.daemon.findings import Finding, Severity
from bwmgr.errors import StoreUnavailable
from bwmgr.language import mark
from bwmgr.model.said import said_by

if TYPE_CHECKING:
    from bwmgr.config.settings import StoreSettings

LATE_SECONDS = 600.0
"""What waits longer has not been held up by a restart of the server."""


def check_influx(settings: StoreSettings) -> Iterator[Finding]:
    """Nothing where rates are kept in the folder."""
    if settings.kind != "influxdb":
        return
    yield _server(settings)
    folder = settings.path / SPOOL_FOLDER
    if folder.is_dir():
        yield from _spool(folder)


def _server(settings: StoreSettings) -> Finding:
    from bwmgr.stores.influx.access import AccessDiffers
    from bwmgr.stores.influx.client import Client

    client, url = Client(access(settings)), settings.url or ""
    try:
        server = client.server
        if server.queries:
            client.databases()
    except StoreUnavailable as error:
        refused = isinstance(error, AccessDiffers)
        return Finding(
            severity=Severity.ERROR,
            subject=url,
            code="influx_refuses" if refused else "influx_away",
            finding=mark("the InfluxDB takes nothing: {problem}"),
            advice=mark("check the token, or user and password, in the section store")
            if refused
            else mark("start the server, or correct store.url; what is measured meanwhile waits on the disk"),
            values={"problem": said_by(error)},
        )
    finally:
        client.close()
    if server.queries:
        return Finding(
            severity=Severity.INFO,
            subject=url,
            code="influx_server",
            finding=mark("it is {server}"),
            advice=mark("nothing"),
            values={"server": str(server)},
        )
    return Finding(
        severity=Severity.ERROR,
        subject=url,
        code="influx_writes_only",
        finding=mark("it is {server}, which takes writes but does not answer InfluxQL truthfully: nothing can be read back"),
        advice=mark("point store.url at an InfluxDB, or use the embedded store"),
        values={"server": str(server)},
    )


def _spool(folder: Path) -> Iterator[Finding]:
    from bwmgr.stores.influx.spool import REFUSED_FILE, Spool

    depth = Spool(folder).depth()
    if depth.segments:
        yield Finding(
            severity=Severity.WARNING if depth.oldest_seconds > LATE_SECONDS else Severity.INFO,
            subject=str(folder),
            code="influx_spool",
            finding=mark("{segments} batches of {waiting_octets} wait for the server, the oldest for {oldest_seconds}"),
            advice=mark("nothing: they are sent, oldest first, once the server takes them"),
            values={
                "segments": depth.segments,
                "waiting_octets": depth.octets,
                "oldest_seconds": round(depth.oldest_seconds),
            },
        )
    refused = folder / REFUSED_FILE
    if refused.exists():
        yield Finding(
            severity=Severity.WARNING,
            subject=str(refused),
            code="influx_refused_lines",
            finding=mark("{refused_octets} of lines were refused by the server and put aside, each with the server's reason"),
            advice=mark("read the reasons, mend the cause (often a field whose type another program has set), remove the file"),
            values={"refused_octets": refused.stat().st_size},
        )
