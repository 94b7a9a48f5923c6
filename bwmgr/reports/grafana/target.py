"""What dashboards are made for: the inventory, the language, and the InfluxDB that Grafana will read.

Owns uids and the names of the environment variables that hold secrets; a secret itself never gets into a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from bwmgr.language import Words
from bwmgr.model.inventory import Inventory

SOURCE_UID = "bwmgr-influxdb"
LISTS_UID = "bwmgr-lists"
"""Grafana's built-in TestData source: it serves the lists that are written into a panel (places, contracts)."""
FOLDER_UID = "bwmgr"
TOKEN_VARIABLE = "BWMGR_GRAFANA_TOKEN"  # noqa: S105  a name, no secret
PASSWORD_VARIABLE = "BWMGR_GRAFANA_PASSWORD"  # noqa: S105  a name, no secret


@dataclass(frozen=True, kw_only=True, slots=True)
class InfluxTarget:
    """The server as Grafana reaches it. `token` True: 2.x and 3, which ask for one; `database` is the bucket's name there."""

    url: str
    database: str
    token: bool = False
    username: str | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """All that a dashboard needs to know. `poll_seconds` is the shortest step that a panel asks for."""

    inventory: Inventory
    words: Words
    influx: InfluxTarget
    poll_seconds: int = 60

    def uid(self, name: str) -> str:
        """Fixed for ever, one for each language, so that both can stand side by side: links and bookmarks hold."""
        return f"bwmgr-{name}-{self.words.language}"

    @property
    def timezone(self) -> str:
        return self.inventory.organisation.timezone
