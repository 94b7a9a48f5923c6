"""The journal in a pack: every entry as it was written, each chained to the one before, the last one signed.

The signature of the last signed entry covers all before it, since each entry's text holds the hash of the one before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from . import ed25519
from .archive import Finding

JOURNAL = "journal.jsonl"
FIRST = "0" * 64

Entry = dict[str, Any]


def entries(content: bytes) -> list[Entry]:
    """Lines `{"body": ..., "hash": ..., "signature": ...}`; the body is a text. Raises: ValueError, KeyError, TypeError."""
    found = [json.loads(line) for line in content.decode("utf-8").splitlines()]
    return [{**entry, "said": json.loads(entry["body"])} for entry in found]


def findings(journal: list[Entry], keys: dict[str, str]) -> Iterator[Finding]:
    """`keys`: public keys, hexadecimal, by the names that entries bear; an entry of a key that is not there is not judged."""
    previous, number = FIRST, 0
    for entry in journal:
        said, number = entry["said"], number + 1
        right = hashlib.sha256(entry["body"].encode()).hexdigest() == entry["hash"]
        if not right or said["previous"] != previous or said["number"] != number:
            yield Finding("journal", JOURNAL, f"entry {number}")
        previous = entry["hash"]
    for name, key in keys.items():
        signed = [entry for entry in journal if entry["said"]["key"] == name]
        if signed and not _is_signed(signed[-1], key):
            yield Finding("journal", JOURNAL, f"entry {signed[-1]['said']['number']} signature")


def closed_months(journal: list[Entry]) -> set[str]:
    """SHA-256 of the figures of every month that was closed, as the journal says."""
    actions = ("month.closed", "month.reopened")
    return {entry["said"]["details"]["figures_sha256"] for entry in journal if entry["said"]["action"] in actions}


def _is_signed(entry: Entry, key: str) -> bool:
    try:
        return ed25519.verify(bytes.fromhex(key), bytes.fromhex(entry["hash"]), bytes.fromhex(entry["signature"]))
    except ValueError:
        return False
