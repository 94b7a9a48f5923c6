"""What right configurations come to: sections, includes, lists as CSV, calendars, events, secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.config.reading import parameter_keys
from bwmgr.config.settings import RawFlows, Settings
from bwmgr.config.shapes import GUARDS
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.engine.guards import Guards
from bwmgr.errors import ConfigurationError
from bwmgr.measure.calendars import open_seconds, spans
from bwmgr.model.inventory import Faces, PerDirection

OFFICE = "organisation: {name: Kominfo, timezone: Asia/Jayapura}\n"


def load(folder: Path, text: str, name: str = "bwmgr.yaml") -> Settings:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return config.load(path, policies=parameter_classes())


def test_defaults(tmp_path: Path) -> None:
    """A configuration may have no devices and no links: one organisation is enough."""
    settings = load(tmp_path, OFFICE)
    assert settings.store.path == tmp_path / "var"
    assert (settings.snmp.interval_seconds, settings.netflow, settings.inventory.links) == (60.0, None, {})
    told = [name for name, class_ in parameter_classes().items() if not hasattr(class_, "NEEDED")]
    assert [choice.name for choice in settings.policies] == told
    assert settings.guards == Guards()


def test_guards_are_told_in_words(tmp_path: Path) -> None:
    """Every guard has its key, the unit is in the value; what is left out keeps its default."""
    assert set(parameter_keys(Guards).values()) == set(GUARDS.fields)
    text = "guards: {min_coverage: 50%, cooldown: 2d, dead_band: 0.2, least_lowered: 5M, most_lowerings: 3}\n"
    told = Guards(
        min_coverage_ratio=0.5, cooldown_seconds=172800.0, dead_band_ratio=0.2, least_lowered_bps=5_000_000, most_lowerings=3
    )
    assert load(tmp_path, OFFICE + text).guards == told


def test_a_third_partys_policy_runs_where_it_is_listed(tmp_path: Path) -> None:
    """Installed, it can be named and set; it does not run by itself."""
    classes = {"idle": parameter_classes()["idle"], "ours": parameter_classes()["saturated"]}
    path = tmp_path / "third.yaml"
    for text, run in (("", ["idle"]), ("policies: [{policy: ours, saturated: 9%}]\n", ["ours"])):
        path.write_text(OFFICE + text, encoding="utf-8")
        settings = config.load(path, policies=classes, unlisted=("idle",))
        assert [choice.name for choice in settings.policies] == run


def test_values_mean_what_they_look_like(tmp_path: Path) -> None:
    """No YAML 1.1: `no` is an id, 62.10 keeps its zero, 1:30 is no number, 010 no octal."""
    text = (
        "links: [{id: no, name: 010, kind: village, networks: [10.1.0.0/24], site: {code: 62.10, kelurahan: 1:30, lat: -2.50}}]\n"
    )
    link = load(tmp_path, OFFICE + text).inventory.links["no"]
    assert (link.name, link.site.code, link.site.kelurahan, link.site.lat) == ("010", "62.10", "1:30", -2.5)


def test_both_directions_and_none(tmp_path: Path) -> None:
    """`none` is unlimited, in both directions or in one."""
    text = "links: [{id: a, kind: event, limit: none}, {id: b, kind: event, limit: {down: none, up: 1.5G}}]\n"
    links = load(tmp_path, OFFICE + text).inventory.links
    assert links["a"].limit == PerDirection(down=None, up=None)
    assert links["b"].limit == PerDirection(down=None, up=1_500_000_000)


def test_policies_take_parameters_in_their_units(tmp_path: Path) -> None:
    """In the order of the file; shares and rates become numbers."""
    text = "policies: [{policy: right_size, headroom: 30%}, {policy: idle, least: 2M, used: 0.2}]\n"
    first, second = load(tmp_path, OFFICE + text).policies
    assert (first.name, first.parameters.headroom_ratio) == ("right_size", 0.3)  # type: ignore[attr-defined]
    assert (second.parameters.least_bps, second.parameters.used_ratio) == (2_000_000, 0.2)  # type: ignore[attr-defined]


def test_netflow(tmp_path: Path) -> None:
    """Listen on IPv4 and IPv6, exporters by network or any or the devices', files relative to the file that names them."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "iix.txt").write_text("", encoding="utf-8")
    flows = (
        'netflow: {listen: ["0.0.0.0:2055", "[::]:4739"], exporters: any, sampling: {10.0.0.1: 1000}, domestic: iix.txt, '
        "raw: {keep: 7d, size: 10G}}\n"
    )
    (tmp_path / "sub" / "flows.yaml").write_text(flows, encoding="utf-8")
    netflow = load(tmp_path, OFFICE + "include: sub/flows.yaml\n").netflow
    assert netflow is not None
    assert netflow.listen == (("0.0.0.0", 2055), ("::", 4739))
    assert (netflow.exporters, netflow.sampling) == ((), {"10.0.0.1": 1000})
    assert netflow.domestic == tmp_path / "sub" / "iix.txt"
    assert netflow.raw == RawFlows(keep_seconds=7 * 86400, most_octets=10 * 10**9)


