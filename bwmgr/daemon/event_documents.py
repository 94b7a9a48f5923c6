"""Events and their checks as JSON and as rows: names, units and order that scripts may rely on. Rates are whole bit/s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bwmgr.daemon.event_check import EventCheck, Reserved, phase_of, stage_of
from bwmgr.daemon.status import rfc3339
from bwmgr.language import Words
from bwmgr.measure.reservation import Delivered
from bwmgr.model.inventory import Event


def event_row(event: Event, now: datetime) -> dict[str, Any]:
    """`events list`."""
    return {
        "event": event.id,
        "links": list(event.links),
        "down_bps": event.down_bps,
        "up_bps": event.up_bps,
        "start": rfc3339(event.start),
        "end": rfc3339(event.end),
        "class": str(event.service_class),
        "phase": str(phase_of(event, now)),
        "stage": stage_of(event, now) or None,
        "days_until": max((event.start - now).days, 0),
    }


def document(checks: Sequence[EventCheck], words: Words) -> dict[str, Any]:
    """`events check --format json`; sentences in the language asked for, codes and values apart from them."""
    return {"events": [_event(one, words) for one in checks]}


def rows(checks: Sequence[EventCheck]) -> Iterator[dict[str, Any]]:
    """`events check --format csv`: a row for each link and direction."""
    for check in checks:
        for one in check.reserved:
            yield {"event": check.event.id, "phase": str(check.phase), "stage": check.stage or None, **_reserved(one)}


def _event(check: EventCheck, words: Words) -> dict[str, Any]:
    return {
        **event_row(check.event, check.at),
        "at": rfc3339(check.at),
        "ready": check.ready if check.stage else None,
        "reserved": [_reserved(one) for one in check.reserved],
        "findings": [
            {"severity": one.severity, "code": one.code, "link": one.link, "text": one.text(words), "values": dict(one.values)}
            for one in check.findings
        ],
        "starved_seconds": {link: round(seconds) for link, seconds in check.starved.items()},
        "outages": sorted({outage.id for one in check.reserved for outage in one.outages}),
    }


def _reserved(one: Reserved) -> dict[str, Any]:
    way, known = one.direction, one.recommendation
    return {
        "link": one.link,
        "direction": str(way),
        "asked_bps": one.asked_bps,
        "admitted": one.admitted,
        "feasible_bps": one.feasible_bps,
        "squeezed": list(one.squeezed),
        "recommendation": known.id if known else None,
        "recommendation_status": str(known.status) if known else None,
        "limit_bps": _whole(one.limit_bps),
        "rate_bps": _whole(one.now.rates[way]) if one.now else None,
        "state": str(one.now.state) if one.now else None,
        "measured_max_bps": _whole(one.measured_bps),
        "missing_bps": one.missing_bps,
        "measured_coverage_ratio": round(one.usage.coverage_ratio, 6) if one.usage else 0.0,
        **_delivered(one.delivered),
        "coverage_ratio": round(one.coverage_ratio, 6) if one.delivered else None,
        "verdict": str(one.verdict) if one.verdict else None,
    }


def _delivered(made: Delivered | None) -> dict[str, Any]:
    names = ("known", "kept", "short", "limited", "down", "at_promise")
    figures: dict[str, Any] = {f"{name}_seconds": round(getattr(made, f"{name}_seconds")) if made else None for name in names}
    return figures | {
        f"event_{name}_bps": _whole(getattr(made, f"{name}_bps")) if made else None for name in ("mean", "p95", "max")
    }


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
