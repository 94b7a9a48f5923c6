"""A Junos with a candidate and an active configuration as set lines, exclusive locks, and commits that must be confirmed.

From Juniper's CLI User Guide (prompts, `[edit]`, errors, commit messages) and its class of service and firewall guides. Time
passes when `expire` says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LEAVES = (
    "shaping-rate",
    "guaranteed-rate",
    "output-traffic-control-profile",
    "bandwidth-limit",
    "burst-size-limit",
    "recommendation",
)
"""A path has one of each; a new one takes the old one's place."""
_TOPS = ("class-of-service", "firewall", "system", "interfaces")


@dataclass
class Junos:
    active: list[str] = field(default_factory=list)
    """Paths of statements, without `set`, in their order."""
    rollback: list[str] | None = None
    """What comes back when nobody confirms; None: nothing is pending."""
    minutes: int = 0
    locked: bool = False
    """Somebody else is configuring."""
    refuse: str = ""
    """A commit fails with this."""

    def session(self) -> JunosSession:
        return JunosSession(self)

    def expire(self) -> None:
        """The time to confirm runs out."""
        if self.rollback is not None:
            self.active, self.rollback = self.rollback, None


class JunosSession:
    def __init__(self, box: Junos) -> None:
        self._box = box
        self._candidate: list[str] | None = None
        self.ended = False

    @property
    def prompt(self) -> str:
        return "bwmgr@mx-uji> " if self._candidate is None else "\r\n[edit]\r\nbwmgr@mx-uji# "

    def typed(self, line: str) -> str:
        if not line:
            return ""
        return self._operated(line) if self._candidate is None else self._edited(line, self._candidate)

    def _operated(self, line: str) -> str:
        if line.startswith("set cli "):
            return _SETTINGS.get(line.split()[2], "")
        if line.startswith("configure"):
            return self._entered(line)
        if line.startswith("show "):
            return self._shows(line)
        self.ended = line == "exit"
        return "" if self.ended else "          ^\nunknown command."

    def _entered(self, line: str) -> str:
        if self._box.locked:
            return "error: configuration database locked by:\n  andi terminal p0 (pid 4711) on since 2026-03-02 08:00:00 WIB"
        self._candidate = list(self._box.active)
        exclusive = "warning: uncommitted changes will be discarded on exit\n" if "exclusive" in line else ""
        return f"{exclusive}Entering configuration mode"

    def _shows(self, line: str) -> str:
        if line == "show system commit":
            pending = f"0   2026-03-02 08:00:00 WIB by bwmgr via cli commit confirmed, rollback in {self._box.minutes}mins\n"
            return (pending if self._box.rollback is not None else "") + "1   2026-03-01 08:00:00 WIB by root via cli"
        if found := re.fullmatch(r"show configuration (.+) \| display set", line):
            return "\n".join(f"set {_shown(path)}" for path in self._box.active if path.startswith(f"{found.group(1)} "))
        return "          ^\nsyntax error, expecting <command>."

    def _edited(self, line: str, candidate: list[str]) -> str:
        verb, _, rest = line.partition(" ")
        if verb == "set":
            return _set(candidate, rest)
        if verb == "delete":
            kept = [path for path in candidate if path != rest and not path.startswith(f"{rest} ")]
            warning = "warning: statement not found" if len(kept) == len(candidate) else ""
            candidate[:] = kept
            return warning
        if line == "exit configuration-mode":
            self._candidate = None
            return "Exiting configuration mode"
        if verb == "commit":
            return self._committed(rest, candidate)
        return "          ^\nunknown command."

    def _committed(self, how: str, candidate: list[str]) -> str:
        if self._box.refuse:
            return f"[edit]\n  {self._box.refuse}\nerror: configuration check-out failed"
        if loose := _loose(candidate):
            return f"error: {loose} is referenced, but not defined\nerror: configuration check-out failed"
        said = "configuration check succeeds\n" if how else ""
        if minutes := re.fullmatch(r"confirmed (\d+)", how):
            self._box.rollback, self._box.minutes = list(self._box.active), int(minutes.group(1))
            said += f"commit confirmed will be automatically rolled back in {minutes.group(1)} minutes unless confirmed\n"
        else:
            self._box.rollback = None
        self._box.active = list(candidate)
        return f"{said}commit complete"


_SETTINGS = {
    "screen-width": "Screen width set to 511",
    "screen-length": "Screen length set to 0",
    "complete-on-space": "Disabling complete-on-space",
}


def _set(candidate: list[str], rest: str) -> str:
    if not rest.startswith(_TOPS):
        return "       ^\nsyntax error."
    for path in _statements(rest):
        head, _, _ = path.rpartition(" ")
        if head.split()[-1] in _LEAVES:
            candidate[:] = [one for one in candidate if one.rpartition(" ")[0] != head]
        if path not in candidate:
            candidate.append(path)
    return ""


def _statements(rest: str) -> list[str]:
    """`if-exceeding bandwidth-limit N burst-size-limit M` is two statements."""
    if found := re.fullmatch(r"(.* if-exceeding) (bandwidth-limit \S+) (burst-size-limit \S+)", rest):
        path, *leaves = found.groups()
        return [f"{path} {leaf}" for leaf in leaves]
    return [rest]


def _loose(candidate: list[str]) -> str:
    """A policer or profile that something points at and nothing defines."""
    named = re.compile(r"(?:then policer|output-traffic-control-profile) (\S+)$")
    for path in candidate:
        if (found := named.search(path)) and not any(
            one.startswith(
                (f"firewall policer {found.group(1)} ", f"class-of-service traffic-control-profiles {found.group(1)} ")
            )
            for one in candidate
        ):
            return found.group(1)
    return ""


def _shown(path: str) -> str:
    """Round rates in k, m and g, as Junos writes them."""

    def short(found: re.Match[str]) -> str:
        figure = int(found.group(2))
        for letter, size in (("g", 10**9), ("m", 10**6), ("k", 1000)):
            if figure and figure % size == 0:
                return f"{found.group(1)} {figure // size}{letter}"
        return found.group()

    return re.sub(r"(\S+-rate|bandwidth-limit|burst-size-limit) (\d+)$", short, path)
