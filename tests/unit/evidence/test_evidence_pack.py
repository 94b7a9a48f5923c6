"""Evidence packs: complete, the same each time, without secrets, and nothing in them can be changed unseen."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bwmgr.measure.windows import rank_of
from bwmgr.reports.evidence.verifier import told
from bwmgr.reports.evidence.verifier.archive import FORMAT, MANIFEST, SIGNATURE, Archive, Finding
from bwmgr.reports.evidence.verifier.check import Outcome, check
from bwmgr.reports.evidence.verifier.samples import Spans, nearest_rank, rates, read, usage
from bwmgr.reports.evidence.verifier.trail import JOURNAL
from bwmgr.stores.journal_keys import make_key

from .conftest import Office

Contents = dict[str, bytes]


def _contents(path: Path) -> Contents:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written(contents: Contents, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def _resigned(contents: Contents, office: Office, folder: Path) -> Path:
    """As somebody who holds another key would hide a change: all hashes and the signature made anew."""
    other = make_key(folder / "other.pem")
    manifest = json.loads(contents[MANIFEST])
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "octets": len(content)}
        for name, content in contents.items()
        if name not in (MANIFEST, SIGNATURE)
    }
    contents[MANIFEST] = json.dumps(manifest).encode()
    signature = other.sign(hashlib.sha256(contents[MANIFEST]).hexdigest())
    contents[SIGNATURE] = json.dumps({"public_key": other.public.hexadecimal, "signature": signature}).encode()
    return _written(contents, folder / "resigned.zip")


def _codes(outcome: Outcome) -> set[tuple[str, str]]:
    return {(one.code, one.file) for one in outcome.findings}


def test_a_pack_is_whole_and_every_figure_agrees(office: Office, pack: Path) -> None:
    """Use under two calendars, service, need and sharing of three links and an uplink, recomputed by other code."""
    outcome = check(pack, key=office.key.public.hexadecimal)
    assert outcome.findings == []
    assert outcome.samples == 4 * (2 * 288 - 1)  # the row at the end belongs to what follows
    assert outcome.figures > 100


def test_the_same_history_gives_the_same_octets(office: Office, pack: Path) -> None:
    """Nothing of when or where it was made is in it."""
    assert office.build("again.zip").read_bytes() == pack.read_bytes()


def test_plain_python_runs_the_verifier_out_of_the_archive(pack: Path, tmp_path: Path) -> None:
    """`python3 PACK.zip`, isolated: nothing of this environment is on its path; so do the unpacked files."""
    direct = subprocess.run([sys.executable, "-I", "-S", str(pack)], capture_output=True, text=True, timeout=60, check=False)
    assert direct.returncode == 0, direct.stdout + direct.stderr
    assert "semua cocok" in direct.stdout
    shutil.unpack_archive(pack, tmp_path)
    unpacked = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(pack), "--lang", "en", "--key", "00" * 32]
    found = subprocess.run(unpacked, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert "signed with another key" in found.stdout


def test_no_secret_and_no_address_is_in_a_pack(office: Office, pack: Path) -> None:
    """The community, the private key, device addresses and agencies' networks stay at home (fault 53)."""
    private = (office.folder / "key.pem").read_text().splitlines()[1]
    for name, content in _contents(pack).items():
        text = content.decode()
        for hidden in ("public-community", private, "127.0.0.1", "PRIVATE", "credentials"):
            assert hidden not in text, name


@pytest.mark.parametrize(
    "name", ["samples/links/link-0.csv", "usage.csv", "needs.csv", "methods.json", "inventory.json", "verifier/check.py"]
)
def test_a_changed_octet_of_any_file_is_found(pack: Path, tmp_path: Path, name: str) -> None:
    """By its hash, and the file is named."""
    contents = _contents(pack)
    contents[name] = contents[name].replace(b"1", b"2", 1)
    assert ("changed", name) in _codes(check(_written(contents, tmp_path / "p.zip")))


