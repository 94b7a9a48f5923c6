"""`demo`: a virtual regency on loopback, polled for real; then what any office would look at first.

Owns the order of the show and what is said about it. Everything shown comes from the commands themselves.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError, system_reason
from bwmgr.language import Words, mark
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from rich.console import Console

    from bwmgr.cli.demo_flows import DemoFlows
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.polling import CycleReport
    from bwmgr.testing.stage import Stage

_SCENARIOS = ("troubled", "calm")
_CYCLES = 5
_LIVE_CYCLES = 3
_PARTLY_DONE = 3
_AFTER = (
    ("status --all", mark("every link")),
    ("usage dinkes --calendar link --start {start} --end {end}", mark("one link over its working hours")),
    ("top dinkes --by host", mark("who uses the full link")),
    ("recommendations list", mark("the queue")),
    ("recommendations show ID", mark("one recommendation with its evidence")),
    ("report overview --end {end} -o report.html", mark("the report again")),
)
_ALIVE = (
    ("poll --once", mark("one cycle now")),
    ("status", mark("the present state")),
    ("doctor", mark("what is wrong with which router")),
    ("daemon", mark("poll until Ctrl-C")),
)


@click.command()
@click.option("--keep", is_flag=True, help="In present time, and the routers go on answering until Ctrl-C.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True,
              help="Folder for configuration, data and report.")  # fmt: skip
@click.option("--scenario", type=click.Choice(_SCENARIOS), default="troubled", show_default=True,
              help="troubled: something is wrong in every way; calm: all is well.")  # fmt: skip
@click.option("--weeks", type=click.IntRange(1, 26), default=4, show_default=True, help="Weeks of history.")
@click.pass_context
def demo(context: click.Context, keep: bool, folder: Path, scenario: str, weeks: int) -> None:
    """A virtual regency on loopback: polled for real, then status, recommendations and an HTML report.

    32 agencies, villages, public places and WiFi whose routers speak SNMP v2c and v3 over UDP. Needs no root and no network.
    """
    from rich.console import Console

    from bwmgr.testing.stage import Stage

    language = context.obj.language or "id"
    show = _Show(Console(stderr=True, highlight=False), Words(language))
    try:
        stage = Stage(folder, scenario=scenario, live=keep)
    except OSError as error:
        raise BwmgrError(Said("{folder} cannot be used: {why}", folder=folder, why=system_reason(error))) from error
    session = Session(path=str(stage.configuration), language=language, clock=stage.clock)
    context.obj = session
    with stage.regency:
        show.opening(stage)
        complete = _perform(context, session, stage, show, weeks)
        if keep:
            show.commands(_ALIVE + _AFTER, stage)
            _until_interrupted(show, stage)
    if not keep:
        show.commands(_AFTER, stage)
    if not complete:
        show.say(show.words.text("Not every router that is on gave a rate: see above."), style="yellow")
        sys.exit(_PARTLY_DONE)


def _perform(context: click.Context, session: Session, stage: Stage, show: _Show, weeks: int) -> bool:
    """History, polling, status, recommendations, report; whether every link of a running router had a rate at last."""
    from bwmgr.cli.advice import recommend
    from bwmgr.cli.usage import status
    from bwmgr.daemon.publish import publish_overview

    report = stage.configuration.parent / "overview.html"
    with session.application() as application:
        with show.step(mark("writing {weeks} weeks of history"), weeks=weeks) as done:
            rows = stage.write_history(application.store, weeks)
            stage.write_flow_history(application.store)
            application.embedded.compact(stage.begins)
            done(show.words.text("{rows} rates of {links} links", rows=rows, links=len(application.inventory.links)))
        complete = _poll(application, stage, show)
    context.invoke(status)
    click.echo()
    _show_use(context, stage)
    context.invoke(recommend)
    with session.application() as application, show.step(mark("writing the report")) as done:
        publish_overview(application, report, words=show.words)
        done(str(report))
    return complete


def _poll(application: Application, stage: Stage, show: _Show) -> bool:
    """Some cycles over UDP, the first of which has no rates yet, and the flows of the minutes between."""
    from bwmgr.cli.demo_flows import DemoFlows

    live = stage.live
    with application.lock(), DemoFlows(application, stage) as flows:
        poller = application.poller()
        try:
            for number in range(1, (_LIVE_CYCLES if live else _CYCLES) + 1):
                if number > 1:
                    application.clock.wait(stage.until_next_cycle())
                with show.step(mark("cycle {number}: asking {devices} routers over UDP"), number=number,
                               devices=len(application.targets())) as done:  # fmt: skip
                    report = poller.cycle()
                    done(_said(report, show.words))
                flows.pass_on()
            poller.flush()
            _write_flows(flows, show)
        finally:
            poller.close()
    return all(gap.link in stage.silent_links() for gap in report.gaps)


def _write_flows(flows: DemoFlows, show: _Show) -> None:
    with show.step(mark("flows by NetFlow, IPFIX and sFlow over UDP")) as done:
        rows = flows.write()
        done(show.words.text("{flows} flows, {rows} sums by link, application and class", flows=flows.flows, rows=rows))


def _show_use(context: click.Context, stage: Stage) -> None:
    """What the full link is full of, and where all traffic goes."""
    from bwmgr.cli.top import top

    for arguments in ({"link": stage.full_link, "by": "application"}, {"link": stage.full_link, "by": "host"}, {"by": "class"}):
        with suppress(SystemExit):  # in present time there may be no whole minute yet, which `top` says
            context.invoke(top, **{"link": None, "minutes": 5, "count": 5, "form": "table", **arguments})
        click.echo()


def _said(report: CycleReport, words: Words) -> str:
    return words.text(
        "devices that answered: {answered}, links with a rate: {links_ok} ({duration} s)",
        answered=report.answered,
        links_ok=report.links_ok,
        duration=round(report.duration_seconds, 2),
    )


class _Show:
    """What is said on stderr while the demo runs."""

    def __init__(self, console: Console, words: Words) -> None:
        self.console, self.words = console, words

    def say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    def opening(self, stage: Stage) -> None:
        inventory, words = stage.regency.inventory, self.words
        self.say(
            words.text(
                "{name}: {devices} routers answer SNMP on loopback, port {port}; it is {now_at} there",
                name=inventory.organisation.name,
                devices=len(inventory.devices),
                port=str(stage.regency.server.port),
                now_at=stage.begins,
            ),
            style="bold",
        )

    @contextmanager
    def step(self, message: str, **values: int) -> Iterator[Callable[[str], None]]:
        """A line that turns while the step runs, and stands with its outcome afterwards."""
        text = self.words.text(message, **values)
        outcome: list[str] = []
        with self.console.status(text):
            yield outcome.append
        self.say(f"  {text}: {outcome[0]}" if outcome else f"  {text}")

    def commands(self, commands: tuple[tuple[str, str], ...], stage: Stage) -> None:
        self.say(self.words.text("Go on with:"), style="bold")
        here = stage.begins.astimezone(self.words.zone)
        called = sys.argv[0]  # `make demo` leaves the shell's PATH as it was
        program = called if Path(called).name == "bwmgr" and not shutil.which("bwmgr") else "bwmgr"
        start, end = f"{here - timedelta(days=7):%Y-%m-%d}", f"{here:%Y-%m-%dT%H:%M}"
        for command, meaning in commands:
            line = f"  {program} -c {stage.configuration} {command.format(start=start, end=end)}"
            self.say(f"{line:<78} {self.words.text(meaning)}")


def _until_interrupted(show: _Show, stage: Stage) -> None:
    """Waits for Ctrl-C or SIGTERM; meanwhile the routers go on exporting flows."""
    from bwmgr.cli.demo_flows import export_until

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    show.say(show.words.text("The routers go on answering; try these in another terminal. Ctrl-C ends it."), style="bold")
    export_until(stage, stopped)
