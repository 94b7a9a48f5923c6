"""What `bwmgr.language` writes: figures, dates and sentences as Indonesian and British readers expect them."""

from __future__ import annotations

import pickle
import string
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.errors import BwmgrError, ConfigurationError, DeviceTimeout, Mistake, UsageError
from bwmgr.language import UNKNOWN, Words
from bwmgr.model.decision import Reason
from bwmgr.model.said import Said, both, but_first

INDONESIAN = Words("id", "Asia/Jakarta")
ENGLISH = Words("en", "Asia/Jakarta")
MONDAY = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rate_bps", "indonesian", "english"),
    [
        (0, "0 bps", "0 bps"),
        (999, "999 bps", "999 bps"),
        (512_000, "512 kbps", "512 kbps"),
        (999_499, "999 kbps", "999 kbps"),
        (999_600, "1 Mbps", "1 Mbps"),
        (1_234_567, "1,23 Mbps", "1.23 Mbps"),
        (9_999_000, "10 Mbps", "10 Mbps"),
        (35_000_000, "35 Mbps", "35 Mbps"),
        (97_500_000, "97,5 Mbps", "97.5 Mbps"),
        (1_500_000_000, "1,5 Gbps", "1.5 Gbps"),
        (3e15, "3.000 Tbps", "3,000 Tbps"),
        (None, UNKNOWN, UNKNOWN),
    ],
)
def test_a_rate_has_three_significant_digits_and_an_si_prefix(
    rate_bps: float | None, indonesian: str, english: str
) -> None:  # fmt: skip
    assert INDONESIAN.rate(rate_bps) == indonesian
    assert ENGLISH.rate(rate_bps) == english


@given(st.floats(min_value=1, max_value=1e14))
def test_a_worded_rate_is_within_half_a_percent_of_the_rate(rate_bps: float) -> None:
    figure, unit = ENGLISH.rate(rate_bps).split(" ")
    factor = {"b": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit[0]]
    assert float(figure.replace(",", "")) * factor == pytest.approx(rate_bps, rel=0.0051, abs=0.51)


def test_no_limit_is_said_not_shown_as_an_unknown_figure() -> None:
    assert INDONESIAN.limit(None) == "tanpa batas"
    assert ENGLISH.limit(None) == "unlimited"
    assert INDONESIAN.limit(20_000_000) == "20 Mbps"


def test_a_ratio_is_a_percentage_with_one_decimal() -> None:
    assert INDONESIAN.ratio(0.975) == "97,5 %"
    assert INDONESIAN.ratio(1) == "100 %"
    assert ENGLISH.ratio(0.975) == "97.5%"


def test_money_has_no_decimals_and_the_sign_that_offices_write() -> None:
    assert INDONESIAN.money(1_920_000_000) == "Rp1.920.000.000"
    assert INDONESIAN.money(-5000) == "-Rp5.000"
    assert ENGLISH.money(1_920_000_000) == "Rp1,920,000,000"
    assert Words("en", "Asia/Jakarta", "EUR").money(12) == "€12"


@pytest.mark.parametrize(
    ("seconds", "indonesian"),
    [(0.2, "0 detik"), (59.6, "1 menit"), (7500, "2 jam 5 menit"), (90_061, "1 hari 1 jam"), (14 * 86400, "14 hari")],
)
def test_a_duration_names_its_two_largest_units(seconds: float, indonesian: str) -> None:
    assert INDONESIAN.duration(seconds) == indonesian


def test_octets_are_si_bytes() -> None:
    assert INDONESIAN.octets(1_500_000_000) == "1,5 GB"
    assert INDONESIAN.octets(12) == "12 B"


def test_days_and_months_are_named() -> None:
    assert INDONESIAN.date(date(2026, 1, 5)) == "5 Januari 2026"
    assert INDONESIAN.month(date(2026, 1, 5)) == "Januari 2026"
    assert INDONESIAN.weekday(date(2026, 1, 5)) == "Senin"
    assert ENGLISH.date(date(2026, 1, 5)) == "5 January 2026"


@pytest.mark.parametrize(
    ("timezone", "worded"),
    [("Asia/Pontianak", "16.30 WIB"), ("Asia/Makassar", "17.30 WITA"), ("Asia/Jayapura", "18.30 WIT")],
)
def test_an_instant_is_told_in_the_organisations_zone_with_its_name(timezone: str, worded: str) -> None:
    assert Words("id", timezone).time(MONDAY) == worded


def test_the_day_of_an_instant_is_the_zones_day_not_utcs() -> None:
    late = datetime(2026, 1, 31, 20, 0, tzinfo=UTC)
    assert INDONESIAN.instant(late) == "1 Februari 2026 03.00 WIB"
    assert INDONESIAN.month(late) == "Februari 2026"


