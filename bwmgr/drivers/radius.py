"""Limits of sessions that a RADIUS server manages (hotspot, PPPoE), by Change-of-Authorization over UDP (RFC 5176, pyrad).

A CoA changes the session that is there now and cannot be read back: what the access server acknowledged counts as held, and what
the user gets at his next login is the RADIUS server's, whose database bwmgr does not touch. Every request carries a
Message-Authenticator and the time (RFC 5176 section 3, 6.3), and no answer counts without the shared secret.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from io import StringIO
from typing import TYPE_CHECKING

from bwmgr.drivers import Known, Undo
from bwmgr.errors import DeviceProtocolError, DeviceTimeout, UsageError, system_reason
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Enforcer
from bwmgr.model.said import Said, both
from bwmgr.renderers.radius import attributes

if TYPE_CHECKING:
    from pyrad.dictionary import Dictionary

COA_PORT = 3799
_TRIES = 3
_LARGEST_INTEGER = 2**32 - 1
_DICTIONARY = """\
ATTRIBUTE User-Name 1 string
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Event-Timestamp 55 date
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE Error-Cause 101 integer
VENDOR Mikrotik 14988
BEGIN-VENDOR Mikrotik
ATTRIBUTE Mikrotik-Rate-Limit 8 string
END-VENDOR Mikrotik
VENDOR WISPr 14122
BEGIN-VENDOR WISPr
ATTRIBUTE WISPr-Bandwidth-Min-Up 5 integer
ATTRIBUTE WISPr-Bandwidth-Min-Down 6 integer
ATTRIBUTE WISPr-Bandwidth-Max-Up 7 integer
ATTRIBUTE WISPr-Bandwidth-Max-Down 8 integer
END-VENDOR WISPr
"""
"""RFC 2865, 2869, 3576; MikroTik's and WISPr's vendor numbers as IANA has them."""
_CAUSES = {
    401: Said("unsupported attribute"),
    402: Said("missing attribute"),
    403: Said("NAS identification mismatch"),
    404: Said("invalid request"),
    405: Said("unsupported service"),
    406: Said("unsupported extension"),
    407: Said("invalid attribute value"),
    501: Said("administratively prohibited"),
    503: Said("no such session"),
    504: Said("session cannot be removed"),
    506: Said("resources unavailable"),
    507: Said("request initiated"),
    508: Said("several sessions are meant"),
}
"""RFC 5176 section 3.5."""


@cache
def dictionary() -> Dictionary:
    """The attributes that are sent and read here."""
    from pyrad.dictionary import Dictionary

    return Dictionary(StringIO(_DICTIONARY))


@dataclass(frozen=True, kw_only=True, slots=True)
class CoaStep:
    """One CoA-Request; `held`: what counts as held once it is acknowledged."""

    words: Mapping[str, str | int]
    held: Settings

    @property
    def line(self) -> str:
        return " ".join(["CoA-Request", *(f"{name}={str(word)!r}" for name, word in self.words.items())])


class RadiusDriver:
    def __init__(self, device: Device, enforcer: Enforcer, known: Known | None) -> None:
        """Raises: UsageError without a shared secret."""
        if enforcer.secret is None:
            raise UsageError(Said("device {device}: `enforce:` needs the shared secret", device=device.id))
        self._device, self._enforcer = device, enforcer
        self._secret = enforcer.secret
        self._held: Settings | None = known.settings if known is not None else None
        self._bandwidth = known.bandwidth if known is not None else Bandwidth(cir_bps=0, mir_bps=None)

    def read(self, queue: Queue) -> Settings:
        """What was acknowledged last; before the first time, what the engine takes the limit to be."""
        return self._held if self._held is not None else _settings(self._bandwidth)

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return _settings(Bandwidth(cir_bps=queue.cir_bps, mir_bps=queue.mir_bps))

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[CoaStep]:
        """Always one: whether the session has these settings already, nobody can ask it."""
        own = Bandwidth(cir_bps=int(to["min_bps"]), mir_bps=int(to["max_bps"]) or None)
        words = {name: word for name, word in attributes(queue, own).items() if _fits(word)}
        return (CoaStep(words={**_session(queue), **words}, held=to),)

    def guarded(self, queue: Queue, steps: Sequence[CoaStep], undo: Undo, seconds: float) -> Sequence[CoaStep]:
        return steps  # a session has no timer for it; it ends with the session at the latest

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """Nothing waits."""

    def send(self, steps: Sequence[CoaStep]) -> None:
        """Raises: DeviceTimeout without a valid answer (a wrong shared secret gets none), DeviceProtocolError for a CoA-NAK."""
        for step in steps:
            self._asked(step.words)
            self._held = step.held

    def _asked(self, words: Mapping[str, str | int]) -> None:
        from pyrad.client import Client, Timeout
        from pyrad.packet import CoAACK

        name, how = self._device.id, self._enforcer
        client = Client(server=self._device.address, coaport=how.port or COA_PORT, secret=self._secret.reveal().encode(),
                        dict=dictionary(), retries=_TRIES, timeout=how.timeout_seconds / _TRIES)  # fmt: skip
        request = client.CreateCoAPacket()
        for key, word in words.items():
            request.AddAttribute(key, word)
        request.AddAttribute("Event-Timestamp", int(time.time()))
        request.add_message_authenticator()
        try:
            answer = client.SendPacket(request)
        except Timeout as error:
            raise DeviceTimeout(
                name, Said("no valid answer to {tries} requests: it is away, or the shared secret is another one", tries=_TRIES)
            ) from error
        except OSError as error:
            raise DeviceProtocolError(name, Said("not reached: {why}", why=system_reason(error))) from error
        if answer.code != CoAACK:
            raise DeviceProtocolError(name, Said("refused (CoA-NAK): {why}", why=_why(answer.get("Error-Cause", []))))


def _why(codes: Sequence[int]) -> str:
    """What the Error-Causes of a refusal mean."""
    return reduce(both, (_CAUSES.get(code) or Said("error cause {code}", code=str(code)) for code in codes), "") or Said(
        "it says no reason"
    )


def _settings(bandwidth: Bandwidth) -> Settings:
    return {"max_bps": bandwidth.mir_bps or 0, "min_bps": bandwidth.cir_bps}


def _session(queue: Queue) -> dict[str, str | int]:
    """Whose session. Raises: UsageError where neither a user nor one address says it."""
    if queue.user is not None:
        return {"User-Name": queue.user}
    single = [network for network in queue.networks if network.version == 4 and network.num_addresses == 1]
    if len(single) != 1:
        raise UsageError(
            Said(
                "{link}: give its shaper the user of the session, or the link one network that is a single address",
                link=queue.link,
            )
        )
    return {"Framed-IP-Address": str(single[0].network_address)}


def _fits(word: str | int) -> bool:
    """A WISPr rate is 32 bits wide; Mikrotik-Rate-Limit, a text, says more."""
    return not isinstance(word, int) or word <= _LARGEST_INTEGER
