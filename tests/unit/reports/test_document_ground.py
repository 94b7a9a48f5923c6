"""Documents: the same bytes, templates of the office, nothing fetched, tables that run no formulas."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pypdfium2
import pytest

from bwmgr.errors import UsageError
from bwmgr.language import Words
from bwmgr.reports.documents import figures
from bwmgr.reports.documents.rendering import copy_templates, render_html, render_pdf, template_names
from bwmgr.reports.documents.tables import Sheet, TableColumn, csv_text, neutral, xlsx

pytest.importorskip("weasyprint", reason="the packages for PDF documents are not installed", exc_type=OSError)

CONTEXT = {"organisation": SimpleNamespace(name="Diskominfo Kabupaten Kotawaringin Timur"), "price": 1920000000, "none": None}
BODY = '{% extends "base.html.j2" %}{% block title %}Uji "<b>"{% endblock %}{% block body %}'


def folder_with(tmp_path: Path, body: str, name: str = "own.html.j2") -> Path:
    (tmp_path / name).write_text(BODY + body + "{% endblock %}", encoding="utf-8")
    return tmp_path


def text_of(pdf: bytes) -> list[str]:
    """The text of each page."""
    document = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def test_figures_are_written_as_the_language_writes_them(tmp_path: Path) -> None:
    """Rupiah, percent, rate and date come through filters, unit and figure on one line, and None is a dash."""
    folder = folder_with(
        tmp_path, "{{ price | money }}|{{ 0.975 | percent }}|{{ 1.5e9 | rate }}|{{ day | date }}|{{ none | rate }}"
    )
    context = {**CONTEXT, "day": date(2026, 1, 5)}
    html = render_html("own", context, words=Words("id"), templates_folder=folder)
    assert "Rp1.920.000.000|97,5\u00a0%|1,5\u00a0Gbps|5 Januari 2026|–" in html
    english = render_html("own", context, words=Words("en"), templates_folder=folder)
    assert "Rp1,920,000,000|97.5%|1.5\u00a0Gbps|5 January 2026|–" in english


def test_the_same_document_has_the_same_bytes(tmp_path: Path) -> None:
    """A PDF carries no date and no random identifier of its own."""
    folder = folder_with(tmp_path, "<p>{{ price | money }}</p><img src='{{ chart }}'>")
    chart = figures.bar_figure([figures.Bars(label="a", heights=[1, 2])], ticks=[(0, "x")], written=str)
    made = {render_pdf("own", {**CONTEXT, "chart": chart}, words=Words("id"), templates_folder=folder) for _ in range(2)}
    assert len(made) == 1
    assert made.pop().startswith(b"%PDF-")


def test_a_long_table_repeats_its_head_and_numbers_its_pages(tmp_path: Path) -> None:
    """60 rows with long names go over pages; each has the head, the organisation's title and its number."""
    name = "Dinas Pemberdayaan Masyarakat, Desa, Perempuan, dan Perlindungan Anak Kabupaten " * 2
    rows = "".join(f"<tr><td>{number}</td><td>{name}</td></tr>" for number in range(60))
    folder = folder_with(
        tmp_path, f"<table><thead><tr><th>No</th><th>Perangkat Daerah</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    pages = text_of(render_pdf("own", CONTEXT, words=Words("id"), templates_folder=folder))
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert "Perangkat Daerah" in page
        assert f"{number} / {len(pages)}" in page
        assert 'Uji "<b>"' in page or 'Uji "' in page


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "https://example.org/x.png", "file:///etc/passwd", "../x.png"])
def test_a_template_reaches_nothing_beyond_its_folder(tmp_path: Path, url: str) -> None:
    """A picture from the network or elsewhere on the disk stops the document and is named."""
    folder = folder_with(tmp_path, f"<img src='{url}'>")
    with pytest.raises(UsageError, match="may not open"):
        render_pdf("own", CONTEXT, words=Words("id"), templates_folder=folder)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the templates' folder opens no file outside it."""
    (tmp_path / "outside.png").write_bytes(b"x")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "logo.png").symlink_to(tmp_path / "outside.png")
    folder = folder_with(tmp_path / "inside", "<img src='logo.png'>")
    with pytest.raises(UsageError, match="may not open"):
        render_pdf("own", CONTEXT, words=Words("id"), templates_folder=folder)


