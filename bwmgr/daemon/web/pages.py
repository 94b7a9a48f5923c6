"""What each page holds: asks the functions behind the commands, and puts their answers into tables.

Owns which figures stand on which page. Every method reads the store anew; nothing is remembered between two readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bwmgr.daemon.application import Application
from bwmgr.daemon.labels import EVIDENCE, EVIDENCE_WORDS, STATES, STATUSES
from bwmgr.daemon.status import LinkState, LinkStatus, Status, choose_links, rfc3339
from bwmgr.daemon.web import tables
from bwmgr.daemon.web.curves import Curves, curves
from bwmgr.daemon.web.tables import Table
from bwmgr.engine.document import recommendation_document
from bwmgr.engine.importance import by_importance
from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.measure.calendars import open_seconds, spans
from bwmgr.model.decision import Recommendation, StatusChange
from bwmgr.model.inventory import Direction, Link
from bwmgr.stores.flow_history import used

WINDOWS = {"day": 1, "week": 7, "month": 28}
"""Days up to now, by the name in the address; whole weeks, so that every weekday counts as often."""
WINDOW_NAMES = {"day": mark("24 hours"), "week": mark("7 days"), "month": mark("28 days")}
HEALTH = {
    "last_cycle_at": mark("Last cycle"),
    "seconds_since_cycle": mark("Since then"),
    "uptime_seconds": mark("Running for"),
    "devices": mark("Devices asked"),
    "answered": mark("Devices that answered"),
    "links_ok": mark("Links with a rate"),
    "gaps": mark("Links without a rate"),
    "unwritten_batches": mark("Batches that wait for the store"),
    "trouble": mark("Trouble with the store"),
    "flow_exporters": mark("Routers that send flows"),
    "flow_datagrams": mark("Datagrams of flows"),
    "flow_lost": mark("Datagrams of flows that were lost"),
    "flow_last_minute_at": mark("Last minute of flows"),
    "flow_unwritten_batches": mark("Batches of flows that wait for the store"),
}
"""What the daemon says of itself; any other fact is shown by the name that it has in `/health`."""
LINKS_A_PAGE = 100
WORST_LINKS = 10
TOP_APPLICATIONS = 10
Facts = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """As `status` prints it."""

    now: Status
    total: Mapping[Direction, float | None]
    fresh: int
    waiting: int
    tables: Sequence[Table]


@dataclass(frozen=True, kw_only=True)
class LinkList:
    """As `status --all` prints it, those that were asked for. `count` is of all that match."""

    table: Table
    count: int
    page: int
    pages: int


@dataclass(frozen=True, kw_only=True)
class LinkPage:
    """As `status LINK`, `usage LINK` and `recommendations list --link LINK` print it, for [start, end)."""

    link: Link
    now: LinkStatus
    state: str
    facts: Facts
    start: datetime
    end: datetime
    curves: Curves
    usage: Table
    used: Table
    queue: Table
    command: str


@dataclass(frozen=True, kw_only=True)
class RecommendationPage:
    """As `recommendations show ID` prints it."""

    found: Recommendation
    facts: Facts
    evidence: Facts
    history: Sequence[tuple[str, StatusChange]]


class Pages:
    """Over one application, in one language."""

    def __init__(self, application: Application, words: Words) -> None:
        self._application, self._words = application, words

    def overview(self) -> Overview:
        """Raises: StoreError."""
        words, now = self._words, self._application.status()
        shown = (
            tables.links_table(words, "contracts", words.text("Contracts"), now.contracts),
            tables.classes_table(words, self._application.traffic_classes()),
            tables.links_table(words, "worst", words.text("Closest to their limit"), now.worst(WORST_LINKS)),
            tables.links_table(words, "silent", words.text("Silent links"), now.of(LinkState.SILENT, LinkState.NEW)),
        )
        return Overview(
            now=now,
            total={direction: now.total(direction) for direction in Direction},
            fresh=len(now.of(LinkState.OK, LinkState.DOWN)),
            waiting=len(self._application.state.recommendations(status="proposed")),
            tables=[table for table in shown if table.rows],
        )

    def links(self, wanted: str, state: str, page: int) -> LinkList:
        """Those whose id, name or node holds `wanted`, and of that state where one is given. Raises: StoreError."""
        words, text = self._words, wanted.casefold()
        found = [
            link
            for link in self._application.status().links
            if (not state or link.state == state) and any(text in part.casefold() for part in _said_of(link))
        ]
        pages = max(-(-len(found) // LINKS_A_PAGE), 1)
        page = min(page, pages)
        shown = found[(page - 1) * LINKS_A_PAGE : page * LINKS_A_PAGE]
        title = words.plural("{count} link", "{count} links", count=len(found))
        return LinkList(table=tables.links_table(words, "links", title, shown), count=len(found), page=page, pages=pages)

    def link(self, name: str, window: str) -> LinkPage:
        """`window` is a key of `WINDOWS`. Raises: UsageError that names the link, StoreError."""
        application, words = self._application, self._words
        (link,) = choose_links(application.inventory, [name])
        end = application.clock.now().replace(second=0, microsecond=0)  # so that the command beside it says the same window
        start = end - timedelta(days=WINDOWS[window])
        (now,) = (one for one in application.status().links if one.id == name)
        calendars = dict.fromkeys((link.calendar, "always"))
        usage = [one for calendar in calendars for one in application.usage([name], start, end, calendar=calendar)]
        return LinkPage(
            link=link,
            now=now,
            state=tables.state_text(words, now),
            facts=self._link_facts(link, now),
            start=start,
            end=end,
            curves=curves(application.store, name, start, end, interval_seconds=application.settings.snmp.interval_seconds),
            usage=tables.usage_table(words, "usage", words.text("Usage"), usage),
            used=self._used(link, start, end),
            queue=self.queue("proposed", link=name),
            command=f"bwmgr usage {name} --calendar {link.calendar} --start {rfc3339(start)} --end {rfc3339(end)}",
        )

    def queue(self, status: str, link: str | None = None) -> Table:
        """As `recommendations list` orders it. Raises: StoreError."""
        found = self._application.state.recommendations(status=None if status == "all" else status, link=link)
        found = by_importance(found) if status == "proposed" else found
        title, links = self._words.text("Recommendations"), self._application.inventory.links
        return tables.queue_table(self._words, "queue", title, found, links)

    def recommendation(self, name: str) -> RecommendationPage:
        """Raises: UsageError that names it, StoreError."""
        from bwmgr.daemon.advice import find  # with SciPy, which no other page needs

        words, state = self._words, self._application.state
        found = find(state, name)
        document = recommendation_document(found, words.reason(found.reason))
        return RecommendationPage(
            found=found,
            facts=self._recommendation_facts(found),
            evidence=[self._evidence(key, figure) for key, figure in document["evidence"].items()],
            history=[(words.text(STATUSES[change.status]), change) for change in state.changes(found.id)],
        )

    def states(self) -> Sequence[tuple[str, str]]:
        """Every state that a link can have, and its word."""
        return [(state, self._words.text(word)) for state, word in STATES.items()]

    def statuses(self) -> Sequence[tuple[str, str]]:
        """Every status that a recommendation can have, and its word."""
        return [(status, self._words.text(word)) for status, word in STATUSES.items()]

    def completeness(self) -> Facts:
        """How many links there are in each state. Raises: StoreError."""
        now, words = self._application.status(), self._words
        counted = [(words.text(STATES[state]), words.number(len(now.of(state)))) for state in LinkState]
        return [(words.text("Data complete"), words.ratio(now.completeness_ratio)), *counted]

    def health(self, daemon: Mapping[str, Any]) -> Facts:
        """The daemon's facts in words, but whether it is well."""
        return [self._health_fact(name, fact) for name, fact in daemon.items() if name != "healthy"]

    def _health_fact(self, name: str, fact: Any) -> tuple[str, str]:
        words = self._words
        label = words.text(HEALTH[name]) if name in HEALTH else name
        if fact is None or fact == "":
            return label, UNKNOWN
        if name == "seconds_since_cycle":
            return label, words.duration(fact)
        if name in HEALTH and isinstance(fact, int | float | str):
            return label, words.text(f"{{{name}}}", **{name: fact})
        return label, words.number(fact) if isinstance(fact, int | float) else str(fact)

    def _used(self, link: Link, start: datetime, end: datetime) -> Table:
        """By flows of the link's own calendar, the most first in each direction."""
        inventory = self._application.inventory
        open_ = spans(inventory.calendars[link.calendar], inventory.organisation.timezone, start, end)
        found = (
            used(self._application.store, start, end, by="application", links=[link.id], within=open_) if link.networks else []
        )
        most = [one for direction in Direction for one in [u for u in found if u.direction == direction][:TOP_APPLICATIONS]]
        title = self._words.text("Applications, {calendar_name}", calendar_name=link.calendar)
        return tables.used_table(self._words, "applications", title, most, open_seconds(open_))

    def _link_facts(self, link: Link, now: LinkStatus) -> Facts:
        words = self._words
        place = [part for part in (link.site.kelurahan, link.site.kecamatan) if part]
        facts = [
            (words.text("Kind"), str(link.kind)),
            (words.text("Node"), link.parent or ""),
            (words.text("Place"), ", ".join(place)),
            (words.text("Last reading"), words.instant(now.at) if now.at else ""),
        ]
        for direction in Direction:
            heading = words.direction(direction).capitalize()
            facts.append((heading, self._against_limit(now, direction)))
            facts.append((f"{heading}: CIR / MIR", f"{words.rate(link.cir[direction])} / {words.limit(link.mir[direction])}"))
        return [(name, fact) for name, fact in facts if fact]

    def _against_limit(self, now: LinkStatus, direction: Direction) -> str:
        words = self._words
        rate, limit = words.rate(now.rates[direction]), words.limit(now.limits[direction])
        return words.text("{rate} of {limit} ({share})", rate=rate, limit=limit, share=words.ratio(now.utilisation(direction)))

    def _recommendation_facts(self, found: Recommendation) -> Facts:
        words = self._words
        return [
            ("ID", found.id),
            (words.text("Limit"), f"{words.limit(found.current.mir_bps)} → {words.limit(found.proposed.mir_bps)}"),
            (words.text("Guaranteed"), words.rate(found.proposed.cir_bps)),
            (words.text("Status"), words.text(STATUSES[found.status])),
            (words.text("Policy"), f"{found.policy} ({found.author})"),
            (words.text("Valid"), f"{words.instant(found.valid_from)} – {words.instant(found.valid_until)}"),
            (words.text("Expected satisfaction"), words.ratio(found.expected.satisfaction_ratio)),
        ]

    def _evidence(self, key: str, figure: Any) -> tuple[str, str]:
        label = self._words.text(EVIDENCE[key]) if key in EVIDENCE else key
        name = EVIDENCE_WORDS.get(key, key)
        return label, self._words.text(f"{{{name}}}", **{name: figure})


def _said_of(link: LinkStatus) -> tuple[str, ...]:
    return (link.id, link.name, (link.link.parent if link.link else None) or "")
