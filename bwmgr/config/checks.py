"""What keys mean together: references, the tree, rates against each other, what may exist once.

Owns every mistake that needs two places to see. A key that was wrong by itself is missing from its record, so that it is
reported once and hides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bwmgr.config.kinds import nearest
from bwmgr.config.reading import Reader, Record
from bwmgr.model.inventory import Network
from bwmgr.model.units import rate_text

DIRECTIONS = ("down", "up")
Index = Mapping[str, Record]


class Checks:
    """Everything that is checked over a whole document, by `run`."""

    def __init__(self, reader: Reader, root: Record) -> None:
        self._blame = reader.blame
        self._root = root
        self._providers = self._index("providers", root.get("providers", []))
        contracts = [contract for provider in root.get("providers", []) for contract in provider.get("contracts", [])]
        self._contracts = self._index("contracts", contracts)
        self._devices = self._index("devices", root.get("devices", []))
        self._nodes = self._index("nodes", root.get("nodes", []))
        self._links = self._index("links", root.get("links", []))
        self._events = self._index("events", root.get("events", []))

    def _index(self, what: str, records: Iterable[Record]) -> Index:
        found: dict[str, Record] = {}
        for record in records:
            name = record.get("id")
            if name in found:
                first = found[name]
                problem = f"{name!r} is an id of {what} already, at {first.source.file}:{first.line('id')}; give each its own"
                self._blame(record, "id", problem)
            elif name is not None:
                found[name] = record
        return found

    def run(self) -> None:
        self._store()
        self._credentials()
        self._each_device()
        self._each_contract()
        self._each_node()
        self._tree()
        self._each_link()
        self._each_event()
        self._interfaces_once()
        self._networks_apart()

    def _refer(self, record: Record, key: str, known: Iterable[str], what: str) -> None:
        name = record.get(key)
        if name is not None and name not in known:
            self._blame(
                record, key, f"there is no {what} {name!r}{nearest(name, known) or f'; add it to {what}s, or correct the name'}"
            )

    def _store(self) -> None:
        store = self._root.get("store")
        if store is None or store.get("kind") != "influxdb":
            return
        if "url" not in store.source.entries:
            self._blame(store, "url", "missing; write such as http://127.0.0.1:8086")
        keys = store.source.entries
        if not ({"org", "bucket", "token"} <= keys.keys() or "database" in keys):
            self._blame(store, "", "influxdb needs org, bucket and token (2.x and 3), or database, username and password (1.x)")

    def _credentials(self) -> None:
        for record in self._root.get("credentials", {}).values():
            version, keys = record.get("version"), record.source.entries
            if version in ("1", "2c"):
                if "community" not in keys:
                    self._blame(record, "community", f"missing; version {version} needs one: {{env: NAME}} or {{file: PATH}}")
                self._foreign(
                    record, ("user", "auth", "priv", "context"), "belongs to version 3; take it away, or write version: 3"
                )
            elif version == "3":
                if "user" not in keys:
                    self._blame(record, "user", "missing; version 3 needs a user")
                if "priv" in keys and "auth" not in keys:
                    self._blame(record, "priv", "needs auth: there is no encryption without authentication (RFC 3411); add auth")
                self._foreign(record, ("community",), "belongs to versions 1 and 2c; version 3 takes user, auth and priv")
                self._pass_phrases(record)

    def _foreign(self, record: Record, keys: Iterable[str], problem: str) -> None:
        for key in keys:
            if key in record.source.entries:
                self._blame(record, key, problem)

    def _pass_phrases(self, record: Record) -> None:
        for half in ("auth", "priv"):
            key = record.get(half).get("key") if record.get(half) else None
            text = key.reveal() if key else ""
            if text and len(text) < 8:
                self._blame(
                    record.get(half),
                    "key",
                    "the pass phrase is shorter than 8 characters (RFC 3414 section 11.2); use a longer one",
                )

    def _each_device(self) -> None:
        credentials = self._root.get("credentials", {})
        taken: dict[tuple[str, int], Record] = {}
        for device in self._devices.values():
            if "credentials" in device.source.entries:
                self._refer(device, "credentials", self._named("credentials"), "credential")
            elif "default" not in self._named("credentials"):
                problem = (
                    f"missing, and there are no credentials 'default'; name one of {', '.join(credentials) or 'credentials'}"
                )
                self._blame(device, "credentials", problem)
            place = (device.get("address"), device.get("port", 161))
            if place[0] is not None and place in taken:
                other = taken[place]
                where = f"{other.source.file}:{other.line('address')}"
                problem = f"{place[0]} port {place[1]} is device {other.get('id')} already, at {where}; correct one"
                self._blame(device, "address", problem)
            taken.setdefault(place, device)

    def _named(self, section: str) -> set[str]:
        """Names in a section of names, those with mistakes of their own too."""
        value = self._root.source.entries.get(section)
        return set(getattr(value, "entries", {}))

    def _each_contract(self) -> None:
        for contract in self._contracts.values():
            start, end = contract.get("start"), contract.get("end")
            if start and end and end < start:
                self._blame(contract, "end", f"{end} is before the start, {start}; write the last day of the contract")
            for direction in DIRECTIONS:
                self._parts(contract, direction)

    def _parts(self, contract: Record, direction: str) -> None:
        whole = contract.get(direction)
        for part in ("international", "domestic"):
            rate = contract.get(part)
            if direction == "down" and rate is not None and whole is not None and rate > whole:
                self._blame(contract, part, f"{rate_text(rate)} is above the contract's {direction} of {rate_text(whole)}")

    def _each_node(self) -> None:
        for node in self._nodes.values():
            self._refer(node, "parent", self._nodes, "node")
            self._below(node, "cir", "capacity")
            if "parent" in node.source.entries and node.get("uplinks"):
                self._blame(node, "uplinks", "belong to a root; take parent away, or move them to the root")
            for uplink in node.get("uplinks", []):
                self._refer(uplink, "contract", self._contracts, "contract")

    def _below(self, record: Record, low: str, high: str) -> None:
        lower, higher = record.get(low), record.get(high)
        if not isinstance(lower, Record) or not isinstance(higher, Record):
            return
        for direction in DIRECTIONS:
            least, most = lower.get(direction), higher.get(direction)
            if least is not None and most is not None and least > most:
                problem = f"{direction} {rate_text(least)} is above {high} {rate_text(most)}; lower {low} or raise {high}"
                self._blame(record, low, problem)

    def _tree(self) -> None:
        looped = self._loops()
        if not looped:
            for node in self._nodes.values():
                if node.get("parent") not in self._nodes:
                    self._guarantees(node)

    def _loops(self) -> bool:
        settled: set[str] = set()
        looped = False
        for start in self._nodes:
            name: str = start
            trail: list[str] = []
            while name in self._nodes and name not in settled and name not in trail:
                trail.append(name)
                name = self._nodes[name].get("parent")
            if name in trail:
                loop = [*trail[trail.index(name) :], name]
                looped = True
                self._blame(
                    self._nodes[name], "parent", f"a loop: {' -> '.join(loop)}; one of them must be a root, without parent"
                )
            settled.update(trail)
        return looped

    def _guarantees(self, root: Record) -> None:
        """Sums what is guaranteed below each node, from the leaves up; without recursion, however deep the tree."""
        order = [root]
        for node in order:
            order.extend(self._children.get(node.get("id"), ()))
        sums: dict[str, dict[str, int]] = {}
        for node in reversed(order):
            below: list[Mapping[str, int]] = [sums[child.get("id")] for child in self._children.get(node.get("id"), ())]
            below += [_pair(link.get("cir")) for link in self._links_below.get(node.get("id"), ())]
            total = {direction: sum(one[direction] for one in below) for direction in DIRECTIONS}
            self._carries(node, total)
            own = _pair(node.get("cir"))
            sums[node.get("id")] = {direction: max(own[direction], total[direction]) for direction in DIRECTIONS}

    def _carries(self, node: Record, total: Mapping[str, int]) -> None:
        for key, factor in (("capacity", node.get("oversubscription", 1.0)), ("cir", 1.0)):
            rates = node.get(key)
            for direction in DIRECTIONS if isinstance(rates, Record) else ():
                most = rates.get(direction)
                if most is not None and total[direction] > most * factor:
                    what = f"the cir below adds up to {rate_text(total[direction])} {direction}, above {rate_text(most)}"
                    leave = f"times oversubscription {factor:g}; lower them" if factor > 1 else "; lower them"
                    more = " or say oversubscription: here" if key == "capacity" else " or raise it"
                    self._blame(node, key, f"{what}{' ' if factor > 1 else ''}{leave}{more}")

    @property
    def _children(self) -> Mapping[str, list[Record]]:
        return self._grouped("nodes", self._nodes)

    @property
    def _links_below(self) -> Mapping[str, list[Record]]:
        return self._grouped("links", self._links)

    def _grouped(self, what: str, records: Index) -> Mapping[str, list[Record]]:
        cache: dict[str, dict[str, list[Record]]] = self.__dict__.setdefault("_groups", {})
        if what not in cache:
            cache[what] = {}
            for record in records.values():
                cache[what].setdefault(record.get("parent"), []).append(record)
        return cache[what]

    def _each_link(self) -> None:
        calendars = self._named("calendars") | {"always"}
        for link in self._links.values():
            self._refer(link, "parent", self._nodes, "node")
            self._refer(link, "calendar", calendars, "calendar")
            self._refer(link, "opd", self._links, "link")
            self._below(link, "cir", "mir")
            self._below(link, "limit", "mir")
            keys = link.source.entries
            planned = link.get("site") is not None and link.get("site").get("status") in ("planned", "installed")
            if not (planned or "interface" in keys or "networks" in keys or link.get("kind") == "event"):
                self._blame(
                    link, "", "neither interface nor networks: nothing would be measured; add one, or site: {status: planned}"
                )

    def _each_event(self) -> None:
        for event in self._events.values():
            for name in event.get("links", []):
                if name not in self._links:
                    self._blame(event, "links", f"there is no link {name!r}{nearest(name, self._links) or '; add it to links'}")
            start, end = event.get("start"), event.get("end")
            if start and end and end.replace(tzinfo=None) <= start.replace(tzinfo=None):
                self._blame(
                    event, "end", f"{end} is not after the start, {start}; it is the first moment that no longer belongs to it"
                )
            if not {"down", "up"} & event.source.entries.keys():
                self._blame(event, "down", "missing, and up too; write what is reserved, such as down: 400M")

    def _interfaces(self) -> Iterator[Record]:
        for node in self._nodes.values():
            yield from (uplink.get("interface") for uplink in node.get("uplinks", []) if uplink.get("interface"))
        yield from (link.get("interface") for link in self._links.values() if link.get("interface"))

    def _interfaces_once(self) -> None:
        taken: dict[tuple[Any, ...], Record] = {}
        for interface in self._interfaces():
            self._refer(interface, "device", self._devices, "device")
            keys = interface.source.entries
            if ("if_name" in keys) == ("if_alias" in keys):
                problem = "and if_alias are both given; keep one" if "if_name" in keys else "missing; write if_name (or if_alias)"
                self._blame(interface, "if_name", problem)
            key = (interface.get("device"), interface.get("if_name"), interface.get("if_alias"))
            if key[0] is None or key[1:] == (None, None):
                continue
            if key in taken:
                other = taken[key]
                problem = f"{key[1] or key[2]} of {key[0]} is {other.path.removesuffix('.interface')}'s already, at "
                self._blame(interface, "", f"{problem}{other.source.file}:{other.source.line}; an interface has one user")
            taken.setdefault(key, interface)

    def _networks_apart(self) -> None:
        """Sorted, a network that overlaps another is nested in it: one pass with the enclosing ones on a stack."""
        every = [
            (network.version, int(network.network_address), network.prefixlen, place, network, link)
            for place, link in enumerate(self._links.values())
            for network in link.get("networks", [])
        ]
        open_: list[tuple[int, Network, Record]] = []
        for version, address, _, place, network, link in sorted(every, key=lambda entry: entry[:4]):
            while open_ and (open_[-1][1].version != version or int(open_[-1][1].broadcast_address) < address):
                open_.pop()
            if open_:
                self._overlap(open_[-1], (place, network, link))
            open_.append((place, network, link))

    def _overlap(self, one: tuple[int, Network, Record], two: tuple[int, Network, Record]) -> None:
        first, second = sorted((one, two), key=lambda entry: entry[0])
        owner = first[2]
        where = f"{first[1]} of link {owner.get('id')} at {owner.source.file}:{owner.line('networks')}"
        self._blame(second[2], "networks", f"{second[1]} overlaps {where}; an address belongs to one link")


def _pair(record: Any) -> Mapping[str, int]:
    return {direction: (record.get(direction) or 0) if isinstance(record, Record) else 0 for direction in DIRECTIONS}
