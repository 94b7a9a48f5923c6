"""A Cisco IOS that knows modular QoS and its archive: a running configuration in sections, `section` filters, revert timers.

From Cisco's Configuration Fundamentals (prompts, `% Invalid input`), QoS command reference, and Configuration Rollback Confirmed
Change. Time passes when `expire` says so.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

INVALID = "% Invalid input detected at '^' marker."
_HEADS = r"(policy-map|class-map match-any|class-map match-all|ip access-list extended|interface) \S+( \S+)?"
_REPLACED = ("shape average", "bandwidth", "police", "description", "service-policy output", "service-policy input")
"""Of these a section has one at the most."""
Section = dict[str, list[str]]


@dataclass
class Ios:
    """`lines` of each section keep their indentation below the head. `archive`: a path is configured, so a timer can revert."""

    running: Section = field(default_factory=dict)
    startup: Section = field(default_factory=dict)
    archive: bool = True
    refuse: str = ""
    """A configuration line that has this is refused."""
    revert: Section | None = None
    """What comes back when nobody confirms; None: nothing is pending."""
    revert_minutes: int = 0

    def session(self) -> IosSession:
        return IosSession(self)

    def expire(self) -> None:
        """The revert timer runs out."""
        if self.revert is not None:
            self.running, self.revert = self.revert, None

    def text(self, pattern: str = "") -> str:
        """The running configuration, or the sections whose head matches."""
        shown = {head: lines for head, lines in self.running.items() if re.search(pattern, head)}
        return "\n".join(
            line for head, lines in shown.items() for line in (head, *(one for said in lines for one in _shown(said)))
        )


class IosSession:
    def __init__(self, box: Ios) -> None:
        self._box = box
        self._mode = ""
        self._head = self._class = ""
        self.ended = False

    @property
    def prompt(self) -> str:
        return f"RTR-UJI{f'({self._mode})' if self._mode else ''}#"

    def typed(self, line: str) -> str:
        if not line or line.startswith("terminal "):
            return ""
        if self._mode:
            return self._configured(line)
        return self._executed(line)

    def _executed(self, line: str) -> str:
        if line.startswith("configure terminal"):
            return self._entered(line)
        if line.startswith("show "):
            return self._shown(line)
        if line == "configure confirm":
            pending, self._box.revert = self._box.revert, None
            return "" if pending is not None else "%No Rollback Confirmed Change pending"
        if line == "write mem":
            self._box.startup = copy.deepcopy(self._box.running)
            return "Building configuration...\n[OK]"
        self.ended = line == "exit"
        return "" if self.ended else f"    ^\n{INVALID}"

    def _shown(self, line: str) -> str:
        if line == "show archive":
            enabled = "The maximum archive configurations allowed is 10.\nThere are currently 0 archive configurations saved."
            return enabled if self._box.archive else "Archive feature not enabled"
        if line == "show archive config rollback timer":
            value = f"Timer type: absolute timer\nTimer value: {self._box.revert_minutes} min"
            return value if self._box.revert is not None else "%No Rollback Confirmed Change pending"
        if found := re.fullmatch(r"show running-config \| section (.+)", line):
            return self._box.text(found.group(1))
        if (found := re.fullmatch(r"show running-config (interface .+)", line)) and found.group(1) in self._box.running:
            text = self._box.text(f"^{re.escape(found.group(1))}$")
            return f"Building configuration...\n\nCurrent configuration : 99 bytes\n!\n{text}\nend"
        return f"    ^\n{INVALID}"

    def _entered(self, line: str) -> str:
        said = "Enter configuration commands, one per line.  End with CNTL/Z."
        if timer := re.fullmatch(r"configure terminal revert timer (\d+)", line):
            if not self._box.archive:
                return "%Archive path must be configured before a timer can be set"
            if self._box.revert is not None:
                return "%Rollback Confirmed Change is pending"
            self._box.revert, self._box.revert_minutes = copy.deepcopy(self._box.running), int(timer.group(1))
            said = f"Rollback Confirmed Change: Backing up current running config to flash:bwmgr\n{said}"
        self._mode = "config"
        return said

    def _configured(self, line: str) -> str:
        if line == "end":
            self._mode = self._head = self._class = ""
            return ""
        if self._box.refuse and self._box.refuse in line:
            return f"    ^\n{INVALID}"
        no, text = line.startswith("no "), line.removeprefix("no ")
        if re.fullmatch(_HEADS, text):
            return self._section(text, no)
        if not self._head:
            return f"    ^\n{INVALID}"
        if text.startswith("class "):
            return self._class_of(text, no)
        self._line(text, no)
        return ""

    def _section(self, head: str, no: bool) -> str:
        self._class = ""
        if not no:
            self._box.running.setdefault(head, [])
            self._head, self._mode = head, "config-sub"
            return ""
        name = head.rsplit(" ", 1)[-1]
        users = [one for one, lines in self._box.running.items() for line in lines if line.split()[-1] == name and one != head]
        if head.startswith("policy-map") and any(one.startswith("interface") for one in users):
            return f"%policy-map {name} is being used"
        if head not in self._box.running:
            return f"%{head} does not exist"
        del self._box.running[head]
        return ""

    def _class_of(self, text: str, no: bool) -> str:
        lines = self._box.running[self._head]
        if no:
            self._box.running[self._head] = _without_class(lines, text)
        elif f" {text}" not in lines:
            lines.append(f" {text}")
        self._class = "" if no else text
        return ""

    def _line(self, text: str, no: bool) -> None:
        lines = self._box.running[self._head]
        key = next((word for word in _REPLACED if f"{text} ".startswith(f"{word} ")), text)
        indent, start, end = self._block(lines)
        kept = [one for one in lines[start:end] if not f"{one.strip()} ".startswith(f"{key} ")]
        lines[start:end] = kept if no else [*kept, f"{indent}{text}"]

    def _block(self, lines: list[str]) -> tuple[str, int, int]:
        """Where the lines of the class that is entered stand, or those before any class."""
        starts = [place for place, line in enumerate(lines) if line.startswith(" class ")]
        if not self._class:
            return " ", 0, starts[0] if starts else len(lines)
        place = lines.index(f" {self._class}")
        return "  ", place + 1, next((start for start in starts if start > place), len(lines))


def _without_class(lines: list[str], text: str) -> list[str]:
    kept, inside = [], False
    for line in lines:
        inside = line == f" {text}" or (inside and line.startswith("  "))
        kept += [] if inside else [line]
    return kept


def _shown(line: str) -> list[str]:
    """A policer is shown in several lines, with the burst that IOS chose."""
    if not (found := re.fullmatch(r"(\s+)police cir (\d+) conform-action (\S+) exceed-action (\S+)", line)):
        return [line]
    indent, rate, conform, exceed = found.groups()
    return [
        f"{indent}police cir {rate} bc {int(rate) // 32}",
        f"{indent} conform-action {conform}",
        f"{indent} exceed-action {exceed}",
    ]
