"""Cisco IOS and IOS-XE read back: a link's queue in a running configuration as settings, and the lines between two settings.

The same objects that `bwmgr.renderers.ios` names: a map on the link's own port, or a class of its node's map with the matches
that lead to it. Only what is named here is touched; what an office added to them stays. Pure: text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bwmgr.errors import UsageError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.renderers.names import plain_id, port_name, queue_name

Lines = tuple[str, ...]
_REMARK = "description bwmgr "


def shows(queue: Queue) -> Lines:
    """The commands whose output `settings` reads. Raises: UsageError for a link with neither networks nor a port."""
    name = object_name(queue)
    if queue.networks:
        heads: Lines = (f"ip access-list extended {name}", f"class-map match-any {name}", f"policy-map {_node(queue)}")
    elif queue.port is not None:
        heads = (f"policy-map {name}",)
    else:
        raise UsageError(Said("{link} has neither networks nor an interface at its shaper", link=queue.link))
    commands = [f"show running-config | section {head}" for head in heads]
    if not queue.networks:
        commands.append(f"show running-config interface {_port(queue)}")
    return tuple(commands)


def settings(queue: Queue, texts: Sequence[str]) -> Settings:
    """What the running configuration has of the queue; empty: nothing of it."""
    sections = _sections("\n".join(texts))
    return _class_settings(queue, sections) if queue.networks else _own_settings(queue, sections)


def wanted(queue: Queue) -> Settings:
    """What `settings` is to give once the queue holds. Raises: UsageError for an IPv6 network."""
    if not queue.networks:
        return {"by": plain_id(queue.recommendation), "limit_bps": queue.mir_bps or 0, "bound": _way(queue)}
    return {
        "by": plain_id(queue.recommendation),
        "networks": ";".join(_entries(queue)),
        "bandwidth_kbps": max(1, queue.cir_bps // 1000) if queue.cir_bps else 0,
        "limit_bps": queue.mir_bps or 0,
    }


def steps(queue: Queue, present: Settings, to: Settings) -> Lines:
    """Configuration lines from the one to the other; none where they are the same."""
    if dict(present) == dict(to):
        return ()
    if queue.networks:
        return _class_steps(queue, present, to) if to else _class_removed(queue)
    return _own_steps(queue, present, to) if to else _own_removed(queue)


def object_name(queue: Queue) -> str:
    return f"{queue_name(queue.link, longest=32)}-{queue.direction}"


def _node(queue: Queue) -> str:
    return f"{queue_name(queue.parent or 'root', longest=32)}-{queue.direction}"


def _way(queue: Queue) -> str:
    return "output" if queue.direction is Direction.DOWN else "input"


def _port(queue: Queue) -> str:
    if queue.port is None:
        raise UsageError(Said("{link} has no interface at its shaper", link=queue.link))
    return port_name(queue.port.interface)


def _entries(queue: Queue) -> list[str]:
    found = []
    for network in queue.networks:
        if network.version != 4:
            raise UsageError(Said("{link}: {network}: IPv6 networks are not rendered for IOS", link=queue.link, network=network))
        address = f"{network.network_address} {network.hostmask}"
        found.append(f"permit ip any {address}" if queue.direction is Direction.DOWN else f"permit ip {address} any")
    return found


def _own_settings(queue: Queue, sections: Mapping[str, Lines]) -> Settings:
    lines, port = sections.get(f"policy-map {object_name(queue)}"), sections.get(f"interface {_port(queue)}", ())
    bound = f"service-policy {_way(queue)} {object_name(queue)}" in port
    if lines is None and not bound:
        return {}
    return {"by": _by(lines or ()), "limit_bps": _limit(lines or ()), "bound": _way(queue) if bound else ""}


def _class_settings(queue: Queue, sections: Mapping[str, Lines]) -> Settings:
    name = object_name(queue)
    matches, remark = sections.get(f"ip access-list extended {name}"), sections.get(f"class-map match-any {name}")
    lines = _class_of(sections.get(f"policy-map {_node(queue)}", ()), name)
    if matches is None and remark is None and lines is None:
        return {}
    entries = [re.sub(r"^\d+ ", "", line) for line in matches or ()]  # IOS-XE numbers them
    return {
        "by": _by(remark or ()),
        "networks": ";".join(entries),
        "bandwidth_kbps": _figure(lines or (), r"bandwidth (\d+)"),
        "limit_bps": _limit(lines or ()),
    }


def _own_steps(queue: Queue, present: Settings, to: Settings) -> Lines:
    lines = [f"policy-map {object_name(queue)}", *_remark(present, to), " class class-default"]
    if queue.direction is Direction.DOWN:
        lines += _changed(present, to, "limit_bps", "  shape average {}", "  no shape average")
    else:
        lines += _changed(present, to, "limit_bps", "  police cir {} conform-action transmit exceed-action drop", "  no police")
    if present.get("bound", "") != to["bound"]:
        no = "" if to["bound"] else "no "
        lines += [f"interface {_port(queue)}", f" {no}service-policy {_way(queue)} {object_name(queue)}"]
    return tuple(lines)


def _own_removed(queue: Queue) -> Lines:
    name = object_name(queue)
    return f"interface {_port(queue)}", f" no service-policy {_way(queue)} {name}", f"no policy-map {name}"


def _class_steps(queue: Queue, present: Settings, to: Settings) -> Lines:
    name, lines = object_name(queue), []
    had, have = (str(one.get("networks", "")).split(";") for one in (present, to))
    if had != have:
        lines += [f"ip access-list extended {name}"]
        lines += [f" no {entry}" for entry in had if entry and entry not in have]
        lines += [f" {entry}" for entry in have if entry and entry not in had]
    lines += [f"class-map match-any {name}", *_remark(present, to), f" match access-group name {name}"]
    lines += [f"policy-map {_node(queue)}", f" class {name}"]
    lines += _changed(present, to, "bandwidth_kbps", "  bandwidth {}", "  no bandwidth")
    lines += _changed(present, to, "limit_bps", "  shape average {}", "  no shape average")
    return tuple(lines)


def _class_removed(queue: Queue) -> Lines:
    name = object_name(queue)
    gone = (f"no class-map match-any {name}", f"no ip access-list extended {name}")
    return f"policy-map {_node(queue)}", f" no class {name}", *gone


def _remark(present: Settings, to: Settings) -> list[str]:
    if to["by"]:
        return [f" {_REMARK}{to['by']}"]
    return [" no description"] if present.get("by") else []


def _changed(present: Settings, to: Settings, key: str, line: str, gone: str) -> list[str]:
    if to[key]:
        return [line.format(to[key])]
    return [gone] if present.get(key) else []


def _sections(text: str) -> dict[str, Lines]:
    """A running configuration as header -> its indented lines, their indentation off."""
    found: dict[str, list[str]] = {}
    head = ""
    for line in text.splitlines():
        if line.startswith(" ") and head:
            found[head].append(line.strip())
        elif line.strip() and not line.startswith(" "):
            head = line.strip()
            found.setdefault(head, [])
    return {head: tuple(lines) for head, lines in found.items()}


def _class_of(lines: Lines, name: str) -> Lines | None:
    """The lines of one class of a policy map; None: it has no such class."""
    if f"class {name}" not in lines:
        return None
    after = lines[lines.index(f"class {name}") + 1 :]
    end = next((place for place, line in enumerate(after) if line.startswith("class ")), len(after))
    return after[:end]


def _by(lines: Lines) -> str:
    return next((line.removeprefix(_REMARK) for line in lines if line.startswith(_REMARK)), "")


def _limit(lines: Lines) -> int:
    return _figure(lines, r"(?:shape average|police(?: cir)?) (\d+)")


def _figure(lines: Lines, pattern: str) -> int:
    return next((int(match.group(1)) for line in lines if (match := re.match(pattern, line))), 0)
