"""The v3 devices of a cycle: many at once, in one thread with one event loop, over one socket per address family.

Owns concurrency, tries and deadlines; what a message means is `usm`'s business, which requests a cycle makes the
collector's. Engines (their ids, clocks and localised keys) are kept from cycle to cycle: a poll in steady state is one
request and one reply.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from bwmgr.errors import DecodeError, DeviceAuthenticationError, DeviceError, DeviceProtocolError, DeviceTimeout, system_reason
from bwmgr.model.inventory import Credential, Device
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from collectors.snmp.ber import ErrorStatus, Tag
from collectors.snmp.reference import Reply, Variable
from collectors.snmp.session import AUTHORIZATION_ERROR, NameLookupError, request_pdu
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.usm import Engine, Exchange, Verdict

_MOST_AT_ONCE = 64
"""Exchanges in flight: a reply waits while others are decrypted, and that wait must stay far below the patience."""
_RECEIVE_OCTETS = 4 * 2**20

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class V3Request:
    """One GET. `names` are encoded OID contents."""

    device: Device
    credential: Credential
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class V3Answer:
    """`variables` in the order of the request's names, or None with the reason and what the device said."""

    variables: tuple[Variable, ...] | None
    reason: GapReason
    detail: str
    sent_ms: int
    """When the try that was answered was sent, ms since 1970 UTC."""
    rtt_us: int


class V3Poller:
    """Asks v3 devices. One `get` at a time; a device that fails harms no other."""

    def __init__(
        self, settings: SnmpSettings, credentials: Mapping[str, Credential], *, now: Callable[[], float] = time.time
    ) -> None:
        """`now` gives seconds since 1970 UTC. Localising keys happens at the first contact with each engine."""
        self._settings = settings
        self._credentials = credentials
        self._now = now
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._opening = asyncio.Lock()
        self._engines: dict[str, Engine] = {}
        self._addresses: dict[Device, tuple[socket.AddressFamily, Address]] = {}
        self._wires: dict[socket.AddressFamily, _Wire] = {}
        self.drops: Counter[str] = Counter()
        """Datagrams that were no answer, by reason, since the start."""

    def get(self, requests: Sequence[V3Request], deadline_seconds: float) -> list[V3Answer]:
        """Answers in the order of the requests, at the latest after `deadline_seconds`; never raises for one device.

        Requests to one device go one after the other, those to different devices side by side.
        """
        with self._lock:
            return self._loop.run_until_complete(self._get(requests, time.monotonic() + deadline_seconds))

    def shared_engines(self) -> dict[bytes, tuple[str, ...]]:
        """engineIDs that several devices claim, with these devices' ids (RFC 3411 wants them unique in a domain)."""
        owners: dict[bytes, list[str]] = {}
        for device, engine in self._engines.items():
            if engine.engine_id:
                owners.setdefault(engine.engine_id, []).append(device)
        return {engine_id: tuple(devices) for engine_id, devices in owners.items() if len(devices) > 1}

    def close(self) -> None:
        """Idempotent."""
        if self._loop.is_closed():
            return
        for wire in self._wires.values():
            wire.transport.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # lets the transports close their sockets
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _get(self, requests: Sequence[V3Request], deadline: float) -> list[V3Answer]:
        answers: list[V3Answer | None] = [None] * len(requests)
        by_device: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            by_device.setdefault(request.device.id, []).append(number)
        gate = asyncio.Semaphore(min(self._settings.window, _MOST_AT_ONCE))
        tasks = [asyncio.create_task(self._device(requests, numbers, answers, gate, deadline)) for numbers in by_device.values()]
        await asyncio.gather(*tasks)
        return [
            self._failed(GapReason.LATE, Said("the cycle was over before it could be asked")) if one is None else one
            for one in answers
        ]

    async def _device(
        self,
        requests: Sequence[V3Request],
        numbers: Iterable[int],
        answers: list[V3Answer | None],
        gate: asyncio.Semaphore,
        deadline: float,
    ) -> None:
        """All requests to one device; after the first that fails the rest are not sent."""
        async with gate:
            failed: V3Answer | None = None
            for number in numbers:
                if failed is None:
                    if deadline <= time.monotonic():
                        return
                    answers[number] = await self._answer(requests[number], deadline)
                    failed = answers[number] if answers[number].variables is None else None  # type: ignore[union-attr]
                else:
                    answers[number] = failed

    async def _answer(self, request: V3Request, deadline: float) -> V3Answer:
        try:
            return await self._ask(request, deadline)
        except NameLookupError as error:
            return self._failed(GapReason.NAME_LOOKUP, error.problem)
        except DeviceAuthenticationError as error:
            return self._failed(GapReason.AUTHENTICATION, error.problem)
        except DeviceTimeout as error:
            return self._failed(GapReason.TIMEOUT, error.problem)
        except DeviceError as error:
            return self._failed(GapReason.PROTOCOL, error.problem)

    async def _ask(self, request: V3Request, deadline: float) -> V3Answer:
        device = request.device
        family, address = await self._resolved(device)
        wire = await self._wire(family)
        exchange = Exchange(self._engine(request), request_pdu(Tag.GET, request.names))
        with wire.listening(address, device.unconnected) as inbox:
            for patience in self._settings.patience():
                verdict = Verdict.AGAIN
                while verdict is Verdict.AGAIN:
                    sent_ms, sent = int(self._now() * 1000), time.monotonic()
                    wire.transport.sendto(exchange.datagram(), address)
                    verdict = await self._await(exchange, inbox, min(sent + patience, deadline))
                if verdict is Verdict.DONE and exchange.reply is not None:
                    variables = _checked(device, request.names, exchange.reply)
                    return V3Answer(variables, GapReason.NONE, "", sent_ms, int((time.monotonic() - sent) * 1e6))
                if deadline <= time.monotonic():
                    break
        raise DeviceTimeout(
            device.id, Said("no answer that bears our key's signature") if inbox.wrong_digests else Said("no answer")
        )

    async def _await(self, exchange: Exchange, inbox: _Inbox, until: float) -> Verdict:
        while (left := until - time.monotonic()) > 0:
            try:
                datagram = await asyncio.wait_for(inbox.queue.get(), left)
            except TimeoutError:
                break
            try:
                verdict = exchange.receive(datagram)
            except DecodeError as error:
                inbox.wrong_digests += error.reason == "wrong_digest"
                self.drops[error.reason] += 1
                continue
            if verdict is not Verdict.IGNORED:
                return verdict
            self.drops["unexpected"] += 1
        return Verdict.IGNORED

    def _engine(self, request: V3Request) -> Engine:
        """What is known of the device's engine; forgotten when its credential changes."""
        credential = self._credentials.get(request.credential.id, request.credential)
        engine = self._engines.get(request.device.id)
        if engine is None or engine.credential != credential:
            engine = self._engines[request.device.id] = Engine(credential=credential, device=request.device.id)
        return engine

    async def _resolved(self, device: Device) -> tuple[socket.AddressFamily, Address]:
        """Raises: NameLookupError. An address that resolved is kept while the poller lives."""
        if device not in self._addresses:
            try:
                found = await self._loop.getaddrinfo(device.address, device.port, type=socket.SOCK_DGRAM)
            except OSError as error:
                raise NameLookupError(
                    device.id,
                    Said("the name {address} does not resolve ({why})", address=device.address, why=system_reason(error)),
                ) from error
            family, _, _, _, address = found[0]
            self._addresses[device] = family, (str(address[0]), int(address[1]))
        return self._addresses[device]

    async def _wire(self, family: socket.AddressFamily) -> _Wire:
        async with self._opening:
            if family not in self._wires:
                await self._open(family)
        return self._wires[family]

    async def _open(self, family: socket.AddressFamily) -> None:
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
        opened.bind(("::" if family == socket.AF_INET6 else "", 0))
        opened.setblocking(False)
        _, self._wires[family] = await self._loop.create_datagram_endpoint(lambda: _Wire(self.drops), sock=opened)

    def _failed(self, reason: GapReason, detail: str) -> V3Answer:
        return V3Answer(None, reason, detail, int(self._now() * 1000), 0)


