"""Writes the archive: the same content gives the same octets, with a signed list of all files.

Owns order, times and permissions within the zip (all constant) and the verifier's files in it. The archive grows under another
name and takes its own only when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

from bwmgr.reports.evidence.verifier.archive import FORMAT, MANIFEST, SIGNATURE
from bwmgr.stores.journal_keys import SigningKey

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows: when a pack was made is no part of it
_LEVEL = 6
_START = '''"""Checks a pack: python3 PACK.zip, or python3 verify.py PACK.zip. Needs Python 3.11 or newer and nothing else."""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from verifier.told import main  # noqa: E402

own = [str(here)] if here.is_file() else []  # run as python3 PACK.zip: that is the pack
sys.exit(main(own + sys.argv[1:]))
'''


class PackWriter:
    """A pack being written to `path`. Files are added in any order; leaving the block without an error finishes it."""

    def __init__(self, path: Path, key: SigningKey, about: dict[str, Any]) -> None:
        self._path, self._key, self._about = path, key, about
        self._part = path.with_name(f"{path.name}.part")
        self._files: dict[str, dict[str, Any]] = {}
        self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._zip.close()
            if kind is not None:
                self._part.unlink(missing_ok=True)
        if kind is None:
            self._part.replace(self._path)

    def add(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """One file, whole or in pieces."""
        pieces = [content] if isinstance(content, bytes) else content
        digest, octets = hashlib.sha256(), 0
        with self._zip.open(_entry(name), "w", force_zip64=True) as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                octets += len(piece)
        self._files[name] = {"sha256": digest.hexdigest(), "octets": octets}

    def add_json(self, name: str, content: Any) -> None:
        self.add(name, _json(content))

    def _finish(self) -> None:
        for name, source in verifier_files():
            self.add(name, source)
        manifest = _json({"format": FORMAT, **self._about, "files": dict(sorted(self._files.items()))})
        signature = {
            "algorithm": "Ed25519 (RFC 8032) over the SHA-256 of MANIFEST.json",
            "key": self._key.id,
            "public_key": self._key.public.hexadecimal,
            "signature": self._key.sign(hashlib.sha256(manifest).hexdigest()),
        }
        for name, content in ((MANIFEST, manifest), (SIGNATURE, _json(signature))):
            self._zip.writestr(_entry(name), content)
        self._zip.close()
        with self._part.open("rb") as file:
            os.fsync(file.fileno())


def verifier_files() -> list[tuple[str, bytes]]:
    """(name in the pack, content): the verifier, and what starts it with `python3 PACK.zip` or `python3 verify.py PACK.zip`."""
    folder = files("bwmgr.reports.evidence") / "verifier"
    sources = sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".py"))
    return [
        ("__main__.py", _START.encode()),
        ("verify.py", _START.encode()),
        *((f"verifier/{name}", text) for name, text in sources),
    ]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    return entry


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