def test_a_removed_an_added_and_a_doubled_file_are_found(pack: Path, tmp_path: Path) -> None:
    """What the signed list does not say is not in a pack, and what it says is."""
    contents = _contents(pack)
    del contents["limits.csv"]
    contents["more.txt"] = b""
    path = _written(contents, tmp_path / "p.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("usage.csv", contents["usage.csv"])
    assert {("missing", "limits.csv"), ("not listed", "more.txt"), ("twice", "usage.csv")} <= _codes(check(path))


def test_a_changed_list_or_signature_is_found(pack: Path, tmp_path: Path) -> None:
    """The list of contents with one more blank; the signature with one digit changed; a signature that is none."""
    contents = _contents(pack)
    changed = _written(contents | {MANIFEST: contents[MANIFEST] + b" "}, tmp_path / "a.zip")
    assert _codes(check(changed)) == {("signature", MANIFEST)}
    said = json.loads(contents[SIGNATURE])
    for number, sign in enumerate((said["signature"][::-1], "not hexadecimal", "")):
        wrong = json.dumps({**said, "signature": sign}).encode()
        assert _codes(check(_written(contents | {SIGNATURE: wrong}, tmp_path / f"{number}.zip"))) == {("signature", MANIFEST)}


def _row(contents: Contents, name: str, change: Callable[[list[list[str]]], None]) -> None:
    rows = list(csv.reader(io.StringIO(contents[name].decode(), newline="")))
    change(rows)
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    contents[name] = stream.getvalue().encode()


def _doubled(rows: list[list[str]]) -> None:
    rows[100][4] = repr(2 * float(rows[100][4]) + 1e6)


def test_a_changed_row_under_new_hashes_and_a_new_signature_is_found_by_its_figures(
    office: Office, pack: Path, tmp_path: Path
) -> None:
    """File and figure are named: one rate of one link moves its mean and octets; and the key is another one."""
    contents = _contents(pack)
    _row(contents, "samples/links/link-1.csv", _doubled)
    outcome = check(_resigned(contents, office, tmp_path), key=office.key.public.hexadecimal)
    figures = {(one.file, one.what) for one in outcome.findings if one.code == "figure"}
    assert ("usage.csv", "link-1 down always octets") in figures
    assert ("usage.csv", "link-1 down always mean_bps") in figures
    assert not [what for _, what in figures if "link-0" in what]
    assert ("key", SIGNATURE) in _codes(outcome)


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("usage.csv", lambda rows: rows[1].__setitem__(7, "99999999.0"), ("figure", "usage.csv")),
        ("usage.csv", lambda rows: rows.pop(1), ("no figures", "series.csv")),
        ("availability.csv", lambda rows: rows[1].__setitem__(3, "3600.0"), ("figure", "availability.csv")),
        ("requests.csv", lambda rows: rows[1].__setitem__(4, "within"), ("figure", "requests.csv")),
        ("needs.csv", lambda rows: rows[1].__setitem__(4, "at least"), ("figure", "needs.csv")),
        ("samples/links/link-2.csv", lambda rows: rows.pop(5), ("figure", "usage.csv")),
        ("samples/links/link-2.csv", lambda rows: rows.insert(5, rows[5]), ("times", "samples/links/link-2.csv")),
        ("samples/links/link-2.csv", lambda rows: rows[5].__setitem__(0, "x"), ("unreadable", "samples/links/link-2.csv")),
        ("series.csv", lambda rows: rows.pop(1), ("no samples", "usage.csv")),
    ],
)
def test_each_kind_of_figure_is_checked(
    office: Office,
    pack: Path,
    tmp_path: Path,
    name: str,
    change: Callable[[list[list[str]]], None],
    expected: tuple[str, str],
) -> None:
    """Whoever signs anew still cannot change a figure, leave one out, or add, move or break a row."""
    contents = _contents(pack)
    _row(contents, name, change)
    assert expected in _codes(check(_resigned(contents, office, tmp_path)))


def test_hours_that_the_calendar_does_not_have_are_found(office: Office, pack: Path, tmp_path: Path) -> None:
    """Working hours cut so that a peak lies outside: the open time no longer follows from the calendar's week and closed days."""
    contents = _contents(pack)
    said = json.loads(contents["methods.json"])
    assert said["calendar_rules"]["office"]["week"][0] == [["07:30", "16:00"]]
    said["calendars"]["office"] = said["calendars"]["office"][:1]
    contents["methods.json"] = json.dumps(said).encode()
    findings = check(_resigned(contents, office, tmp_path)).findings
    assert ("methods.json", "calendar office") in [(one.file, one.what) for one in findings]


def test_a_changed_share_is_found(office: Office, pack: Path, tmp_path: Path) -> None:
    """Allocation against need: what a link is said to get must be what guarantees and weights give it."""
    contents = _contents(pack)
    said = json.loads(contents["allocation.json"])
    said["down"]["links"][0]["allocation_bps"] += 1000
    contents["allocation.json"] = json.dumps(said).encode()
    findings = check(_resigned(contents, office, tmp_path)).findings
    assert [(one.file, one.what) for one in findings] == [("allocation.json", "link-0 down allocation_bps")]


def test_the_journal_is_followed_entry_by_entry(office: Office, pack: Path, tmp_path: Path) -> None:
    """One that was changed, left out or put at the end by somebody without the key is named."""
    lines = _contents(pack)[JOURNAL].splitlines()
    assert len(lines) == 3
    forged = json.loads(lines[-1])
    forged["body"] = forged["body"].replace('"number":3', '"number":4').replace(json.loads(lines[-1])["hash"], "")
    forged["hash"] = hashlib.sha256(forged["body"].encode()).hexdigest()
    changes = {
        "entry 2": [lines[0], lines[1].replace(b"subject-1", b"subject-9"), lines[2]],
        "entry 1": lines[1:],
        "entry 4": [*lines, json.dumps(forged).encode()],
    }
    for number, (said, changed) in enumerate(changes.items()):
        contents = _contents(pack) | {JOURNAL: b"".join(line + b"\n" for line in changed)}
        folder = tmp_path / str(number)
        folder.mkdir()
        found = check(_resigned(contents, office, folder)).findings
        assert (JOURNAL, said) in [(one.file, one.what) for one in found if one.code == "journal"]


