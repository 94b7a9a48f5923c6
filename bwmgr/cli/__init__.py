"""The `bwmgr` command. One file per group of commands; no logic here, only words in and out.

`bwmgr --help` must be quick, so commands are listed from `_COMMANDS` and their modules (and all heavy libraries) are
imported only when one is run.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from bwmgr import __version__
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError, ConfigurationError, UsageError

_COMMANDS = {
    "init": ("bwmgr.cli.setup:init", "Write a starter configuration into a folder."),
    "config": ("bwmgr.cli.setup:config", "Check and show the configuration."),
    "doctor": ("bwmgr.cli.doctor:doctor", "What is reachable, unreliable or misconfigured."),
    "discover": ("bwmgr.cli.devices:discover", "Walk a router: its interfaces, and YAML ready to paste."),
    "poll": ("bwmgr.cli.devices:poll", "Poll all devices, once."),
    "daemon": ("bwmgr.cli.service:daemon", "Poll, recommend and keep house until stopped."),
    "status": ("bwmgr.cli.usage:status", "Now: rates, limits, utilisation, health."),
    "top": ("bwmgr.cli.top:top", "Who uses a link now, and for what."),
    "usage": ("bwmgr.cli.usage:usage", "What links used over a window and calendar."),
    "import": ("bwmgr.cli.data:import_history", "Load history from a CSV file."),
    "recommend": ("bwmgr.cli.advice:recommend", "Run the policies: recommendations, each with its reason."),
    "recommendations": ("bwmgr.cli.advice:recommendations", "The queue: list, show, approve, reject."),
    "review": ("bwmgr.cli.review:review", "The queue on a full screen: look, approve, reject."),
    "render": ("bwmgr.cli.enforce:render", "The configuration that would enforce recommendations, and its undo."),
    "apply": ("bwmgr.cli.enforce:apply", "Send approved recommendations to their devices; --dry-run shows what."),
    "rollback": ("bwmgr.cli.enforce:rollback", "Bring back the settings from before a recommendation."),
    "plan": ("bwmgr.cli.plan:plan", "The optimum figure: what to buy, what it costs, each link's right size."),
    "needs": ("bwmgr.cli.needs:needs", "Requests beside measured need, and scenarios with their cost: for the budget."),
    "forecast": ("bwmgr.cli.forecast:forecast", "How nodes and links grow, and in how many days they are full."),
    "sla": ("bwmgr.cli.service_levels:sla", "Availability, outages with their causes, and restitution of each contract."),
    "events": ("bwmgr.cli.events:events", "Dated reservations: admitted or not, readiness, live, and what was kept."),
    "providers": ("bwmgr.cli.providers:providers", "Contracts and offers by the same measurements; providers' own recordings."),
    "pool": ("bwmgr.cli.pool:pool", "Public WiFi that shares a pool: fair share, dead and starved points."),
    "coverage": ("bwmgr.cli.pool:coverage", "By which medium each kelurahan is reached, and what is not, with the reason."),
    "backtest": ("bwmgr.cli.backtest:backtest", "History replayed under the policies and simpler rules, scored."),
    "lift": ("bwmgr.cli.orders:lift", "More for a link for a while, until 17:00 say."),
    "override": ("bwmgr.cli.orders:override", "Fix a link's limit by hand, above all policies."),
    "allocate": ("bwmgr.cli.advice:allocate", "What-if: share a capacity tree out, no store needed."),
    "trial": ("bwmgr.cli.trial:trial", "A line on trial for some days, and the berita acara."),
    "report": ("bwmgr.cli.reports:report", "Reports for people."),
    "rollout": ("bwmgr.cli.rollout:rollout", "Points planned to active by kelurahan; lists from a spreadsheet: status, import."),
    "export": ("bwmgr.cli.export:export", "Data for everybody: coverage, Satu Data."),
    "evidence": ("bwmgr.cli.evidence:evidence", "Signed archives of a period that anybody can recompute: build, verify."),
    "grafana": ("bwmgr.cli.grafana:grafana", "Dashboards and alerts for Grafana over the InfluxDB store."),
    "flows": ("bwmgr.cli.flows:flows", "Flows that routers export: decode captures, ask kept ones, compare with counters."),
    "notify": ("bwmgr.cli.notify:notify", "Who is told what; try a channel, tell now."),
    "audit": ("bwmgr.cli.audit:audit", "The trail: who did what, when and why; verify and export it."),
    "store": ("bwmgr.cli.data:store", "The data folder: sizes, compaction, backup."),
    "demo": ("bwmgr.cli.demo:demo", "A virtual regency on loopback: the main job in two minutes."),
    "completion": ("bwmgr.cli.setup:completion", "Completion for bash or zsh."),
}


class _LazyGroup(click.Group):
    """Lists commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in _COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("-c", "--config", "path", type=click.Path(), envvar="BWMGR_CONFIG", default="bwmgr.yaml", show_default=True,
              help="Configuration file; also BWMGR_CONFIG.")  # fmt: skip
@click.option("--lang", type=click.Choice(["id", "en"]), help="Language of texts for people; default: the organisation's.")
@click.version_option(__version__, prog_name="bwmgr")
@click.pass_context
def bwmgr(context: click.Context, path: str, lang: str | None) -> None:
    """See, share out and account for all the bandwidth of a government office.

    Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 done in part.
    """
    session = context.ensure_object(Session)
    session.path, session.language = path, lang


def main() -> None:
    """Entry point: turns expected errors into one clear message on stderr and the right exit code."""
    session = Session()
    try:
        bwmgr(prog_name="bwmgr", obj=session)
    except ConfigurationError as error:
        click.echo(session.told(error), err=True)
        sys.exit(2)
    except UsageError as error:
        click.echo(f"bwmgr: {session.told(error)}", err=True)
        sys.exit(2)
    except BwmgrError as error:
        click.echo(f"bwmgr: {session.told(error)}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader (head, less) has gone: nothing is wrong
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # the top: a defect, said in a line; its traceback is for whoever asks
        _report_defect(session, error)
        sys.exit(1)


def _report_defect(session: Session, error: Exception) -> None:
    from traceback import format_exception

    if os.environ.get("BWMGR_DEBUG"):
        click.echo(session.masked("".join(format_exception(error))), err=True)
        return
    click.echo(session.masked(f"bwmgr: unexpected {type(error).__name__}: {error}"), err=True)
    click.echo("This is a defect. Run it again with BWMGR_DEBUG=1 for the traceback, and report that.", err=True)
