"""One proposal a link and direction, by stated precedence.

1. `fix` beats everything: whoever buys bandwidth for a broken line wastes it. A fix on one direction stops the other one too.
2. Among the rest the policy that stands first in the configuration wins (built-in order: unreliable, saturated, idle,
   right_size).

What lost is kept beside the winner, so that it can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bwmgr.model.decision import Action
from bwmgr.model.policy import Key, Proposal


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """The proposal that stands, the policy that made it, and `policy: action` of those that gave way."""

    policy: str
    proposal: Proposal
    overruled: tuple[str, ...] = ()


def settle(proposals: Iterable[tuple[str, Proposal]]) -> dict[Key, Settled]:
    """`proposals`: (policy, proposal) in the order of the policies; a policy's first one for a link and direction counts."""
    contenders: dict[Key, list[tuple[str, Proposal]]] = {}
    for policy, proposal in proposals:
        contenders.setdefault((proposal.link, proposal.direction), []).append((policy, proposal))
    return {key: _winner(entries) for key, entries in contenders.items()}


def _winner(entries: list[tuple[str, Proposal]]) -> Settled:
    ordered = sorted(entries, key=lambda entry: entry[1].action is not Action.FIX)
    (policy, proposal), *others = ordered
    overruled = tuple(f"{name}: {other.action}" for name, other in others if name != policy)
    return Settled(policy=policy, proposal=proposal, overruled=overruled)
