"""Tables that people open in a spreadsheet: XLSX and CSV whose cells are never run as formulas. XlsxWriter stops here.

A cell of text that begins with = + - @, a tab or a carriage return is neutralised by a leading apostrophe in CSV (OWASP, "CSV
Injection"); in XLSX it is written as text, which no program calculates. Owns no figure and no word.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

Cell = str | int | float | datetime | date | None
Form = Literal["text", "rate", "ratio", "money", "count", "date", "instant"]

_RUN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SAME_BYTES_AT = datetime(2020, 1, 1)  # noqa: DTZ001  # XLSX has no zones; the true instant would change the bytes at every run
_FORMATS: dict[str, dict[str, object]] = {
    "text": {"text_wrap": True},
    "rate": {"num_format": "#,##0.00"},
    "ratio": {"num_format": "0.0%"},
    "money": {"num_format": "#,##0"},
    "count": {"num_format": "#,##0"},
    "date": {"num_format": "yyyy-mm-dd"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableColumn:
    """`width` in characters. Cells of a `rate` column are in the unit that the heading names."""

    heading: str
    form: Form = "text"
    width: float = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """`notes` stand below the table: method, completeness, where the figures come from."""

    name: str
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()


def xlsx(sheets: Sequence[Sheet], *, title: str, author: str) -> bytes:
    """A workbook; the same sheets give the same bytes. Instants are written as they read in their own zone."""
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(
        stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"title": title, "author": author, "created": _SAME_BYTES_AT})
    formats = {name: book.add_format({"valign": "top", "border": 1, **form}) for name, form in _FORMATS.items()}
    heading = book.add_format({"bold": True, "bg_color": "#E8E8E8", "border": 1, "text_wrap": True, "valign": "top"})
    for name, sheet in zip(_sheet_names(sheets), sheets, strict=True):
        page = book.add_worksheet(name)
        page.freeze_panes(1, 1)
        page.repeat_rows(0)
        page.set_landscape()
        page.fit_to_pages(1, 0)
        for number, column in enumerate(sheet.columns):
            page.set_column(number, number, column.width)
            page.write_string(0, number, column.heading, heading)
            for row, cells in enumerate(sheet.rows, 1):
                _write(page, row, number, cells[number], formats[column.form])
        for number, said in enumerate(sheet.notes, len(sheet.rows) + 2):
            page.write_string(number, 0, said)
    book.close()
    return stream.getvalue()


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """RFC 4180 with a header; numbers with a point, instants as RFC 3339 UTC, nothing for None."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([neutral(name) for name in columns])
    writer.writerows([[_plain(cell) for cell in row] for row in rows])
    return stream.getvalue()


def neutral(text: str) -> str:
    """Text that no spreadsheet runs when it opens a CSV."""
    return f"'{text}" if text.startswith(_RUN_AS_FORMULA) else text


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return neutral(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return cell.isoformat() if isinstance(cell, date) else repr(cell)


def _write(page: object, row: int, column: int, cell: Cell, form: object) -> None:
    from xlsxwriter.worksheet import Worksheet

    assert isinstance(page, Worksheet)
    if cell is None:
        page.write_blank(row, column, None, form)
    elif isinstance(cell, str):
        page.write_string(row, column, cell, form)
    elif isinstance(cell, datetime):
        page.write_datetime(row, column, cell.replace(tzinfo=None), form)
    elif isinstance(cell, date):
        page.write_datetime(row, column, datetime(cell.year, cell.month, cell.day), form)  # noqa: DTZ001  # a day has no zone
    else:
        page.write_number(row, column, cell, form)


def _sheet_names(sheets: Sequence[Sheet]) -> list[str]:
    """At most 31 characters, none that Excel forbids, each once."""
    names: list[str] = []
    for sheet in sheets:
        name = "".join("-" if character in "[]:*?/\\" else character for character in sheet.name)[:31].strip("'") or "-"
        number = 2
        while name.lower() in {other.lower() for other in names}:
            name, number = f"{name[:27]} {number}", number + 1
        names.append(name)
    return names
