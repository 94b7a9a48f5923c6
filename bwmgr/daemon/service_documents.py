"""Service levels and outages as JSON and as rows: names, units and order that scripts may rely on.

Ratios are rounded to eight places for reading; verdicts and money are made of exact ones. Seconds are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bwmgr.daemon.service_levels import ContractService, Month, ratio
from bwmgr.daemon.status import rfc3339
from bwmgr.measure.availability import Restitution, Served, kept, promised_ratio
from bwmgr.model.inventory import ServiceLevel
from bwmgr.model.service import Outage

METHOD = {
    "least_outage": "a shorter run without service is counted as up (short_seconds)",
    "availability": "(base - down) / base; low: unknown time counted as down, high: as up",
    "base": "the month within the term, up to now, less excluded time",
    "rounding": "restitution is rounded once a month, half up, to whole currency units",
}


def document(services: Sequence[ContractService]) -> dict[str, Any]:
    """`sla --format json`."""
    return {"contracts": [_contract(one) for one in services], "method": METHOD}


def rows(services: Sequence[ContractService]) -> Iterator[dict[str, Any]]:
    """`sla --format csv`: a row a month, then the total, of each contract."""
    for service in services:
        head = {"contract": service.contract.id, "provider": service.contract.provider}
        for one in service.months:
            yield {**head, **_month(one)}
        yield {**head, **_total(service)}


def outage_row(outage: Outage, treatment: str | None = None) -> dict[str, Any]:
    """One outage; `treatment` is how a contract counts it."""
    word = outage.judgements[-1] if outage.judgements else None
    row = {
        "id": outage.id,
        "series": outage.series,
        "start": rfc3339(outage.start),
        "end": None if outage.is_open else rfc3339(outage.end),
        "seconds": round(outage.seconds),
        "sign": str(outage.sign),
        "rebooted": outage.rebooted,
        "cause": str(outage.cause),
        "proposed": str(outage.proposed),
        "rule": outage.rule,
        "by": word.by if word else None,
        "judged_at": rfc3339(word.at) if word else None,
        "note": word.note if word else None,
    }
    return row if treatment is None else {**row, "treatment": treatment}


def outages_document(outages: Sequence[Outage], start: datetime, end: datetime) -> dict[str, Any]:
    """`sla outages --format json`, with everything that was ever said of each."""
    return {
        "start": rfc3339(start),
        "end": rfc3339(end),
        "outages": [
            {
                **outage_row(outage),
                "judgements": [
                    {"cause": str(word.cause), "by": word.by, "at": rfc3339(word.at), "note": word.note}
                    for word in outage.judgements
                ],
            }
            for outage in outages
        ],
    }


def _contract(service: ContractService) -> dict[str, Any]:
    contract, level = service.contract, service.contract.sla
    return {
        "contract": contract.id,
        "provider": contract.provider,
        "covers": level.covers,
        "series": list(service.series),
        "promised_ratio": ratio(promised_ratio(level)),
        "restitution": level.restitution,
        "excludes": sorted(map(str, level.excludes)),
        "least_outage_seconds": level.least_outage_seconds,
        "months": [_month(one) for one in service.months],
        "total": _total(service),
        "outages": [outage_row(one, service.treatment(one)) for one in service.outages],
    }


def _month(one: Month) -> dict[str, Any]:
    return {
        "month": f"{one.first:%Y-%m}",
        "start": rfc3339(one.start),
        "end": rfc3339(one.end),
        "is_over": one.is_over,
        **_time(one.time),
        "verdict": str(one.kept),
        **_money(one.restitution),
    }


def _total(service: ContractService) -> dict[str, Any]:
    prices = [one.restitution.price for one in service.months if one.restitution is not None]
    known = service.amount is not None and service.most is not None
    whole = Restitution(amount=service.amount or 0, most=service.most or 0, price=sum(prices)) if known else None
    return {
        "month": "total",
        "start": rfc3339(service.months[0].start),
        "end": rfc3339(service.months[-1].end),
        "is_over": service.months[-1].is_over,
        **_time(service.time),
        "verdict": _verdict(service.contract.sla, service.time),
        **_money(whole),
    }


def _verdict(level: ServiceLevel, time: Served) -> str:
    return str(kept(level, time))


def _time(time: Served) -> dict[str, Any]:
    return {
        "base_seconds": _seconds(time.base_ms),
        "down_seconds": _seconds(time.down_ms),
        "unknown_seconds": _seconds(time.unknown_ms),
        "excluded_seconds": _seconds(time.excluded_ms),
        "short_seconds": _seconds(time.short_ms),
        "availability_low_ratio": ratio(time.low_ratio),
        "availability_high_ratio": ratio(time.high_ratio),
        "completeness_ratio": ratio(time.completeness_ratio),
    }


def _money(paid: Restitution | None) -> dict[str, Any]:
    if paid is None:
        return {"price": None, "restitution": None, "restitution_most": None}
    return {"price": paid.price, "restitution": paid.amount, "restitution_most": paid.most}


def _seconds(length_ms: int) -> int:
    return (length_ms + 500) // 1000
