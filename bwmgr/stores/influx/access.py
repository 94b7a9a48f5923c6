"""Who we are on which server, what it turned out to be, and what its refusals mean. Asks nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.model.said import Said
from bwmgr.model.secret import Secret

TOKEN_REFUSED = (401, 403)
_MISSING_PAGE = 404
_OF_SERVER = 500


class AccessDiffers(StoreUnavailable):
    """What is configured and what the server allows differ: trying again is right, but it takes a person."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where the server is and who we are. `org`, `bucket`, `token` for 2.x and 3; `database` and perhaps a user for 1.x."""

    url: str
    org: str | None = None
    bucket: str | None = None
    token: Secret | None = None
    database: str | None = None
    username: str | None = None
    password: Secret | None = None
    timeout_seconds: float = 20.0
    ca: Path | None = None
    """File of the certificate authority that signed the server's certificate; None: those that the system trusts."""
    retention_seconds: float | None = None
    """Of a bucket or database that has to be made; None: for ever. One that exists keeps its own."""

    @property
    def name(self) -> str:
        """The database, or the bucket that InfluxQL knows by the same name."""
        return self.database or self.bucket or "bwmgr"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """What answered. `queries` False: a target for writing only, such as VictoriaMetrics."""

    product: str
    version: str
    queries: bool
    build: str = ""
    """What the server calls its flavour: OSS, ENT, Core, Enterprise ..."""

    @property
    def major(self) -> int | None:
        """None where it was built without its version, or does not say one."""
        number = self.version.partition(".")[0]
        return int(number) if number.isdigit() else None

    def __str__(self) -> str:
        flavour = "" if self.build in {"", "OSS"} else self.build
        return " ".join(part for part in (self.product, self.version, flavour) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    text: str


def token_refused(url: str, status: int) -> AccessDiffers:
    return AccessDiffers(Said("{url}: {status}: the token, or the user and password, are refused", url=url, status=str(status)))


def refused(url: str, status: int, text: str) -> StoreError:
    """What an answer that is an error is for the caller."""
    if status in TOKEN_REFUSED:
        return token_refused(url, status)
    problem = f"{url}: {status}: {text.strip()[:300]}"
    return StoreUnavailable(problem) if status >= _OF_SERVER or status == _MISSING_PAGE else StoreError(problem)
