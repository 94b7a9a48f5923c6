"""A real InfluxDB that goes away and comes back; full disks; servers that are not InfluxDB."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.secret import Secret
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import Access, InfluxStore
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.making import ensure
from bwmgr.stores.influx.rollups import hours, into
from bwmgr.stores.influx.tasks import script
from bwmgr.testing.influx_versions import access_to, installed, missing, running
from bwmgr.testing.influxd import Influxd, VictoriaMetrics, influxd_programs
from bwmgr.testing.influxd2 import TOKEN, Influxd2

pytestmark = [pytest.mark.system, pytest.mark.clock]

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=2)
LINKS = 200
_TOKEN = {"Authorization": f"Token {TOKEN}"}
"""1.x without users does not look at it."""
ROOT = Path(__file__).resolve().parents[2]
_WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import Access, InfluxStore
from tests.system.test_influx_outage import cycle
store = InfluxStore(Access(url=sys.argv[1], database="bwmgr", timeout_seconds=5.0), Path(sys.argv[2]))
for number in range(int(sys.argv[3]), 100_000):
    store.write(LINK_RATE, cycle(number))
    print(number, flush=True)
"""


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    if reason := missing("1.6"):
        pytest.skip(reason)
    with Influxd(installed()["1.6"], tmp_path / "server") as server:
        yield server


@pytest.fixture(params=["1.6", "2.7"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Influxd | Influxd2]:
    """Of both kinds: what 1.x and 2.x answer to the same lines differs."""
    if reason := missing(request.param):
        pytest.skip(reason)
    with running(request.param, tmp_path / "server") as found:
        yield found


def cycle(number: int) -> RateBatch:
    """All links at a minute; every twentieth row is a gap."""
    rows = np.zeros(LINKS, RATE)
    rows["series"], rows["end_ms"] = np.arange(LINKS), int(START.timestamp() * 1000) + number * 60_000
    rows["down_bps"] = rows["up_bps"] = number * 1000.0 + np.arange(LINKS)
    rows["reason"][number % 20 :: 20] = 2
    return RateBatch(series=tuple(f"link-{n:03}" for n in range(LINKS)), rows=rows)


def _store(server: Influxd | Influxd2, folder: Path) -> InfluxStore:
    return InfluxStore(replace(access_to(server, "bwmgr"), timeout_seconds=5.0), folder)


def _points(server: Influxd | Influxd2) -> int:
    """Points of rates and gaps of one direction, as the server itself counts them."""
    query = "SELECT count(interval_ticks) FROM link_rate, link_gap WHERE direction = 'down'"
    url = f"{server.url}/query?{urllib.parse.urlencode({'db': 'bwmgr', 'q': query})}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=_TOKEN)) as answer:
        found = json.load(answer)["results"][0]
    return sum(series["values"][0][1] for series in found.get("series", ()))


def test_six_hours_without_a_server_are_delivered_once(server: Influxd | Influxd2, tmp_path: Path) -> None:
    """fault 39: what is written during an outage is there afterwards: the server's own count is what was sent, none twice."""
    store = _store(server, tmp_path / "spool")
    store.write(LINK_RATE, cycle(0))
    assert store.flush(20.0)
    server.kill()
    slowest = 0.0
    for number in range(1, 361):
        began = time.perf_counter()
        store.write(LINK_RATE, cycle(number))
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 5.0, "the poller waited for a server that is away"
    assert store.spool_state().segments == 360
    assert store.latest(LINK_RATE).rows["end_ms"].tolist() == cycle(360).rows["end_ms"].tolist()
    server.start()
    assert store.flush(60.0), store.spool_state()
    assert _points(server) == 361 * LINKS
    batch = store.read(LINK_RATE, start=START, end=END)
    assert len(batch.rows) == 361 * LINKS
    expected = np.concatenate([cycle(number).rows["down_bps"][cycle(number).rows["reason"] == 0] for number in range(361)])
    found = batch.rows["down_bps"][batch.rows["reason"] == 0]
    assert sorted(found.tolist()) == sorted(expected.tolist())
    store.close()


def test_a_server_killed_in_the_middle_and_a_writer_too_lose_nothing(influxd: Influxd, tmp_path: Path) -> None:
    """fault 46: every write that returned is on the server in the end, whoever died by kill -9; replay doubles nothing."""
    written = -1
    for _ in range(3):
        command = [sys.executable, "-c", _WRITER, influxd.url, str(tmp_path / "spool"), str(written + 1)]
        writer = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert writer.stdout is not None
        for line in writer.stdout:
            written = int(line)
            if written % 15 == 7:
                influxd.kill()
                influxd.start()
            if written % 15 == 14:
                break
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].split()
        written = int(rest[-1]) if rest else written
    store = _store(influxd, tmp_path / "spool")
    assert store.flush(60.0), store.spool_state()
    assert _points(influxd) in (
        (written + 1) * LINKS,
        (written + 2) * LINKS,
    )  # one more may have been kept before it could say so
    assert not list((tmp_path / "spool").glob("*.damaged"))
    store.close()


