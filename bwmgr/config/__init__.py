"""Configuration files: read, checked as a whole, shown, described for editors.

Owns INTERFACE section 2. A configuration is either right in all its parts, or refused with every mistake it has.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

__all__ = ["json_schema", "load", "show", "starter"]


def load(path: Path, *, policies: Mapping[str, type], secrets: bool = True) -> Settings:
    """Reads a configuration and all that it includes.

    `policies`: each policy's class of parameters by name, in the order that holds where the file lists none. `secrets` False
    leaves secrets unread (their text is empty), so that a file can be checked where they are not.
    Raises: ConfigurationError with all mistakes, in the order of files and lines.
    """
    with _no_collection():
        return _load(path, policies, secrets=secrets)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Half a million young objects of which none is garbage: the collector would walk them over and over, a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load(path: Path, policies: Mapping[str, type], *, secrets: bool) -> Settings:
    from bwmgr.config.building import build
    from bwmgr.config.checks import Checks
    from bwmgr.config.reading import Reader, Record
    from bwmgr.config.shapes import CONFIGURATION
    from bwmgr.config.sources import Sources
    from bwmgr.errors import ConfigurationError

    reader = Reader(policies, secrets=secrets)
    document = Sources(reader.mistakes).read(path)
    root = reader.record(CONFIGURATION, document, "") if document is not None else None
    if isinstance(root, Record):
        Checks(reader, root).run()
    if reader.mistakes or root is None:
        files = list(dict.fromkeys(mistake.file for mistake in reader.mistakes))
        order = {str(path): -1} | {file: files.index(file) for file in files if file != str(path)}
        raise ConfigurationError(sorted(set(reader.mistakes), key=lambda mistake: (order[mistake.file], mistake)))
    return build(root, path.absolute(), policies)


def show(settings: Settings) -> str:
    """The effective settings as YAML that can be loaded again; secrets are shown as where they come from."""
    from bwmgr.config.emit import emit
    from bwmgr.config.shown import document

    return emit(document(settings))


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    from bwmgr.config.schema import json_schema as build

    return build()


def starter(language: str) -> str:
    """A first configuration of one link, with comments in Indonesian (`id`) or English (`en`)."""
    return Path(__file__).with_name("starter").joinpath(f"{language}.yaml").read_text(encoding="utf-8")
