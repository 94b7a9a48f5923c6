"""What libraries and the system say of a file, as they say it on this machine, is known and said in Indonesian."""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.errors import ConfigurationError
from bwmgr.language import Words


def said(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, policies={})
    return Words("id").error(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c", ":1: bukan YAML: kunci dengan titik dua tidak boleh ada di sini"),
        ("a: - b", ":1: bukan YAML: butir daftar '-' tidak boleh ada di sini"),
        ("a:\n  b: 1\n c: 2", ":3: bukan YAML: di sini seharusnya ada kunci"),
        ("a: {b: 1", ":2: bukan YAML: di sini seharusnya ada ',' atau '}'"),
        ("a: [b\nc: d", ":2: bukan YAML: di sini seharusnya ada ',' atau ']'"),
        ("a:\n  - b\n  c: d", ":3: bukan YAML: di sini seharusnya ada '-'"),
        ("a: {b: ]", ":1: bukan YAML: di sini seharusnya ada isi"),
        ("a: b\nc\nd: e", ":3: bukan YAML: di sini seharusnya ada ':'"),
        ('a: "b', ":1: bukan YAML: berkas berakhir sebelum waktunya"),
        ("a:\n\tb: c", ":2: bukan YAML: ada karakter yang tidak dapat mengawali isi; pakai spasi untuk indentasi, bukan tab"),
    ],
)
def test_what_yaml_says(tmp_path: Path, text: str, expected: str) -> None:
    """Libyaml's reasons at their lines."""
    path = tmp_path / "bwmgr.yaml"
    path.write_text(text, encoding="utf-8")
    assert said(path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-30T00:00", "bulan itu tidak punya hari tersebut"),
        ("2026-13-01T00:00", "bulan harus 1 sampai 12"),
        ("2026-01-01T25:30", "jam harus 0 sampai 23"),
        ("2026-01-01T08:60", "menit harus 0 sampai 59"),
        ("2026-01-01T08:00:60", "detik harus 0 sampai 59"),
    ],
)
def test_what_the_calendar_says(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "bwmgr.yaml"
    event = f"{{id: e, links: [], down: 1M, start: 2026-01-01T00:00, end: '{text}'}}"
    path.write_text(f"organisation: {{name: A}}\nevents:\n  - {event}\n", encoding="utf-8")
    assert said(path) == f":3: events.e.end: tidak ada waktu itu: {text} ({expected})"


def test_what_the_system_says(tmp_path: Path) -> None:
    assert said(tmp_path / "none.yaml") == ": tidak dapat dibaca: berkas atau folder tidak ada"
    assert said(tmp_path) == ": tidak dapat dibaca: ini folder, bukan berkas"
