"""What the documents say is so: links lead somewhere, commands parse, configurations load, lists are complete."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import yaml

from bwmgr import config
from bwmgr.cli import bwmgr
from bwmgr.config import shapes
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.model.samples import GapReason
from bwmgr.stores.csv_history import import_csv
from bwmgr.stores.embedded import EmbeddedStore
from tools import reference

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs" / "guide.en.md", ROOT / "docs" / "guide.id.md"]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for folder in ("docs", "collectors", "policies") for path in (ROOT / folder).rglob("*.md"))]
)
MACHINE_PATHS = (
    "/opt/bwmgr",
    "/etc/",
    "/var/lib/bwmgr",
    "/run/credentials/bwmgr.service",
    "/srv/backup",
    "/dev/stdin",
    "/usr/sbin/nologin",
)
URL_PATHS = ("/health", "/metrics", "/snmp", "/ip", "/ping", "/write", "/query", "/api/v2/")

_LINK = re.compile(r"\]\(([^()\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SAID = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r'^(?:sudo -u bwmgr )?(?:eval "\$\()?(?:\S*/)?bwmgr (.+?)(?:\)")?$')
_PATH = re.compile(r"(?<![\w.:/)\]}*<>~$-])/[a-z][\w./-]*")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(path.read_text(encoding="utf-8")) if kind == language]


def _commands(path: Path) -> Iterator[str]:
    """What stands after `bwmgr`, in shell blocks and in inline code."""
    text = path.read_text(encoding="utf-8")
    lines = [line for block in _blocks(path, "sh") for line in block.splitlines()] + _SAID.findall(_BLOCK.sub("", text))
    for line in lines:
        found = _COMMAND.match(line.partition(" #")[0].partition(" > ")[0].strip())
        if found:
            yield found[1]


def _anchors(path: Path) -> set[str]:
    """Ids that GitHub gives headings, and those set by hand."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_resolve(page: Path) -> None:
    """Every relative link names a file, and an anchor in it where it names one."""
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


def _parse(command: click.Command, words: list[str], context: click.Context | None = None) -> None:
    """As click would, but for whether files exist. Raises: click.UsageError."""
    here = click.Context(command, parent=context, info_name=command.name)
    found, rest, order = command.make_parser(here).parse_args(words)
    for parameter in order:
        said = found.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(said, str):
            parameter.type.convert(said, parameter, here)
    if isinstance(command, click.Group) and rest:
        inner = command.get_command(here, rest[0])
        if inner is None:
            raise click.UsageError(f"no command {rest[0]!r}")
        _parse(inner, rest[1:], here)


@pytest.mark.parametrize("page", [page for page in PAGES if "reference" not in page.parts], ids=_name)
def test_commands_parse(page: Path) -> None:
    """Every `bwmgr ...` that is shown names a command and options that there are."""
    for line in _commands(page):
        try:
            _parse(bwmgr, shlex.split(line))
        except click.UsageError as error:
            pytest.fail(f"bwmgr {line}: {error.format_message()}")


def test_commands_are_found() -> None:
    """The test above has something to test."""
    assert {page.name for page in PAGES if len(list(_commands(page))) > 10} >= {"README.md", "guide.en.md", "guide.id.md"}


def _configuration(guide: Path) -> str:
    return re.findall(
        r"<!-- configuration -->\n```yaml\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )[0]


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_configuration_loads(guide: Path, tmp_path: Path) -> None:
    """The guide's example is right, with its CSV inventory included; its history file imports."""
    inventory, history = _blocks(guide, "csv")
    (tmp_path / "links.csv").write_text(inventory, encoding="utf-8")
    for name in ("domestic.txt", "services.txt"):
        (tmp_path / name).touch()
    path = tmp_path / "bwmgr.yaml"
    path.write_text(f"include: links.csv\n{_configuration(guide)}", encoding="utf-8")
    settings = config.load(path, policies=parameter_classes(), secrets=False)
    assert {"dinkes", "ikon", "dinsos"} == set(settings.inventory.links)
    (tmp_path / "history.csv").write_text(history, encoding="utf-8")
    with closing(EmbeddedStore(tmp_path / "var")) as store:
        report = import_csv(tmp_path / "history.csv", store, settings.inventory, now=datetime(2026, 6, 1, tzinfo=UTC))
    assert (report.rows, report.mistakes) == (2, [])


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_configuration_shows_every_key(guide: Path) -> None:
    """No key is left out of the guide's example and of the pages of its language, but those of the InfluxDB store."""
    ending = ".id.md" if guide.name.endswith(".id.md") else ".md"
    pages = [page for page in (ROOT / "docs").glob(f"*{ending}") if page.name.endswith(".id.md") == (ending == ".id.md")]
    text = "\n".join([_configuration(guide), *(block for page in pages for block in _blocks(page, "yaml"))])
    keys = {key for shape in _shapes(shapes.CONFIGURATION) for key in shape.fields}
    keys -= {"url", "org", "bucket", "token", "database", "username", "password", "interface_counters"}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}: ?", text)] == []


def _shapes(shape: shapes.Shape) -> Iterator[shapes.Shape]:
    yield shape
    for field in shape.fields.values():
        inner = field.type
        while isinstance(inner, shapes.ListOf | shapes.MapOf | shapes.Either):
            inner = inner.of
        if isinstance(inner, shapes.Shape):
            yield from _shapes(inner)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_fragments_are_yaml(page: Path) -> None:
    """Every other YAML block can be read as YAML."""
    for block in _blocks(page, "yaml"):
        yaml.safe_load(block)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_path_of_a_developers_machine(page: Path) -> None:
    """Absolute paths are those of the installation that the guide describes."""
    found = _PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in found if not path.startswith((*MACHINE_PATHS, *URL_PATHS))] == []


def test_guides_say_the_same() -> None:
    """Both languages have the same sections and show the same commands."""
    english, indonesian = (guide.read_text(encoding="utf-8") for guide in GUIDES)
    anchors = re.compile(r'<a id="([^"]+)">')
    assert anchors.findall(english) == anchors.findall(indonesian)
    without = {"--lang en "}
    shown = [[line.replace(*without, "") for block in _blocks(guide, "sh") for line in block.splitlines()] for guide in GUIDES]
    assert [line.partition(" #")[0] for line in shown[0]] == [line.partition(" #")[0] for line in shown[1]]


@pytest.mark.parametrize("guide", GUIDES, ids=_name)
def test_lists_are_complete(guide: Path) -> None:
    """Every reason for a gap is explained, and every metric that is named exists."""
    text = guide.read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert {reason.name.lower() for reason in GapReason} - {"none"} <= explained
    metrics = Metrics()
    assert all((metrics.flow, metrics.influx))  # which are there from their first use on
    known = metrics.text().decode()
    assert [name for name in re.findall(r"`(bwmgr_\w+)", text) if name not in known] == []


def test_reference_is_in_step() -> None:
    """`make docs` would change nothing."""
    assert list(reference.stale_pages()) == []


def test_decisions_are_listed() -> None:
    """The table of decisions names every one there is."""
    folder = ROOT / "docs" / "adr"
    table = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in folder.glob("0*.md") if path.name not in table] == []
