"""Finds the policies: the built-in ones, and those that other distributions add by an entry point.

A third party's distribution names its module under the entry-point group `bwmgr.policies`; it cannot replace a built-in one.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bwmgr.errors import ConfigurationError, Mistake
from bwmgr.model.said import Said
from policies import BUILTIN

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

ENTRY_POINTS = "bwmgr.policies"


def policy_modules() -> dict[str, ModuleType]:
    """Policy modules by name: the built-in ones in their order of precedence, then others by name.

    Raises: ConfigurationError where a distribution's entry point cannot be loaded or takes a built-in name.
    """
    modules = {module.NAME: module for module in (import_module(f"policies.{name}") for name in BUILTIN)}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        if entry.name in modules:
            raise _mistake(
                entry.name, Said("{entry} takes the name of a built-in policy; give it another name", entry=entry.value)
            )
        try:
            modules[entry.name] = entry.load()
        except (ImportError, AttributeError) as error:
            raise _mistake(entry.name, Said("{entry} cannot be loaded: {why}", entry=entry.value, why=str(error))) from error
    return modules


def parameter_classes() -> dict[str, type]:
    """What each policy can be told, by its name: for `bwmgr.config.load`, see `load_settings`."""
    return {name: module.Parameters for name, module in policy_modules().items()}


def load_settings(path: Path, *, secrets: bool = True) -> Settings:
    """The configuration in `path`; a third party's policy runs only where `policies:` lists it.

    Raises: ConfigurationError with all mistakes.
    """
    from bwmgr import config

    return config.load(path, policies=parameter_classes(), unlisted=BUILTIN, secrets=secrets)


def _mistake(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError([Mistake(file=f"entry point {ENTRY_POINTS}", line=0, key=name, problem=problem)])
