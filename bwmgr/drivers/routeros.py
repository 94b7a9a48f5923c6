"""MikroTik RouterOS by its API over TLS (librouteros), or by REST over HTTPS (RouterOS 7.1 and later, httpx): simple queues.

Owns one connection for each call. TLS is not optional: the password would travel in the clear. Real hardware is still to be tried
(docs: enforcement); the double in `bwmgr.testing.routeros` speaks from the documentation.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from bwmgr.drivers import Undo
from bwmgr.errors import DeviceAuthenticationError, DeviceError, DeviceProtocolError, DeviceTimeout, UsageError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Enforcer
from bwmgr.model.said import Said
from bwmgr.renderers import routeros
from bwmgr.renderers.names import queue_name
from bwmgr.renderers.routeros import Sentence

if TYPE_CHECKING:
    import httpx

API_TLS_PORT = 8729
Row = Mapping[str, str]


class Wire(Protocol):
    """Reading and changing a router's tables, by whatever protocol. Rows have `.id` and texts as the router says them."""

    def rows(self, path: str) -> Sequence[Row]: ...

    def change(self, command: str, found: str | None, words: Mapping[str, str]) -> None:
        """`command` is a path and `add`, `set` or `remove`; `found`: the row's id, None to add."""
        ...


class RouterosDriver:
    """Simple queues named after links; of each only the asked direction is bwmgr's business."""

    def __init__(self, device: str, wire: Wire) -> None:
        self._device = device
        self._wire = wire
        self._row: dict[str, Row] = {}

    def read(self, queue: Queue) -> Settings:
        """Raises: DeviceProtocolError where another queue takes the same traffic: the first in RouterOS's order wins."""
        name, target = queue_name(queue.link), routeros.target(queue)
        self._row.pop(name, None)
        for row in self._wire.rows(routeros.SIMPLE):
            if row.get("name") == name:
                self._row[name] = row
                return routeros.half(queue, row)
            if row.get("target") == target and row.get("disabled") != "true":
                raise DeviceProtocolError(self._device, _in_the_way(row, target, name))
        return {}

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return routeros.wanted(queue)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[Sentence]:
        return routeros.steps(queue, self._row.get(queue_name(queue.link), {}), to)

    def guarded(self, queue: Queue, steps: Sequence[Sentence], undo: Undo, seconds: float) -> Sequence[Sentence]:
        if not steps:
            return steps
        row = {**self._row.get(queue_name(queue.link), {}), **steps[-1].words}
        entry = routeros.guard(queue, row, undo, seconds)
        stale = [Sentence(command=f"{routeros.SCHEDULER}/remove", name=entry.name)] if self._entry(entry.name) else []
        return (*stale, entry, *steps)

    def send(self, steps: Sequence[Sentence]) -> None:
        for step in steps:
            row = self._entry(step.name) if step.command.startswith(routeros.SCHEDULER) else self._row.get(step.name)
            if row is None and not step.command.endswith("/add"):
                raise DeviceProtocolError(self._device, Said("{name} is gone", name=step.name))
            words = {key: str(word) for key, word in step.words.items()}
            self._wire.change(step.command, row[".id"] if row else None, words)

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """For what `undo` still has the entry is made anew, with as much time as before."""
        name = routeros.guard_name(queue)
        if (entry := self._entry(name)) is None:
            return
        steps = [Sentence(command=f"{routeros.SCHEDULER}/remove", name=name)]
        if undo:
            self.read(queue)
            row, seconds = self._row.get(queue_name(queue.link), {}), routeros.seconds_of(entry.get("interval", ""))
            steps.append(routeros.guard(queue, row, undo, seconds))
        self.send(steps)

    def _entry(self, name: str) -> Row | None:
        """The scheduler's entry of this name."""
        return next((row for row in self._wire.rows(routeros.SCHEDULER) if row.get("name") == name), None)


