"""The folder in which batches wait for the server."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.errors import StoreRejected, StoreUnavailable
from bwmgr.measure.columns import RateBatch
from bwmgr.stores import FLOW_USAGE, LINK_RATE
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.protocol import escaped
from bwmgr.stores.influx.spool import Spool, load
from tests.unit.influx.conftest import batch


def test_a_batch_comes_back_bit_for_bit_and_in_order(tmp_path: Path) -> None:
    """Also in another process: nothing is remembered but files."""
    for minute in range(3):
        Spool(tmp_path).add(LINK_RATE, batch(4, minute))
    found = list(Spool(tmp_path).batches(LINK_RATE))
    assert [piece.rows.tobytes() for piece in found] == [batch(4, minute).rows.tobytes() for minute in range(3)]
    assert found[0].series == batch(4).series
    assert not list(Spool(tmp_path).batches(FLOW_USAGE))


def test_a_full_spool_drops_its_oldest_whole_segments(tmp_path: Path) -> None:
    """fault 40: counted, the newest kept, never larger than its bound."""
    spool = Spool(tmp_path, most_octets=2000)
    for minute in range(60):
        spool.add(LINK_RATE, batch(20, minute))
        assert spool.depth().octets <= 2000
    kept = [int(piece.rows["end_ms"][0]) for piece in spool.batches(LINK_RATE)]
    assert spool.dropped == 60 - len(kept) > 0
    assert kept == [int(batch(1, minute).rows["end_ms"][0]) for minute in range(60 - len(kept), 60)]
    with pytest.raises(StoreUnavailable, match="more than the spool may hold"):
        spool.add(LINK_RATE, _noise(2000))


def test_a_batch_is_on_the_disk_when_adding_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 47: the file before it has its name, its folder after that: a power cut takes at most what had not returned."""
    synced: list[str] = []

    def fsync(opened: int) -> None:
        name = Path(f"/proc/self/fd/{opened}").resolve()
        synced.append("folder" if name == tmp_path else name.suffix)

    monkeypatch.setattr(os, "fsync", fsync)
    Spool(tmp_path).add(LINK_RATE, batch(4))
    assert synced == [".part", "folder"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".batch"]


def test_a_damaged_segment_is_put_aside(tmp_path: Path) -> None:
    """It stops nothing that comes after it, and is kept for a person."""
    spool = Spool(tmp_path)
    path = spool.add(LINK_RATE, batch(4))
    path.write_bytes(path.read_bytes()[:-9])
    assert load(path) is None
    assert (spool.waiting(), len(list(tmp_path.glob("*.damaged")))) == ([], 1)


def test_rows_of_an_older_layout_are_still_read(tmp_path: Path) -> None:
    """A column that did not exist then is 0, or NaN."""
    old = batch(2)
    layout = [(name, old.rows.dtype[name]) for name in old.rows.dtype.names or () if name not in ("rtt_us", "up_errors_ps")]
    rows = np.zeros(2, layout)
    rows["end_ms"] = old.rows["end_ms"]
    spool = Spool(tmp_path)
    spool.add(LINK_RATE, RateBatch(series=old.series, rows=rows))
    (found,) = spool.batches(LINK_RATE)
    assert found.rows["rtt_us"].tolist() == [0, 0]
    assert np.isnan(found.rows["up_errors_ps"]).all()


def test_depth_says_how_much_waits_and_for_how_long(tmp_path: Path) -> None:
    """Age is that of the oldest file."""
    spool = Spool(tmp_path)
    assert spool.depth().segments == 0
    path = spool.add(LINK_RATE, batch(4))
    hour_ago = time.time() - timedelta(hours=1).total_seconds()
    os.utime(path, (hour_ago, hour_ago))
    assert (spool.depth().segments, spool.depth().octets) == (1, path.stat().st_size)
    assert 3600 <= spool.depth().oldest_seconds < 3660


def test_one_process_sends_at_a_time(tmp_path: Path) -> None:
    """Two of them would not do harm, only double work."""
    with Spool(tmp_path).sender() as first, Spool(tmp_path).sender() as second:
        assert (first, second) == (True, False)
    with Spool(tmp_path).sender() as after:
        assert after


def test_names_are_escaped_or_refused() -> None:
    """fault 64: comma, space and equals sign; what no version of the protocol can say is refused before it is kept."""
    assert escaped('a,b c=d "é 🚦" x\\y') == 'a\\,b\\ c\\=d\\ "é\\ 🚦"\\ x\\y'
    for name in ("a\nb", "a\rb", "ends\\", "a\\,b"):
        with pytest.raises(StoreRejected):
            escaped(name)
    with pytest.raises(StoreRejected, match="no key of flows"):
        Renderer().check(FLOW_USAGE, ["dinkes|down"])


def test_lines_carry_the_schema_that_dashboards_read() -> None:
    """Floats without a suffix, integers with it, strings in quotes; seconds; utilisation only where there is a limit."""
    one = batch(1)
    one.rows["down_limit_bps"], one.rows["up_limit_bps"], one.rows["interval_ticks"] = 4.0, np.inf, 6000
    one.rows["down_errors_ps"] = np.nan
    tags = {(LINK_RATE, "link-0"): {"kind": "opd", "node": "kota", "device": "rb 1", "opd": "dinkes"}}
    down, up, state = Renderer(tags).body(LINK_RATE, one).decode().splitlines()
    assert down == (
        "link_rate,device=rb\\ 1,direction=down,kind=opd,link=link-0,node=kota,opd=dinkes "
        'rate_bps=1,utilisation=0.25,quality="ok",'
        "limit_bps=4,discards_ps=0,interval_s=60,holds=3i,quality_flags=0i,interval_ticks=6000i,rtt_us=0i,if_high_speed_mbps=0i "
        "1767225660"
    )
    assert "utilisation" not in up
    assert "limit_bps" not in up
    assert state == 'link_state,device=rb\\ 1,link=link-0 reason="none",oper_up=true 1767225660'


def _noise(links: int) -> RateBatch:
    made = batch(links)
    made.rows["down_bps"] = np.random.default_rng(1).random(links)
    return made
