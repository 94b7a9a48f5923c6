"""What the options before the command say, and the parts that commands need, built when first asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwmgr.config.settings import Settings
    from bwmgr.daemon.application import Application
    from bwmgr.language import Words


@dataclass(kw_only=True)
class Session:
    """`click.Context.obj` of every command."""

    path: str
    language: str | None = None
    _settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The configuration. Raises: ConfigurationError."""
        if self._settings is None:
            from bwmgr import config
            from bwmgr.daemon.policy_registry import parameter_classes

            self._settings = config.load(Path(self.path), policies=parameter_classes())
        return self._settings

    @property
    def words(self) -> Words:
        """Texts in the language of `--lang`, else the organisation's."""
        from bwmgr.language import Words

        organisation = self.settings.inventory.organisation
        return Words(self.language or organisation.language, organisation.timezone)

    @contextmanager
    def application(self) -> Iterator[Application]:
        """The wired parts over the configured store; closed on exit."""
        from bwmgr.daemon.application import Application

        application = Application(self.settings)
        try:
            yield application
        finally:
            application.close()
