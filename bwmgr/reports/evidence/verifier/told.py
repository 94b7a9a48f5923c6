"""The command line of a verifier that travels alone: what it says, in Indonesian and English, and its exit code.

Owns its few sentences itself, since a pack has no catalogue of translations beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .archive import Finding, NoPack
from .check import Outcome, check

SENTENCES = {
    "id": {
        "signature": "{file}: tanda tangan tidak cocok: daftar isi bukan yang ditandatangani",
        "key": "ditandatangani dengan kunci lain: {theirs}, seharusnya {mine}",
        "twice": "{file}: ada lebih dari sekali di dalam arsip",
        "not listed": "{file}: tidak ada dalam daftar isi",
        "missing": "{file}: hilang dari arsip",
        "changed": "{file}: isinya bukan yang ditandatangani",
        "unreadable": "{file}: tidak dapat dibaca: {what}",
        "times": "{file}: waktu sampel tidak berurutan atau di luar periode",
        "no samples": "{file}: {what}: tidak ada sampelnya",
        "no figures": "{file}: {what}: tidak ada angkanya",
        "figure": "{file}: {what}: dihitung ulang {mine}, tertulis {theirs}",
        "journal": "{file}: {what}: bukan seperti yang ditulis",
        "not in journal": "{file}: jejak audit tidak mengenal angka bulan ini",
        "not an evidence pack": "{file}: bukan paket bukti: {what}",
        "another format": "{file}: ini {theirs!r}; pemeriksa ini mengenal {mine!r}",
        "done": "{figures} angka dihitung ulang dari {samples} sampel",
        "good": "semua cocok",
        "bad": "{count} hal tidak cocok",
        "whose": "kunci publik: {key}",
        "compare": "bandingkan kunci publik itu dengan yang diumumkan kantor, atau ulangi dengan --key KUNCI",
    },
    "en": {
        "signature": "{file}: the signature does not fit: this list of contents is not the one that was signed",
        "key": "signed with another key: {theirs}, it should be {mine}",
        "twice": "{file}: is in the archive more than once",
        "not listed": "{file}: is not in the list of contents",
        "missing": "{file}: is missing from the archive",
        "changed": "{file}: is not what was signed",
        "unreadable": "{file}: cannot be read: {what}",
        "times": "{file}: times of samples are out of order or outside the period",
        "no samples": "{file}: {what}: there are no samples of it",
        "no figures": "{file}: {what}: there are no figures of it",
        "figure": "{file}: {what}: recomputed {mine}, written {theirs}",
        "journal": "{file}: {what}: is not as it was written",
        "not in journal": "{file}: the journal knows no such figures of a closed month",
        "not an evidence pack": "{file}: not an evidence pack: {what}",
        "another format": "{file}: this is {theirs!r}; this verifier knows {mine!r}",
        "done": "{figures} figures recomputed from {samples} samples",
        "good": "all of them agree",
        "bad": "{count} things do not agree",
        "whose": "public key: {key}",
        "compare": "compare that public key with the one that the office made known, or run again with --key KEY",
    },
}
MOST_NAMED = 200


def sentence(finding: Finding, language: str = "en") -> str:
    """One finding in words."""
    return SENTENCES[language][finding.code].format(**finding._asdict())


def report(outcome: Outcome, language: str, *, key: str) -> list[str]:
    """All that there is to say, line by line."""
    said = SENTENCES[language]
    lines = [sentence(finding, language) for finding in outcome.findings[:MOST_NAMED]]
    lines.append(said["done"].format(figures=outcome.figures, samples=outcome.samples))
    lines.append(said["bad"].format(count=len(outcome.findings)) if outcome.findings else said["good"])
    lines.append(said["whose"].format(key=outcome.public_key))
    if not key:
        lines.append(said["compare"])
    return lines


def main(arguments: Sequence[str]) -> int:
    """`verify.py [FILE] [--key KEY] [--lang id|en]`: 0 where all agrees, 1 where not, 2 where it is no pack."""
    parser = argparse.ArgumentParser(prog="verify", description="Checks an evidence pack and recomputes its figures.")
    parser.add_argument("file", type=Path, help="the pack, a .zip")
    parser.add_argument("--key", default="", help="the public key that it must be signed with, hexadecimal")
    parser.add_argument("--lang", choices=sorted(SENTENCES), default="id")
    asked = parser.parse_args(list(arguments))
    try:
        outcome = check(asked.file, key=asked.key)
    except NoPack as error:
        sys.stderr.write(f"{sentence(error.finding, asked.lang)}\n")
        return 2
    sys.stdout.write("\n".join([*report(outcome, asked.lang, key=asked.key), ""]))
    return 1 if outcome.findings else 0
