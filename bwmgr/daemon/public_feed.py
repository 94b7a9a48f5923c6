"""The coverage feed from configuration and history: which points, counted by place, and how it went over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.public_points import PublicPoint, Sieve, public_points
from bwmgr.daemon.rollout import all_steps, history, places, progress
from bwmgr.daemon.rollout_plan import ORDER
from bwmgr.model.inventory import LinkKind
from bwmgr.reports.opendata.coverage import Feed

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application


def coverage_feed(application: Application, today: date, kinds: Sequence[LinkKind]) -> Feed:
    """The feed of all points of these kinds as of `today`."""
    inventory, state = application.inventory, application.state
    sieve = Sieve(inventory)
    links = [link for link in inventory.links.values() if link.kind in kinds]
    steps = all_steps(inventory, history(state))
    names = {link.id for link in links}
    steps = [step for step in steps if step.link in names]
    counted = [place.document() for place in places(links, steps)]
    for place in counted:
        place["kecamatan"], place["kelurahan"] = sieve.passed(place["kecamatan"]), sieve.passed(place["kelurahan"])
    return Feed(
        organisation=inventory.organisation.name,
        updated=today,
        licence=application.settings.open_data.licence,
        points=[_row(point) for point in public_points(inventory, state, kinds)],
        places=counted,
        progress=[
            {"date": day.isoformat(), **{str(status): totals[status] for status in ORDER}} for day, totals in progress(steps)
        ],
    )


def _row(point: PublicPoint) -> dict[str, Any]:
    return {
        **asdict(point),
        "kind": str(point.kind),
        "status": str(point.status),
        "since": point.since and point.since.isoformat(),
    }
