"""A recommendation as programs read it (INTERFACE: a recommendation): rates as whole bit/s, times as RFC 3339 UTC.

Owns the shape; the sentence comes from the caller, who knows the language.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Evidence, Recommendation, StatusChange


def recommendation_document(recommendation: Recommendation, text: str) -> dict[str, Any]:
    """`text` is the reason in words."""
    return {
        "id": recommendation.id,
        "created_at": _instant(recommendation.created_at),
        "link": recommendation.link,
        "direction": str(recommendation.direction),
        "action": str(recommendation.action),
        "policy": recommendation.policy,
        "author": recommendation.author,
        "status": str(recommendation.status),
        "current": _bandwidth(recommendation.current),
        "proposed": _bandwidth(recommendation.proposed),
        "valid_from": _instant(recommendation.valid_from),
        "valid_until": _instant(recommendation.valid_until),
        "reason": {"code": recommendation.reason.code, "text": text},
        "evidence": _evidence(recommendation.evidence),
        "expected": {
            "satisfaction_ratio": _rounded(recommendation.expected.satisfaction_ratio),
            "throttled_octets_per_day": recommendation.expected.throttled_octets_per_day,
            "monthly_price": recommendation.expected.monthly_price,
        },
    }


def change_document(change: StatusChange) -> dict[str, Any]:
    """One step of a recommendation's history."""
    return {"at": _instant(change.at), "status": str(change.status), "by": change.by, "note": change.note}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "start": _instant(evidence.start),
        "end": _instant(evidence.end),
        "calendar": evidence.calendar,
        "p95_bps": _whole(evidence.p95_bps),
        "demand_bps": _whole(evidence.demand_bps),
        "saturated_ratio": _rounded(evidence.saturated_ratio),
        "coverage_ratio": _rounded(evidence.coverage_ratio),
        "samples": evidence.samples,
        **{key: _whole(figure) if key.endswith("_bps") else figure for key, figure in evidence.more.items()},
    }


def _bandwidth(bandwidth: Bandwidth) -> dict[str, int | None]:
    return {"cir_bps": bandwidth.cir_bps, "mir_bps": bandwidth.mir_bps}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _whole(figure: str | float | None) -> str | int | None:
    return round(figure) if isinstance(figure, float) else figure


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 6)