def _checked(device: Device, names: Sequence[bytes], reply: Reply) -> tuple[Variable, ...]:
    """Raises: DeviceAuthenticationError, DeviceProtocolError for another error, or for other OIDs than were asked for."""
    if reply.error_status == AUTHORIZATION_ERROR:
        raise DeviceAuthenticationError(device.id, Said("the user may not read this at its security level (authorizationError)"))
    if reply.error_status:
        known = {int(status): status.name for status in ErrorStatus}
        name = known.get(reply.error_status, str(reply.error_status))
        raise DeviceProtocolError(
            device.id, Said("it answers with error {error} at variable {place}", error=name, place=reply.error_index)
        )
    if tuple(variable.name for variable in reply.variables) != tuple(names):
        raise DeviceProtocolError(device.id, Said("it answers for other objects than those asked for"))
    return reply.variables


class _Inbox:
    """Where the datagrams of one device go while it is being asked."""

    def __init__(self, wire: _Wire, key: Address | str) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=32)
        self.wrong_digests = 0
        self._wire, self._key = wire, key

    def __enter__(self) -> _Inbox:
        self._wire.inboxes.setdefault(self._key, []).append(self)
        return self

    def __exit__(self, *_: object) -> None:
        listening = self._wire.inboxes[self._key]
        listening.remove(self)
        if not listening:
            del self._wire.inboxes[self._key]


class _Wire(asyncio.DatagramProtocol):
    """One socket; sorts datagrams by the address that they come from. Those of nobody are counted and dropped."""

    transport: asyncio.DatagramTransport

    def __init__(self, drops: Counter[str]) -> None:
        self.inboxes: dict[Address | str, list[_Inbox]] = {}
        self._drops = drops

    def listening(self, address: Address, unconnected: bool) -> _Inbox:
        """`unconnected`: replies may come from anywhere, so they are told apart by message id and signature alone."""
        return _Inbox(self, "" if unconnected else address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        setattr(transport, "max_size", 65535)  # noqa: B010  # the default allocates 256 KiB per datagram; not in typeshed

    def datagram_received(self, data: bytes, addr: Address) -> None:
        inboxes = self.inboxes.get((addr[0], addr[1])) or self.inboxes.get("", [])
        if not inboxes:
            self._drops["foreign"] += 1
        for inbox in inboxes:
            if inbox.queue.full():
                self._drops["overrun"] += 1
            else:
                inbox.queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """ICMP's word that nobody listens there: the try runs into its timeout, as for any silent device."""
        self._drops["icmp"] += 1
