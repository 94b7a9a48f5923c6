"""Questions to the raw flows that were kept: filters that people write, or SQL over the view `flows`.

Owns how a question becomes SQL; DuckDB stops here. Reads the finished Parquet files alone and can change nothing, nor read
another file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bwmgr.errors import UsageError
from bwmgr.model.inventory import Network
from bwmgr.model.said import Said

_COLUMNS = ("received_at", "start", "\"end\"", "exporter", "source", "source_port", "destination", "destination_port", "inside",
            "protocol", "octets", "packets", "sampling", "ingress", "egress")  # fmt: skip
_MEMORY = "512MB"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a flow must be; None: anything. `networks`: an end of it lies in one of them; `port`: either end's."""

    networks: tuple[Network, ...] | None = None
    port: int | None = None
    protocol: int | None = None
    exporter: str | None = None


def query(files: Sequence[Path], sql: str, *, limit: int) -> list[dict[str, Any]]:
    """Rows of an SQL question over the view `flows`, at most `limit`. Raises: UsageError with what DuckDB says of it."""
    import duckdb

    with duckdb.connect(config={"memory_limit": _MEMORY, "threads": 2}) as database:
        names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        folder = str(files[0].parent).replace("'", "''")
        database.execute(f"SET allowed_directories = ['{folder}/']")
        database.execute("SET enable_external_access = false")
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"CREATE VIEW flows AS SELECT * FROM read_parquet([{names}], union_by_name = true)")  # noqa: S608  # names of our own files, quoted
        database.execute("SET lock_configuration = true")
        try:
            found: Any = database.sql(sql)
            if found is None:
                raise UsageError(Said("that was no question: write SELECT ... FROM flows"))
            columns, rows = found.columns, found.limit(limit).fetchall()
        except duckdb.Error as error:
            raise UsageError(Said("the question cannot be answered: {why}", why=str(error))) from error
    return [{name: _plain(cell) for name, cell in zip(columns, row, strict=True)} for row in rows]


def sql_of(wanted: Filter, start: datetime, end: datetime) -> str:
    """The question for flows received in [start, end) that fit, the latest first."""
    said = [f"received_at >= TIMESTAMPTZ '{start.isoformat()}'", f"received_at < TIMESTAMPTZ '{end.isoformat()}'"]
    if wanted.networks is not None:
        ends = [_within(column, network) for network in wanted.networks for column in ("source", "destination", "inside")]
        said.append(f"({' OR '.join(ends) or 'false'})")
    if wanted.port is not None:
        said.append(f"{int(wanted.port)} IN (source_port, destination_port)")
    if wanted.protocol is not None:
        said.append(f"protocol = {int(wanted.protocol)}")
    if wanted.exporter is not None:
        said.append("exporter = '" + wanted.exporter.replace("'", "''") + "'")
    return f"SELECT {', '.join(_COLUMNS)} FROM flows WHERE {' AND '.join(said)} ORDER BY received_at DESC, octets DESC"  # noqa: S608  # numbers and quoted text only


def network_of(text: str) -> Network:
    """Raises: UsageError."""
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError(Said("{text!r} is no address or network", text=text)) from error


def _within(column: str, network: Network) -> str:
    """DuckDB keeps addresses as text here: those of an IPv4 network are compared as numbers, which needs no extension."""
    if network.prefixlen == network.max_prefixlen:
        return f"{column} = '{network.network_address}'"
    if network.version == 4:
        parts = " + ".join(
            f"TRY_CAST(split_part({column}, '.', {place}) AS BIGINT) * {256 ** (4 - place)}" for place in range(1, 5)
        )
        first, last = int(network.network_address), int(network.broadcast_address)
        return f"(strpos({column}, ':') = 0 AND {parts} BETWEEN {first} AND {last})"
    raise UsageError(
        Said("{network}: IPv6 networks cannot be filtered by; give single addresses, or ask with --sql", network=network)
    )


def _plain(cell: Any) -> Any:
    """As JSON takes it: times RFC 3339 UTC with milliseconds."""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)
