"""The InfluxDB versions that tests run against, how each starts and is logged in to; whichever are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bwmgr.stores.influx import Access
from bwmgr.testing.influxd import Influxd, influxd_programs
from bwmgr.testing.influxd2 import ORGANISATION, Influxd2, influxd2_program

VERSIONS = ("1.6", "1.8", "2.7")
BUILD_2 = "2.7"


def missing(version: str) -> str:
    """Why there is no such server here; empty: there is one."""
    if version in installed():
        return ""
    how = "tools/influxd2.sh" if version == BUILD_2 else "tools/influxd18.sh, or the package influxdb"
    return f"influxd {version} is not installed ({how})"


def installed() -> dict[str, str]:
    """Version -> program."""
    found, second = influxd_programs(), influxd2_program()
    return {**found, **({BUILD_2: second} if second else {})}


@contextmanager
def running(version: str, folder: Path) -> Iterator[Influxd | Influxd2]:
    """A server of an installed version until the block ends. Raises: KeyError where it is not installed."""
    program = installed()[version]
    with Influxd2(program, folder) if version == BUILD_2 else Influxd(program, folder) as server:
        yield server


def access_to(server: Influxd | Influxd2, name: str) -> Access:
    """To the database, or the bucket, of this name."""
    if isinstance(server, Influxd2):
        return Access(url=server.url, org=ORGANISATION, bucket=name, token=server.token)
    return Access(url=server.url, database=name)


def store_yaml(access: Access, secret: str) -> str:
    """The keys of the section `store` for this access; `secret`: where it is, such as `{env: NAME}`."""
    where = f"url: '{access.url}'"
    if access.bucket is None:
        return f"{where}, database: {access.database}, username: noc, password: {secret}"
    return f"{where}, org: {access.org}, bucket: {access.bucket}, token: {secret}"
