"""How commands print data: a table for people, one JSON document, or CSV. Messages go to stderr, data to stdout."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text cell that starts so for a formula."""


def format_option(command: F) -> F:
    """Adds `--format table|json|csv` as the parameter `form`."""
    return click.option(
        "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format."
    )(command)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a table for people: its heading, and the text of a row's cell."""

    heading: str
    cell: Callable[[Row], str]
    right: bool = False


def emit(form: str, document: Any, rows: Iterable[Row], table: Callable[[], None]) -> None:
    """Prints `document` as JSON, `rows` as CSV, or calls `table`."""
    if form == "json":
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
    elif form == "csv":
        write_csv(rows)
    else:
        table()


def write_csv(rows: Iterable[Row]) -> None:
    """CSV with a header; nested values as JSON; texts that a spreadsheet would run as formulas are quoted with an apostrophe."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
        writer.writerow({key: _cell(content) for key, content in row.items()})


def print_table(title: str | None, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """A plain table on stdout; as wide as its content where stdout is no terminal, so that pipes see whole cells."""
    from rich.table import Table
    from rich.text import Text

    if title is not None:
        console().print(title, style="italic")  # a table's own title breaks where the table is narrower
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=column.right)
    for row in rows:
        table.add_row(*(Text.from_ansi(column.cell(row)) for column in columns))
    console().print(table)


def console() -> Console:
    """The console for tables: the terminal's width, or 200 columns into a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False, soft_wrap=False)


def note(message: str) -> None:
    """A message or progress for people, on stderr."""
    click.echo(message, err=True)


def _cell(content: Any) -> Any:
    if isinstance(content, str):
        return f"'{content}" if content.startswith(_DANGEROUS) else content
    if isinstance(content, dict | list | tuple):
        return json.dumps(content, ensure_ascii=False)
    return "" if content is None else content
