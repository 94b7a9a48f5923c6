"""The full screen: what waits on one side, everything about the chosen one on the other. Decides nothing itself: `decided` does.

Keys work from anywhere on it; every text is in the office's language. Narrow terminals have the list above.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual import work
from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Footer, Header, Input, Static
from textual.worker import get_current_worker

from bwmgr.cli.review import texts
from bwmgr.cli.review.asking import Remark
from bwmgr.cli.review.chart import RateChart
from bwmgr.daemon.application import Application
from bwmgr.daemon.review import Case, case_of, read_case, waiting
from bwmgr.errors import BwmgrError
from bwmgr.language import Words, mark
from bwmgr.model.decision import Recommendation, Status

Decided = Callable[[str, Status, str], Recommendation]
_KEYS = (
    ("a", "ask('approved')", mark("approve")),
    ("r", "ask('rejected')", mark("reject")),
    ("t", "note", mark("note")),
    ("n", "step(1)", mark("next")),
    ("p", "step(-1)", mark("previous")),
    ("d", "read", mark("read the device")),
    ("slash", "filter", mark("filter")),
    ("q", "quit", mark("quit")),
)
_QUESTIONS = {Status.APPROVED: mark("Approve {id}: {link}, {change}?"), Status.REJECTED: mark("Reject {id}: {link}, {change}?")}
_DONE = {Status.APPROVED: mark("{id} is approved."), Status.REJECTED: mark("{id} is rejected.")}


class Review(App[None]):
    """`decided` takes id, status and remark, and raises UsageError where that person may not decide so."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # so it is declared above
        (0, "-narrow"),
        (110, "-wide"),
    ]
    CSS = """
    #list { width: 54; height: 1fr; }
    .-narrow Horizontal { layout: vertical; }
    .-narrow #list { width: 100%; height: 7; }
    #filter { display: none; }
    #case { padding: 0 1; }
    RateChart { height: 14; margin-top: 1; }
    .-narrow RateChart { height: 9; }
    .head { text-style: bold underline; margin-top: 1; }
    """

    def __init__(self, application: Application, words: Words, decided: Decided) -> None:
        super().__init__()
        self.title = words.text("Recommendations that wait for a decision")
        self._application, self._words, self._decided = application, words, decided
        self._found: list[Recommendation] = []
        self._notes: dict[str, str] = {}
        self._case: Case | None = None
        for key, action, description in _KEYS:
            self.bind(key, action, description=words.text(description))

    def compose(self) -> ComposeResult:
        words = self._words
        yield Header()
        with Horizontal():
            yield DataTable(id="list", cursor_type="row")
            with VerticalScroll(id="case"):
                yield Static(id="sentence")
                yield RateChart(id="chart")
                yield Static(id="legend")
                yield Static(id="evidence")
                yield Static(words.text("Would be sent"), classes="head")
                yield Static(id="sent")
                yield Static(words.text("Expected effect"), classes="head")
                yield Static(id="effect")
                yield Static(id="remark")
        yield Input(id="filter", placeholder=words.text("part of a link's id or name; Enter goes back to the list"))
        yield Footer()

    def on_mount(self) -> None:
        self._list.add_columns(*(self._words.text(heading) for heading in (mark("Link"), mark("Action"), mark("Limit"))))
        self._list.focus()
        self._fill("")

    @property
    def _list(self) -> DataTable[str]:
        return self.query_one("#list", DataTable)

    @property
    def chosen(self) -> Recommendation | None:
        """The recommendation that the cursor is on."""
        place = self._list.cursor_row
        return self._found[place] if 0 <= place < len(self._found) else None

    def _fill(self, part: str) -> None:
        """The list anew, of links whose id or name has `part`; the cursor stays at its height."""
        place = self._list.cursor_row
        self._found = [one for one in waiting(self._application) if self._names(one, part.lower())]
        self._list.clear()
        for one in self._found:
            self._list.add_row(*texts.row(self._words, one), key=one.id)
        self._list.move_cursor(row=max(0, min(place, len(self._found) - 1)))
        self.sub_title = self._words.text("{count} of them", count=len(self._found))
        self._show()

    def _names(self, one: Recommendation, part: str) -> bool:
        link = self._application.inventory.links.get(one.link)
        return part in one.link.lower() or (link is not None and part in link.name.lower())

    def on_data_table_row_highlighted(self) -> None:
        self._show()

    def _show(self) -> None:
        """The chosen one; nothing where none is."""
        chosen = self.chosen
        self.query_one("#case").display = chosen is not None
        if chosen is None or (self._case is not None and self._case.recommendation.id == chosen.id):
            return
        try:
            case = case_of(self._application, chosen)
        except BwmgrError as error:
            self.notify(self._words.error(error), severity="error", markup=False)
            return
        self._tell(case, read=False)
        self.query_one("#case", VerticalScroll).scroll_home(animate=False)

    def _tell(self, case: Case, *, read: bool) -> None:
        self._case, words, found = case, self._words, case.recommendation
        self.query_one("#chart", RateChart).draw(words, case)
        said = {
            "sentence": texts.sentence(words, found),
            "legend": texts.legend(words, case),
            "evidence": texts.evidence(words, found),
            "sent": texts.sent(words, case, read=read),
            "effect": texts.effect(words, found),
        }
        for name, text in said.items():
            self.query_one(f"#{name}", Static).update(text)
        self._tell_remark()

    def _tell_remark(self) -> None:
        remark = self._notes.get(self.chosen.id, "") if self.chosen else ""
        self.query_one("#remark", Static).update(self._words.text("Remark: {remark}", remark=remark) if remark else "")

    def action_step(self, by: int) -> None:
        self._list.move_cursor(row=max(0, min(self._list.cursor_row + by, len(self._found) - 1)))

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            event.input.display = bool(event.value)
            self._list.focus()

    def action_note(self) -> None:
        """A remark that goes with the decision, whichever it will be."""
        if (chosen := self.chosen) is not None:
            question = self._words.text("Remark on {id}, kept until it is decided:", id=chosen.id)
            self.push_screen(Remark(question, "", self._notes.get(chosen.id, "")), partial(self._noted, chosen.id))

    def _noted(self, name: str, remark: str | None) -> None:
        if remark is not None:
            self._notes[name] = remark
            self._tell_remark()

    def action_ask(self, status: str) -> None:
        if (chosen := self.chosen) is not None:
            link, way, change = texts.row(self._words, chosen)
            question = self._words.text(_QUESTIONS[Status(status)], id=chosen.id, link=link, change=f"{way}, {change}")
            hint = self._words.text("a remark for the record; Enter decides, Escape does not")
            remark = Remark(question, hint, self._notes.get(chosen.id, ""))
            self.push_screen(remark, partial(self._decide, chosen.id, Status(status)))

    def _decide(self, name: str, status: Status, remark: str | None) -> None:
        if remark is None:
            return
        try:
            found = self._decided(name, status, remark)
        except BwmgrError as error:
            self.notify(self._words.error(error), severity="error", timeout=10, markup=False)
        else:
            self._notes.pop(name, None)
            self.notify(self._words.text(_DONE[status], id=found.id), markup=False)
        self._fill(self.query_one("#filter", Input).value)

    def action_read(self) -> None:
        if self._case is not None:
            self.query_one("#sent", Static).update(self._words.text("Reading {device} ...", device=self._case.device or "–"))
            self._read(self._case)

    @work(thread=True, exclusive=True)
    def _read(self, case: Case) -> None:
        """In a thread: a device may take its time, or be away."""
        worker, read = get_current_worker(), read_case(self._application, case)
        if not worker.is_cancelled:
            self.call_from_thread(self._was_read, read)

    def _was_read(self, case: Case) -> None:
        if self.chosen is not None and self.chosen.id == case.recommendation.id:
            self._tell(case, read=True)
