"""What the journal is told of a recommendation: when it is made, and at each step of its life. Owns the words, no file."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import uuid4

from bwmgr.model.decision import Recommendation, Status, StatusChange
from bwmgr.model.journal import Actor, Note


def proposed_note(made: Recommendation, document: str, user: str) -> Note:
    """A new recommendation; the hash of its document makes any later change of that one visible."""
    return Note(
        id=uuid4().hex, at=made.created_at, actor=Actor(name=made.author, user=user), action="recommendation.proposed",
        subject=made.id,
        details={
            "link": made.link, "direction": str(made.direction), "action": str(made.action), "policy": made.policy,
            "current_mir_bps": made.current.mir_bps, "current_cir_bps": made.current.cir_bps,
            "proposed_mir_bps": made.proposed.mir_bps, "proposed_cir_bps": made.proposed.cir_bps,
            "reason": made.reason.code, "valid_until": made.valid_until.isoformat(), "document_sha256": _hash(document),
        },
    )  # fmt: skip


def changed_note(change: StatusChange, before: Status, document: str, user: str) -> Note:
    """One step: who, when, why, from what, and of which recommendation."""
    made: dict[str, Any] = json.loads(document)
    return Note(
        id=uuid4().hex, at=change.at, actor=Actor(name=change.by, user=user), action=f"recommendation.{change.status}",
        subject=change.recommendation,
        details={
            "link": made["link"], "direction": made["direction"], "action": made["action"], "from": str(before),
            "proposed_mir_bps": made["proposed"]["mir_bps"], "note": change.note, "document_sha256": _hash(document),
        },
    )  # fmt: skip


def _hash(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()