def test_a_field_that_someone_else_gave_another_type_is_put_aside(server: Influxd | Influxd2, tmp_path: Path) -> None:
    """fault 41: lines in conflict go to the file of refused lines, all others arrive."""
    store = _store(server, tmp_path / "spool")
    store.write(LINK_RATE, cycle(0))
    assert store.flush(20.0)
    url = f"{server.url}/write?db=bwmgr&precision=s"
    body = b"link_state,link=link-001 rtt_ms=2i 1767139200"
    request = urllib.request.Request(url, body, method="POST", headers=_TOKEN)
    urllib.request.urlopen(request).close()
    other = cycle(1)
    other.rows["rtt_us"] = 1500
    store.write(LINK_RATE, other)
    assert store.flush(20.0)
    assert _points(server) == 2 * LINKS
    assert (store.spool_state().refused_lines, store.spool_state().trouble) == (LINKS, "")
    store.close()


def test_a_line_that_cannot_be_parsed_costs_no_other(server: Influxd | Influxd2, tmp_path: Path) -> None:
    """fault 41: 1.x keeps the good lines of a request, 2.x none of them: afterwards all but the bad one are there."""
    store = _store(server, tmp_path / "spool")
    good = [b"link_gap,direction=down,link=l%d interval_ticks=1i %d\n" % (number, 1767225600 + number) for number in range(4999)]
    store.write_lines(b"".join([*good[:3000], b"link_gap,direction=down,link=bad interval_ticks= 1767225600\n", *good[3000:]]))
    assert store.flush(30.0), store.spool_state()
    assert (_points(server), store.spool_state().refused_lines) == (4999, 1)
    assert "link=bad" in (tmp_path / "spool" / "refused.jsonl").read_text()
    store.close()


def test_a_body_that_a_real_server_calls_too_large_is_halved(tmp_path: Path) -> None:
    """fault 43: `max-body-size` of 20 kB; all rows arrive, none is put aside."""
    if reason := missing("1.8"):
        pytest.skip(reason)
    with Influxd(installed()["1.8"], tmp_path / "server", most_octets=20_000) as small:
        store = _store(small, tmp_path / "spool")
        store.write(LINK_RATE, cycle(0))
        assert store.flush(30.0), store.spool_state()
        assert (_points(small), store.spool_state().refused_lines) == (LINKS, 0)
        store.close()


def test_time_that_goes_back_is_written_where_it_says(influxd: Influxd, tmp_path: Path) -> None:
    """fault 15, on the server: rows older than those before them are rows like any other, and overwrite none."""
    store = _store(influxd, tmp_path / "spool")
    for number in (10, 3, 7, 3):
        store.write(LINK_RATE, cycle(number))
    assert store.flush(20.0)
    assert np.unique(store.read(LINK_RATE, start=START, end=END).rows["end_ms"]).tolist() == [
        int(cycle(number).rows["end_ms"][0]) for number in (3, 7, 10)
    ]
    store.close()


