"""The question before a decision: what is about to be decided, a remark for the record, Enter or Escape."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class Remark(ModalScreen[str | None]):
    """Gives the remark (may be empty), None where the person changed their mind."""

    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", show=False)]
    CSS = """
    Remark { align: center middle; }
    Remark > Vertical { width: 80%; max-width: 90; height: auto; border: round $primary; padding: 1 2; background: $surface; }
    Remark Label { width: 100%; margin-bottom: 1; }
    """

    def __init__(self, question: str, hint: str, remark: str) -> None:
        super().__init__()
        self._question, self._hint, self._remark = question, hint, remark

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._question, markup=False)
            yield Input(value=self._remark, placeholder=self._hint)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