def test_a_picture_of_the_folder_is_shown(tmp_path: Path) -> None:
    """An office's logo lies beside its templates."""
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    (tmp_path / "logo.png").write_bytes(base64.b64decode(dot))
    plain = render_pdf("own", CONTEXT, words=Words("id"), templates_folder=folder_with(tmp_path, ""))
    with_logo = render_pdf("own", CONTEXT, words=Words("id"), templates_folder=folder_with(tmp_path, "<img src='logo.png'>"))
    assert b"/Subtype /Image" not in plain
    assert len(with_logo) > len(plain)


def test_an_edited_copy_wins_over_the_shipped_template(tmp_path: Path) -> None:
    """`copy_templates` writes what is not there yet; a changed base changes documents that extend it."""
    assert {path.name for path in copy_templates(tmp_path)} == {f"{name}.html.j2" for name in template_names()}
    base = tmp_path / "base.html.j2"
    base.write_text(base.read_text(encoding="utf-8").replace('<div class="letterhead">', "<div>KOP SURAT "), encoding="utf-8")
    assert copy_templates(tmp_path) == []
    assert "KOP SURAT" in render_html("own", CONTEXT, words=Words("id"), templates_folder=folder_with(tmp_path, ""))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{ nothing }}", "own.html.j2:1: 'nothing' is undefined"),
        ("{% if %}", "own.html.j2:1"),
        ("{% include 'x' %}", "no template x"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(tmp_path: Path, body: str, said: str) -> None:
    """A mistake in an office's template is told with its file and line."""
    with pytest.raises(UsageError, match=said):
        render_html("own", CONTEXT, words=Words("id"), templates_folder=folder_with(tmp_path, body))


def test_figures_in_a_template_are_escaped(tmp_path: Path) -> None:
    """A name with markup in it stays a name."""
    folder = folder_with(tmp_path, "{{ name }}")
    assert "&lt;script&gt;" in render_html("own", {**CONTEXT, "name": "<script>"}, words=Words("id"), templates_folder=folder)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_of_a_csv_is_run(text: str) -> None:
    """Text that a spreadsheet would calculate is neutralised; numbers stay numbers."""
    assert neutral(text) == f"'{text}"
    rows = list(csv.reader(io.StringIO(csv_text(["name", "n"], [[text, -1.5], ["dinkes", None]]), newline="")))
    assert rows == [["name", "n"], [f"'{text}", "-1.5"], ["dinkes", ""]]


def test_a_workbook_holds_text_numbers_and_dates_and_no_formula() -> None:
    """Cells keep their kind, names of sheets are made fit, and the same sheets give the same bytes."""
    at = datetime(2026, 1, 31, 17, 0, tzinfo=UTC)
    columns = [TableColumn(heading="OPD"), TableColumn(heading="Mbps", form="rate"), TableColumn(heading="at", form="instant")]
    sheets = [
        Sheet(name="a/b" * 20, columns=columns, rows=[["=HYPERLINK(1)", 1.5, at], ["http://x", None, None]], notes=["=note"]),
        Sheet(name="a/b" * 20, columns=columns[:1], rows=[]),
    ]
    content = xlsx(sheets, title="t", author="a")
    assert content == xlsx(sheets, title="t", author="a")
    book = openpyxl.load_workbook(io.BytesIO(content))
    first = book.worksheets[0]
    assert [cell.value for cell in first[2]] == ["=HYPERLINK(1)", 1.5, at.replace(tzinfo=None)]
    assert {cell.data_type for row in first.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert len(set(book.sheetnames)) == 2
    assert all(len(name) <= 31 and "/" not in name for name in book.sheetnames)
