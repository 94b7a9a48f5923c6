"""Writes `docs/policies/*.md`, a page for each built-in policy: `python tools/policy_pages.py [--check]`.

Owns the form of these pages, none of their contents: what a policy does is its module's docstring, its parameters are those of
its dataclass with the keys that the configuration has for them, its sentences stand in its code and in the catalogues. `--check`
writes nothing and exits 1 where a page is out of step with the code.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from bwmgr.config.reading import parameter_keys
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.language import Words
from bwmgr.model.units import duration_text, rate_text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "policies"
_NOTE = "Written by `python tools/policy_pages.py` from the policy's code; changes belong there."


def pages() -> dict[str, str]:
    """File name -> text, of all policies and their list."""
    modules = policy_modules()
    found = {f"{name}.md": page(name, module) for name, module in modules.items() if module.__name__.startswith("policies.")}
    lines = [f"- [{name}]({name}.md): {_summary(modules[name])}" for name in modules if f"{name}.md" in found]
    precedence = (
        "In the order that holds where the configuration lists no `policies`. A repair (`fix`) beats everything; then what has a "
        "date or was ordered by a person, in this order; then, for each link and direction, the first that says something. "
        "What gave way is shown as `overruled` in the evidence.\n"
    )
    return {"README.md": "\n".join(["# Policies\n", f"{_NOTE}\n", precedence, *lines, ""]), **found}


def page(name: str, module: ModuleType) -> str:
    """One policy's page."""
    parts = [f"# {name}\n", f"{_NOTE}\n", _body(module)]
    if rows := list(_parameters(module)):
        parts += ["## Parameters\n", "| key | default | meaning |\n|---|---|---|", *rows, ""]
        parts += ["```yaml\npolicies:", f"  - {{policy: {name}, ...}}\n```\n"]
    if sentences := list(_sentences(module)):
        parts += ["## What it says\n"]
        for code, message in sentences:
            parts += [f"`{code}`\n", f"- {message}", f"- {_indonesian(message)}\n"]
    return "\n".join(parts)


def _summary(module: ModuleType) -> str:
    first = (module.__doc__ or "").splitlines()[0]
    return first.split(": ", 1)[-1]


def _body(module: ModuleType) -> str:
    """The docstring without the list of parameters, which the table has."""
    text = inspect.cleandoc(module.__doc__ or "")
    first, *rest = text.split("\n\n")
    kept = [
        first.split(": ", 1)[-1].capitalize(),
        *(part for part in rest if not part.startswith(("Parameters:", "No parameters"))),
    ]
    return "\n\n".join(kept) + "\n"


def _parameters(module: ModuleType) -> Iterator[str]:
    keys, about = parameter_keys(module.Parameters), _about(module)
    for field in fields(module.Parameters):
        yield f"| `{keys[field.name]}` | {_default(field.name, field.default)} | {about.get(field.name, '')} |"


def _default(name: str, default: Any) -> str:
    if name.endswith("_seconds"):
        return duration_text(default)
    if name.endswith("_bps"):
        return rate_text(default)
    if isinstance(default, tuple):
        return ", ".join(default) or "none"
    return str(default).lower() if isinstance(default, bool) else str(default) or "none"


def _about(module: ModuleType) -> dict[str, str]:
    """The docstrings below the fields of `Parameters`."""
    classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    body = next(node for node in classes if node.name == "Parameters").body
    found = {}
    for field, doc in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split())
    return found


def _sentences(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Code and English sentence of every reason, and of what is said of orders, in the order of the source."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Reason":
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        message, code = given.get("message"), given.get("code")
        if isinstance(message, ast.Constant):
            yield str(code.value) if isinstance(code, ast.Constant) else module.NAME, str(message.value)


def _indonesian(message: str) -> str:
    return Words("id").pattern(message)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a page is out of step")
    arguments = parser.parse_args()
    wanted = pages()
    stale = [name for name, text in wanted.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text]
    if arguments.check:
        sys.stderr.writelines(f"out of step with the code: docs/policies/{name}\n" for name in stale)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(wanted[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
