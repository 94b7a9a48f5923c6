"""Configuration files: read, checked as a whole, shown, described for editors.

Owns INTERFACE section 2. A configuration is either right in all its parts, or refused with every mistake it has.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.errors import Mistake

__all__ = ["json_schema", "load", "show", "starter"]


def load(path: Path, *, policies: Mapping[str, type], unlisted: Collection[str] | None = None, secrets: bool = True) -> Settings:
    """Reads a configuration and all that it includes.

    `policies`: each policy's class of parameters by name, in order. `unlisted`: the names of those that hold where the file lists
    none; None: all of them. `secrets` False leaves secrets unread (their text is empty), so that a file can be checked where they
    are not.
    Raises: ConfigurationError with all mistakes, in the order of files and lines.
    """
    with _no_collection():
        return _load(path, policies, unlisted, secrets=secrets)


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


def _load(path: Path, policies: Mapping[str, type], unlisted: Collection[str] | None, *, secrets: bool) -> Settings:
    from bwmgr.config.building import build
    from bwmgr.config.checks import Checks
    from bwmgr.config.document import TooMany
    from bwmgr.config.reading import Reader, Record
    from bwmgr.config.shapes import CONFIGURATION
    from bwmgr.config.sources import Sources
    from bwmgr.errors import ConfigurationError, Mistake
    from bwmgr.model.said import said_by

    reader = Reader(policies, secrets=secrets)
    root = None
    try:
        document = Sources(reader.mistakes).read(path)
        root = reader.record(CONFIGURATION, document, "") if document is not None else None
        if isinstance(root, Record):
            Checks(reader, root).run()
    except TooMany as stop:
        reader.mistakes.extend([Mistake(file=str(path), line=0, key="", problem=said_by(stop))])
    if reader.mistakes or root is None:
        organisation = root.get("organisation") if isinstance(root, Record) else None
        language = organisation.get("language") if isinstance(organisation, Record) else None
        raise ConfigurationError(_in_order(reader.mistakes, str(path)), language)
    held = {name: class_ for name, class_ in policies.items() if unlisted is None or name in unlisted}
    return build(root, path.absolute(), held)


def _in_order(mistakes: Iterable[Mistake], first: str) -> list[Mistake]:
    """By file, the one that was asked for first, and by line; each once."""
    files = dict.fromkeys((first, *(mistake.file for mistake in mistakes)))
    order = {file: place for place, file in enumerate(files)}
    return sorted(set(mistakes), key=lambda mistake: (order[mistake.file], mistake))


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