def test_a_full_disk_refuses_and_recovers(influxd: Influxd, tmp_path: Path) -> None:
    """fault 45: StoreUnavailable, nothing half there, and no restart is needed once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"a small disk needs root and mount(8): {made.stderr.strip()}")
    try:
        influxd.kill()
        store = _store(influxd, disk / "spool")
        store.write(LINK_RATE, cycle(0))
        filler = disk / "filler"
        filler.write_bytes(b"x" * (20 << 20))
        with pytest.raises(StoreUnavailable, match="free some"):
            store.write(LINK_RATE, cycle(1))
        assert store.spool_state().segments == 1
        assert not list((disk / "spool").glob("*.part"))
        filler.unlink()
        store.write(LINK_RATE, cycle(1))
        influxd.start()
        assert store.flush(60.0), store.spool_state()
        assert _points(influxd) == 2 * LINKS
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_victoriametrics_takes_writes_and_is_not_believed(tmp_path: Path) -> None:
    """fault 62: it answers any InfluxQL with a list of databases; reading says so instead of finding nothing."""
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("victoria-metrics is not installed")
    with VictoriaMetrics(program, tmp_path / "victoria") as server:
        store = InfluxStore(Access(url=server.url, database="bwmgr", timeout_seconds=5.0), tmp_path / "spool")
        store.write(LINK_RATE, cycle(0))
        assert store.flush(20.0), store.spool_state()
        assert (store.server().product, store.server().queries) == ("VictoriaMetrics", False)
        with pytest.raises(StoreError, match="takes writes but does not answer InfluxQL"):
            store.read(LINK_RATE, start=START, end=END)
        store.close()


def test_a_user_and_password_are_used_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    """A server with auth-enabled: the right password writes and reads; a wrong one keeps all and raises the alarm."""
    program = influxd_programs().get("1.6")
    if program is None:
        pytest.skip("influxd is not installed (Debian: influxdb)")
    with Influxd(program, tmp_path / "server", auth=True) as server:
        query = urllib.parse.urlencode({"q": "CREATE USER noc WITH PASSWORD 'sandi' WITH ALL PRIVILEGES"}).encode()
        urllib.request.urlopen(f"{server.url}/query", query).close()
        wrong = Access(url=server.url, database="bwmgr", username="noc", password=Secret("salah"), timeout_seconds=5.0)
        store = InfluxStore(wrong, tmp_path / "spool")
        store.write(LINK_RATE, cycle(0))
        assert not store.flush(3.0)
        assert (store.spool_state().alarm, store.spool_state().segments) == (True, 1)
        assert "refused" in store.spool_state().trouble
        store.close()
        right = Access(url=server.url, database="bwmgr", username="noc", password=Secret("sandi"), timeout_seconds=5.0)
        store = InfluxStore(right, tmp_path / "spool")
        assert store.flush(20.0), store.spool_state()
        assert len(store.read(LINK_RATE, start=START, end=END).rows) == LINKS
        store.close()


def test_tls_is_verified_against_the_authority_that_is_named(tmp_path: Path) -> None:
    """A server with a certificate of the office's own: only the right authority is believed; all is kept."""
    program = influxd_programs().get("1.6")
    if program is None:
        pytest.skip("influxd is not installed (Debian: influxdb)")
    right, other = (_certificate(tmp_path / f"{name}.pem") for name in ("right", "other"))
    with Influxd(program, tmp_path / "server", certificate=right) as server:
        for ca in (other, None):
            store = InfluxStore(Access(url=server.url, database="bwmgr", timeout_seconds=5.0, ca=ca), tmp_path / "spool")
            if ca is not None:
                store.write(LINK_RATE, cycle(0))
            assert not store.flush(1.0)
            assert (store.spool_state().segments, "certificate verify failed" in store.spool_state().trouble) == (1, True)
            store.close()
        nowhere = Access(url=server.url, database="bwmgr", timeout_seconds=5.0, ca=tmp_path / "nowhere.pem")
        store = InfluxStore(nowhere, tmp_path / "spool")
        assert not store.flush(1.0)
        assert "nowhere.pem" in store.spool_state().trouble
        store.close()
        store = InfluxStore(Access(url=server.url, database="bwmgr", timeout_seconds=5.0, ca=right), tmp_path / "spool")
        assert store.flush(20.0), store.spool_state()
        assert len(store.read(LINK_RATE, start=START, end=END).rows) == LINKS
        store.close()


