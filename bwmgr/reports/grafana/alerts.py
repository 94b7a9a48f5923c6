"""Alert rules as provisioning files, and an example of where they are sent.

Owns what is watched, from when on it is told, and the sentence that says so. Each rule is a chain of steps: queries, then
Grafana's own arithmetic on one figure for each link, then the condition. In these
files Grafana fills environment variables into titles and labels, but leaves queries and annotations as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import alerting
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.alerting import RelativeTimeRange, Rule

from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.reports.grafana.influxql import InfluxQuery, is_, select
from bwmgr.reports.grafana.target import FOLDER_UID, SOURCE_UID, Target

CONTACT = "bwmgr-noc"
_EXPRESSION = "__expr__"
_SATURATED_MINUTES = 15
_SILENT_SECONDS = 600
_SILENT_SHARE = 0.9
_LATE_RATIO = 0.9
_SPOOLED_SECONDS = 300
_DAY, _HOUR, _WEEK = 86_400, 3_600, 604_800
_APART_DAYS, _AHEAD_DAYS = 28, 60
_DROPS_PS, _NOT_FULL = 1, 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Dataquery, Builder[Dataquery]):
    """A query or an expression of a rule under its letter; [now - `since`, now - `until`] in seconds for a query."""

    ref: str
    model: Mapping[str, Any]
    since: int = 0
    until: int = 0

    def build(self) -> Step:
        return self

    def to_json(self) -> dict[str, Any]:
        return {"refId": self.ref, **self.model}


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """One rule: its steps, the last of which is the condition."""

    uid: str
    title: str
    summary: str
    steps: Sequence[Step]
    lasting: str
    severity: str = "warning"
    without_data: str = "OK"
    dashboard: str = "noc"


def rules(target: Target) -> dict[str, Any]:
    """The file of rules: quick ones every minute, slow ones every hour."""
    every = f"{max(60, target.poll_seconds)}s"
    quick = [_saturated(target), _silent(target), _drops(target), _late(target), _spool(target), _waiting(target)]
    slow = [_exceeds(target), *_availability(target)]
    return {"apiVersion": 1, "groups": [_group(target, "bwmgr", every, quick), _group(target, "bwmgr-slow", "1h", slow)]}


def contacts(target: Target) -> dict[str, Any]:
    """An example: mail to the NOC, and where it goes; to be filled in, so it is written with the ending `.example`."""
    name = target.inventory.organisation.name
    mail = {
        "uid": CONTACT,
        "type": "email",
        "settings": {"addresses": "noc@example.go.id", "subject": f"{name}: {{{{ .CommonLabels.alertname }}}}"},
    }
    telegram = {
        "uid": f"{CONTACT}-telegram",
        "type": "telegram",
        "settings": {"bottoken": "$__env{BWMGR_TELEGRAM_TOKEN}", "chatid": "-1001234567890"},
    }
    return {
        "apiVersion": 1,
        "contactPoints": [{"orgId": 1, "name": CONTACT, "receivers": [mail, telegram]}],
        "policies": [{"orgId": 1, "receiver": CONTACT, "group_by": ["alertname"], "repeat_interval": "4h"}],
    }


def _saturated(target: Target) -> Watch:
    words = target.words
    text = select('mean("utilisation")', "link_rate", by=(_step(target), "link", "direction"), fill="none")
    return Watch(
        uid="bwmgr-saturated",
        title=words.text("Link at its limit"),
        summary=words.text("{link_label} ({way_label}) has been at its limit for 15 minutes", **_LABELS),
        steps=[
            _query("A", text, since=_SATURATED_MINUTES * 60),
            _reduced("B", "A", "min"),
            _above("C", "B", SATURATED_RATIO),
        ],
        lasting=f"{_SATURATED_MINUTES}m",
        dashboard="opd",
    )


def _silent(target: Target) -> Watch:
    words = target.words
    due = max(1, _SILENT_SECONDS // target.poll_seconds)
    text = select('count("reason_code")', "link_gap", is_("direction", "down"), "\"reason\" != 'no_counters'", by=("link",))
    return Watch(
        uid="bwmgr-silent",
        title=words.text("Link silent"),
        summary=words.text("{link_label} has had no reading for 10 minutes", **_LABELS),
        steps=[
            _query("A", text, since=_SILENT_SECONDS),
            _reduced("B", "A", "last"),
            _above("C", "B", max(0.5, due * _SILENT_SHARE - 1)),
        ],
        lasting="2m",
        severity="critical",
        dashboard="opd",
    )


def _drops(target: Target) -> Watch:
    """A full contract may drop; one that drops while it is not full does not give what was promised."""
    words = target.words
    drops = select('mean("discards_ps")', "uplink_rate", by=(_step(target), "link", "direction"), fill="none")
    load = select('mean("utilisation")', "uplink_rate", by=(_step(target), "link", "direction"), fill="none")
    return Watch(
        uid="bwmgr-drops",
        title=words.text("Contract drops below what is promised"),
        summary=words.text("{link_label} ({way_label}) drops packets at less than 90 % of the contract", **_LABELS),
        steps=[
            _query("A", drops, since=_SATURATED_MINUTES * 60),
            _query("B", load, since=_SATURATED_MINUTES * 60),
            _reduced("C", "A", "mean"),
            _reduced("D", "B", "max"),
            _calculated("E", f"$C > {_DROPS_PS} && $D < {_NOT_FULL}"),
            _above("F", "E", 0),
        ],
        lasting="15m",
        dashboard="providers",
    )


def _late(target: Target) -> Watch:
    """Its points bear the time of their cycle: when none is new, none arrives, whether the poller stands or its spool grows."""
    words = target.words
    text = select('max("duration_s")', "poller", by=(_step(target),), fill="none")
    return Watch(
        uid="bwmgr-late",
        title=words.text("Poller late, or nothing arrives and its spool grows"),
        summary=words.text(
            "Cycles take longer than 90 % of the interval, or none has arrived for 10 minutes: bwmgr doctor says why"
        ),
        steps=[
            _query("A", text, since=_SILENT_SECONDS),
            _reduced("B", "A", "mean"),
            _above("C", "B", _LATE_RATIO * target.poll_seconds),
        ],
        lasting="5m",
        severity="critical",
        without_data="Alerting",
        dashboard="health",
    )


def _spool(target: Target) -> Watch:
    """A server that takes less than comes. One that takes nothing is `_late`'s: of its spool nothing is seen until it is back."""
    words = target.words
    text = select('max("spool_oldest_s")', "poller", by=(_step(target),), fill="none")
    return Watch(
        uid="bwmgr-spool",
        title=words.text("Spool grows"),
        summary=words.text("What the InfluxDB has not taken yet has waited for more than 5 minutes: bwmgr doctor says why"),
        steps=[
            _query("A", text, since=_SATURATED_MINUTES * 60),
            _reduced("B", "A", "min"),
            _above("C", "B", _SPOOLED_SECONDS),
        ],
        lasting="5m",
        dashboard="health",
    )


