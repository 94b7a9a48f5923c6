"""What stores and renderers refuse, as an operator reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr.errors import StoreUnavailable, UsageError, system_reason
from bwmgr.language import Words
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue
from bwmgr.model.inventory import Direction
from bwmgr.renderers import junos
from bwmgr.stores.lock import Lock

INDONESIAN = Words("id")
QUEUE = Queue(recommendation="0123456789ab", link="dinkes", direction=Direction.UP, cir_bps=1_000_000, mir_bps=2_000_000)


def test_the_systems_own_words_are_translated_with_the_path(tmp_path: Path) -> None:
    """A file stands where the data folder should be."""
    (tmp_path / "data").touch()
    folder = tmp_path / "data" / "bwmgr"
    with pytest.raises(StoreUnavailable) as refused, Lock(folder):
        pass
    assert str(refused.value) == f"{folder}/lock: Not a directory"
    assert INDONESIAN.error(refused.value) == f"{folder}/lock: bukan folder"


def test_a_reason_of_the_system_that_is_rare_stays_as_it_is() -> None:
    assert system_reason(OSError(5, "Input/output error")) == "Input/output error"
    assert system_reason(OSError("timed out")) == "timed out"


def test_a_direction_in_a_refusal_is_a_word_of_the_language() -> None:
    with pytest.raises(UsageError) as refused:
        junos.render(QUEUE, Bandwidth(cir_bps=0, mir_bps=None))
    assert INDONESIAN.error(refused.value).endswith("beri titik itu jaringan (networks) untuk batas unggah")
