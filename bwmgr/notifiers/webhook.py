"""A message by an HTTP service of the office's choice: a POST whose body a template makes, so that any gateway is understood.

Owns what a template may say and what a status means. Gateways to WhatsApp are reached this way.
"""

from __future__ import annotations

import json

from bwmgr.errors import NotifyRefused, NotifyUnavailable
from bwmgr.model.notice import Webhook
from bwmgr.model.said import Said
from bwmgr.notifiers import Message
from bwmgr.notifiers.http import post


def send_webhook(receiver: str, channel: Webhook, message: Message) -> str:
    """Any 2xx is taken for success. Raises: NotifyUnavailable, NotifyRefused."""
    headers = {
        "User-Agent": "bwmgr",
        "Content-Type": channel.content_type,
        "Idempotency-Key": message.id,
        **{name: secret.reveal() for name, secret in channel.headers.items()},
    }
    answer = post(receiver, channel.address, _body(receiver, channel, message), headers)
    if answer.is_good:
        return ""
    problem = Said("it says {status}: {answer}", status=str(answer.status), answer=answer.text[:120] or Said("nothing more"))
    if answer.is_later:
        raise NotifyUnavailable(receiver, problem, answer.retry_after_seconds)
    raise NotifyRefused(receiver, problem)


def values_of(message: Message) -> dict[str, str | None]:
    """What a template may use, and the JSON that is sent where there is none."""
    return {
        "id": message.id, "at": message.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "severity": str(message.severity), "kind": message.kind, "subject": message.subject, "text": message.text,
        "link": message.link, "organisation": message.organisation,
    }  # fmt: skip


def _body(receiver: str, channel: Webhook, message: Message) -> bytes:
    if channel.template is None:
        return json.dumps(values_of(message), ensure_ascii=False).encode()
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    try:
        text = environment.from_string(channel.template).render(values_of(message))
    except TemplateError as error:
        raise NotifyRefused(receiver, Said("its template cannot be filled in: {why}", why=str(error))) from None
    if "json" in channel.content_type:
        try:
            json.loads(text)
        except ValueError:
            raise NotifyRefused(receiver, Said("its template gives no JSON; write texts as {{{{ text | tojson }}}}")) from None
    return text.encode()
