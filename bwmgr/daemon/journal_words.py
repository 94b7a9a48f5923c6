"""The journal in a person's language: what each kind of act is called, and an entry as a row. Owns words, no entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bwmgr.language import Words, mark
from bwmgr.model.journal import Entry

ACTS: Mapping[str, str] = {
    "recommendation.proposed": mark("recommendation made"),
    "recommendation.approved": mark("recommendation approved"),
    "recommendation.rejected": mark("recommendation rejected"),
    "recommendation.applied": mark("recommendation applied"),
    "recommendation.verified": mark("effect verified"),
    "recommendation.rolled_back": mark("recommendation rolled back"),
    "recommendation.expired": mark("recommendation expired"),
    "recommendation.superseded": mark("recommendation superseded"),
    "order.given": mark("lift or override asked for"),
    "order.ended": mark("lift or override ended"),
    "history.imported": mark("history imported"),
    "outage.judged": mark("the cause of an outage determined"),
    "provider.imported": mark("a provider's own recording imported"),
    "evidence.built": mark("evidence pack built"),
    "rollout.imported": mark("roll-out plan imported"),
    "config.started": mark("daemon started with this configuration"),
    "config.reloaded": mark("configuration reloaded"),
    "config.refused": mark("configuration refused"),
    "daemon.stopped": mark("daemon stopped"),
    "device.sending": mark("about to be sent to a device"),
    "device.sent": mark("sent to a device"),
    "device.failed": mark("sending to a device failed"),
    "device.confirmed": mark("a device keeps what it was sent"),
    "trial.started": mark("trial started"),
    "trial.declared": mark("lines filled during a trial"),
    "trial.stopped": mark("trial ended early"),
    "trial.concluded": mark("trial concluded"),
    "month.closed": mark("month closed"),
    "month.reopened": mark("month reopened"),
    "journal.exported": mark("journal exported"),
    "journal.altered": mark("the journal was shortened or exchanged"),
}
"""Any other act is shown by its name: other parts enter what they do too."""


def act(words: Words, action: str) -> str:
    return words.text(ACTS[action]) if action in ACTS else action


def details(entry: Entry) -> str:
    """`name: value` by semicolons, in the journal's order; what is empty or long and technical is left out."""
    said = {key: one for key, one in entry.note.details.items() if one not in ("", None) and not key.endswith("_sha256")}
    return "; ".join(f"{key.replace('_', ' ')}: {_plain(one)}" for key, one in said.items())


def who(entry: Entry) -> str:
    """`budi (approver, user sari)`: the role and the system user where they say more than the name."""
    actor = entry.note.actor
    more = [part for part in (actor.role, actor.user if actor.user != actor.name else "") if part]
    return f"{actor.name} ({', '.join(more)})" if more else actor.name


def document(entry: Entry) -> dict[str, Any]:
    """As programs read it: the signed text's fields, with hash and signature."""
    said: dict[str, Any] = json.loads(entry.body)
    return {**said, "hash": entry.hash, "signature": entry.signature}


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return " | ".join(_plain(one) for one in content)
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