def test_a_forged_last_entry_lacks_the_signature(office: Office, pack: Path, tmp_path: Path) -> None:
    """A chain that is right, whose end somebody without the private key wrote; the pack's key names the journal's."""
    contents = _contents(pack)
    lines = [json.loads(line) for line in contents[JOURNAL].splitlines()]
    body = lines[2]["body"].replace("subject-2", "subject-7")
    lines[2] = {"body": body, "hash": hashlib.sha256(body.encode()).hexdigest(), "signature": lines[2]["signature"]}
    contents[JOURNAL] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    found = check(_written(contents, tmp_path / "p.zip")).findings
    assert (JOURNAL, "entry 3 signature") in [(one.file, one.what) for one in found]
    assert office.key.id in lines[2]["body"]


def test_figures_of_a_closed_month_are_those_that_the_journal_knows(office: Office, pack: Path, tmp_path: Path) -> None:
    """A report's figures that nobody closed are named."""
    month = {"start": "2026-03-01T17:00:00Z", "end": "2026-03-02T17:00:00Z", "links": [_month_of(pack)]}
    contents = _contents(pack) | {"reports/monthly/2026-03.1.json": json.dumps(month).encode()}
    found = check(_resigned(contents, office, tmp_path)).findings
    assert ("not in journal", "reports/monthly/2026-03.1.json") in {(one.code, one.file) for one in found}
    figures = [one.what for one in found if one.file.startswith("reports/") and one.code == "figure"]
    assert figures == ["link-0 down always max_bps"]


def _month_of(pack: Path) -> dict[str, object]:
    """A month of one day of one link, of which every figure is right but the maximum."""
    methods = json.loads(_contents(pack)["methods.json"])
    day = [methods["start_ms"], methods["start_ms"] + 86_400_000]
    spans = Spans([day])
    counted = rates(read(_contents(pack)["samples/links/link-0.csv"]), spans)
    use = {"calendar": "always", **usage(counted, "down", spans, methods)}
    return {"id": "link-0", "office": {}, "always": {"down": {**use, "max_bps": 1.0}}}


def test_any_octet_of_the_archive_may_be_changed_and_is_found(pack: Path, tmp_path: Path) -> None:
    """Anywhere, also in the zip's own tables: it is said, or no file's content is another one; never an error of another kind."""
    whole, contents = pack.read_bytes(), _contents(pack)
    path = tmp_path / "p.zip"
    for place in [*range(3, len(whole), len(whole) // 40), *range(len(whole) - 400, len(whole), 23)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            archive = Archive(path)
            found = list(archive.findings())
            same = all(archive.read(name) == content for name, content in contents.items())
        except (ValueError, KeyError):
            continue
        assert found or same, place


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (19, 19), (20, 19), (21, 20), (8640, 8208)])
def test_the_verifier_takes_the_nearest_rank(count: int, rank: int) -> None:
    """Fault 63: of 1, 19, 20, 21 and 8,640 samples the same one as the program's; of none there is no figure."""
    figures = [float(number) for number in range(count, 0, -1)]
    assert nearest_rank(figures, 95.0) == rank == rank_of(count, 95.0)
    assert usage([], "down", Spans([[0, 1000]]), {"enough_ratio": 0.7, "saturated_from_ratio": 0.95})["p95_bps"] is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\0" * 4096])
def test_what_is_no_pack_is_refused(tmp_path: Path, content: bytes) -> None:
    """A clear error that names the file."""
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.zip: not an evidence pack"):
        check(path)


def test_what_is_no_pack_is_refused_in_the_language_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the verifier that travels alone, too; exit code 2."""
    path = tmp_path / "x.zip"
    path.write_bytes(b"")
    assert told.main([str(path), "--lang", "id"]) == told.main([str(path), "--lang", "en"]) == 2
    indonesian, english = capsys.readouterr().err.splitlines()
    assert indonesian.startswith(f"{path}: bukan paket bukti: ")
    assert english.startswith(f"{path}: not an evidence pack: ")


def test_a_pack_of_another_format_is_refused_with_both_names() -> None:
    finding = Finding("another format", "x.zip", "bwmgr evidence 2", FORMAT, "bwmgr evidence 2")
    assert told.sentence(finding) == "x.zip: this is 'bwmgr evidence 2'; this verifier knows 'bwmgr evidence 1'"
    assert told.sentence(finding, "id") == "x.zip: ini 'bwmgr evidence 2'; pemeriksa ini mengenal 'bwmgr evidence 1'"


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    """Also one that is broken off in the middle."""
    with pytest.raises(ValueError, match="not an evidence pack"):
        check(_written({"a.txt": b"a"}, tmp_path / "y.zip"))
