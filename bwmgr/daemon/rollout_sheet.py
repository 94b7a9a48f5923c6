"""A roll-out list as offices keep it, XLSX or CSV: rows of named cells with their row numbers. openpyxl stops here.

Owns the names of columns in Indonesian and English, the words for states and dates, and the mistakes of a single row. What a row
means beside the configuration is `rollout_plan`'s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from bwmgr.daemon.unread import why_unread
from bwmgr.errors import UsageError
from bwmgr.model.inventory import LinkKind, SiteStatus
from bwmgr.model.said import Said, said_by

MOST_ROWS = 200_000
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "link": ("id", "link", "titik", "id titik", "kode titik"),
    "name": ("name", "nama", "nama titik", "lokasi"),
    "kind": ("kind", "jenis"),
    "parent": ("parent", "node", "induk", "simpul"),
    "kecamatan": ("kecamatan", "district"),
    "kelurahan": ("kelurahan", "desa", "kelurahan/desa", "village"),
    "code": ("code", "kode", "kode wilayah", "region code"),
    "lat": ("lat", "latitude", "lintang"),
    "lon": ("lon", "lng", "longitude", "bujur"),
    "medium": ("medium", "media"),
    "reason": ("reason", "alasan", "kendala"),
    "status": ("status",),
    "since": ("since", "date", "tanggal", "sejak", "tanggal status"),
    "address": ("address", "ip", "alamat ip"),
    "if_name": ("if_name", "interface", "port"),
}
"""Key -> what its column may be called, in any case."""
_STATES = {
    SiteStatus.PLANNED: ("planned", "rencana", "direncanakan"),
    SiteStatus.INSTALLED: ("installed", "terpasang", "dipasang"),
    SiteStatus.TRIAL: ("trial", "uji coba", "percobaan"),
    SiteStatus.ACTIVE: ("active", "aktif", "beroperasi"),
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_CODE = re.compile(r"\d\d(\.\d\d){0,2}(\.\d{4})?", re.ASCII)
_DAY = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")


@dataclass(kw_only=True)
class SheetRow:
    """One row: what its cells say, empty ones left out, and what is wrong with them."""

    number: int
    cells: dict[str, Any] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


def read_sheet(path: Path) -> list[SheetRow]:
    """All rows with anything in them, by their number in the file, from 1.

    Raises: UsageError where it is no such file, has no columns `id` and `status`, or has two for one thing.
    """
    rows = iter(_xlsx(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _csv(path))
    number, heading = next(rows, (0, ()))
    places = _places(path, heading)
    found = []
    for number, cells in rows:
        texts = {key: cells[place] for key, place in places.items() if place < len(cells) and not _is_empty(cells[place])}
        if texts:
            found.append(_read_row(number, texts))
    return found


def _places(path: Path, heading: Iterable[object]) -> dict[str, int]:
    names = {name: key for key, names in COLUMNS.items() for name in names}
    places: dict[str, int] = {}
    for place, title in enumerate(heading):
        key = names.get(str(title or "").strip().lower().replace("_", " ")) or names.get(str(title or "").strip().lower())
        if key is not None and key in places:
            raise UsageError(Said("{path}:1: two columns mean {key}; keep one", path=path, key=key))
        if key is not None:
            places[key] = place
    if missing := [COLUMNS[key][0] for key in ("link", "status") if key not in places]:
        known = "; ".join(f"{key}: {', '.join(names)}" for key, names in COLUMNS.items())
        raise UsageError(
            Said(
                "{path}:1: no column {missing}. The first row names the columns ({known})",
                path=path,
                missing=", ".join(missing),
                known=known,
            )
        )
    return places


def _xlsx(path: Path) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The first sheet; cells with formulas count as what they came to when the file was saved."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        yield from enumerate(sheet.iter_rows(values_only=True, max_row=MOST_ROWS + 1), 1)
        book.close()
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError, IndexError) as error:
        raise UsageError(
            Said("{path}: cannot be read as a spreadsheet (XLSX): {why}", path=path, why=why_unread(error))
        ) from error


def _csv(path: Path) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Commas or semicolons, as the first line has more of; UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
        for row in reader:
            if reader.line_num > MOST_ROWS:
                raise UsageError(Said("{path}: more than {most} rows; split it", path=path, most=MOST_ROWS))
            yield reader.line_num, tuple(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(Said("{path}: cannot be read as CSV in UTF-8: {why}", path=path, why=why_unread(error))) from error


def _is_empty(cell: object) -> bool:
    return cell is None or not str(cell).strip()


def _read_row(number: int, texts: Mapping[str, object]) -> SheetRow:
    row = SheetRow(number=number)
    for key, cell in texts.items():
        try:
            row.cells[key] = _READERS.get(key, _text)(cell)
        except ValueError as error:
            row.mistakes.append(Said("{key}: {why}", key=key, why=said_by(error)))
    row.mistakes += [Said("{key}: missing", key=key) for key in ("link", "status") if key not in texts]
    return row


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a spreadsheet's number where a text is meant
    text = " ".join(str(cell).split())
    if not text.isprintable():
        raise ValueError(Said("{text!r} has characters that cannot be printed", text=text))
    return text


def _id(cell: object) -> str:
    text = _text(cell)
    if not _ID.fullmatch(text):
        raise ValueError(Said("{text!r} is no id; write letters, digits, . _ -, beginning with a letter or digit", text=text))
    return text


def _code(cell: object) -> str:
    text = _text(cell)
    if not _CODE.fullmatch(text):
        raise ValueError(Said("{text!r} is no region code; write it as a text, such as 31.71.01.1001", text=text))
    return text


def _state(cell: object) -> SiteStatus:
    text = _text(cell).lower()
    for state, words in _STATES.items():
        if text in words:
            return state
    raise _unknown(text, (words[0] for words in _STATES.values()))


def _unknown(text: str, known: Iterable[str]) -> ValueError:
    return ValueError(Said("{text!r} is not known; write one of {known}", text=text, known=", ".join(known)))


def _kind(cell: object) -> LinkKind:
    text = _text(cell).lower()
    if text not in set(LinkKind):
        raise _unknown(text, LinkKind)
    return LinkKind(text)


def _day(cell: object) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    for form in _DAY:
        try:
            return datetime.strptime(_text(cell), form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    raise ValueError(Said("{text!r} is no date; write 2020-08-01 or 01/08/2020", text=_text(cell)))


def _degrees(most: float) -> Callable[[object], float]:
    def read(cell: object) -> float:
        try:
            degrees = float(str(cell).strip().replace(",", "."))
        except ValueError as error:
            raise ValueError(Said("{text} is no number of degrees", text=repr(cell))) from error
        if not -most <= degrees <= most:
            raise ValueError(Said("{degrees} is not within {most} degrees", degrees=f"{degrees}", most=f"{most:g}"))
        return degrees

    return read


_READERS: Mapping[str, Callable[[object], Any]] = {
    "link": _id,
    "parent": _id,
    "code": _code,
    "status": _state,
    "kind": _kind,
    "since": _day,
    "lat": _degrees(90),
    "lon": _degrees(180),
}
