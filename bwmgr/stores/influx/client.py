"""One InfluxDB server over HTTP: what it is, writing line protocol, asking InfluxQL.

Owns the connection (influxdb-client's, with its TLS verification), who we are, and which endpoint a version wants. What an
answer means for the lines that were sent is `sending`'s, what is to be made on the server `making`'s.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import urllib3

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.model.said import Said
from bwmgr.stores.influx.access import TOKEN_REFUSED, Access, Answer, Server, refused, token_refused

if TYPE_CHECKING:
    from influxdb_client import InfluxDBClient

_GZIP = 31
"""zlib's window bits for a gzip container."""
_LEVEL = 1
"""influxdb-client's own is 9: three times the CPU for a tenth less."""
_PROBE = "BWMGR IS THIS INFLUXQL"
"""No statement of InfluxQL: who answers it with success has not read it."""
NO_DATABASE = "database not found"
_MISSING_PAGE = 404
_ERRORS = 400
_OF_SERVER = 500

Series = Mapping[str, Any]
"""One series of an answer: `name`, `tags`, `columns`, `values`."""


class Client:
    """Thread-safe. No method waits longer than `Access.timeout_seconds` for the server to say something."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._endpoint_v2: bool | None = None

    def write(self, lines: bytes) -> Answer:
        """Sends lines, timestamps in seconds. Raises: StoreUnavailable where no answer came."""
        if self._endpoint_v2 is not False:
            answer = self._write_v2(lines)
            if not _no_such_page(answer):
                self._endpoint_v2 = True
                return answer
            self._endpoint_v2 = False
        fields = {"db": self.access.name, "precision": "s"}
        return self.send("POST", "/write", fields, _gzipped(lines), {"Content-Encoding": "gzip"})

    def query(self, text: str) -> Iterator[Series]:
        """The series of the answer to InfluxQL, in pieces, `time` in seconds since 1970.

        Raises: StoreUnavailable where no answer came or access is refused, StoreError where this is no InfluxDB or it objects.
        """
        self._require_queries()
        return self._ask(text)

    def run(self, text: str) -> None:
        """A statement without an answer. Raises: as `query`."""
        for _ in self.query(text):
            pass

    @property
    def is_version_1(self) -> bool:
        """1.x has continuous queries and retention policies. One that was built without its version says `unknown`: then how we
        are to log in decides. Raises: StoreUnavailable."""
        major = self.server.major
        return major in {0, 1} if major is not None else self.access.token is None

    @cached_property
    def server(self) -> Server:
        """What is there. Raises: StoreUnavailable."""
        probe = self.send("GET", "/query", {"q": _PROBE, "db": self.access.name})
        ping = self._request("GET", "/ping")
        version = ping.headers.get("X-Influxdb-Version") or _version_of(ping.data)
        if probe.status in TOKEN_REFUSED and not version:
            raise token_refused(self.access.url, probe.status)
        if probe.status < _ERRORS:
            product = "VictoriaMetrics" if "X-Server-Hostname" in ping.headers else "unknown server"
            return Server(product=product, version="", queries=False)
        if probe.status >= _OF_SERVER and not version:
            raise StoreUnavailable(f"{self.access.url}: {probe.status}: {probe.text[:200]}")
        if not version:
            return Server(product="unknown server", version="", queries=False)
        build = ping.headers.get("X-Influxdb-Build") or ""
        return Server(product="InfluxDB", version=version.lstrip("v"), queries=True, build=build)

    def databases(self) -> set[str]:
        """Names of the databases that we may see. Raises: as `query`."""
        return {row[0] for series in self.query("SHOW DATABASES") for row in series.get("values", ())}

    @property
    def all_time(self) -> str:
        """The condition without which `SHOW TAG VALUES` forgets on 3 what has been silent for a day. Raises: StoreUnavailable."""
        return " WHERE time >= 0" if self.server.major == 3 else ""

    def forget(self) -> None:
        """What the server is, is asked again: it may come back as another version."""
        self.__dict__.pop("server", None)
        self._endpoint_v2 = None

    def close(self) -> None:
        if (client := self.__dict__.pop("library", None)) is not None:
            client.close()

    @cached_property
    def library(self) -> InfluxDBClient:
        """influxdb-client's own object, for what it does well: connections, TLS, buckets. Raises: StoreUnavailable."""
        from influxdb_client import InfluxDBClient

        if self.access.ca is not None and not self.access.ca.is_file():
            raise StoreUnavailable(
                Said("{file}: no such file; it is store.ca, the authority behind {url}", file=self.access.ca, url=self.access.url)
            )
        token = self.access.token.reveal() if self.access.token else None
        milliseconds = round(self.access.timeout_seconds * 1000)
        ca = str(self.access.ca) if self.access.ca else None
        return InfluxDBClient(
            url=self.access.url, token=token, org=self.access.org, timeout=milliseconds, verify_ssl=True, ssl_ca_cert=ca
        )

    def _require_queries(self) -> None:
        if not self.server.queries:
            raise StoreError(
                Said(
                    "{url} is {server}: it takes writes but does not answer InfluxQL truthfully; to read, point "
                    "store.url at an InfluxDB",
                    url=self.access.url,
                    server=self.server,
                )
            )

    def _ask(self, text: str) -> Iterator[Series]:
        response = self._answer_to(text)
        try:
            if response.status >= _ERRORS:
                problem = response.read().decode(errors="replace")
                if NO_DATABASE in problem:  # how 3 says it
                    return
                raise refused(self.access.url, response.status, problem)
            for line in _lines_of(response):
                yield from self._series(line)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"{self.access.url}: {error}") from error
        finally:
            response.close()

    def _answer_to(self, text: str) -> urllib3.BaseHTTPResponse:
        """3 documents a GET with all of it in the address; 1.x takes statements that change something by POST only."""
        fields = {"db": self.access.name, "epoch": "s", "chunked": "true", "chunk_size": "10000"}
        if self.server.major == 3:
            return self._request("GET", "/query", {**fields, "q": text}, preload_content=False)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._request("POST", "/query", fields, urlencode({"q": text}).encode(), headers, preload_content=False)

    def _series(self, line: bytes) -> Iterator[Series]:
        if not line.strip():
            return
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise StoreError(
                Said("{url}: what it answers is not InfluxQL's JSON: {why}", url=self.access.url, why=str(error))
            ) from error
        for result in (answer, *answer.get("results", ())):
            if problem := result.get("error", ""):
                if NO_DATABASE in problem or ("retention policy not set" in problem and not self._has_bucket()):
                    return  # not made yet: it holds nothing
                raise StoreError(f"{self.access.url}: {problem}")
        for result in answer.get("results", ()):
            yield from map(_with_tags, result.get("series", ()))

    def _has_bucket(self) -> bool:
        """Whether 2.x has the bucket, known to InfluxQL or not. Raises: StoreError."""
        from influxdb_client.rest import ApiException

        try:
            return self.library.buckets_api().find_bucket_by_name(self.access.name) is not None
        except ApiException as error:
            raise refused(self.access.url, error.status or 0, str(error.body)) from error

    def _write_v2(self, lines: bytes) -> Answer:
        """1.8 takes `database/retention policy` as bucket; the empty policy is the default one."""
        bucket = self.access.bucket or f"{self.access.name}/"
        fields = {"bucket": bucket, "org": self.access.org or "", "precision": "s"}
        return self.send("POST", "/api/v2/write", fields, _gzipped(lines), {"Content-Encoding": "gzip"})

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises: StoreUnavailable where no answer came."""
        response = self._request(method, path, fields, body, headers)
        return Answer(status=response.status, text=response.data.decode(errors="replace"))

    def _request(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        url = self.access.url.rstrip("/") + path + (f"?{urlencode(fields)}" if fields else "")
        try:
            pool: urllib3.PoolManager = self.library.api_client.rest_client.pool_manager
            return pool.request(
                method,
                url,
                body=body,
                headers={**self._authorization(path), **(headers or {})},
                timeout=self.access.timeout_seconds,
                retries=False,
                preload_content=preload_content,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"{self.access.url}: {error}") from error

    def _authorization(self, path: str) -> dict[str, str]:
        if self.access.token is not None:
            return {"Authorization": f"Token {self.access.token.reveal()}"}
        if self.access.username is None:
            return {}
        user = f"{self.access.username}:{self.access.password.reveal() if self.access.password else ''}"
        if path.startswith("/api/v2"):  # 1.8 knows this form only there, and 1.6 does not know it anywhere
            return {"Authorization": f"Token {user}"}
        return dict(urllib3.make_headers(basic_auth=user))


def identifier(name: str) -> str:
    """A name in InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A string in InfluxQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _lines_of(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    stream = cast("urllib3.response.HTTPResponse", response)
    stream.auto_close = False  # else it closes itself at its end, and the reader around it asks once more
    yield from io.BufferedReader(cast(io.RawIOBase, stream))


def _gzipped(lines: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(lines) + packer.flush()


def _with_tags(series: Series) -> Series:
    """3 says null of a tag that a point has not, where the others say an empty text."""
    tags = series.get("tags")
    return series if not tags else {**series, "tags": {name: value or "" for name, value in tags.items()}}


def _no_such_page(answer: Answer) -> bool:
    """1.6 and 1.7 have no /api/v2/write; a bucket that 2.x does not know is a 404 with a code."""
    return answer.status == _MISSING_PAGE and not answer.text.lstrip().startswith("{")


def _version_of(body: bytes) -> str:
    """3 says it in the answer's body."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("version", "")) if isinstance(found, dict) else ""
