"""Files into one document: `include:` of YAML and CSV, merged, every value keeping the file and line it came from.

Owns what belongs together from where. An included CSV file is a list named by its file: `links.csv`, `devices-west.csv`;
its columns are keys, dotted where they are nested (`interface.device`, `limit.down`); several networks are separated by spaces.
"""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bwmgr.config.document import MAX_OCTETS, Items, Keys, Text, Value, parse
from bwmgr.config.reasons import unreadable
from bwmgr.config.shapes import CONFIGURATION, ListOf, Shape
from bwmgr.errors import Mistake
from bwmgr.model.said import Said

MAX_FILES = 500
MAX_INCLUDES_DEEP = 16


class Sources:
    """Reads a file and all that it includes. Mistakes are gathered, never raised."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self._mistakes = mistakes
        self._open: list[Path] = []
        self._files = 0

    def read(self, path: Path) -> Keys | None:
        """The merged document, None where there is none."""
        value = self._parsed(path, Mistake(file=str(path), line=0, key="", problem=""))
        if value is None or isinstance(value, Keys):
            return self._with_includes(value, path) if value else None
        if not (isinstance(value, Text) and value.empty):
            self._no_mapping(value, "organisation, devices, links")
            return None
        return Keys(value.file, value.line)

    def _report(self, file: str, line: int, key: str, problem: str) -> None:
        self._mistakes.append(Mistake(file=file, line=line, key=key, problem=problem))

    def _no_mapping(self, value: Value, like: str) -> None:
        self._report(value.file, value.line, "", Said("a mapping belongs here, with keys such as {like}", like=like))

    def _parsed(self, path: Path, asked: Mistake) -> Value | None:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_OCTETS + 1)
        except (OSError, ValueError) as error:
            why = unreadable(error)
            own, included = Said("cannot be read: {why}", why=why), Said("{path} cannot be read: {why}", path=path, why=why)
            self._report(asked.file, asked.line, asked.key, own if str(path) == asked.file else included)
            return None
        before = len(self._mistakes)
        value = self._table(path, content) if path.suffix == ".csv" else parse(content, str(path), self._mistakes)
        if value is None and len(self._mistakes) == before:
            return Keys(str(path), 1)
        return value

    def _with_includes(self, keys: Keys, path: Path) -> Keys:
        asked = keys.entries.pop("include", None)
        if asked is None:
            return keys
        self._open.append(path.resolve())
        for text in self._patterns(asked):
            for file in self._matching(path.parent, text):
                included = self._included(file, Mistake(file=text.file, line=text.line, key="include", problem=""))
                if included is not None:
                    self._merge(keys, included, "")
        self._open.pop()
        return keys

    def _patterns(self, asked: Value) -> Iterator[Text]:
        for value in asked.items if isinstance(asked, Items) else [asked]:
            if isinstance(value, Text) and not value.empty:
                yield value
            else:
                problem = Said("write a file, a pattern such as links/*.yaml, or a list of them")
                self._report(value.file, value.line, "include", problem)

    def _matching(self, folder: Path, text: Text) -> list[Path]:
        if not any(letter in text.text for letter in "*?["):
            return [folder / text.text]
        pattern = os.path.join(glob.escape(str(folder)), text.text)  # noqa: PTH118 - Path.glob takes no absolute pattern
        found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not found:
            problem = Said("no file matches {pattern!r} in {folder}", pattern=text.text, folder=folder)
            self._report(text.file, text.line, "include", problem)
        return found

    def _included(self, file: Path, asked: Mistake) -> Keys | None:
        self._files += 1
        if self._files > MAX_FILES or len(self._open) > MAX_INCLUDES_DEEP:
            problem = Said(
                "more than {most} files, or files that include files {deep} deep", most=MAX_FILES, deep=MAX_INCLUDES_DEEP
            )
            self._report(asked.file, asked.line, "include", problem)
            return None
        try:
            resolved = file.resolve()
        except (OSError, ValueError, RuntimeError):
            resolved = file
        if resolved in self._open:
            problem = Said("{file} includes itself, directly or through others; take one include away", file=file)
            self._report(asked.file, asked.line, "include", problem)
            return None
        value = self._parsed(file, asked)
        if isinstance(value, Keys):
            return self._with_includes(value, file)
        if value is not None and not (isinstance(value, Text) and value.empty):
            self._no_mapping(value, "devices, links")
        return None

    def _merge(self, into: Keys, more: Keys, path: str) -> None:
        for key, value in more.entries.items():
            present = into.entries.get(key)
            at = f"{path}.{key}" if path else key
            if present is None or (isinstance(present, Text) and present.empty):
                into.entries[key], into.lines[key] = value, more.lines[key]
            elif isinstance(present, Items) and isinstance(value, Items):
                present.items.extend(value.items)
            elif isinstance(present, Keys) and isinstance(value, Keys) and not path:
                self._merge(present, value, at)
            else:
                first = f"{present.file}:{into.lines[key]}"
                problem = Said("given twice; the first is at {where}: keep one", where=first)
                self._report(more.file, more.lines[key], at, problem)

    def _table(self, path: Path, content: bytes) -> Value | None:
        section = path.stem.split("-")[0]
        field = CONFIGURATION.fields.get(section)
        if field is None or not isinstance(field.type, ListOf) or not isinstance(field.type.of, Shape):
            problem = Said("a CSV file is named by its section: such as links.csv or devices-west.csv")
            self._report(str(path), 0, "", problem)
            return None
        if len(content) > MAX_OCTETS:
            self._report(str(path), 0, "", Said("more than {most} octets; split it", most=MAX_OCTETS))
            return None
        try:
            rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            return self._rows(str(path), section, rows)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._report(str(path), line, "", Said("not UTF-8 text; save the file as UTF-8"))
        except csv.Error as error:
            self._report(str(path), rows.line_num, "", Said("not CSV: {why}", why=error))
        return None

    def _rows(self, file: str, section: str, rows: Any) -> Keys:
        columns: list[str] = next(rows, [])
        items = Items(file, 1)
        for column in {name for name in columns if columns.count(name) > 1}:
            self._report(file, 1, column, Said("two columns of this name; keep one"))
        for column in columns:
            if any(other.startswith(f"{column}.") for other in columns):
                problem = Said("a column beside {column}.*, which it would hold; keep either", column=column)
                self._report(file, 1, column, problem)
        line = 2
        for cells in rows:
            if len(cells) > len(columns):
                problem = Said(
                    "{cells} cells under {columns} columns; quote a cell that holds a comma",
                    cells=len(cells),
                    columns=len(columns),
                )
                self._report(file, line, "", problem)
            elif any(cells):
                items.items.append(_row(file, line, dict(zip(columns, cells, strict=False))))
            line = rows.line_num + 1
        return Keys(file, 1, {section: items}, {section: 1})


def _row(file: str, line: int, cells: dict[str, str]) -> Keys:
    row = Keys(file, line)
    for column, cell in cells.items():
        if not cell:
            continue
        *groups, key = column.split(".")
        holder = row
        for group in groups:
            inner = holder.entries.get(group)
            if not isinstance(inner, Keys):
                inner = Keys(file, line)
                holder.entries[group], holder.lines[group] = inner, line
            holder = inner
        listed = key in ("networks", "links")
        holder.entries[key] = (
            Items(file, line, [Text(part, file, line) for part in cell.split()]) if listed else Text(cell, file, line)
        )
        holder.lines[key] = line
    return row
