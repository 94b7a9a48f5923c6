"""What the engine and its policies are given. The nouns live in `bwmgr.model.policy`, where policies may see them."""

from bwmgr.model.policy import Policy, PolicyInput, Proposal, Usage

__all__ = ["Policy", "PolicyInput", "Proposal", "Usage"]