def _waiting(target: Target) -> Watch:
    words = target.words
    text = select('max("unwritten_batches")', "poller", by=(_step(target),), fill="none")
    return Watch(
        uid="bwmgr-waiting",
        title=words.text("Batches wait for the store"),
        summary=words.text("The poller keeps batches in memory, since the disk takes none: bwmgr doctor says why"),
        steps=[_query("A", text, since=_SILENT_SECONDS), _reduced("B", "A", "min"), _above("C", "B", 0)],
        lasting="5m",
        severity="critical",
        dashboard="health",
    )


def _availability(target: Target) -> list[Watch]:
    """One rule for each contract that promises an availability: each promises its own."""
    words = target.words
    found: list[Watch] = []
    for name, contract in target.inventory.uplink_contracts.items():
        if contract.sla.availability_percent is None:
            continue
        text = select(f'sum("interval_s") / {float(_DAY)}', "uplink_rate", is_("direction", "down"), is_("link", name))
        found.append(
            Watch(
                uid=f"bwmgr-available-{len(found)}",
                title=words.text("Availability below the promise: {contract}", contract=name),
                summary=words.text(
                    "{contract}: measured for less than {promised_ratio} of the last 24 hours",
                    contract=name,
                    promised_ratio=contract.sla.availability_percent / 100,
                ),
                steps=[
                    _query("A", text, since=_DAY),
                    _reduced("B", "A", "last"),
                    _below("C", "B", contract.sla.availability_percent / 100),
                ],
                lasting="1h",
                without_data="Alerting",
                dashboard="providers",
            )
        )
    return found


