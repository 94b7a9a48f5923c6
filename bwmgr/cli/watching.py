"""A view that is drawn anew until its matter is over or somebody presses Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable

import click


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def watch(
    draw: Callable[[], None], interval_seconds: float, *, over: Callable[[], bool], wait: Callable[[float], None] = _wait
) -> None:
    """Draws at once and after each interval; on a terminal over what stood there. Returns when it is over, or on Ctrl-C."""
    try:
        while True:
            click.clear()
            draw()
            if over():
                return
            wait(interval_seconds)
    except KeyboardInterrupt:
        click.echo(err=True)
