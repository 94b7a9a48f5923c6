"""What the fuzzer does in hours, for a second: seeded damage to the seeds; both decoders count the same, nothing raises."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bwmgr.errors import DecodeError
from collectors.netflow.batch import Datagrams
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.plain import PlainDecoder

NOW_MS = 1_700_000_000_000


def _seeds() -> list[list[bytes]]:
    spec = importlib.util.spec_from_file_location("fuzz_seeds", Path(__file__).with_name("seeds.py"))
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[list[bytes]] = module.seeds()
    return found


SEEDS = _seeds()


@pytest.mark.parametrize("seed", range(20))
def test_damaged_datagrams_are_counted_alike(seed: int) -> None:
    """Four hundred datagrams of all kinds, damaged, to decoders that remember the ones before."""
    chance = random.Random(seed)
    payloads = [_damaged(payload, chance) for _ in range(100) for payload in chance.choice(SEEDS)][:400]
    assert _columnar(payloads) == _plain(payloads)


def _damaged(payload: bytes, chance: random.Random) -> bytes:
    octets = bytearray(payload)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
        octets[chance.randrange(len(octets))] = chance.choice((0, 1, 2, 4, 10, 127, 255, chance.randrange(256)))
    if chance.random() < 0.2:
        at = chance.randrange(len(octets))
        octets[at:at] = octets[: chance.randrange(64)]
    return bytes(octets[: chance.randrange(1, len(octets) + 1)]) if chance.random() < 0.2 else bytes(octets)


def _plain(payloads: list[bytes]) -> Counter[str]:
    decoder, problems = PlainDecoder(), Counter[str]()
    for payload in payloads:
        try:
            problems.update(decoder.decode(payload, "a", NOW_MS).problems)
        except DecodeError as error:
            problems[error.reason] += 1
    return problems


def _columnar(payloads: list[bytes]) -> Counter[str]:
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    buffer = np.frombuffer(b"".join(payloads) + bytes(64), np.uint8)
    start = np.cumsum(lengths) - lengths
    datagrams = Datagrams(buffer=buffer, start=start, length=lengths, exporter=np.zeros(len(payloads), np.int64))
    return +ColumnDecoder(["a"]).decode(datagrams, NOW_MS).problems
