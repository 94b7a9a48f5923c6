"""What the full screen says of one recommendation, as lines of text with their styles. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from bwmgr.cli.review.colours import CIR, LIMIT, PROPOSED
from bwmgr.daemon.labels import ACTIONS, EVIDENCE
from bwmgr.daemon.review import Case
from bwmgr.engine.document import recommendation_document
from bwmgr.language import Words
from bwmgr.model.decision import Recommendation

_SHOWN_EVIDENCE = ("p95_bps", "demand_bps", "saturated_ratio", "coverage_ratio", "samples")


def row(words: Words, found: Recommendation) -> tuple[str, str, str]:
    """Of the list: link, direction and action, and from which limit to which."""
    way = f"{words.text(ACTIONS[found.action])} · {words.direction(found.direction)}"
    return found.link, way, f"{words.limit(found.current.mir_bps)} → {words.limit(found.proposed.mir_bps)}"


def sentence(words: Words, found: Recommendation) -> Text:
    """The reason in words, and who says it until when."""
    text = Text(words.reason(found.reason), style="bold")
    until = words.text("valid until {until_at}", until_at=found.valid_until)
    text.append(f"\n{found.id} · {found.policy} ({found.author}) · {until}", style="not bold dim")
    return text


def legend(words: Words, case: Case) -> Text:
    """What the chart's colours are; or why there is no chart."""
    found, text = case.recommendation, Text()
    if case.rates is None:
        return Text(words.text("{link} is no link: it has no rates of its own.", link=found.link), style="dim")
    span = words.text("{start_at} to {end_at}", start_at=found.evidence.start, end_at=found.evidence.end)
    text.append(f"{words.direction(found.direction).capitalize()}, {span}   ")
    for colour, name, figure in (
        (LIMIT, words.text("limit"), words.limit(found.current.mir_bps)),
        (PROPOSED, words.text("proposed"), words.limit(found.proposed.mir_bps)),
        (CIR, words.text("guaranteed"), words.rate(found.proposed.cir_bps)),
    ):
        text.append("━━ ", style=colour)
        text.append(f"{name} {figure}   ")
    return text


def evidence(words: Words, found: Recommendation) -> Text:
    figures = recommendation_document(found, "")["evidence"]
    parts = [f"{words.text(EVIDENCE[key])} {words.text(f'{{{key}}}', **{key: figures[key]})}" for key in _SHOWN_EVIDENCE]
    return Text(" · ".join(parts))


def effect(words: Words, found: Recommendation) -> Text:
    """What is expected, as far as the engine can say."""
    return Text("\n".join(_effects(words, found)) or words.text("Nothing can be said of it."))


def _effects(words: Words, found: Recommendation) -> Iterator[str]:
    expected = found.expected
    if expected.satisfaction_ratio is not None:
        yield words.text("{satisfaction_ratio} of what would be used is served", satisfaction_ratio=expected.satisfaction_ratio)
    if expected.throttled_octets_per_day is not None:
        octets = expected.throttled_octets_per_day
        yield words.text("{held_back_octets} a day are held back by the limit", held_back_octets=octets)
    if expected.monthly_price:
        yield words.text("{monthly_price} a month", monthly_price=expected.monthly_price)


def sent(words: Words, case: Case, *, read: bool) -> Text:
    """The lines, below what they are worth: made from the recommendation, or for the device as it was just read."""
    if not case.device:
        return Text(words.text("No device of this link is known to bwmgr: nothing would be sent."))
    if case.problem:
        return Text(words.said(case.problem), style="red")
    if not case.lines and not read:
        return Text(words.text("{device} has no `enforce:`: nothing would be sent.", device=case.device))
    if not case.lines:
        return Text(words.text("{device} has these settings already: nothing to send.", device=case.device))
    supposed = words.text("To {device}, if it is as bwmgr takes it to be (d reads it):", device=case.device)
    head = words.text("To {device}, as it was just read:", device=case.device) if read else supposed
    text = Text(f"{head}\n", style="dim")
    for line in case.lines:
        gone = " remove" in line or line.lstrip().startswith(("no ", "delete ", "tc class delete", "tc qdisc delete"))
        text.append(f"{'-' if gone else '+'} {line}\n", style="not dim red" if gone else "not dim green")
    text.rstrip()
    return text