def _exceeds(target: Target) -> Watch:
    """The P95 of this week and of the week four weeks before, continued in a straight line: the date when it meets the limit.

    A straight line through two weeks is a warning, no forecast: `bwmgr plan` knows seasons and its own uncertainty.
    """
    words = target.words
    p95 = select('percentile("rate_bps", 95)', "link_rate", by=("link", "direction"))
    limit = select('last("limit_bps")', "link_rate", by=("link", "direction"))
    clock = select('last("at_s")', "poller")
    before = _APART_DAYS * _DAY
    date = "{{ $values.J.Value | humanizeTimestamp }}"
    return Watch(
        uid="bwmgr-exceeds",
        title=words.text("Will exceed its allocation"),
        summary=words.text(
            "{link_label} ({way_label}) reaches its limit on {date_label} if it grows on as it does",
            date_label=date,
            **_LABELS,
        ),
        steps=[
            _query("A", p95, since=_WEEK),
            _query("B", p95, since=before + _WEEK, until=before),
            _query("C", limit, since=_WEEK),
            _reduced("D", "A", "last"),
            _reduced("E", "B", "last"),
            _reduced("F", "C", "last"),
            _calculated("G", f"($F - $D) * {_APART_DAYS} / ($D - $E)"),
            _query("H", clock, since=_HOUR),
            _reduced("I", "H", "last"),
            _calculated("J", f"$I + $G * {_DAY}"),
            _calculated("K", f"$D > $E && $D < $F && $G < {_AHEAD_DAYS}"),
            _above("L", "K", 0),
        ],
        lasting="2h",
        dashboard="opd",
    )


_LABELS = {"link_label": "{{ $labels.link }}", "way_label": "{{ $labels.direction }}"}


def _step(target: Target) -> str:
    """One point a poll: the `$__interval` of a rule is one second unless a person says otherwise."""
    return f"time({target.poll_seconds}s)"


def _group(target: Target, name: str, interval: str, watches: Sequence[Watch]) -> dict[str, Any]:
    found = [_as_file(_rule(target, name, watch).build()) for watch in watches]
    return {"orgId": 1, "name": name, "folder": "bwmgr", "interval": interval, "rules": found}


def _rule(target: Target, group: str, watch: Watch) -> alerting.Rule:
    rule = alerting.Rule(watch.title).uid(watch.uid).folder_uid(FOLDER_UID).rule_group(group).condition(watch.steps[-1].ref)
    rule.for_val(watch.lasting).no_data_state("Alerting" if watch.without_data == "Alerting" else "OK").exec_err_state("Error")
    rule.labels({"severity": watch.severity, "source": "bwmgr"})
    page = f"/d/{target.uid(watch.dashboard)}" + ("?var-link={{ $labels.link }}" if watch.dashboard == "opd" else "")
    rule.annotations({"summary": watch.summary, "dashboard": page})
    for step in watch.steps:
        query = alerting.Query(step.ref).model(step)
        query.datasource_uid(_EXPRESSION if "expression" in step.model else SOURCE_UID)
        rule.with_query(query.relative_time_range(RelativeTimeRange(from_val=step.since, to=step.until)))
    return rule


def _as_file(rule: Rule) -> dict[str, Any]:
    """What the file format has of a rule: folder and group stand above it there, and a rule cannot say its organisation."""
    found: dict[str, Any] = json.loads(json.dumps(rule, cls=JSONEncoder))
    return {key: content for key, content in found.items() if key not in ("folderUID", "ruleGroup", "orgID")}


def _query(ref: str, text: str, *, since: int, until: int = 0) -> Step:
    model = InfluxQuery(ref=ref, text=text).to_json()
    return Step(ref=ref, model=model, since=since, until=until)


def _reduced(ref: str, of: str, how: str) -> Step:
    return _expression(ref, "reduce", of, reducer=how, settings={"mode": "dropNN"})


def _calculated(ref: str, expression: str) -> Step:
    return _expression(ref, "math", expression)


def _above(ref: str, of: str, bound: float) -> Step:
    return _expression(ref, "threshold", of, conditions=[{"evaluator": {"type": "gt", "params": [bound]}}])


def _below(ref: str, of: str, bound: float) -> Step:
    return _expression(ref, "threshold", of, conditions=[{"evaluator": {"type": "lt", "params": [bound]}}])


def _expression(ref: str, kind: str, expression: str, **more: Any) -> Step:
    source = {"type": _EXPRESSION, "uid": _EXPRESSION}
    return Step(ref=ref, model={"datasource": source, "type": kind, "expression": expression, **more})
