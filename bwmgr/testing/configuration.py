"""An inventory as the YAML that `bwmgr.config` reads: so that a virtual regency can be used like any other.

Owns where it is put, and its secrets: files of their own, readable by their owner alone, that the YAML refers to. The words are
those of `config show`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bwmgr.config.emit import emit
from bwmgr.config.shown_inventory import inventory as shown_inventory
from bwmgr.model.inventory import Credential, Inventory, UsmKey
from bwmgr.model.secret import Secret
from bwmgr.model.units import duration_text

_SECRETS = "secrets"
DOMESTIC_FILE, SERVICES_FILE = "domestic.txt", "services.txt"

Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Polling:
    """What the file says of polling; durations are seconds."""

    interval_seconds: float = 60.0
    timeout_seconds: float = 1.0
    retries: int = 1
    flows: str = ""
    """host:port on which flows are received, with the two lists beside the file; empty: none are."""


def write_configuration(inventory: Inventory, folder: Path, *, polling: Polling, comment: str = "") -> Path:
    """Writes `bwmgr.yaml` and `secrets/` into the folder, and returns the file's path. The store is its subfolder `var`."""
    credentials = {name: _written(one, folder) for name, one in inventory.credentials.items()}
    parts = shown_inventory(replace(inventory, credentials=credentials))
    document = {"organisation": parts.pop("organisation"), **_sections(polling), **parts}
    path = folder / "bwmgr.yaml"
    path.write_text("".join(f"# {line}\n" for line in comment.splitlines()) + emit(document), encoding="utf-8")
    return path


def _sections(polling: Polling) -> Mapping[str, Keys]:
    """What is not of the inventory."""
    sections: dict[str, Keys] = {
        "store": {"kind": "embedded", "path": "var"},
        "snmp": {
            "interval": duration_text(polling.interval_seconds),
            "timeout": duration_text(polling.timeout_seconds),
            "retries": polling.retries,
        },
    }
    if polling.flows:
        sections["netflow"] = {"listen": [polling.flows], "domestic": DOMESTIC_FILE, "services": SERVICES_FILE}
    return sections


def _written(credential: Credential, folder: Path) -> Credential:
    """The same, its secrets in files."""
    community = credential.community and _file(credential.community, folder, f"{credential.id}-community")
    auth = _key_in_file(credential.auth, folder, f"{credential.id}-auth")
    priv = _key_in_file(credential.priv, folder, f"{credential.id}-priv")
    return replace(credential, community=community, auth=auth, priv=priv)


def _key_in_file(key: UsmKey | None, folder: Path, name: str) -> UsmKey | None:
    return key and replace(key, key=_file(key.key, folder, name))


def _file(secret: Secret, folder: Path, name: str) -> Secret:
    """The same secret, as one that comes from a new file."""
    path = folder / _SECRETS / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret.reveal(), encoding="utf-8")
    return Secret(secret.reveal(), f"file:{_SECRETS}/{name}")