@pytest.mark.parametrize("version", ["1.6", "1.8"])
def test_hours_are_made_by_the_server_or_by_us_and_are_the_same(tmp_path: Path, version: str) -> None:
    """Mean, maximum and count of each hour and direction, gaps in none; nothing is made twice; no percentiles."""
    program = influxd_programs().get(version)
    if program is None:
        pytest.skip(f"influxd {version} is not installed")
    with Influxd(program, tmp_path / "server") as server:
        store = _store(server, tmp_path / "spool")
        for number in range(0, 180, 20):
            store.write(LINK_RATE, cycle(number + 3))
        assert store.flush(20.0)
        now = START + timedelta(hours=2, minutes=30)
        for _ in range(2):
            store.roll_up(now)
        client = Client(Access(url=server.url, database="bwmgr", timeout_seconds=5.0))
        (queries,) = [part["values"] for part in client.query("SHOW CONTINUOUS QUERIES") if part.get("values")]
        assert [name for name, _ in queries] == ["bwmgr_link_rate_1h", "bwmgr_uplink_rate_1h"]
        assert "percentile" not in str(queries)
        client.run(into(client, LINK_RATE, f" WHERE time < {int((START + timedelta(hours=2)).timestamp())}s"))
        store.write_lines(b"".join(hours(client, now)))
        assert store.flush(20.0)
        theirs, ours = (
            sorted(str((part["tags"], part["values"])) for part in client.query(f"SELECT * FROM {source} GROUP BY *"))
            for source in ("rollup.link_rate_1h", "link_rate_1h")
        )
        assert theirs == ours
        assert len(ours) == 2 * (LINKS - 10)
        client.close()
        store.close()


@pytest.mark.influxdb2
def test_a_bucket_is_made_with_its_retention_and_its_name_for_influxql(tmp_path: Path) -> None:
    """On a real 2.7: once; one that is there keeps its own."""
    with running("2.7", tmp_path / "server") as server:
        for days in (30, 60):
            client = Client(replace(access_to(server, "kominfo pagi"), retention_seconds=days * 86400.0))
            assert str(client.server) == "InfluxDB 2.7.12"
            ensure(client)
            bucket = client.library.buckets_api().find_bucket_by_name("kominfo pagi")
            assert [rule.every_seconds for rule in bucket.retention_rules] == [30 * 86400]
            assert "kominfo pagi" in client.databases()
            client.close()


@pytest.mark.influxdb2
def test_tasks_make_the_same_hours_on_2(tmp_path: Path) -> None:
    """Set up once, with the bucket's name; what they make, asked for at once, is what the daemon would make itself."""
    with running("2.7", tmp_path / "server") as server:
        store = _store(server, tmp_path / "spool")
        for number in range(0, 180, 20):
            store.write(LINK_RATE, cycle(number + 3))
        for _ in range(2):
            store.roll_up(START + timedelta(hours=2, minutes=30))
        assert store.flush(30.0)
        client = Client(access_to(server, "bwmgr"))
        assert sorted(task.name for task in client.library.tasks_api().find_tasks()) == [
            "bwmgr_bwmgr_link_rate_1h",
            "bwmgr_bwmgr_uplink_rate_1h",
        ]
        assert _hours_of(client) == []
        end = START + timedelta(hours=2)
        window = f"range(start: {START:%Y-%m-%dT%H:%M:%SZ}, stop: {end:%Y-%m-%dT%H:%M:%SZ})"
        client.library.query_api().query(script(client, LINK_RATE, "link_rate_1h", window))
        theirs = _hours_of(client)
        client.library.delete_api().delete(START, end, '_measurement="link_rate_1h"', bucket="bwmgr", org=client.access.org)
        assert _hours_of(client) == []
        store.write_lines(b"".join(hours(client, START + timedelta(hours=2, minutes=30))))
        assert store.flush(20.0)
        assert theirs == _hours_of(client)
        assert len(theirs) == 2 * (LINKS - 10)
        client.close()
        store.close()


def _hours_of(client: Client) -> list[str]:
    return sorted(str((part["tags"], part["values"])) for part in client.query("SELECT * FROM link_rate_1h GROUP BY *"))


def _certificate(path: Path) -> Path:
    """Certificate and key of 127.0.0.1, signed by itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = made.not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed + key.private_bytes(*plain))
    return path
