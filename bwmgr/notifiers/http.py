"""One POST, for the channels that are web services. httpx stops here; its log would show the URL, and is silent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bwmgr.errors import NotifyRefused, NotifyUnavailable
from bwmgr.model.said import Said
from bwmgr.notifiers import TIMEOUT_SECONDS

_LARGEST_ANSWER = 65536
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """`retry_after_seconds` from the header of that name (RFC 9110, section 10.2.3)."""

    status: int
    text: str
    retry_after_seconds: float | None

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_later(self) -> bool:
        return self.status in _LATER or self.status > 504


def post(receiver: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Raises: NotifyUnavailable where nobody answers in time, NotifyRefused for a URL or header that cannot be used."""
    import httpx

    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with (
            httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=dict(headers)) as answer,
        ):
            text = _beginning(answer)
            return Answer(status=answer.status_code, text=text, retry_after_seconds=_seconds(answer.headers.get("Retry-After")))
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
        kind = type(error).__name__
        if isinstance(error, httpx.ConnectError):  # other ones repeat what was sent or answered
            raise NotifyUnavailable(receiver, Said("no answer ({kind}: {why})", kind=kind, why=str(error))) from None
        raise NotifyUnavailable(receiver, Said("no answer ({kind})", kind=kind)) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise NotifyRefused(
            receiver, Said("cannot be asked: its URL or a header is wrong ({kind})", kind=type(error).__name__)
        ) from None


def _beginning(answer: object) -> str:
    import httpx

    assert isinstance(answer, httpx.Response)
    octets = b""
    for part in answer.iter_bytes():
        octets += part
        if len(octets) >= _LARGEST_ANSWER:
            break
    return octets[:_LARGEST_ANSWER].decode("utf-8", "replace")


def _seconds(header: str | None) -> float | None:
    """Whole seconds or a date; anything else says nothing."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(min(int(header[:9]), 86400))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, min((at - datetime.now(UTC)).total_seconds(), 86400.0)) if at.tzinfo else None
