"""Writes `docs/reference/*.md` from the code itself: `python tools/reference.py [--check]`.

Owns the form of these pages, none of their contents: commands come from click, keys of the configuration from
`bwmgr.config.shapes`, metrics from the daemon's registry, gaps from `GapReason` and the catalogues, policies from their
modules. `--check` writes nothing and exits 1 where a page is out of step with the code.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from bwmgr.cli import bwmgr as command_line
from bwmgr.config import kinds, shapes
from bwmgr.config.reading import parameter_keys
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.language import Words
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.units import duration_text, rate_text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
_NOTE = "Written by `make docs` from the code; changes belong there.\n"

_KINDS = {
    kinds.WORD: "text",
    kinds.ID: "id: letters, digits, `.`, `_`, `-`",
    kinds.FLAG: "`true` or `false`",
    kinds.RATE: "rate, such as `10M`, `1.5G`, `512k`",
    kinds.RATE_OR_NONE: "rate, or `none`",
    kinds.RATIO: "share, such as `25%` or `0.25`",
    kinds.SHARE: "share up to `100%`",
    kinds.SIZE: "size, such as `20GB`",
    kinds.DATE: "date, `2026-02-01`",
    kinds.INSTANT: "time, `2026-02-01T07:30`, in the organisation's zone",
    kinds.ZONE: "time zone",
    kinds.ADDRESS: "IPv4, IPv6 or host name",
    kinds.NETWORK: "network, such as `10.20.1.0/24`",
    kinds.ENDPOINT: "address and port, such as `127.0.0.1:9464`",
    kinds.URL: "URL",
    kinds.PORT: "port",
}

_SPECIAL = {
    shapes.SecretReference: "`{env: NAME}` or `{file: PATH}`",
    shapes.Week: "hours by day or span of days; `holidays`, `closed`",
    shapes.Chosen: "a [policy](policies.md)'s name, or `{policy: NAME, ...}`",
}


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    head = list(headings)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


def commands() -> str:
    """Every command with its options."""
    parts = ["# Commands\n", _NOTE, _paragraphs(command_line.help or ""), _parameters(command_line)]
    for path, command in _leaves(command_line, ("bwmgr",)):
        arguments = " ".join(parameter.make_metavar(click.Context(command)) for parameter in _arguments(command))
        usage = " ".join(filter(None, [*path, "[OPTIONS]" if _options(command) else "", arguments]))
        parts += [f"## {' '.join(path[1:])}\n", f"`{usage}`\n", _paragraphs(command.help or ""), _parameters(command)]
    return "\n".join(filter(None, parts))


def _leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from _leaves(inner, (*path, name))


def _arguments(command: click.Command) -> list[click.Argument]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Argument)]


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def _parameters(command: click.Command) -> str:
    options = _options(command)
    return table(("option", "meaning", "default"), (_option(option) for option in options)) if options else ""


def _option(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join(option.opts)
    if isinstance(option.type, click.Choice):
        names += f" {'|'.join(option.type.choices)}"
    elif not option.is_flag:
        names += f" {option.type.name.upper()}"
    shown = option.default is not None and not option.is_flag and not callable(option.default) and option.show_default
    return f"`{names}`", option.help or "", f"`{option.default}`" if shown else ""


def _paragraphs(text: str) -> str:
    blocks = inspect.cleandoc(text).replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks) + "\n"


def configuration() -> str:
    """Every key, section by section, in the order of the file."""
    parts = [
        "# Configuration\n",
        _NOTE,
        "What keys mean together, with examples, is in the [guide](../guide.en.md#configuration).\n",
        "The same as JSON Schema, for editors: `bwmgr config schema`.\n",
        "`include:` (a file, a pattern, or a list of them) may stand in any file; see the guide.\n",
    ]
    seen: set[str] = set()
    for title, shape in _sections(shapes.CONFIGURATION, "top level"):
        if title not in seen:
            seen.add(title)
            parts += [
                f"## {title}\n",
                table(("key", "what it takes", "needed", "meaning"), map(_key, *zip(*shape.fields.items(), strict=True))),
            ]
    return "\n".join(parts)


def _sections(shape: shapes.Shape, title: str) -> Iterator[tuple[str, shapes.Shape]]:
    yield title, shape
    for field in shape.fields.values():
        inner = _innermost(field.type)
        if isinstance(inner, shapes.Shape):
            yield from _sections(inner, inner.name)


def _innermost(type_: shapes.Type) -> shapes.Type:
    while isinstance(type_, shapes.ListOf | shapes.MapOf | shapes.Either):
        type_ = type_.of
    return type_


def _key(name: str, field: shapes.Field) -> tuple[str, str, str, str]:
    return f"`{name}`", _taken(field.type), "yes" if field.required else "", field.about


def _taken(type_: shapes.Type) -> str:
    if isinstance(type_, shapes.Kind):
        return _KINDS.get(type_) or _by_schema(type_.schema)
    if isinstance(type_, shapes.Shape):
        return f"[{type_.name}](#{type_.name})"
    if isinstance(type_, shapes.ListOf | shapes.MapOf | shapes.Either):
        return _holder(type_, _taken(type_.of))
    return _SPECIAL[type(type_)]


def _holder(type_: shapes.ListOf | shapes.MapOf | shapes.Either, inner: str) -> str:
    if isinstance(type_, shapes.ListOf):
        return f"list of {inner}"
    return f"`{type_.word}`, or {inner}" if isinstance(type_, shapes.Either) else f"by a name of your choice: {inner}"


def _by_schema(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in dict.fromkeys(map(str, schema["enum"])))
    if schema.get("type") in ("integer", "number"):
        whole = "whole number" if schema["type"] == "integer" else "number"
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        return f"{whole} {'from' if 'minimum' in schema else 'above'} {least:g} to {schema['maximum']:.10g}"
    return "duration, such as `60s`, `5m`, `30d`" if "ms|s|m|h" in schema.get("pattern", "") else "text"


def metrics() -> str:
    """Every metric of the daemon."""
    rows, made = [], Metrics()
    for part in (made.flow, made.influx):  # there only where flows are received, or rates go to an InfluxDB
        assert part
    for family in made.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        rows.append((f"`{name}`", family.type, family.documentation, ", ".join(labels) or _labels_of(family.name)))
    head = "`http://HOST:PORT/metrics` of `daemon.metrics`, for Prometheus. One daemon, one registry: no metric is shared.\n"
    return "\n".join(["# Metrics\n", _NOTE, head, table(("metric", "type", "meaning", "labels"), rows)])


def _labels_of(family: str) -> str:
    """Of a family that has no sample yet."""
    known = {
        collector._name: collector._labelnames for collector in vars(Metrics()).values() if hasattr(collector, "_labelnames")
    }
    return ", ".join(known.get(family, ()))


def gaps() -> str:
    """Every reason for a gap, and every mark of quality, in both languages."""
    english, indonesian = Words("en"), Words("id")
    about = _attribute_docs(GapReason)
    rows = [
        (f"`{reason.name.lower()}`", str(reason.value), english.gap(reason), indonesian.gap(reason), about.get(reason.name, ""))
        for reason in GapReason
        if reason is not GapReason.NONE
    ]
    marks = [(f"`{mark.name}`", str(mark.value), _attribute_docs(Quality).get(mark.name or "", "")) for mark in Quality]
    return "\n".join(
        [
            "# Gaps and quality\n",
            _NOTE,
            "## Why there is no rate\n",
            "What to do about each is in the [guide](../guide.en.md#gaps).\n",
            table(("code", "stored as", "English", "Indonesian", "more"), rows),
            "## What to know of a rate that is there\n",
            table(("mark", "bit", "meaning"), marks),
        ]
    )


def policies() -> str:
    """Every policy: what its module says, and its settings."""
    parts = ["# Policies\n", _NOTE, "In the order of precedence that holds where `policies:` lists none.\n"]
    for name, module in policy_modules().items():
        if not module.__name__.startswith("policies."):
            continue
        title, _, rest = (module.__doc__ or "").partition("\n")
        body = rest.rpartition("Parameters:")[0] or rest
        about = _attribute_docs(module.Parameters)
        keys = parameter_keys(module.Parameters)
        rows = (
            (f"`{keys[one.name]}`", _default(one.name, one.default), about.get(one.name, "")) for one in fields(module.Parameters)
        )
        parts += [
            f"## {name}\n",
            f"{title.partition(': ')[2].capitalize()}\n",
            f"{body.strip()}\n",
            table(("setting", "default", "meaning"), rows),
        ]
    return "\n".join(parts)


def _default(name: str, default: Any) -> str:
    if name.endswith("_bps"):
        return f"`{rate_text(default)}`"
    if name.endswith("_seconds"):
        return f"`{duration_text(default)}`"
    if name.endswith("_ratio"):
        return f"`{default * 100:g}%`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, int | float) else f"`{default}`" if default else ""


def _attribute_docs(class_: type) -> dict[str, str]:
    """The literal under each attribute of a class, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(class_))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        target = (
            statement.target
            if isinstance(statement, ast.AnnAssign)
            else statement.targets[0]
            if isinstance(statement, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[target.id] = " ".join(str(following.value.value).split())
    return docs


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "configuration.md": configuration,
    "metrics.md": metrics,
    "gaps.md": gaps,
    "policies.md": policies,
}


def stale_pages() -> dict[str, str]:
    """Pages that the code would write otherwise, by name."""
    pages = {name: page() for name, page in PAGES.items()}
    return {name: text for name, text in pages.items() if not _stands(FOLDER / name, text)}


def _stands(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    checking, stale = parser.parse_args().check, stale_pages()
    if checking:
        sys.stderr.writelines(f"docs/reference/{name} is out of step with the code: run `make docs`\n" for name in stale)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in stale.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
