"""A message by a Telegram bot: `sendMessage` of the Bot API (core.telegram.org/bots/api), as plain text.

Owns what the API's answers mean: 429 says how long to wait, 401, 403, 404 and 400 are a person's to mend.
"""

from __future__ import annotations

import json
from typing import Any

from bwmgr.errors import NotifyRefused, NotifyUnavailable
from bwmgr.model.notice import Telegram
from bwmgr.model.said import Said
from bwmgr.notifiers import Message
from bwmgr.notifiers.http import Answer, post

LONGEST_TEXT = 4096
"""UTF-16 code units of a message; longer ones are refused."""


def send_telegram(receiver: str, channel: Telegram, message: Message) -> str:
    """Raises: NotifyUnavailable, NotifyRefused."""
    body = {"chat_id": channel.chat, "text": _cut(message.text), "link_preview_options": {"is_disabled": True}}
    url = f"{channel.api.rstrip('/')}/bot{channel.token.reveal()}/sendMessage"
    answer = post(receiver, url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    said = _document(answer)
    if answer.is_good and said.get("ok") is True:
        return ""
    problem = Said(
        "Telegram says {status}: {answer}",
        status=str(answer.status),
        answer=said.get("description") or Said("nothing that its Bot API would say"),
    )
    if answer.is_good or answer.is_later:
        raise NotifyUnavailable(receiver, problem, _retry_after(said, answer))
    if moved := _parameters(said).get("migrate_to_chat_id"):
        raise NotifyRefused(receiver, Said('the group became a supergroup: write chat: "{chat}"', chat=str(moved)))
    raise NotifyRefused(receiver, problem)


def _document(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _parameters(said: dict[str, Any]) -> dict[str, Any]:
    found = said.get("parameters")
    return found if isinstance(found, dict) else {}


def _retry_after(said: dict[str, Any], answer: Answer) -> float | None:
    seconds = _parameters(said).get("retry_after")
    return float(seconds) if isinstance(seconds, int) and 0 <= seconds <= 86400 else answer.retry_after_seconds


def _cut(text: str) -> str:
    """Within what a message may hold; a character outside the basic plane counts twice."""
    octets = text.encode("utf-16-le")
    if len(octets) // 2 <= LONGEST_TEXT:
        return text
    return octets[: 2 * (LONGEST_TEXT - 3)].decode("utf-16-le", "ignore") + "..."
