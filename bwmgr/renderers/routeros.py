"""MikroTik RouterOS: simple queues, and queue trees with their packet marks (help.mikrotik.com, Queues).

CIR is limit-at, MIR max-limit; 0 is none. A simple queue holds both directions as upload/download, as its target sees them, so a
step names both halves and keeps the other one as it is. The API's words are the console's, so each step is both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, RenderedConfig, Settings, lines_of
from bwmgr.model.inventory import Direction, ServiceClass
from bwmgr.model.said import Said
from bwmgr.renderers.names import plain_id, port_name, queue_name

SIMPLE = "/queue/simple"
SCHEDULER = "/system/scheduler"
_TREE = "/queue/tree"
_MANGLE = "/ip/firewall/mangle"
_PRIORITY = {ServiceClass.CRITICAL: 1, ServiceClass.OFFICE: 4, ServiceClass.PUBLIC: 8}
"""1 is served first."""
_BARE = re.compile(r"[A-Za-z0-9./,:_-]+")
_MARK = re.compile(r" ?\[bwmgr([^\]]*)\]")
_UNIT_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
PAIRS = ("max-limit", "limit-at", "priority")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One API sentence: a command and its attributes. `name`: the queue that it is about, found by name."""

    command: str
    name: str
    words: Settings = field(default_factory=dict)

    @property
    def line(self) -> str:
        return self.text(7)

    def text(self, version: int) -> str:
        """As typed on the console of RouterOS 6 or 7."""
        path, _, verb = self.command.rpartition("/")
        start = f"{path}/{verb}" if version >= 7 else f"{path[0]}{path[1:].replace('/', ' ')} {verb}"
        found = "" if verb == "add" else f" [find name={_word(self.name)}]"
        return f"{start}{found}" + "".join(f" {key}={_word(str(word))}" for key, word in self.words.items())


def target(queue: Queue) -> str:
    """Whose traffic: the link's networks, else its port. Raises: UsageError where it has neither."""
    if queue.networks:
        return ",".join(str(network) for network in queue.networks)
    if queue.port is None:
        raise UsageError(
            Said("{link} has neither networks nor an interface at its shaper: nothing says whose traffic it is", link=queue.link)
        )
    return port_name(queue.port.interface)


def half(queue: Queue, row: Settings) -> Settings:
    """A queue as the device has it -> its settings for one direction; the other direction's may change meanwhile.

    A direction without limit, guarantee and mark is none, whether or not a queue is there for the other one.
    """
    place = 1 if queue.direction is Direction.DOWN else 0
    pairs = {key: int(_pair(str(row.get(key, "0/0")))[place]) for key in PAIRS}
    by = _marks(str(row.get("comment", ""))).get(queue.direction, "")
    if not (pairs["max-limit"] or pairs["limit-at"] or by):
        return {}
    return {"target": str(row.get("target", "")), **pairs, "by": by}


def wanted(queue: Queue) -> Settings:
    """A queue's settings for one direction. Raises: UsageError for a guarantee above the limit."""
    if queue.mir_bps is not None and queue.cir_bps > queue.mir_bps:
        raise UsageError(
            Said(
                "{link}: a guarantee of {cir} bit/s is above the limit of {mir}",
                link=queue.link,
                cir=queue.cir_bps,
                mir=queue.mir_bps,
            )
        )
    return {
        "target": target(queue),
        "max-limit": queue.mir_bps or 0,
        "limit-at": queue.cir_bps,
        "priority": _PRIORITY[queue.service_class],
        "by": plain_id(queue.recommendation),
    }


def steps(queue: Queue, row: Settings, to: Settings) -> tuple[Sentence, ...]:
    """From a queue as the device has it (empty: none) to settings for one direction (empty: none)."""
    name = queue_name(queue.link)
    present = half(queue, row) if row else {}
    if dict(present) == dict(to):
        return ()
    if not to:
        other = Direction.UP if queue.direction is Direction.DOWN else Direction.DOWN
        if not half(replace(queue, direction=other), row) and not _MARK.sub("", str(row.get("comment", ""))):
            return (Sentence(command=f"{SIMPLE}/remove", name=name),)
        to = {
            "target": row.get("target", ""),
            "max-limit": 0,
            "limit-at": 0,
            "priority": _PRIORITY[ServiceClass.PUBLIC],
            "by": "",
        }
    words = {"target": to["target"]} | {key: _joined(queue, row, key, int(to[key])) for key in PAIRS}
    comment = {"comment": _comment(queue, str(row.get("comment", "")), str(to["by"]))}
    if not row:
        return (Sentence(command=f"{SIMPLE}/add", name=name, words={"name": name, **words, **comment}),)
    return (Sentence(command=f"{SIMPLE}/set", name=name, words={**words, **comment}),)


def guard_name(queue: Queue) -> str:
    """The scheduler entry that takes changes of this link's queue back: one for both directions, since one queue holds both."""
    return f"{queue_name(queue.link)}-undo"


def guard(queue: Queue, row: Settings, undo: Mapping[Direction, Settings], seconds: float) -> Sentence:
    """A scheduler entry that restores these directions of a queue that is as `row` by then, and removes itself.

    Its script is in the words of RouterOS 6, which 7 reads too. An entry with an interval and no start runs an interval after it
    was made (help.mikrotik.com, Scheduler).
    """
    name, script, standing = guard_name(queue), [], dict(row)
    for direction, settings in undo.items():
        for sentence in steps(replace(queue, direction=direction), standing, settings):
            script.append(sentence.text(6))
            standing |= sentence.words
    script.append(f"/system scheduler remove [find name={_word(name)}]")
    words = {"name": name, "interval": f"{math.ceil(seconds)}s", "on-event": "; ".join(script), "policy": "read,write"}
    return Sentence(command=f"{SCHEDULER}/add", name=name, words={**words, "comment": "bwmgr: not verified in time"})