def test_a_placeholders_name_decides_how_its_figure_is_written() -> None:
    worded = INDONESIAN.text(
        "{name}|{direction}|{p95_bps}|{use_ratio}|{sent_octets}|{age_seconds}|{monthly_price}|{until_at}|{samples}|{day}|{none_bps}",
        name="Dinas Kesehatan",
        direction="down",
        p95_bps=19_800_000,
        use_ratio=0.41,
        sent_octets=2000,
        age_seconds=300,
        monthly_price=160_000_000,
        until_at="2026-01-05T10:00:00Z",
        samples=4210,
        day=date(2026, 1, 5),
        none_bps=None,
    )
    assert worded == (
        "Dinas Kesehatan|unduh|19,8 Mbps|41 %|2 kB|5 menit|Rp160.000.000|5 Januari 2026 17.00 WIB|4.210|5 Januari 2026|–"
    )


def test_a_name_with_braces_is_left_alone() -> None:
    assert ENGLISH.text("{name}", name="{p95_bps}") == "{p95_bps}"


def test_a_sentence_without_a_translation_is_said_in_english() -> None:
    template = string.Template("never said by $program").substitute(program="bwmgr")
    assert INDONESIAN.text(template) == "never said by bwmgr"


def test_a_reason_is_its_message_with_its_values() -> None:
    reason = Reason(code="x", message="{count} min", values={"count": 5})
    assert INDONESIAN.reason(reason) == "5 menit"


def test_english_tells_one_from_many() -> None:
    forms = ("{count} thing", "{count} things")
    assert ENGLISH.plural(*forms, count=1) == "1 thing"
    assert ENGLISH.plural(*forms, count=1200) == "1,200 things"


def test_another_language_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(UsageError, match="id, en"):
        Words("jv", "Asia/Jakarta")


def test_what_parts_say_is_said_in_the_readers_language() -> None:
    """A collector's sentence is English for logs and JSON, and the reader's own where a person reads it; also two together."""
    said = both(Said("no answer: it is away, or the community is wrong"), Said("more than {rows} interfaces", rows=20_000))
    assert said == "no answer: it is away, or the community is wrong; more than 20000 interfaces"
    assert Words("id").said(said) == "tidak ada jawaban: perangkatnya mati, atau community salah; lebih dari 20.000 antarmuka"
    assert Words("id").said(but_first(said)) == "lebih dari 20.000 antarmuka"
    assert Words("id").said(pickle.loads(pickle.dumps(said))) == Words("id").said(said)
    assert Words("id").said("plain words") == "plain words"
    assert but_first("plain; words") == ""


def test_an_error_is_said_with_its_parts_in_the_language() -> None:
    """A message within a message, as a device's problem is, is said in the same language; the error itself stays English."""
    problem = Said("cannot be read: {why}", why=Said("Permission denied"))
    error = DeviceTimeout("rtr-dinkes", problem)
    assert str(error) == ENGLISH.error(error) == "rtr-dinkes: cannot be read: Permission denied"
    assert INDONESIAN.error(error) == "rtr-dinkes: tidak dapat dibaca: izin ditolak"


def test_an_error_that_goes_through_a_process_can_still_be_said() -> None:
    problem = Said("port {port} is out of bounds; write from 0 to 65535", port="70000")
    error = pickle.loads(pickle.dumps(UsageError(problem)))
    assert INDONESIAN.error(error) == "port 70000 di luar batas; tulis dari 0 sampai 65535"


def test_a_configuration_is_said_with_all_its_mistakes() -> None:
    """Each on a line of its own: file, line and key as they are, the problem in the language."""
    problem = Said(
        "{way} {rate} is above {high} {most}; lower {low} or raise {high}",
        way="down",
        rate="8M",
        high="mir",
        most="5M",
        low="cir",
    )
    error = ConfigurationError(
        [
            Mistake(file="bwmgr.yaml", line=9, key="links.a.cir", problem=problem),
            Mistake(file="links.csv", line=1200, key="links.b.kind", problem=Said("unknown key{hint}", hint="")),
            Mistake(file="more.yaml", line=0, key="", problem=Said("not YAML: {why}", why="mapping values are not allowed here")),
        ]
    )
    assert INDONESIAN.error(error).splitlines() == [
        "bwmgr.yaml:9: links.a.cir: down 8M melebihi mir 5M; turunkan cir atau naikkan mir",
        "links.csv:1200: links.b.kind: kunci tidak dikenal",
        "more.yaml: bukan YAML: mapping values are not allowed here",
    ]
    assert ENGLISH.error(error) == str(error)


def test_an_error_with_a_plain_message_is_said_as_it_is() -> None:
    """What an operating system or a library says has no translation, and braces in it are no placeholders."""
    for error in (UsageError("no such {thing}"), BwmgrError("the store is away")):
        assert INDONESIAN.error(error) == ENGLISH.error(error) == str(error)
    assert INDONESIAN.error(BwmgrError()) == ""
