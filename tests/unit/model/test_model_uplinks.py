"""Each polled uplink has a series of its own."""

from __future__ import annotations

from bwmgr.model.inventory import Contract, Faces, Interface, Inventory, Node, Organisation, PerDirection, Provider, Uplink


def uplink(port: str, contract: str | None) -> Uplink:
    return Uplink(interface=Interface(device="core", if_name=port, faces=Faces.PROVIDER), contract=contract)


def test_two_uplinks_of_one_contract_are_two_series() -> None:
    """A contract on two ports: two names; a contract of its own port keeps its id as the name."""
    ports = (uplink("sfp1", "icon"), uplink("sfp2", "icon"), uplink("sfp3", "bahari"), uplink("sfp4", None))
    inventory = Inventory(organisation=Organisation(name="Kab"), nodes={"kab": Node(id="kab", name="Kab", uplinks=ports)})
    names = [name for name, _, _ in inventory.uplinks()]
    assert names == ["icon:core:sfp1", "icon:core:sfp2", "bahari", "kab:core:sfp4"]


def test_each_series_knows_its_contract() -> None:
    """By the series' name the contract is found, whether it has one port or two; a port without a contract has none."""
    ports = (uplink("sfp1", "icon"), uplink("sfp2", "icon"), uplink("sfp3", "bahari"), uplink("sfp4", None))
    rates = PerDirection(down=500_000_000, up=500_000_000)
    contracts = tuple(Contract(id=each, provider="pt", capacity=rates) for each in ("icon", "bahari"))
    inventory = Inventory(
        organisation=Organisation(name="Kab"),
        providers={"pt": Provider(id="pt", name="PT", contracts=contracts)},
        nodes={"kab": Node(id="kab", name="Kab", uplinks=ports)},
    )
    found = {name: contract.id for name, contract in inventory.uplink_contracts.items()}
    assert found == {"icon:core:sfp1": "icon", "icon:core:sfp2": "icon", "bahari": "bahari"}
