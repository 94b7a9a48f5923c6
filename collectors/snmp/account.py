"""What a cycle came to: why each device and each interface has no reading, and what there is to say of them.

Owns the reasons and the words. Asks nothing; what was answered is in the request table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import Rows
from bwmgr.model.said import Said, both
from bwmgr.model.samples import GapReason
from collectors.snmp.addresses import AddressTable
from collectors.snmp.breaker import Breaker
from collectors.snmp.device import DeviceState, is_v3
from collectors.snmp.outcome import Outcomes
from collectors.snmp.readings import Assembler
from collectors.snmp.requests import RequestTable, State

Mask = NDArray[np.bool_]


class Account:
    """The account of one collector's cycles."""

    def __init__(
        self, devices: Sequence[DeviceState], table: RequestTable, addresses: AddressTable, breaker: Breaker, assembler: Assembler
    ) -> None:
        self._devices, self._table, self._addresses, self._breaker = devices, table, addresses, breaker
        self._assembler = assembler
        self._ids = [device.target.device.id for device in devices]
        self._is_v3 = np.array([is_v3(device) for device in devices], np.bool_)
        self._row_device = np.repeat(np.arange(len(devices)), [len(device.places) for device in devices])
        self._place_reasons = np.full(len(self._row_device), GapReason.UNRESOLVED, np.uint8)
        self._notes: dict[int, str] = {}

    def reasons(self, asked: Mask, answered: Mask, restless: Sequence[DeviceState]) -> NDArray[np.uint8]:
        """Why each device did not answer, or what went wrong though it did; 0: nothing.

        `asked` are those that were to be asked; LATE are those of them for which the cycle had no time: not one try of theirs
        had the time that an answer may take.
        """
        silent = np.where(asked, GapReason.TIMEOUT, GapReason.SUSPENDED)
        silent = np.where(asked & ~self._waited_for() & ~self._is_v3, GapReason.LATE, silent)
        silent = np.where(self._addresses.family == 0, GapReason.NAME_LOOKUP, silent)
        reasons = np.where(answered, 0, silent).astype(np.uint8)
        for device in restless:
            if device.failure and asked[device.position]:
                reasons[device.position] = device.failure
        return reasons

    def readings(self, reasons: NDArray[np.uint8], answered: Mask, restless: Sequence[DeviceState], now_ms: int) -> Rows:
        """One row per interface; `reasons` are the devices'."""
        for device in restless:
            first = device.places[0].row if device.places else 0
            self._place_reasons[first : first + len(device.places)] = device.reasons
        of_device = reasons[self._row_device]
        rest = np.where(of_device != 0, of_device, np.uint8(GapReason.TIMEOUT))
        of_row = np.where(answered[self._row_device] & (self._place_reasons != 0), self._place_reasons, rest)
        return self._assembler.readings(of_row.astype(np.uint8), now_ms)

    def outcomes(self, reasons: NDArray[np.uint8], answered: Mask, restless: Sequence[DeviceState], now: float) -> Outcomes:
        """One per device, in order; `now` by the breaker's clock."""
        slots = self._table.slots
        done = np.flatnonzero(slots["state"] == State.DONE)
        rtt = np.full(len(self._devices), np.nan)
        rtt[slots["device"][done]] = slots["rtt_us"][done] / 1000
        details = self._details(reasons, restless, now)
        return Outcomes(ids=self._ids, answers=answered.copy(), reasons=reasons, rtt_ms=rtt, details=details)

    def _waited_for(self) -> Mask:
        """Devices that let at least one try of this cycle run out of patience."""
        slots = self._table.slots[: self._table.count]
        gave_up = (
            (slots["tries"] > 1) | (slots["state"] == State.QUEUED) & (slots["tries"] > 0) | (slots["state"] == State.FAILED)
        )
        waited = np.zeros(len(self._devices), np.bool_)
        waited[slots["device"][gave_up & (slots["device"] >= 0)]] = True
        return waited

    def _details(self, reasons: NDArray[np.uint8], restless: Sequence[DeviceState], now: float) -> dict[int, str]:
        """What there is to say of devices, by position."""
        positions = np.flatnonzero(reasons).tolist()
        details = {position: self._why(position, GapReason(int(reasons[position])), now) for position in positions}
        for device in restless:
            self._notes.pop(device.position, None)
            if device.note:
                self._notes[device.position] = device.note
            if device.detail:
                details[device.position] = device.detail
        for position, note in self._notes.items():
            details[position] = both(details.get(position, ""), note)
        return {position: detail for position, detail in details.items() if detail}

    def _why(self, position: int, reason: GapReason, now: float) -> str:
        if reason is GapReason.NAME_LOOKUP:
            return Said("the name {address} does not resolve", address=self._devices[position].target.device.address)
        if reason is GapReason.SUSPENDED:
            left = self._breaker.open_until[position] - now
            return Said(
                "no answer in {cycles} cycles; asked again in {left} s",
                cycles=int(self._breaker.failures[position]),
                left=round(max(left, 0)),
            )
        return _WHY.get(reason, "")


_WHY = {
    GapReason.TIMEOUT: Said("no answer: it is away, or the community is wrong"),
    GapReason.LATE: Said("the cycle was over before it could be asked, or could answer"),
}