class ApiWire:
    """The binary API, port 8729."""

    def __init__(self, device: Device, enforcer: Enforcer) -> None:
        self._device, self._enforcer = device, enforcer

    def rows(self, path: str) -> Sequence[Row]:
        with self._connected() as api:
            return [{str(key): _text(word) for key, word in row.items()} for row in api.path(path)]

    def change(self, command: str, found: str | None, words: Mapping[str, str]) -> None:
        with self._connected() as api:
            tuple(api(command, **({".id": found} if found else {}), **words))

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        from librouteros import connect
        from librouteros.exceptions import ConnectionClosed, FatalError, ProtocolError, TrapError

        how, name = self._enforcer, self._device.id
        context = tls(how)
        try:
            api = connect(
                host=self._device.address, port=how.port or API_TLS_PORT, username=how.user or "", password=_password(how),
                timeout=how.timeout_seconds, encoding="utf-8",
                ssl_wrapper=lambda plain: context.wrap_socket(plain, server_hostname=self._device.address),
            )  # fmt: skip
        except TrapError as error:
            raise DeviceAuthenticationError(
                name, Said("refused the login of {user}: {why}", user=how.user or "", why=str(error))
            ) from error
        except (ConnectionClosed, FatalError, ProtocolError, OSError) as error:
            raise _unreached(name, error) from error
        try:
            yield api
        except TrapError as error:
            raise DeviceProtocolError(name, Said("refused: {why}", why=str(error))) from error
        except (ConnectionClosed, FatalError, ProtocolError, OSError) as error:
            raise _unreached(name, error) from error
        finally:
            api.close()


class RestWire:
    """REST: GET reads, PUT adds, PATCH sets, DELETE removes; an error is a JSON body with `error`, `message`, `detail`."""

    def __init__(self, device: Device, enforcer: Enforcer) -> None:
        self._device, self._enforcer = device, enforcer

    def rows(self, path: str) -> Sequence[Row]:
        found = self._asked("GET", path).json()
        return [{str(key): str(word) for key, word in row.items()} for row in found]

    def change(self, command: str, found: str | None, words: Mapping[str, str]) -> None:
        path, _, verb = command.rpartition("/")
        method = {"add": "PUT", "set": "PATCH", "remove": "DELETE"}[verb]
        self._asked(method, path if found is None else f"{path}/{found}", json=dict(words) if verb != "remove" else None)

    def _asked(self, method: str, path: str, json: object = None) -> httpx.Response:
        import httpx

        how, name = self._enforcer, self._device.id
        host = f"[{self._device.address}]" if ":" in self._device.address else self._device.address
        try:
            with httpx.Client(verify=tls(how), auth=(how.user or "", _password(how)), timeout=how.timeout_seconds) as client:
                answer = client.request(method, f"https://{host}:{how.port or 443}/rest{path}", json=json)
        except httpx.TimeoutException as error:
            raise DeviceTimeout(name, Said("no answer within {limit} s", limit=f"{how.timeout_seconds:g}")) from error
        except httpx.HTTPError as error:
            raise DeviceProtocolError(name, Said("not reached: {why}", why=str(error))) from error
        if answer.status_code in (401, 403):
            raise DeviceAuthenticationError(
                name, Said("refused {user} (HTTP {status})", user=how.user or "", status=str(answer.status_code))
            )
        if answer.is_error:
            raise DeviceProtocolError(
                name, Said("refused: HTTP {status} {answer}", status=str(answer.status_code), answer=answer.text[:200])
            )
        return answer


def routeros_driver(device: Device, enforcer: Enforcer) -> RouterosDriver:
    """Raises: UsageError without a user and password."""
    if enforcer.user is None or enforcer.password is None:
        raise UsageError(Said("device {device}: `enforce:` needs user and password", device=device.id))
    wire = ApiWire if enforcer.driver == "routeros" else RestWire
    return RouterosDriver(device.id, wire(device, enforcer))


def tls(enforcer: Enforcer) -> ssl.SSLContext:
    """Checks the router's certificate against `ca`, or the system's authorities. Raises: UsageError for an unreadable file."""
    try:
        return ssl.create_default_context(cafile=enforcer.ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            Said("{file}: no certificate authority can be read from it: {why}", file=enforcer.ca, why=str(error))
        ) from error


def _password(enforcer: Enforcer) -> str:
    return enforcer.password.reveal() if enforcer.password is not None else ""


def _text(word: object) -> str:
    """librouteros makes numbers and truth values of texts; a name may be `123` or `true`."""
    return str(word).lower() if isinstance(word, bool) else str(word)


def _in_the_way(row: Row, target: str, name: str) -> Said:
    return Said(
        "simple queue {other!r} takes the traffic of {target} first: disable it, or name it {name}",
        other=row.get("name", ""),
        target=target,
        name=name,
    )


def _unreached(device: str, error: Exception) -> DeviceError:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return DeviceTimeout(device, Said("no answer from its API"))
    return DeviceProtocolError(device, Said("its API was not reached: {why}", why=str(error)))
