"""What a person calls by its id, held against the inventory. Owns the refusals; a link's, which guesses, is `status`'s."""

from __future__ import annotations

from bwmgr.errors import UsageError
from bwmgr.model.inventory import Inventory
from bwmgr.model.said import Said


def require_contract(inventory: Inventory, name: str) -> None:
    """Raises: UsageError naming those that there are."""
    if name not in inventory.contracts:
        known = ", ".join(inventory.contracts) or Said("none")
        raise UsageError(Said("no contract {name!r}; there are {known}", name=name, known=known))


def require_provider(inventory: Inventory, name: str) -> None:
    """Raises: UsageError naming those that there are."""
    if name not in inventory.providers:
        known = ", ".join(inventory.providers) or Said("none")
        raise UsageError(Said("no provider {name!r}; there are {known}", name=name, known=known))
