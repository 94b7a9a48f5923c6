"""What an installed bwmgr needs beside Python modules is named in setup.cfg: an editable install would not notice."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bwmgr", "collectors", "policies")
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*"))
    if path.is_file() and path.suffix not in {".py", ".pyc"}
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_shipped(path: Path) -> None:
    """A pattern of its package, or one for all packages, matches it from the package's folder."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]
    folder = next(parent for parent in path.parents if (parent / "__init__.py").exists())
    package = ".".join(folder.relative_to(ROOT).parts)
    wanted = f"{patterns.get('*', '')} {patterns.get(package, '')}".split()
    assert any(path in folder.glob(pattern) for pattern in wanted)
