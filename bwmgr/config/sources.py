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
from bwmgr.config.shapes import CONFIGURATION, ListOf, Shape
from bwmgr.errors import Mistake

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
            self._report(value.file, value.line, "", "a mapping belongs here, with keys such as organisation, devices, links")
            return None
        return Keys(value.file, value.line)

    def _report(self, file: str, line: int, key: str, problem: str) -> None:
        self._mistakes.append(Mistake(file=file, line=line, key=key, problem=problem))

    def _parsed(self, path: Path, asked: Mistake) -> Value | None:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_OCTETS + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            what = "cannot be read" if str(path) == asked.file else f"{path} cannot be read"
            self._report(asked.file, asked.line, asked.key, f"{what}: {reason}")
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
                self._report(value.file, value.line, "include", "write a file, a pattern such as links/*.yaml, or a list of them")

    def _matching(self, folder: Path, text: Text) -> list[Path]:
        if not any(letter in text.text for letter in "*?["):
            return [folder / text.text]
        pattern = os.path.join(glob.escape(str(folder)), text.text)  # noqa: PTH118 - Path.glob takes no absolute pattern
        found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not found:
            self._report(text.file, text.line, "include", f"no file matches {text.text!r} in {folder}")
        return found

    def _included(self, file: Path, asked: Mistake) -> Keys | None:
        self._files += 1
        if self._files > MAX_FILES or len(self._open) > MAX_INCLUDES_DEEP:
            problem = f"more than {MAX_FILES} files, or files that include files {MAX_INCLUDES_DEEP} deep"
            self._report(asked.file, asked.line, "include", problem)
            return None
        try:
            resolved = file.resolve()
        except (OSError, ValueError, RuntimeError):
            resolved = file
        if resolved in self._open:
            self._report(
                asked.file, asked.line, "include", f"{file} includes itself, directly or through others; take one include away"
            )
            return None
        value = self._parsed(file, asked)
        if isinstance(value, Keys):
            return self._with_includes(value, file)
        if value is not None and not (isinstance(value, Text) and value.empty):
            self._report(value.file, value.line, "", "a mapping belongs here, with keys such as devices, links")
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
                problem = f"given twice; the first is at {present.file}:{into.lines[key]}: keep one"
                self._report(more.file, more.lines[key], at, problem)

    def _table(self, path: Path, content: bytes) -> Value | None:
        section = path.stem.split("-")[0]
        field = CONFIGURATION.fields.get(section)
        if field is None or not isinstance(field.type, ListOf) or not isinstance(field.type.of, Shape):
            self._report(str(path), 0, "", "a CSV file is named by its section: such as links.csv or devices-west.csv")
            return None
        if len(content) > MAX_OCTETS:
            self._report(str(path), 0, "", f"more than {MAX_OCTETS} octets; split it")
            return None
        try:
            rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            return self._rows(str(path), section, rows)
        except UnicodeDecodeError as error:
            self._report(str(path), content.count(b"\n", 0, error.start) + 1, "", "not UTF-8 text; save the file as UTF-8")
        except csv.Error as error:
            self._report(str(path), rows.line_num, "", f"not CSV: {error}")
        return None

    def _rows(self, file: str, section: str, rows: Any) -> Keys:
        columns: list[str] = next(rows, [])
        items = Items(file, 1)
        for column in {name for name in columns if columns.count(name) > 1}:
            self._report(file, 1, column, "two columns of this name; keep one")
        for column in columns:
            if any(other.startswith(f"{column}.") for other in columns):
                self._report(file, 1, column, f"a column beside {column}.*, which it would hold; keep either")
        line = 2
        for cells in rows:
            if len(cells) > len(columns):
                self._report(file, line, "", f"{len(cells)} cells under {len(columns)} columns; quote a cell that holds a comma")
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
