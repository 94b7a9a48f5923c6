"""Who may read the pages: everyone on this machine, whoever has the token, whoever the reverse proxy vouches for.

Owns the decision only. Whoever listens beyond loopback has one of the latter two: the configuration is refused otherwise.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from werkzeug.datastructures import Authorization

from bwmgr.config.settings import WebSection

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""What an open page may be called: another name is a foreign site's that was made to lead here (DNS rebinding)."""


class Verdict(Enum):
    READ = "read"
    ASK = "ask"
    """Say who you are (401)."""
    STRANGER = "stranger"
    """Not by this way (403)."""
    ELSEWHERE = "elsewhere"
    """Not by this name (421)."""


@dataclass(frozen=True, slots=True)
class Access:
    """By the configuration's section `daemon.web`."""

    web: WebSection

    @property
    def open(self) -> bool:
        """Nobody is asked: on loopback alone."""
        return self.web.token is None and self.web.user_header is None

    def verdict(self, environ: Mapping[str, Any], authorization: Authorization | None) -> Verdict:
        """`environ` is WSGI's (PEP 3333). A token is believed from anywhere, a user's header from the proxies alone."""
        if self.open:
            return Verdict.READ if _host(environ) in LOCAL_HOSTS else Verdict.ELSEWHERE
        if self._has_token(authorization) or self._is_vouched_for(environ):
            return Verdict.READ
        return Verdict.ASK if self.web.token is not None else Verdict.STRANGER

    def _has_token(self, authorization: Authorization | None) -> bool:
        """As `Authorization: Bearer TOKEN` for programs, or as the password of any user for browsers (RFC 6750, RFC 7617)."""
        if self.web.token is None or authorization is None:
            return False
        said = authorization.token if authorization.type == "bearer" else authorization.password
        return hmac.compare_digest((said or "").encode(), self.web.token.reveal().encode())

    def _is_vouched_for(self, environ: Mapping[str, Any]) -> bool:
        header = self.web.user_header
        if header is None or not environ.get(f"HTTP_{header.upper().replace('-', '_')}", "").strip():
            return False
        peer = ip_address(environ["REMOTE_ADDR"])
        return any(peer in network for network in self.web.proxies)


def _host(environ: Mapping[str, Any]) -> str | None:
    """The name by which the reader came, without its port; None where there is none, or no name at all."""
    try:
        return urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return None
