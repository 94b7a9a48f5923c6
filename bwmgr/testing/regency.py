"""A virtual regency: every device of an inventory as an SNMP agent on a loopback address, with traffic that fits its links.

Owns which port belongs to which link or uplink and what its counters say. How busy links are belongs to `traffic` and `habits`,
the protocol to `router` and `server`; the weeks before are written by `history`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address

from bwmgr.model.clock import Clock
from bwmgr.model.inventory import ALWAYS, Credential, Device, Direction, Faces, Interface, Inventory, Link, Node, Uplink, UsmKey
from bwmgr.testing.lives import Life
from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.noise import draw, key_of
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer
from bwmgr.testing.traffic import CELL_MS, Condition, LinkTraffic, Meter, SumTraffic, Traffic
from bwmgr.testing.usm import User

_FIRST_ADDRESS = int(IPv4Address("127.16.0.1"))
_PACKET_OCTETS = 800
_SPEEDS_BPS = (100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000)
_UPTIME_MS = 40 * 86_400_000


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """What goes wrong: conditions by link id, lives by device id; whatever is not named is well."""

    conditions: Mapping[str, Condition]
    lives: Mapping[str, Life]


HEALTHY = Troubles(conditions={}, lives={})


class Regency:
    """Brings `inventory` to life from `clock`'s present on. A context manager; agents answer between `start` and `stop`.

    `inventory` (the attribute) is the given one with every device at its loopback address and the shared port. The traffic is
    a pure function of links, `seed` and time, so that two regencies of the same seed tell the same.
    """

    def __init__(self, inventory: Inventory, clock: Clock, *, seed: int = 1, troubles: Troubles = HEALTHY, port: int = 0) -> None:
        self.seed, self.troubles = seed, troubles
        self._given, self._clock = inventory, clock
        self.begins_ms = self.now_ms() // CELL_MS * CELL_MS
        self.responders: dict[str, _Agent] = {}
        self._sums: list[Meter] = []
        self.server = AgentServer(self.responders.get, self.now_ms, port=port)
        self.inventory = replace(inventory, devices=dict(_on_loopback(inventory.devices.values(), self.server.port)))
        for device in self.inventory.devices.values():
            self.responders[device.address] = _Agent(self._router(device), self.life(device.id))

    def __enter__(self) -> Regency:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """The sums of thousands of links are made first, so that the core's first answer is not late."""
        for meter in self._sums:
            meter.read(self.begins_ms)
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def now_ms(self) -> int:
        """Virtual time, ms since 1970 UTC."""
        return round(self._clock.now().timestamp() * 1000)

    def life(self, device: str) -> Life:
        """When a device is on; where nothing else is said, always, with an uptime of its own."""
        usual = Life(first_boot_ms=self.begins_ms - round(_UPTIME_MS * (0.1 + draw(key_of(self.seed, "boot", device)))))
        return self.troubles.lives.get(device, usual)

    def ports(self, device: str) -> tuple[Port, ...]:
        """The interfaces of a device, as they are numbered since its last boot."""
        return self.responders[self.inventory.devices[device].address].ports(self.now_ms())

    @cached_property
    def links(self) -> Mapping[str, LinkTraffic]:
        """The traffic of each link that has an interface."""
        return {link.id: self._link_traffic(link) for link in self._given.links.values() if link.interface is not None}

    @cached_property
    def uplinks(self) -> Mapping[str, SumTraffic]:
        """The traffic of each uplink, by its series name: the sum of the links that go out through it."""
        shares: dict[str, list[LinkTraffic]] = {name: [] for name, _, _ in self._given.uplinks()}
        for root in self._given.roots():
            gates = [(name, uplink) for name, node, uplink in self._given.uplinks() if node is root]
            for name, traffic in self._shared_out(root, gates):
                shares[name].append(traffic)
        return {name: SumTraffic(parts) for name, parts in shares.items()}

    def _shared_out(self, root: Node, gates: Sequence[tuple[str, Uplink]]) -> Iterable[tuple[str, LinkTraffic]]:
        """Each link below the root goes out where there is most room left."""
        if not gates:
            return
        capacity = {name: self._capacity_bps(root, uplink) / len(gates) for name, uplink in gates}
        filled = dict.fromkeys(capacity, 0.0)
        for link_id, traffic in self.links.items():
            if root in self._given.ancestors(traffic.link.parent):
                name = min(filled, key=lambda gate: filled[gate] / capacity[gate])
                filled[name] += traffic.size_bps(Direction.DOWN)
                yield name, self.links[link_id]

    def _capacity_bps(self, root: Node, uplink: Uplink) -> int:
        contract = self._given.contracts.get(uplink.contract or "")
        return (contract.capacity.down if contract else root.capacity.down) or _SPEEDS_BPS[1]

    def _link_traffic(self, link: Link) -> LinkTraffic:
        assert link.interface is not None
        return LinkTraffic(
            link,
            self._given.calendars.get(link.calendar, ALWAYS),
            self._given.organisation.timezone,
            seed=self.seed,
            life=self.life(link.interface.device),
            condition=self.troubles.conditions.get(link.id, Condition.NORMAL),
        )

    @cached_property
    def _faces(self) -> Mapping[str, list[tuple[Interface, Traffic, str, float]]]:
        """By device: each interface with its traffic, what lies behind it, and the size of that in bit/s."""
        found: dict[str, list[tuple[Interface, Traffic, str, float]]] = {}
        for link_id, traffic in self.links.items():
            interface = self._given.links[link_id].interface
            if interface is not None:
                size = max(traffic.size_bps(direction) for direction in Direction)
                found.setdefault(interface.device, []).append((interface, traffic, self._given.links[link_id].name, size))
        for name, node, uplink in self._given.uplinks():
            entry = (uplink.interface, self.uplinks[name], name, float(self._capacity_bps(node, uplink)))
            found.setdefault(uplink.interface.device, []).append(entry)
        return found

    def _router(self, device: Device) -> Callable[[int], VirtualRouter]:
        """Makes the device as it is after so many boots: where it is renumbered, every other boot in another order."""
        life, credential = self.life(device.id), self._given.credentials[device.credentials]
        meters = [Meter(traffic, self.begins_ms) for _, traffic, _, _ in self._faces.get(device.id, [])]
        self._sums += [meter for meter in meters if isinstance(meter.traffic, SumTraffic)]

        def made(boots: int) -> VirtualRouter:
            ports = tuple(self._ports(device.id, life, meters, renumbered=boots % 2 == 1))
            system = System(name=device.id, descr=f"bwmgr virtual {device.vendor or 'router'}")
            return VirtualRouter(
                system, ports, communities=_communities(credential), users=_users(credential), booted_ms=life.booted_ms
            )

        return made

    def _ports(self, device: str, life: Life, meters: Sequence[Meter], *, renumbered: bool) -> Iterable[Port]:
        faces = self._faces.get(device, [])
        first = len(faces) + 2 if renumbered else 2
        yield Port(if_index=1, if_name="lo", read=lambda _: PortState(), speed_bps=0)
        for number, ((interface, traffic, title, size_bps), meter) in enumerate(zip(faces, meters, strict=True)):
            old = isinstance(traffic, LinkTraffic) and traffic.condition is Condition.COUNTER32
            yield Port(
                if_index=first + len(faces) - 1 - number if renumbered else first + number,
                if_name=interface.if_name or f"port{number + 1}",
                if_alias=interface.if_alias or title[:64],
                speed_bps=next((speed for speed in _SPEEDS_BPS if speed >= size_bps), _SPEEDS_BPS[-1]),
                counter64=not old,
                read=_Counters(meter, interface.faces, life, begins_ms=self.begins_ms, start_octets=self._start(device, old)),
            )

    def _start(self, device: str, old: bool) -> int:
        """What a device has counted before all this: an old one is about to wrap."""
        return 2**32 - 20_000_000 if old else round(draw(key_of(self.seed, "start", device)) * 2**44)