@pytest.mark.parametrize(
    ("credential", "right"),
    [
        ("{version: 3, user: noc}", True),
        ("{version: 3, user: noc, auth: {protocol: SHA, key: {env: KEY}}}", True),
        ("{version: 3, user: noc, auth: {protocol: MD5, key: {env: KEY}}, priv: {protocol: DES, key: {env: KEY}}}", True),
        (
            "{version: 3, user: noc, auth: {protocol: SHA-224, key: {env: KEY}}, priv: {protocol: AES-192-C, key: {env: KEY}}}",
            True,
        ),
        ("{version: 3, user: noc, auth: {protocol: SHA-384, key: {env: KEY}}, priv: {protocol: AES-256, key: {env: KEY}}}", True),
        ("{version: 3, user: noc, priv: {protocol: AES, key: {env: KEY}}}", False),
        ("{version: 3, auth: {protocol: SHA, key: {env: KEY}}}", False),
        ("{version: 1, user: noc, community: {env: KEY}}", False),
        ("{version: 2, community: {env: KEY}}", False),
        ("{version: 2c}", False),
    ],
)
def test_v3_combinations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: str, right: bool) -> None:
    """noAuthNoPriv, authNoPriv, authPriv of v3 (RFC 3411); v1 and v2c take a community and nothing else."""
    monkeypatch.setenv("KEY", "a-long-phrase")
    text = f"{OFFICE}credentials: {{default: {credential}}}\n"
    if right:
        assert load(tmp_path, text).inventory.credentials["default"].version == "3"
    else:
        with pytest.raises(ConfigurationError):
            load(tmp_path, text)


def test_secrets_from_files(tmp_path: Path) -> None:
    """Relative to the file that names them; the line end after a secret is not part of it, blanks are."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "key").write_bytes(b" pass phrase \r\n")
    (tmp_path / "sub" / "c.yaml").write_text("credentials: {default: {version: 1, community: {file: key}}}\n", encoding="utf-8")
    community = load(tmp_path, OFFICE + "include: sub/c.yaml\n").inventory.credentials["default"].community
    assert community is not None
    assert (community.reveal(), community.source) == (" pass phrase ", f"file:{tmp_path}/sub/key")


def test_calendars(tmp_path: Path) -> None:
    """Days and spans of days, several hours a day, overnight ones; `always` exists."""
    text = (
        'calendars:\n  office: {mon-thu: "07:30-12:00, 13:00-16:00", fri: "07:30-11:30", holidays: ID, closed: [2026-12-24]}\n'
        '  night: {sat-sun: "22:00-06:00"}\n  day: {sun: "00:00-24:00"}\n'
    )
    calendars = load(tmp_path, OFFICE + text).inventory.calendars
    assert list(calendars) == ["always", "office", "night", "day"]
    office = calendars["office"]
    assert office.weekly is not None
    assert office.weekly[3] == ((time(7, 30), time(12)), (time(13), time(16)))
    assert (office.weekly[6], office.closed) == ((), {date(2026, 12, 24)})
    assert calendars["day"].weekly is not None
    assert calendars["day"].weekly[6] == ((time(0), None),)
    week = spans(calendars["night"], "Asia/Jayapura", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    assert open_seconds(week) == 16 * 3600


def test_events_without_offset_are_local(tmp_path: Path) -> None:
    """Fault 57: a time without offset is in the organisation's zone, one with an offset is what it says; both end up in UTC."""
    event = 'events: [{id: e, links: [a], down: 1M, start: "2026-09-07T00:00", end: "2026-09-07T00:00Z"}]\n'
    text = event + "links: [{id: a, kind: event}]\n"
    found = load(tmp_path, OFFICE + text).inventory.events["e"]
    assert (found.start, found.end) == (datetime(2026, 9, 6, 15, tzinfo=UTC), datetime(2026, 9, 7, tzinfo=UTC))


def test_names_of_any_script(tmp_path: Path) -> None:
    """Fault 64: commas, quotes, equals signs, emoji stay as they are; a line break is refused."""
    name = "Dinas \"A\", = 'B' \U0001f4e1 ブブ"
    text = f"links: [{{id: a, kind: event, name: {name!r}}}]\n".replace("\\'", "''")
    assert load(tmp_path, OFFICE + text).inventory.links["a"].name == name
    with pytest.raises(ConfigurationError, match="has a line break"):
        load(tmp_path, OFFICE + 'links: [{id: a, kind: event, name: "a\\nb"}]\n')


