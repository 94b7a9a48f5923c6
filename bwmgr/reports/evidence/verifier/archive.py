"""The archive itself: are all files there, none more, each as its hash says, and is the list signed?

Owns nothing of what the files mean. A file that was changed is reported and can still be read.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import ed25519

MANIFEST, SIGNATURE = "MANIFEST.json", "SIGNATURE.json"
FORMAT = "bwmgr evidence 1"
_UNLISTED = {MANIFEST, SIGNATURE}
_MOST_OCTETS = 2**36
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)
"""What Python's zip reader raises where octets were changed."""


class Finding(NamedTuple):
    """One thing that is not as the pack says. `code` is constant, for programs; `mine` and `theirs` where a figure differs."""

    code: str
    file: str
    what: str = ""
    mine: float | str | None = None
    theirs: float | str | None = None


class NoPack(ValueError):
    """The file cannot be checked at all; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.file}: {finding.code}: {finding.what}")


class Archive:
    """A pack, opened. Raises: NoPack where it is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest_octets = self.read(MANIFEST)
            self.manifest: dict[str, Any] = json.loads(self.manifest_octets)
            self.signature: dict[str, Any] = json.loads(self.read(SIGNATURE))
            self.files: dict[str, dict[str, Any]] = self.manifest["files"]
            found = self.manifest["format"]
        except (KeyError, TypeError, ValueError, *_BROKEN) as error:
            raise NoPack(Finding("not an evidence pack", str(path), str(error))) from error
        if found != FORMAT:
            raise NoPack(Finding("another format", str(path), str(found), FORMAT, str(found)))

    @property
    def public_key(self) -> str:
        """As the pack itself says, hexadecimal: to be compared with the key that the office made known."""
        return str(self.signature.get("public_key", ""))

    def read(self, name: str) -> bytes:
        """Raises: KeyError where it is not there, ValueError where it cannot be unpacked."""
        try:
            return self._zip.read(name)
        except _BROKEN as error:
            raise ValueError(f"{name}: {error}") from error

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def under(self, folder: str) -> list[str]:
        """The listed files of a folder, in order."""
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))

    def findings(self, key: str = "") -> Iterator[Finding]:
        """What is wrong with signature, list and files. `key`: the public key that it must be signed with, hexadecimal."""
        yield from self._signed(key)
        names = [entry.filename for entry in self._zip.infolist()]
        for name in sorted(set(names)):
            if names.count(name) > 1:
                yield Finding("twice", name)
            if name not in self.files and name not in _UNLISTED:
                yield Finding("not listed", name)
        for name in sorted(self.files):
            yield from self._file(name)

    def _signed(self, key: str) -> Iterator[Finding]:
        digest = hashlib.sha256(self.manifest_octets).digest()
        try:
            signed = ed25519.verify(bytes.fromhex(self.public_key), digest, bytes.fromhex(str(self.signature["signature"])))
        except (KeyError, ValueError):
            signed = False
        if not signed:
            yield Finding("signature", MANIFEST)
        if key and key.strip().lower() != self.public_key.lower():
            yield Finding("key", SIGNATURE, "public_key", key.strip().lower(), self.public_key)

    def _file(self, name: str) -> Iterator[Finding]:
        try:
            if self._zip.getinfo(name).file_size > _MOST_OCTETS:
                raise ValueError(f"{name}: more than {_MOST_OCTETS} octets")
            digest = hashlib.sha256()
            with self._zip.open(name) as stream:
                for piece in iter(lambda: stream.read(2**20), b""):
                    digest.update(piece)
        except KeyError:
            yield Finding("missing", name)
        except (ValueError, *_BROKEN) as error:
            yield Finding("unreadable", name, str(error))
        else:
            if digest.hexdigest() != self.files[name].get("sha256"):
                yield Finding("changed", name)
