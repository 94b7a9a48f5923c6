"""The policies, one file each: pure functions from what was measured to what should be done.

Owns what to propose and its sentence. Does not own missing data, ceilings, guarantees, rounding, cooldown or capacity: the
engine guards all policies alike (`bwmgr.engine`). README.md in this folder says how to add one.
"""

BUILTIN: tuple[str, ...] = (
    "unreliable",
    "override",
    "event",
    "lift",
    "schedule",
    "quota",
    "restore",
    "class_priority",
    "fair_share",
    "pool",
    "saturated",
    "idle",
    "right_size",
    "contract_parts",
    "market",
)
"""In the order of precedence that holds where the configuration lists none."""
