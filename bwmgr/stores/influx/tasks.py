"""The hours on 2.x: tasks, which the server runs by itself. Owns their Flux, the one place where there is any.

A task gives what the continuous queries of 1.x give, and what the daemon makes elsewhere (`rollups`). 3 has neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import urllib3

from bwmgr.errors import StoreUnavailable
from bwmgr.stores.influx.access import refused
from bwmgr.stores.influx.client import Client

if TYPE_CHECKING:
    from influxdb_client import TasksApi

_FIGURES = (
    ("rate_bps", "mean", "rate_bps_mean"),
    ("rate_bps", "max", "rate_bps_max"),
    ("utilisation", "max", "utilisation_max"),
    ("rate_bps", "count", "samples"),
)
_WAIT = "5m"
"""After the hour: rates bear the time of their reading and come some moments later."""


def ensure_tasks(client: Client, rolled: Mapping[str, str], reach_hours: int) -> None:
    """A task for each measurement of `rolled`, where it is missing. Raises: StoreUnavailable, AccessDiffers where we may not."""
    from influxdb_client.rest import ApiException

    try:
        tasks = client.library.tasks_api()
        for source, target in rolled.items():
            _ensure(client, tasks, source, target, reach_hours)
    except ApiException as error:
        raise refused(client.access.url, error.status or 0, str(error.body)) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnavailable(f"{client.access.url}: {error}") from error


def _ensure(client: Client, tasks: TasksApi, source: str, target: str, reach_hours: int) -> None:
    from influxdb_client import TaskCreateRequest

    name = f"bwmgr_{client.access.name}_{target}"
    if tasks.find_tasks(name=name):
        return
    head = f"option task = {{name: {_text(name)}, every: 1h, offset: {_WAIT}}}\n"
    flux = head + script(client, source, target, f"range(start: -{reach_hours}h)")
    tasks.create_task(task_create_request=TaskCreateRequest(flux=flux, org=client.access.org, status="active"))


def script(client: Client, source: str, target: str, window: str) -> str:
    """The Flux that makes the hours of a measurement within `window`, a call of `range`."""
    bucket = _text(client.access.name)
    lines = [f"rates = from(bucket: {bucket}) |> {window} |> filter(fn: (r) => r._measurement == {_text(source)})"]
    lines += [
        f"rates |> filter(fn: (r) => r._field == {_text(field)})"
        f' |> aggregateWindow(every: 1h, fn: {figure}, createEmpty: false, timeSrc: "_start")'
        f' |> set(key: "_measurement", value: {_text(target)}) |> set(key: "_field", value: {_text(name)})'
        f" |> to(bucket: {bucket}, org: {_text(client.access.org or '')}) |> yield(name: {_text(name)})"
        for field, figure, name in _FIGURES
    ]
    return "\n".join(lines) + "\n"


def _text(content: str) -> str:
    """A string in Flux, whose escapes are those of JSON but for `${`."""
    return json.dumps(content, ensure_ascii=False).replace("${", "\\${")
