"""Junos read back: a link's limits in `display set` form as settings, and the set and delete lines between two settings.

The same objects that `bwmgr.renderers.junos` names: a traffic control profile on the link's own port, or a policer with the
filter's term that leads to it. Pure: text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bwmgr.errors import UsageError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.renderers.junos import burst_octets
from bwmgr.renderers.names import plain_id, port_name, queue_name

Lines = tuple[str, ...]
_SUFFIX = {"": 1, "k": 1000, "m": 10**6, "g": 10**9}


def shows(queue: Queue) -> Lines:
    """The commands whose output `settings` reads. Raises: UsageError for what Junos cannot hold so."""
    return tuple(f"show configuration {path} | display set" for path in _paths(queue))


def settings(queue: Queue, texts: Sequence[str]) -> Settings:
    """What the active configuration has of the queue; empty: nothing of it."""
    lines = [line.strip() for text in texts for line in text.splitlines() if line.startswith("set ")]
    if not lines or not any(line.startswith(f"set {_object(queue)} ") for line in lines):
        return {}
    by = _after(lines, rf"{re.escape(_object(queue))} apply-macro bwmgr recommendation (\S+)")
    if queue.networks:
        return {
            "by": by,
            "networks": ";".join(sorted(re.findall(r"from (?:source|destination)-address (\S+)", "\n".join(lines)))),
            "limit_bps": _rate(_after(lines, r".* if-exceeding .*?bandwidth-limit (\S+)")),
            "burst_octets": _rate(_after(lines, r".* if-exceeding .*?burst-size-limit (\S+)")),
        }
    return {
        "by": by,
        "shaping_bps": _rate(_after(lines, r".* shaping-rate (\S+)")),
        "guaranteed_bps": _rate(_after(lines, r".* guaranteed-rate (\S+)")),
        "bound": int(any(line.endswith(f" output-traffic-control-profile {object_name(queue)}") for line in lines)),
    }


def wanted(queue: Queue) -> Settings:
    """What `settings` is to give once the queue holds; empty for a policer without a limit. Raises: UsageError."""
    _paths(queue)
    by = plain_id(queue.recommendation)
    if not queue.networks:
        return {"by": by, "shaping_bps": queue.mir_bps or 0, "guaranteed_bps": queue.cir_bps, "bound": 1}
    if queue.mir_bps is None:
        return {}
    networks = ";".join(sorted(str(network) for network in queue.networks))
    return {"by": by, "networks": networks, "limit_bps": queue.mir_bps, "burst_octets": burst_octets(queue.mir_bps)}


def steps(queue: Queue, present: Settings, to: Settings) -> Lines:
    """`set` and `delete` lines from the one to the other; none where they are the same."""
    if dict(present) == dict(to):
        return ()
    if not to:
        return _removed(queue, present)
    return _policer(queue, present, to) if queue.networks else _profile(queue, present, to)


def object_name(queue: Queue) -> str:
    return f"{queue_name(queue.link)}-{queue.direction}"


def _object(queue: Queue) -> str:
    """Where the figures stand."""
    place = "firewall policer" if queue.networks else "class-of-service traffic-control-profiles"
    return f"{place} {object_name(queue)}"


def _paths(queue: Queue) -> Lines:
    if queue.networks:
        return (_object(queue), *(_term(queue, family) for family in _families(queue)))
    if queue.port is None or queue.direction is Direction.UP:
        raise UsageError(
            Said(
                "{link}: Junos shapes what leaves a port; give the link networks for its {direction} limit",
                link=queue.link,
                direction=queue.direction,
            )
        )
    return _object(queue), _interface(queue)


def _families(queue: Queue) -> list[str]:
    return sorted({"inet" if network.version == 4 else "inet6" for network in queue.networks})


def _term(queue: Queue, family: str) -> str:
    return f"firewall family {family} filter bwmgr-{queue.direction} term {object_name(queue)}"


def _interface(queue: Queue) -> str:
    if queue.port is None:
        raise UsageError(Said("{link} has no interface at its shaper", link=queue.link))
    return f"class-of-service interfaces {port_name(queue.port.interface).replace(' ', '_')}"


def _profile(queue: Queue, present: Settings, to: Settings) -> Lines:
    path, lines = _object(queue), []
    for key, word in (("shaping_bps", "shaping-rate"), ("guaranteed_bps", "guaranteed-rate")):
        if to[key]:
            lines.append(f"set {path} {word} {to[key]}")
        elif present.get(key):
            lines.append(f"delete {path} {word}")
    bound = f"{_interface(queue)} output-traffic-control-profile"
    if to["bound"]:
        lines.append(f"set {bound} {object_name(queue)}")
    elif present.get("bound"):
        lines.append(f"delete {bound}")
    return (*lines, *_macro(path, present, to))


def _policer(queue: Queue, present: Settings, to: Settings) -> Lines:
    path, side = _object(queue), "destination" if queue.direction is Direction.DOWN else "source"
    limits = f"bandwidth-limit {to['limit_bps']} burst-size-limit {to['burst_octets']}"
    lines = [f"set {path} if-exceeding {limits}", f"set {path} then discard", *_macro(path, present, to)]
    had, have = (set(str(one.get("networks", "")).split(";")) - {""} for one in (present, to))
    lines += [f"delete {_term(queue, _family(one))} from {side}-address {one}" for one in sorted(had - have)]
    for family in sorted({_family(network) for network in have}):
        term = _term(queue, family)
        lines += [f"set {term} from {side}-address {one}" for one in sorted(have) if _family(one) == family]
        lines += [f"set {term} then policer {object_name(queue)}", f"set {term} then accept"]
    return tuple(lines)


def _removed(queue: Queue, present: Settings) -> Lines:
    """First what points at the object, then the object: Junos refuses to commit a name that is not there."""
    if queue.networks:
        families = sorted({_family(one) for one in str(present.get("networks", "")).split(";") if one})
        return (*(f"delete {_term(queue, family)}" for family in families), f"delete {_object(queue)}")
    bound = (f"delete {_interface(queue)} output-traffic-control-profile",) if present.get("bound") else ()
    return (*bound, f"delete {_object(queue)}")


def _macro(path: str, present: Settings, to: Settings) -> Lines:
    if to["by"]:
        return (f"set {path} apply-macro bwmgr recommendation {to['by']}",)
    return (f"delete {path} apply-macro bwmgr",) if present.get("by") else ()


def _family(network: str) -> str:
    return "inet6" if ":" in network else "inet"


def _after(lines: Sequence[str], pattern: str) -> str:
    return next((match.group(1) for line in lines if (match := re.match(f"set {pattern}", line))), "")


def _rate(text: str) -> int:
    """`35m`, `512k` or plain figures, as Junos shows them."""
    match = re.fullmatch(r"(\d+)([kmg]?)", text)
    return int(match.group(1)) * _SUFFIX[match.group(2)] if match else 0
