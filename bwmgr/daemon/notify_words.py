"""Notices as messages: one short paragraph with its figure and its link, in the receiver's language; several become one list.

Owns the words and the message's identity, which stays the same where the same notices are sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from bwmgr.language import Words, mark
from bwmgr.model.notice import Kind, Notice, Severity
from bwmgr.notifiers import Message

MOST_LISTED = 20
_KINDS = {
    Kind.RECOMMENDATION: mark("a recommendation to decide on"),
    Kind.SATURATION: mark("a line is full"),
    Kind.SILENCE: mark("no measurements"),
    Kind.PROVIDER: mark("a provider below its promise"),
    Kind.EVENT: mark("an event"),
    Kind.ENFORCEMENT: mark("a change was taken back"),
    Kind.TRAIL: mark("the audit trail"),
}


def message(words: Words, organisation: str, notices: Sequence[Notice], pages: str | None, at: datetime) -> Message:
    """One message of one notice or more, the most severe first."""
    ordered = sorted(notices, key=lambda one: (-one.severity.rank, one.at))
    first = ordered[0]
    link = None if pages is None else pages.rstrip("/") + (first.page if len(ordered) == 1 else "/")
    text = sentence(words, first) if len(ordered) == 1 else _listed(words, ordered)
    what = words.text(_KINDS[first.kind]) if len(ordered) == 1 else words.text("{count} notices", count=len(ordered))
    return Message(
        id=hashlib.sha256("\0".join(sorted(one.id for one in ordered)).encode()).hexdigest()[:24],
        at=at,
        severity=first.severity,
        kind=str(first.kind) if len(ordered) == 1 else "digest",
        subject=f"{organisation}: {what}",
        text=f"{text} {link}" if link and len(ordered) == 1 else "\n".join(filter(None, (text, link))),
        link=link,
        organisation=organisation,
    )


def sentence(words: Words, notice: Notice) -> str:
    """What happened, with its figure."""
    said = words.text(notice.message, **notice.values)
    return f"{words.reason(notice.reason)} {said}" if notice.reason is not None else said


def test_message(words: Words, organisation: str, receiver: str, pages: str | None, at: datetime) -> Message:
    """To try a channel by."""
    text = words.text("A test by bwmgr for {receiver}, sent {sent_at}: this channel works.", receiver=receiver, sent_at=at)
    return Message(
        id=hashlib.sha256(f"test {receiver} {at.isoformat()}".encode()).hexdigest()[:24],
        at=at,
        severity=Severity.INFO,
        kind="test",
        subject=f"{organisation}: {words.text('a test')}",
        text=f"{text} {pages}" if pages else text,
        link=pages,
        organisation=organisation,
    )


def _listed(words: Words, notices: Sequence[Notice]) -> str:
    lines = [f"• {sentence(words, one)}" for one in notices[:MOST_LISTED]]
    if (more := len(notices) - MOST_LISTED) > 0:
        lines.append(words.text("and {count} more", count=more))
    return "\n".join(lines)
