"""What is made on the server where it is missing: a database (1.x), a bucket and its name for InfluxQL (2.x), tables (3).

Owns what each version wants made, and how it is asked for that. What is there already stays as it is, its retention too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import urllib3

from bwmgr.errors import StoreUnavailable
from bwmgr.stores.influx.access import refused
from bwmgr.stores.influx.client import NO_DATABASE, Client, identifier
from bwmgr.stores.influx.schema import TABLES

if TYPE_CHECKING:
    from influxdb_client import InfluxDBClient

_HOUR_SECONDS = 3600
_EXISTS = 409
_OF_USERS = "iox"
"""The schema of what was written; the others are the server's own."""
_ERRORS = 400


def ensure(client: Client) -> None:
    """Makes what is missing; nothing on a server that takes writes only. Raises: StoreUnavailable, StoreError."""
    if not client.server.queries:
        return
    if client.server.major == 3:
        _ensure_tables(client)
    elif client.access.database is not None:
        _ensure_database(client, client.access.database)
    else:
        _ensure_bucket(client)


def _ensure_database(client: Client, name: str) -> None:
    if name not in client.databases():
        duration = f" WITH DURATION {int(seconds)}s" if (seconds := client.access.retention_seconds) else ""
        client.run(f"CREATE DATABASE {identifier(name)}{duration}")


def _ensure_bucket(client: Client) -> None:
    from influxdb_client.rest import ApiException

    try:
        _make_bucket(client, client.library)
    except ApiException as error:
        raise refused(client.access.url, error.status or 0, str(error.body)) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnavailable(f"{client.access.url}: {error}") from error


def _make_bucket(client: Client, library: InfluxDBClient) -> None:
    from influxdb_client import BucketRetentionRules, DBRPCreate, DBRPsService

    name, seconds, org = client.access.name, client.access.retention_seconds, client.access.org
    buckets = library.buckets_api()
    bucket = buckets.find_bucket_by_name(name)
    if bucket is None:
        rules = [BucketRetentionRules(type="expire", every_seconds=int(seconds))] if seconds else None
        bucket = buckets.create_bucket(bucket_name=name, retention_rules=rules, org=org)
    mappings = DBRPsService(library.api_client)
    if not mappings.get_dbr_ps(org=org, bucket_id=bucket.id, db=name).content:
        mappings.post_dbrp(DBRPCreate(org=org, bucket_id=bucket.id, database=name, retention_policy="autogen", default=True))


def _ensure_tables(client: Client) -> None:
    """3 makes database and table with the first write, but then the tags of that write are all that the table will ever have
    (`The tag set is immutable on first write to the table`): a link that gets its `opd` later would be refused.
    """
    missing = TABLES.keys() - _tables(client)
    if not missing:
        return
    database: dict[str, object] = {"db": client.access.name}
    if seconds := client.access.retention_seconds:
        database["retention_period"] = f"{max(1, int(seconds) // _HOUR_SECONDS)}h"
    _configure(client, "database", database)
    for table in sorted(missing):
        _configure(client, "table", {"db": client.access.name, "table": table, "tags": list(TABLES[table])})


def _tables(client: Client) -> set[str]:
    """Those that there are, also empty ones, which `SHOW MEASUREMENTS` would not tell. None where the database is not there."""
    answer = client.send("GET", "/api/v3/query_sql", {"db": client.access.name, "q": "SHOW TABLES", "format": "json"})
    if NO_DATABASE in answer.text:
        return set()
    if answer.status >= _ERRORS:
        raise refused(client.access.url, answer.status, answer.text)
    return {row["table_name"] for row in json.loads(answer.text) if row.get("table_schema") == _OF_USERS}


def _configure(client: Client, what: str, wanted: dict[str, object]) -> None:
    answer = client.send(
        "POST", f"/api/v3/configure/{what}", {}, json.dumps(wanted).encode(), {"Content-Type": "application/json"}
    )
    if answer.status >= _ERRORS and answer.status != _EXISTS:
        raise refused(client.access.url, answer.status, answer.text)