def test_an_alias_given_twice_is_ambiguous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 20, the configuration's side: two links by one alias of one device; the second names the first and its line."""
    monkeypatch.setenv("KEY", "public")
    text = (
        f"{OFFICE}credentials: {{default: {{version: 2c, community: {{env: KEY}}}}}}\n"
        "devices: [{id: r, address: 10.0.0.1}]\nlinks:\n"
        "  - {id: a, kind: opd, interface: {device: r, if_alias: Uplink, faces: subscriber}}\n"
        "  - {id: b, kind: opd, interface: {device: r, if_alias: Uplink, faces: subscriber}}\n"
    )
    with pytest.raises(
        ConfigurationError, match=r"bwmgr\.yaml:6: links\.b\.interface: Uplink of r is links\.a's already, at .*:5;"
    ):
        load(tmp_path, text)


def test_includes_are_merged(tmp_path: Path) -> None:
    """Lists are joined in order, sections too; a pattern takes its files by name; a file may come from a folder of its own."""
    (tmp_path / "more").mkdir()
    for name in ("b", "a"):
        (tmp_path / "more" / f"{name}.yaml").write_text(f"links: [{{id: {name}, kind: event}}]\n", encoding="utf-8")
    (tmp_path / "calendars.yaml").write_text('calendars: {night: {mon: "20:00-22:00"}}\n', encoding="utf-8")
    text = 'include: [more/*.yaml, calendars.yaml]\ncalendars: {day: {mon: "08:00-16:00"}}\nlinks: [{id: z, kind: event}]\n'
    inventory = load(tmp_path, OFFICE + text).inventory
    assert list(inventory.links) == ["z", "a", "b"]
    assert list(inventory.calendars) == ["always", "day", "night"]


def test_a_pattern_may_begin_at_the_root(tmp_path: Path) -> None:
    """An absolute pattern is looked for where it says, though the folder's own name looks like a pattern."""
    folder = tmp_path / "parts [1]"
    folder.mkdir()
    (folder / "a.yaml").write_text("links: [{id: a, kind: event}]\n", encoding="utf-8")
    inventory = load(tmp_path, f"{OFFICE}include: '{tmp_path}/parts*/*.yaml'\n").inventory
    assert list(inventory.links) == ["a"]


def test_lists_from_a_spreadsheet(tmp_path: Path) -> None:
    """CSV with a byte order mark and CRLF; dotted columns nest, empty cells are left out, networks are apart by spaces."""
    rows = (
        "\ufeffid,name,kind,interface.device,interface.if_name,interface.faces,limit.down,limit.up,networks,site.code\r\n"
        'a,"Kantor A, lantai 2",opd,r,ether1,subscriber,10M,5M,10.1.0.0/24 10.2.0.0/24,62.10\r\n\r\nb,,event,,,,,,,\r\n'
    )
    (tmp_path / "links-west.csv").write_text(rows, encoding="utf-8", newline="")
    (tmp_path / "devices.csv").write_text("id,address,port\nr,10.0.0.1,1161\n", encoding="utf-8")
    (tmp_path / "nodes.csv").write_text("id,capacity.down,capacity.up\nroot,1G,1G\n", encoding="utf-8")
    text = "include: [links-west.csv, devices.csv, nodes.csv]\ncredentials: {default: {version: 2c, community: {file: key}}}\n"
    (tmp_path / "key").write_text("public", encoding="utf-8")
    inventory = load(tmp_path, OFFICE + text).inventory
    first = inventory.links["a"]
    assert first.interface is not None
    assert (first.name, first.interface.faces, first.limit.up) == ("Kantor A, lantai 2", Faces.SUBSCRIBER, 5_000_000)
    assert ([str(network) for network in first.networks], first.site.code) == (["10.1.0.0/24", "10.2.0.0/24"], "62.10")
    assert (inventory.links["b"].name, inventory.devices["r"].port) == ("b", 1161)


def test_a_refused_file_leaves_the_settings_that_are(tmp_path: Path) -> None:
    """Fault 49, the configuration's side: a wrong file raises with its lines, and nothing of what was loaded before changes."""
    before = load(tmp_path, OFFICE + "snmp: {interval: 5m}\n")
    with pytest.raises(ConfigurationError, match=r"bwmgr\.yaml:2: snmp\.interval"):
        load(tmp_path, OFFICE + "snmp: {interval: 5}\n")
    assert before.snmp.interval_seconds == 300
