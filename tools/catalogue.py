"""Collects every sentence for people into the catalogues and compiles them: `python tools/catalogue.py [--check]`.

Looks in Python sources for the first literal of `.text(...)`, `mark(...)` and `Said(...)`, the first two of `.plural(...)`, and
`message=` of `Reason(...)`, and in Jinja templates for `.text(...)`, `.plural(...)` and `_(...)`. Translations already made are
kept; those of sentences that are gone are dropped (git has them). The same sources give the same bytes. English is its own
translation.

`--check` writes nothing, and exits 1 where a catalogue is out of step or a sentence has no Indonesian.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bwmgr", "collectors", "policies")
TEMPLATE_SUFFIXES = {".html", ".j2"}
LANGUAGES = ("id", "en")
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # a real date would change the files at every run
PLURAL_FORMS = {"id": "nplurals=1; plural=0;", "en": "nplurals=2; plural=(n != 1);"}  # Babel says 2 for Indonesian

Message = str | tuple[str, str]


def messages(root: Path = ROOT) -> dict[Message, list[str]]:
    """Every sentence with the files that say it, in order of file and position."""
    found: dict[Message, list[str]] = {}
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*")):
        if path.suffix == ".py":
            said = _said_in_python(path)
        elif path.suffix in TEMPLATE_SUFFIXES:
            said = _said_in_template(path)
        else:
            continue
        for message in said:
            places = found.setdefault(message, [])
            if (place := path.relative_to(root).as_posix()) not in places:
                places.append(place)
    return found


def _said_in_python(path: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        literals: list[object] = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
        if name == "Reason":
            literals = [
                keyword.value.value
                for keyword in node.keywords
                if keyword.arg == "message" and isinstance(keyword.value, ast.Constant)
            ]
        if name in {"Reason", "mark", "Said"} or (name in {"text", "plural"} and isinstance(node.func, ast.Attribute)):
            yield from _message(name, literals)


def _said_in_template(path: Path) -> Iterator[Message]:
    environment = Environment(autoescape=True, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
    for call in environment.parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
        name = call.node.attr if isinstance(call.node, nodes.Getattr) else getattr(call.node, "name", "")
        if name in {"text", "plural"} or (name == "_" and isinstance(call.node, nodes.Name)):
            literals: list[object] = [argument.value if isinstance(argument, nodes.Const) else None for argument in call.args]
            yield from _message(name, literals)


def _message(name: str, literals: Sequence[object]) -> Iterator[Message]:
    first, second = (*literals, None, None)[:2]
    if not isinstance(first, str) or not first:
        return
    if name != "plural":
        yield first
    elif isinstance(second, str):
        yield first, second


def catalogue(language: str, said: dict[Message, list[str]], root: Path = ROOT) -> Catalog:
    """The catalogue of what is said now, with the translations made so far."""
    path = po_path(language, root)
    before = read_po(io.BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
    after = Catalog(
        locale=language,
        header_comment="# Sentences of bwmgr. Written by tools/catalogue.py; only the msgstr lines are for people.",
        project="bwmgr",
        version="1",
        msgid_bugs_address="the project's issues",
        last_translator="the authors of bwmgr",
        language_team="the authors of bwmgr",
        creation_date=NO_DATE,
        revision_date=NO_DATE,
        fuzzy=False,
    )
    after.mime_headers = [
        (name, PLURAL_FORMS[language] if name == "Plural-Forms" else header) for name, header in after.mime_headers
    ]
    for message, places in said.items():
        known = before.get(message)
        translation = message if language == "en" else (known.string if known else None)
        after.add(message, translation, locations=[(place, 0) for place in places])
    return after


def untranslated(said: Catalog) -> list[str]:
    """Sentences without a translation."""
    return [str(message.id) for message in said if message.id and not (message.string and all(message.string))]


def po_path(language: str, root: Path = ROOT) -> Path:
    return root / "bwmgr" / "locale" / language / "LC_MESSAGES" / "bwmgr.po"


def encoded(said: Catalog) -> tuple[bytes, bytes]:
    """The bytes of the .po and of the .mo file."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, said, width=130, include_lineno=False)
    write_mo(mo, said)
    return po.getvalue(), mo.getvalue()


def stale(root: Path = ROOT) -> list[Path]:
    """The catalogue files that do not say what the sources ask for (their headers, which name Babel's version, may differ)."""
    said = messages(root)
    out_of_step = []
    for language in LANGUAGES:
        po, mo = po_path(language, root), po_path(language, root).with_suffix(".mo")
        wanted = catalogue(language, said, root)
        if not po.exists() or _sentences(read_po(io.BytesIO(po.read_bytes()))) != _sentences(wanted):
            out_of_step.append(po)
        if not mo.exists() or _translated(read_mo(io.BytesIO(mo.read_bytes()))) != _translated(wanted):
            out_of_step.append(mo)
    return out_of_step


def _sentences(said: Catalog) -> dict[object, object]:
    return {_forms(message.id): message.string for message in said if message.id}  # read_mo gives lists for plurals


def _translated(said: Catalog) -> dict[object, object]:
    # an .mo file holds only what is translated
    return {identity: _forms(string) for identity, string in _sentences(said).items() if any(_forms(string))}


def _forms(string: object) -> tuple[object, ...]:
    return tuple(string) if isinstance(string, tuple | list) else (string,)


def write(root: Path = ROOT) -> None:
    """Bring all catalogue files into step with the sources."""
    said = messages(root)
    for language in LANGUAGES:
        path = po_path(language, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        po, mo = encoded(catalogue(language, said, root))
        path.write_bytes(po)
        path.with_suffix(".mo").write_bytes(mo)


def main(arguments: Sequence[str]) -> int:
    if "--check" not in arguments:
        write()
    missing = untranslated(catalogue("id", messages()))
    for sentence in missing:
        sys.stderr.write(f"no Indonesian yet: {sentence}\n")
    for path in (out_of_step := stale()):
        sys.stderr.write(f"out of step with the sources: {path.relative_to(ROOT)}\n")
    return 1 if missing or out_of_step else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
