"""What the options before the command say, and the parts that commands need, built when first asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.errors import BwmgrError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwmgr.config.settings import Settings
    from bwmgr.daemon.application import Application
    from bwmgr.language import Words
    from bwmgr.model.clock import Clock
    from bwmgr.model.journal import Actor
    from bwmgr.model.people import Role


def complete_links(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell's completion: ids of links that begin so; none where the configuration cannot be read."""
    root = context.find_root()
    try:
        links = Session(path=root.params.get("path") or Session.path).settings.inventory.links
    except BwmgrError:
        return []
    return [link for link in links if link.startswith(incomplete)]


@dataclass(kw_only=True)
class Session:
    """`click.Context.obj` of every command."""

    path: str = "bwmgr.yaml"
    language: str | None = None
    clock: Clock | None = None
    """Another time than the machine's: the demo's."""
    _settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The configuration. Raises: ConfigurationError."""
        if self._settings is None:
            self._settings = self.load()
        return self._settings

    def load(self) -> Settings:
        """The configuration as the file says it at this moment. Raises: ConfigurationError."""
        from bwmgr.daemon.policy_registry import load_settings

        return load_settings(Path(self.path))

    @property
    def words(self) -> Words:
        """Texts in the language of `--lang`, else the organisation's."""
        from bwmgr.language import Words

        organisation = self.settings.inventory.organisation
        return Words(self.language or organisation.language, organisation.timezone, organisation.currency)

    def told(self, error: BwmgrError) -> str:
        """In the language of `--lang`, else the configuration's, were it the one that is refused; Indonesian where none says."""
        from bwmgr.language import Words

        if self.language is None and self._settings is not None:
            return self.words.error(error)
        own = error.language if isinstance(error, ConfigurationError) else None
        return Words(self.language or own or "id").error(error)

    def acting(self, by: str | None, role: Role | None) -> Actor:
        """Who acts, as it is written down. Raises: UsageError where `people:` of the configuration does not let them."""
        from bwmgr.daemon.acting import acting

        return acting(self.settings, by, role)

    def masked(self, text: str) -> str:
        """`text` without the secrets of the configuration, where it was read."""
        if self._settings is None:
            return text
        from bwmgr.daemon.logs import masked, secrets_of

        return masked(text, secrets_of(self._settings))

    @contextmanager
    def application(self) -> Iterator[Application]:
        """The wired parts over the configured store; closed on exit."""
        from bwmgr.daemon.application import Application

        application = Application(self.settings, clock=self.clock)
        try:
            yield application
        finally:
            application.close()
