"""Tables as pages show them, with the columns and words of the commands that print the same.

Owns which column holds what; the template owns how it looks. A cell is text, already in the reader's language.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from bwmgr.daemon.labels import ACTIONS, CLASSES, STATES, STATUSES
from bwmgr.daemon.status import LinkState, LinkStatus
from bwmgr.language import Words
from bwmgr.model.decision import Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.model.usage import UsageWindow
from bwmgr.stores.flow_history import ClassRate, Used


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """`link`, `recommendation`: the id whose page it leads to. `level`: 0-1, drawn as a bar. `long`: a sentence."""

    text: str
    figure: bool = False
    mark: str = ""
    link: str | None = None
    recommendation: str | None = None
    level: float | None = None
    long: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    text: str
    figure: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`id` is unique on its page; the first cell of a row names the row."""

    id: str
    title: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]


def links_table(words: Words, name: str, title: str, links: Sequence[LinkStatus]) -> Table:
    """As `status` prints them; also contracts, which have no page."""
    headings = [Heading(text=words.text("Link")), Heading(text=words.text("Name")), Heading(text=words.text("State"))]
    for direction in Direction:
        headings += [
            Heading(text=words.direction(direction).capitalize(), figure=True),
            Heading(text=words.text("Limit"), figure=True),
            Heading(text="%", figure=True),
        ]
    return Table(id=name, title=title, headings=headings, rows=[_link_row(words, link) for link in links])


def state_text(words: Words, link: LinkStatus) -> str:
    """`silent: no answer ...`, as `status` says it."""
    state = words.text(STATES[link.state])
    return f"{state}: {words.gap(link.reason)}" if link.reason and link.state is LinkState.SILENT else state


def classes_table(words: Words, classes: Sequence[ClassRate]) -> Table:
    """Domestic and international against what the contracts promise of each."""
    headings = [Heading(text=words.text("Traffic class"))]
    headings += [Heading(text=words.direction(direction).capitalize(), figure=True) for direction in Direction]
    headings += [Heading(text=words.text("Contracted"), figure=True), Heading(text="%", figure=True)]
    rows = []
    for one in (entry.document() for entry in classes):
        row = [Cell(text=words.text(CLASSES[one["traffic_class"]]))]
        row += [Cell(text=words.rate(one[f"{direction}_bps"]), figure=True) for direction in Direction]
        row.append(Cell(text=words.rate(one["contracted_bps"]), figure=True))
        row.append(_share(words, one["utilisation_ratio"]))
        rows.append(row)
    title = words.text("Domestic and international, by flows of the last five minutes")
    return Table(id="classes", title=title, headings=headings, rows=rows)


def usage_table(words: Words, name: str, title: str, found: Sequence[UsageWindow]) -> Table:
    """As `usage` prints them, with the calendar of each row."""
    headings = [Heading(text=words.text("Direction")), Heading(text=words.text("Calendar"))]
    headings += [
        Heading(text=text, figure=True)
        for text in (
            words.text("Mean"),
            f"P{found[0].percentile:g}" if found else "P95",
            words.text("Maximum"),
            words.text("Volume"),
            words.text("Samples"),
            words.text("Complete"),
            words.text("Saturated"),
        )
    ]
    return Table(id=name, title=title, headings=headings, rows=[_usage_row(words, entry) for entry in found])


def used_table(words: Words, name: str, title: str, found: Sequence[Used], seconds: float) -> Table:
    """As `usage --by application` prints them, over `seconds` of open time."""
    headings = [Heading(text=words.text("Application")), Heading(text=words.text("Direction"))]
    headings += [Heading(text=text, figure=True) for text in (words.text("Mean"), words.text("Volume"), words.text("Share"))]
    rows = [
        [
            Cell(text=one.name),
            Cell(text=words.direction(one.direction)),
            Cell(text=words.rate(round(one.mean_bps(seconds))), figure=True),
            Cell(text=words.octets(one.octets), figure=True),
            Cell(text=words.ratio(one.share_ratio), figure=True, level=one.share_ratio),
        ]
        for one in found
    ]
    return Table(id=name, title=title, headings=headings, rows=rows)


def queue_table(words: Words, name: str, title: str, found: Sequence[Recommendation], links: Container[str]) -> Table:
    """As `recommendations list` prints them; `links` have a page each, nodes have none."""
    headings = [
        Heading(text=words.text("Link")),
        Heading(text=words.text("Direction")),
        Heading(text=words.text("Action")),
        Heading(text=words.text("Limit"), figure=True),
        Heading(text=words.text("Proposed"), figure=True),
        Heading(text=words.text("Status")),
        Heading(text=words.text("Reason")),
        Heading(text="ID"),
    ]
    return Table(id=name, title=title, headings=headings, rows=[_queue_row(words, entry, links) for entry in found])


def _link_row(words: Words, link: LinkStatus) -> list[Cell]:
    page = link.id if link.link is not None else None
    row = [
        Cell(text=link.id, link=page),
        Cell(text=link.name),
        Cell(text=state_text(words, link), mark=str(link.state)),
    ]
    for direction in Direction:
        row.append(Cell(text=words.rate(link.rates[direction]), figure=True))
        row.append(Cell(text=words.limit(link.limits[direction]), figure=True))
        row.append(_share(words, link.utilisation(direction)))
    return row


def _share(words: Words, ratio: float | None) -> Cell:
    return Cell(text=words.ratio(ratio), figure=True, level=None if ratio is None else min(ratio, 1.0))


def _usage_row(words: Words, entry: UsageWindow) -> list[Cell]:
    figures = (
        words.rate(entry.mean_bps),
        words.rate(entry.p95_bps),
        words.rate(entry.max_bps),
        words.octets(entry.octets),
        words.number(entry.samples),
        words.ratio(entry.coverage_ratio),
        words.ratio(entry.saturated_ratio),
    )
    head = [Cell(text=words.direction(entry.direction)), Cell(text=words.calendar(entry.calendar))]
    return head + [Cell(text=text, figure=True) for text in figures]


def _queue_row(words: Words, entry: Recommendation, links: Container[str]) -> list[Cell]:
    return [
        Cell(text=entry.link, link=entry.link if entry.link in links else None),
        Cell(text=words.direction(entry.direction)),
        Cell(text=words.text(ACTIONS[entry.action]), mark=str(entry.action)),
        Cell(text=words.limit(entry.current.mir_bps), figure=True),
        Cell(text=words.limit(entry.proposed.mir_bps), figure=True),
        Cell(text=words.text(STATUSES[entry.status])),
        Cell(text=words.reason(entry.reason), long=True),
        Cell(text=entry.id, recommendation=entry.id),
    ]
