"""How states, actions and the parts of a recommendation are called, wherever they are shown: commands and web pages alike.

Owns the English words, marked for translation; says none of them.
"""

from __future__ import annotations

from bwmgr.language import mark

STATES = {
    "ok": mark("ok"),
    "down": mark("down"),
    "silent": mark("silent"),
    "new": mark("no reading yet"),
    "unpolled": mark("not polled"),
}
ACTIONS = {
    "raise": mark("raise"),
    "lower": mark("lower"),
    "hold": mark("hold"),
    "reserve": mark("reserve"),
    "restore": mark("restore"),
    "fix": mark("fix"),
    "buy": mark("buy"),
    "sell": mark("sell"),
}
STATUSES = {
    "proposed": mark("proposed"),
    "approved": mark("approved"),
    "rejected": mark("rejected"),
    "applied": mark("applied"),
    "verified": mark("verified"),
    "rolled_back": mark("rolled back"),
    "expired": mark("expired"),
    "superseded": mark("superseded"),
}
PHASES = {
    "sending": mark("being sent, or stopped in the middle"),
    "sent": mark("sent and read back"),
    "undoing": mark("being taken back"),
    "undone": mark("the settings from before are in force"),
}
EVIDENCE = {
    "start": mark("From"),
    "end": mark("Up to"),
    "calendar": mark("Calendar"),
    "p95_bps": mark("95th percentile"),
    "demand_bps": mark("Demand"),
    "saturated_ratio": mark("Saturated"),
    "coverage_ratio": mark("Complete"),
    "samples": mark("Samples"),
    "mean_bps": mark("Mean"),
    "max_bps": mark("Maximum"),
    "target_bps": mark("Target"),
    "headroom_ratio": mark("Headroom"),
    "demand_kind": mark("Demand is"),
    "flaps": mark("Outages"),
    "down_ratio": mark("Down"),
    "errors_ps": mark("Errors per second"),
    "bad_ratio": mark("Counters useless"),
    "overruled": mark("Overruled"),
}
EVIDENCE_WORDS = {"start": "start_at", "end": "end_at", "calendar": "calendar_name"}
"""Evidence that is written by another name's unit than its own (`bwmgr.language`)."""
CLASSES = {"domestic": mark("domestic"), "international": mark("international")}