def seconds_of(duration: str) -> float:
    """RouterOS's `1h2m3s`, `00:35:00` or `35m` in seconds; 0 for nothing."""
    if ":" in duration:
        hours, minutes, seconds = (float(part) for part in duration.split(":"))
        return hours * 3600 + minutes * 60 + seconds
    return sum(float(figure) * _UNIT_SECONDS[unit] for figure, unit in re.findall(r"(\d+)([wdhms])", duration))


def render_simple(queue: Queue, current: Bandwidth, *, version: int = 7) -> RenderedConfig:
    """A simple queue that bwmgr keeps, from its present limit to the new one, and back."""
    before, after = _row(_with(queue, current), by=""), _row(queue, by=plain_id(queue.recommendation))
    forward = steps(queue, before, half(queue, after))
    back = steps(queue, after, half(queue, before))
    texts = [tuple(sentence.text(version) for sentence in sentences) for sentences in (forward, back)]
    return RenderedConfig(dialect=f"routeros{version}", lines=texts[0], undo=texts[1])


def render_simple6(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """As `render_simple`, in the words of RouterOS 6."""
    return render_simple(queue, current, version=6)


def render_tree(queue: Queue, current: Bandwidth) -> RenderedConfig:
    """A leaf of a queue tree below its node's queue, with the marks of its networks, and the way back.

    Raises: UsageError for a link without networks: a mark needs addresses.
    """
    if not queue.networks:
        raise UsageError(Said("{link} has no networks: a queue tree marks packets by address", link=queue.link))
    name, side = f"{queue_name(queue.link)}-{queue.direction}", "dst" if queue.direction is Direction.DOWN else "src"
    remark = {"comment": f"bwmgr {plain_id(queue.recommendation)}"}
    marks = [
        Sentence(command=f"{_MANGLE}/add", name=name, words={
            "chain": "forward", f"{side}-address": str(network), "action": "mark-packet", "new-packet-mark": name,
            "passthrough": "no", **remark})
        for network in queue.networks
    ]  # fmt: skip
    parent = f"{queue_name(queue.parent)}-{queue.direction}" if queue.parent else "global"
    leaf = Sentence(command=f"{_TREE}/add", name=name, words={
        "name": name, "parent": parent, "packet-mark": name, "limit-at": queue.cir_bps, "max-limit": queue.mir_bps or 0,
        "priority": _PRIORITY[queue.service_class], **remark})  # fmt: skip
    undo = (f"{_TREE}/remove [find name={_word(name)}]", f"{_MANGLE}/remove [find new-packet-mark={_word(name)}]")
    return RenderedConfig(dialect="routeros", lines=lines_of([*marks, leaf]), undo=undo)


def _row(queue: Queue, *, by: str) -> Settings:
    """A whole simple queue as bwmgr keeps it."""
    empty = {"max-limit": _other(queue, queue.other.mir_bps or 0), "limit-at": _other(queue, queue.other.cir_bps)}
    empty |= {"priority": _other(queue, _PRIORITY[queue.service_class]), "comment": ""}
    to = wanted(queue)
    pairs = {key: _joined(queue, empty, key, int(to[key])) for key in PAIRS}
    return {"name": queue_name(queue.link), "target": to["target"], **pairs, "comment": _comment(queue, "", by)}


def _other(queue: Queue, figure: int) -> str:
    return f"{figure}/0" if queue.direction is Direction.DOWN else f"0/{figure}"


def _joined(queue: Queue, row: Settings, key: str, figure: int) -> str:
    """upload/download with one half new and the other as it is."""
    standing = str(row.get(key, "8/8" if key == "priority" else "0/0"))
    upload, download = _pair(standing)
    return f"{upload}/{figure}" if queue.direction is Direction.DOWN else f"{figure}/{download}"


def _pair(text: str) -> tuple[str, str]:
    upload, _, download = text.partition("/")
    return upload, download or upload


def _marks(comment: str) -> dict[str, str]:
    found = _MARK.search(comment)
    return dict(part.split("=", 1) for part in found.group(1).split() if "=" in part) if found else {}


def _comment(queue: Queue, standing: str, by: str) -> str:
    """The office's own remark, then which recommendations set which direction."""
    marks = {**_marks(standing), str(queue.direction): by}
    known = " ".join(f"{way}={marks[way]}" for way in ("down", "up") if marks.get(way))
    own = _MARK.sub("", standing).strip()
    return " ".join(part for part in (own, f"[bwmgr {known}]" if known else "") if part)


def _word(text: str) -> str:
    """A console word; quoted with escapes where it is more than letters (help.mikrotik.com, Scripting, constant escapes)."""
    if _BARE.fullmatch(text):
        return text
    plain = "".join(f"\\{c}" if c in '"\\$?' else c if c.isprintable() else f"\\{ord(c):02X}" for c in text)
    return f'"{plain}"'


def _with(queue: Queue, bandwidth: Bandwidth) -> Queue:
    return replace(queue, cir_bps=bandwidth.cir_bps, mir_bps=bandwidth.mir_bps)
