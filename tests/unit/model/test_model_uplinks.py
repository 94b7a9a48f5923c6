"""Each polled uplink has a series of its own."""

from __future__ import annotations

from bwmgr.model.inventory import Faces, Interface, Inventory, Node, Organisation, Uplink


def uplink(port: str, contract: str | None) -> Uplink:
    return Uplink(interface=Interface(device="core", if_name=port, faces=Faces.PROVIDER), contract=contract)


def test_two_uplinks_of_one_contract_are_two_series() -> None:
    """A contract on two ports: two names; a contract of its own port keeps its id as the name."""
    ports = (uplink("sfp1", "icon"), uplink("sfp2", "icon"), uplink("sfp3", "bahari"), uplink("sfp4", None))
    inventory = Inventory(organisation=Organisation(name="Kab"), nodes={"kab": Node(id="kab", name="Kab", uplinks=ports)})
    names = [name for name, _, _ in inventory.uplinks()]
    assert names == ["icon:core:sfp1", "icon:core:sfp2", "bahari", "kab:core:sfp4"]
