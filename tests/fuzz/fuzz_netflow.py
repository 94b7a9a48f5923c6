"""Any octets through every decoder of flows: no exception, no hang, no memory that grows.

    python tests/fuzz/fuzz_netflow.py HISTORY_FILE                      what fuzz-history.bin has, again
    python tests/fuzz/fuzz_netflow.py [CORPUS_DIRECTORY] [-runs=10000000] [-max_len=1500]     (atheris: pip install '.[fuzz]')

An input is several datagrams: two octets of length before each. The same decoders go on from input to input, as a daemon's do, so
that templates of one meet the data of another. The columnar decoder takes the datagrams of many inputs at once, as it does at
work, and must count what the plain one counts; where it does not, all that both have heard is left in fuzz-history.bin, by batch.
Which data are dropped where too many wait for templates depends on the order within a batch: decoders that meet such bounds take
turns with those that are compared.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["collectors.netflow"]):
    from collectors.netflow.batch import Datagrams
    from collectors.netflow.captures import split_payloads
    from collectors.netflow.decoder import ColumnDecoder
    from collectors.netflow.documents import Documents
    from collectors.netflow.plain import PlainDecoder
    from collectors.netflow.templates import TemplateLimits

import numpy as np

from bwmgr.errors import DecodeError

HISTORY = Path("fuzz-history.bin")
_BATCH_ENDS = b"\xff\xff"
_BOUNDED = TemplateLimits(templates=500, all_fields=5000, early_octets=200_000, early_octets_per_scope=20_000)
_UNBOUNDED = TemplateLimits(early_octets=1 << 30, early_octets_per_scope=1 << 30)
_NOW_MS = 1_700_000_000_000
_EVERY = 16
"""One input in so many also goes through the documents of `flows decode`, which are slow."""
_BATCH = 256
"""Inputs that go through the columnar decoder at once."""
_RENEW = 64
"""After so many batches decoders begin anew."""


class Subject:
    """Both decoders, with what they remember, and the datagrams that the columnar one has yet to see."""

    def __init__(self, *, bounded: bool) -> None:
        self.bounded, limits = bounded, _BOUNDED if bounded else _UNBOUNDED
        self.plain = PlainDecoder(limits)
        self.columns = ColumnDecoder(["a"], limits=limits)
        self.documents = Documents()
        self.inputs = 0
        self.problems: Counter[str] = Counter()
        self.waiting: list[bytes] = []
        HISTORY.unlink(missing_ok=True)

    def take(self, octets: bytes) -> None:
        """One input. Raises: AssertionError where the decoders disagree."""
        self.inputs += 1
        documented = self.inputs % _EVERY == 0
        for payload in split(octets):
            self.waiting.append(payload)
            self.decode_plainly(payload, documented=documented)
        if documented:
            list(split_payloads(octets))
        if self.inputs % _BATCH == 0:
            self.compare()

    def decode_plainly(self, payload: bytes, *, documented: bool) -> None:
        """`documented`: also as `flows decode` does."""
        try:
            decoded = self.plain.decode(payload, "a", _NOW_MS)
        except DecodeError as error:
            self.problems[error.reason] += 1
            return
        self.problems.update(decoded.problems)
        if documented:
            self.documents.of(decoded.records)

    def compare(self) -> None:
        """The batch is over. Raises: AssertionError."""
        with HISTORY.open("ab") as history:
            history.write(b"".join(len(each).to_bytes(2, "big") + each for each in self.waiting) + _BATCH_ENDS)
        found = self.columns.decode(datagrams(self.waiting), _NOW_MS).problems
        assert self.columns.templates.early_octets <= self.columns.templates.limits.early_octets
        assert self.bounded or +found == +self.problems, f"plain {dict(self.problems)}, columns {dict(found)}"
        self.problems.clear()
        self.waiting.clear()


def replay(history: bytes) -> None:
    """Batches of a history. Raises: AssertionError."""
    subject = Subject(bounded=False)
    at = 0
    while at < len(history):
        mark, at = history[at : at + 2], at + 2
        if mark == _BATCH_ENDS:
            subject.compare()
            continue
        payload = history[at : at + int.from_bytes(mark, "big")]
        at += len(payload)
        subject.waiting.append(payload)
        subject.decode_plainly(payload, documented=False)


def split(octets: bytes) -> Iterator[bytes]:
    """Datagrams of an input."""
    at = 0
    while at + 2 <= len(octets):
        length = int.from_bytes(octets[at : at + 2], "big") % 1500
        yield octets[at + 2 : at + 2 + length]
        at += 2 + length


def datagrams(payloads: list[bytes]) -> Datagrams:
    """Payloads one after the other in one buffer."""
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    buffer = np.frombuffer(b"".join(payloads) + bytes(64), np.uint8)
    start = np.cumsum(lengths) - lengths
    return Datagrams(buffer=buffer, start=start, length=lengths, exporter=np.zeros(len(payloads), np.int64))


def main() -> None:
    if len(sys.argv) == 2 and Path(sys.argv[1]).is_file():  # the program and the file
        replay(Path(sys.argv[1]).read_bytes())
        return
    subjects = [Subject(bounded=False)]

    def one_input(octets: bytes) -> None:
        if subjects[0].inputs >= _RENEW * _BATCH:
            subjects[0] = Subject(bounded=not subjects[0].bounded)
        subjects[0].take(octets)

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
