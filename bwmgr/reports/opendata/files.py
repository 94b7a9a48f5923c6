"""A folder of files for the public: each appears under its name only when it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bwmgr.errors import UsageError, unwritable

Contents = Mapping[str, bytes]
"""Name within the folder -> content."""


def write_folder(folder: Path, contents: Contents) -> list[Path]:
    """Writes all files and leaves others alone; returns their paths. Raises: UsageError where it cannot."""
    written = []
    try:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(content)
            part.replace(path)
            written.append(path)
    except OSError as error:
        raise UsageError(unwritable(folder, error)) from error
    return written


def json_octets(content: Any) -> bytes:
    """UTF-8 with a line for each item of the outermost list, so that two versions can be compared."""
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