class _Agent:
    """A device that may come back from a boot with other ifIndexes. Fulfils `server.Responder`."""

    def __init__(self, made: Callable[[int], VirtualRouter], life: Life) -> None:
        self._made, self._life = made, life
        self._boots = -1
        self.router = self._at(0)

    def ports(self, now_ms: int) -> tuple[Port, ...]:
        return tuple(self._at(self._life.boots(now_ms)).table.ports)

    def respond(self, datagram: bytes, now_ms: int) -> bytes | None:
        return self._at(self._life.boots(now_ms)).respond(datagram, now_ms)

    def _at(self, boots: int) -> VirtualRouter:
        if boots != self._boots:
            self._boots, self.router = boots, self._made(boots)
        return self.router


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Which of a meter's columns an interface counts as in and as out."""

    came_in: Direction
    went_out: Direction


_SIDES = {
    Faces.SUBSCRIBER: _Sides(came_in=Direction.UP, went_out=Direction.DOWN),
    Faces.PROVIDER: _Sides(came_in=Direction.DOWN, went_out=Direction.UP),
}


class _Counters:
    """A port's state: what its meter has counted since the device's last boot."""

    def __init__(self, meter: Meter, faces: Faces, life: Life, *, begins_ms: int, start_octets: int) -> None:
        self._meter, self._sides, self._life = meter, _SIDES[faces], life
        self._begins_ms, self._start_octets = begins_ms, start_octets

    def __call__(self, now_ms: int) -> PortState:
        booted_ms = self._life.booted_ms(now_ms) or now_ms
        total, at_boot = self._meter.read(now_ms), self._meter.read(booted_ms)
        before = self._start_octets if booted_ms < self._begins_ms else 0
        count = {column: total[column] - at_boot[column] for column in total}
        came_in, went_out = before // 4 + count[self._sides.came_in], before + count[self._sides.went_out]
        return PortState(
            in_octets=came_in,
            out_octets=went_out,
            in_packets=came_in // _PACKET_OCTETS,
            out_packets=went_out // _PACKET_OCTETS,
            in_discards=count[f"{self._sides.came_in}_discards"],
            out_discards=count[f"{self._sides.went_out}_discards"],
            in_errors=count["errors"],
            oper_up=self._meter.oper_up(now_ms),
        )


def _on_loopback(devices: Iterable[Device], port: int) -> Iterable[tuple[str, Device]]:
    for number, device in enumerate(devices):
        yield device.id, replace(device, address=str(IPv4Address(_FIRST_ADDRESS + number)), port=port)


def _communities(credential: Credential) -> list[str]:
    return [credential.community.reveal()] if credential.community else []


def _users(credential: Credential) -> list[User]:
    if credential.version != "3":
        return []
    return [User(name=credential.user or "", auth=_key(credential.auth), priv=_key(credential.priv))]


def _key(key: UsmKey | None) -> tuple[str, str] | None:
    return None if key is None else (key.protocol, key.key.reveal())
