"""The catalogues: complete, in step with the sources, and compiled."""

from __future__ import annotations

import importlib.util
import string
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("catalogue", ROOT / "tools" / "catalogue.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


catalogue = _tool()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for package in catalogue.PACKAGES:
        (tmp_path / package).mkdir()
    return tmp_path


def test_every_sentence_of_the_program_has_an_indonesian_translation() -> None:
    assert catalogue.untranslated(catalogue.catalogue("id", catalogue.messages())) == []


def test_the_catalogues_are_in_step_with_the_sources() -> None:
    assert catalogue.stale() == [], "run: python tools/catalogue.py"


def test_a_translation_uses_only_placeholders_of_its_sentence() -> None:
    for message in catalogue.catalogue("id", catalogue.messages()):
        originals = message.id if isinstance(message.id, tuple | list) else (message.id,)
        translations = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if message.id:
            assert set().union(*map(_placeholders, translations)) == set().union(*map(_placeholders, originals)), message.id


def _placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_sentences_are_found_wherever_they_may_be_said(project: Path) -> None:
    (project / "bwmgr" / "one.py").write_text(
        'a = words.text("from text", n=1)\nb = mark("from mark")\nc = words.plural("one", "many", count=2)\n'
        'd = Reason(code="x", message="from reason")\ne = words.text(variable)\nf = text("not a method")\n'
    )
    (project / "policies" / "page.html").write_text('<p>{{ words.text("from template", n=1) }}</p>{% if x %}{% endif %}')
    assert set(catalogue.messages(project)) == {
        "from text", "from mark", ("one", "many"), "from reason", "from template",
    }  # fmt: skip


def test_a_new_sentence_makes_the_catalogue_stale_until_it_is_written(project: Path) -> None:
    catalogue.write(project)
    assert catalogue.stale(project) == []
    (project / "bwmgr" / "one.py").write_text('mark("Link")')
    assert {path.name for path in catalogue.stale(project)} == {"bwmgr.po", "bwmgr.mo"}
    catalogue.write(project)
    assert catalogue.stale(project) == []


def test_translations_made_by_hand_are_kept_and_compiled(project: Path) -> None:
    (project / "bwmgr" / "one.py").write_text('mark("Link")\nwords.plural("{count} link", "{count} links", count=1)')
    catalogue.write(project)
    path = catalogue.po_path("id", project)
    path.write_text(path.read_text().replace('msgid "Link"\nmsgstr ""', 'msgid "Link"\nmsgstr "Tautan"'))
    assert path.with_suffix(".mo") in catalogue.stale(project)
    catalogue.write(project)
    assert 'msgstr "Tautan"' in path.read_text()
    assert catalogue.untranslated(catalogue.catalogue("id", catalogue.messages(project), project)) == [
        "('{count} link', '{count} links')"
    ]
    first = path.read_bytes()
    catalogue.write(project)
    assert path.read_bytes() == first
