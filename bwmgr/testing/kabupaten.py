"""The regency of the demo: 32 agencies, villages, public places, WiFi, two providers, and something wrong in every way.

A place that does not exist, with the agencies that every Indonesian regency has. Owns names, sizes and troubles; no secrets: the
caller gives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Network
from zoneinfo import ZoneInfo

from bwmgr.measure.calendars import public_holidays
from bwmgr.model.inventory import (
    ALWAYS,
    Calendar,
    Contract,
    Credential,
    Device,
    Faces,
    Interface,
    Inventory,
    Link,
    LinkKind,
    Node,
    Organisation,
    PerDirection,
    Provider,
    ServiceClass,
    ServiceLevel,
    Site,
    Uplink,
    UsmKey,
)
from bwmgr.model.secret import Secret
from bwmgr.testing.lives import FOR_EVER_MS, Life
from bwmgr.testing.regency import Troubles
from bwmgr.testing.traffic import CELL_MS, Condition

TIMEZONE = "Asia/Jakarta"
_M = 1_000_000
_KECAMATAN = {"kota": "Tirta Kencana Kota", "hulu": "Tirta Hulu", "hilir": "Tirta Hilir", "pesisir": "Pesisir Timur"}

# id, name, kecamatan, limit down (Mbit/s)
_AGENCIES = (
    ("setda", "Sekretariat Daerah", "kota", 50),
    ("setwan", "Sekretariat DPRD", "kota", 20),
    ("inspektorat", "Inspektorat Daerah", "kota", 15),
    ("bappeda", "Badan Perencanaan Pembangunan Daerah", "kota", 30),
    ("bpkad", "Badan Pengelolaan Keuangan dan Aset Daerah", "kota", 30),
    ("bapenda", "Badan Pendapatan Daerah", "kota", 30),
    ("bkpsdm", "Badan Kepegawaian dan Pengembangan SDM", "kota", 20),
    ("kesbangpol", "Badan Kesatuan Bangsa dan Politik", "kota", 10),
    ("bpbd", "Badan Penanggulangan Bencana Daerah", "hulu", 15),
    ("disdik", "Dinas Pendidikan", "kota", 30),
    ("dinkes", "Dinas Kesehatan", "kota", 10),
    ("dpupr", "Dinas Pekerjaan Umum dan Penataan Ruang", "kota", 20),
    ("disperkim", "Dinas Perumahan dan Kawasan Permukiman", "kota", 15),
    ("satpolpp", "Satuan Polisi Pamong Praja dan Damkar", "kota", 10),
    ("dinsos", "Dinas Sosial", "kota", 15),
    ("disnaker", "Dinas Tenaga Kerja dan Transmigrasi", "hilir", 15),
    ("dp3ap2kb", "Dinas PPPA, Pengendalian Penduduk dan KB", "hilir", 10),
    ("dkp", "Dinas Ketahanan Pangan", "hilir", 10),
    ("dlh", "Dinas Lingkungan Hidup", "hilir", 15),
    ("disdukcapil", "Dinas Kependudukan dan Pencatatan Sipil", "kota", 40),
    ("dpmd", "Dinas Pemberdayaan Masyarakat dan Desa", "hulu", 15),
    ("dishub", "Dinas Perhubungan", "hilir", 20),
    ("diskominfo", "Dinas Komunikasi dan Informatika", "kota", 50),
    ("diskop", "Dinas Koperasi, UKM dan Perdagangan", "hilir", 15),
    ("dpmptsp", "Dinas Penanaman Modal dan PTSP", "kota", 30),
    ("dispora", "Dinas Pemuda dan Olahraga", "hulu", 10),
    ("disbudpar", "Dinas Kebudayaan dan Pariwisata", "hulu", 15),
    ("dispusip", "Dinas Perpustakaan dan Kearsipan", "kota", 40),
    ("distan", "Dinas Pertanian dan Peternakan", "hulu", 15),
    ("diskan", "Dinas Perikanan dan Kelautan", "pesisir", 15),
    ("disperin", "Dinas Perindustrian", "hilir", 10),
    ("rsud", "RSUD Tirta Kencana", "kota", 60),
)
_CRITICAL = frozenset({"rsud", "disdukcapil", "bapenda", "bpkad"})
# id, name, kecamatan, limit down, kind, calendar
_PLACES = (
    ("smpn-1", "SMP Negeri 1 Tirta Kencana", "kota", 12, LinkKind.FACILITY, "school"),
    ("sdn-hulu-2", "SD Negeri 2 Tirta Hulu", "hulu", 8, LinkKind.FACILITY, "school"),
    ("puskesmas-hulu", "Puskesmas Tirta Hulu", "hulu", 10, LinkKind.FACILITY, "office"),
    ("puskesmas-pesisir", "Puskesmas Pesisir Timur", "pesisir", 10, LinkKind.FACILITY, "office"),
    ("gedung-serbaguna", "Gedung Serbaguna", "kota", 20, LinkKind.FACILITY, "always"),
    ("gedung-wanita", "Gedung Wanita", "kota", 10, LinkKind.FACILITY, "always"),
    ("desa-sungai-jernih", "Kantor Desa Sungai Jernih", "hulu", 10, LinkKind.VILLAGE, "office"),
    ("desa-bukit-indah", "Kantor Desa Bukit Indah", "hulu", 10, LinkKind.VILLAGE, "office"),
    ("desa-muara-baru", "Kantor Desa Muara Baru", "hilir", 10, LinkKind.VILLAGE, "office"),
    ("desa-pantai-harapan", "Kantor Desa Pantai Harapan", "pesisir", 10, LinkKind.VILLAGE, "office"),
)
# kecamatan, place
_WIFI = (
    ("kota", "Taman Kota"),
    ("kota", "Alun-Alun"),
    ("kota", "Pasar Induk"),
    ("kota", "Terminal"),
    ("kota", "Masjid Agung"),
    ("hulu", "Lapangan Hulu"),
    ("hulu", "Pasar Hulu"),
    ("hilir", "Pelabuhan"),
    ("hilir", "Taman Hilir"),
    ("hilir", "Pasar Hilir"),
    ("pesisir", "Pantai Harapan"),
    ("pesisir", "Dermaga Timur"),
)
CONDITIONS = {
    "dinkes": Condition.SATURATED,
    "dispusip": Condition.IDLE,
    "wifi-terminal": Condition.FLAPPING,
    "satpolpp": Condition.COUNTER32,
    "bpbd": Condition.ERRORS,
}
_DEAD, _REBOOTS = "rtr-gedung-wanita", "rtr-disdukcapil"


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """What agents and poller agree on."""

    community: Secret
    auth: Secret
    priv: Secret


def kabupaten(passwords: Passwords) -> Inventory:
    """The whole inventory; devices have documentation addresses until a `Regency` moves them."""
    bare = (*_agencies(), *_places(), *_wifi())
    links = {link.id: replace(link, networks=(_network(number),)) for number, link in enumerate(bare, 1)}
    routers = [link.interface.device for link in links.values() if link.interface is not None]
    return Inventory(
        organisation=Organisation(name="Diskominfo Kabupaten Tirta Kencana (virtual)", timezone=TIMEZONE),
        calendars={calendar.id: calendar for calendar in _calendars()},
        providers={provider.id: provider for provider in _providers()},
        credentials=_credentials(passwords),
        devices={device.id: device for device in _devices(dict.fromkeys(routers))},
        nodes={node.id: node for node in _nodes()},
        links=links,
    )


def troubles(at: datetime) -> Troubles:
    """What is wrong at that instant: one router dead for two days, one that reboots every week and again in two minutes."""
    now_ms = round(at.timestamp() * 1000) // CELL_MS * CELL_MS
    minutes = [-60_000 * 1440 * days for days in (24, 17, 10, 3)]
    reboots = [(now_ms + offset_ms, now_ms + offset_ms + 7 * CELL_MS) for offset_ms in minutes]
    soon = (now_ms + 2 * CELL_MS, now_ms + 3 * CELL_MS)
    first_boot_ms = now_ms - 90 * 86_400_000
    return Troubles(
        conditions=CONDITIONS,
        lives={
            _DEAD: Life(first_boot_ms=first_boot_ms, outages_ms=((now_ms - 2 * 86_400_000, FOR_EVER_MS),)),
            _REBOOTS: Life(first_boot_ms=first_boot_ms, outages_ms=(*reboots, soon)),
        },
    )


def _network(number: int) -> IPv4Network:
    """The hosts behind a link."""
    return IPv4Network(f"10.20.{number}.0/24")


def _calendars() -> Iterator[Calendar]:
    def week(*days: tuple[str, str] | None) -> tuple[tuple[tuple[time, time | None], ...], ...]:
        return tuple(((time.fromisoformat(day[0]), time.fromisoformat(day[1])),) if day else () for day in days)

    office, friday, school = ("07:30", "16:00"), ("07:30", "16:30"), ("06:45", "14:00")
    yield ALWAYS
    yield Calendar(id="office", weekly=week(office, office, office, office, friday, None, None), holidays="ID")
    yield Calendar(id="school", weekly=week(school, school, school, school, ("06:45", "11:30"), school, None), holidays="ID")


def _providers() -> Iterator[Provider]:
    sla = ServiceLevel(availability_percent=99.5, restitution="proportional")
    for provider, name, size, price in (
        ("nusa", "PT Nusa Serat Optik", 700, 175_000_000),
        ("bahari", "PT Bahari Net", 400, 112_000_000),
    ):
        contract = Contract(
            id=f"{provider}-2026",
            provider=provider,
            capacity=PerDirection(down=size * _M, up=size * _M),
            price=price,
            per="month",
            start=date(2026, 1, 1),
            end=date(2026, 12, 31),
            sla=sla,
            international_bps=size * _M // 2,
            domestic_bps=size * _M // 2,
        )
        yield Provider(id=provider, name=name, contracts=(contract,))


def _credentials(passwords: Passwords) -> dict[str, Credential]:
    return {
        "default": Credential(id="default", version="2c", community=passwords.community),
        "core": Credential(
            id="core",
            version="3",
            user="noc",
            auth=UsmKey(protocol="SHA-256", key=passwords.auth),
            priv=UsmKey(protocol="AES", key=passwords.priv),
        ),
    }


def _devices(routers: dict[str, None]) -> Iterator[Device]:
    yield Device(id="core", address="192.0.2.1", credentials="core", vendor="routeros")
    for number, router in enumerate(routers, 1):
        yield Device(id=router, address=f"198.51.100.{number}", vendor="routeros")


def _nodes() -> Iterator[Node]:
    uplinks = tuple(
        Uplink(interface=Interface(device="core", if_name=port, faces=Faces.PROVIDER), contract=contract)
        for port, contract in (("sfp1", "nusa-2026"), ("sfp2", "bahari-2026"))
    )
    total: PerDirection[int | None] = PerDirection(down=1100 * _M, up=1100 * _M)
    yield Node(id="kabupaten", name="Kabupaten Tirta Kencana", capacity=total, uplinks=uplinks)
    for node, size in (("kota", 800), ("hulu", 250), ("hilir", 250), ("pesisir", 150)):
        capacity: PerDirection[int | None] = PerDirection(down=size * _M, up=size * _M)
        yield Node(id=f"kec-{node}", name=f"Kecamatan {_KECAMATAN[node]}", parent="kabupaten", capacity=capacity)


def _agencies() -> Iterator[Link]:
    for link, name, kecamatan, size in _AGENCIES:
        calendar = "always" if link == "rsud" else "office"
        service = ServiceClass.CRITICAL if link in _CRITICAL else ServiceClass.OFFICE
        yield _link(link, name, kecamatan, size, kind=LinkKind.OPD, calendar=calendar, service=service, device=f"rtr-{link}")


def _places() -> Iterator[Link]:
    for link, name, kecamatan, size, kind, calendar in _PLACES:
        service = ServiceClass.PUBLIC if calendar == "always" else ServiceClass.OFFICE
        yield _link(link, name, kecamatan, size, kind=kind, calendar=calendar, service=service, device=f"rtr-{link}")


def _wifi() -> Iterator[Link]:
    for number, (kecamatan, place) in enumerate(_WIFI, 2):
        link = f"wifi-{place.lower().replace(' ', '-')}"
        yield _link(
            link,
            f"WiFi Publik {place}",
            kecamatan,
            20,
            kind=LinkKind.WIFI,
            calendar="always",
            service=ServiceClass.PUBLIC,
            device=f"sw-{kecamatan}",
            if_name=f"ether{number}",
        )


def _link(
    link: str,
    name: str,
    kecamatan: str,
    size: int,
    *,
    kind: LinkKind,
    calendar: str,
    service: ServiceClass,
    device: str,
    if_name: str = "ether1",
) -> Link:
    """Limits as sized, a quarter of it up; a fifth of it guaranteed; up to five times as much possible, at most 100 Mbit/s."""
    most = min(5 * size, 100) * _M
    return Link(
        id=link,
        name=name,
        kind=kind,
        parent=f"kec-{kecamatan}",
        interface=Interface(device=device, if_name=if_name, faces=Faces.SUBSCRIBER),
        limit=PerDirection(down=size * _M, up=size * _M // 4),
        cir=PerDirection(down=size * _M // 5, up=size * _M // 20),
        mir=PerDirection(down=most, up=most),
        service_class=service,
        calendar=calendar,
        site=Site(kecamatan=_KECAMATAN[kecamatan], medium="fibre"),
    )


def morning_before(now: datetime) -> datetime:
    """10:00 local of the newest working day at least an hour ago: when there is something to see."""
    local = now.astimezone(ZoneInfo(TIMEZONE)) - timedelta(hours=1)
    day = local.replace(hour=10, minute=0, second=0, microsecond=0)
    while day > local or day.weekday() >= 5 or day.date() in public_holidays("ID", day.year):
        day -= timedelta(days=1)
    return day.astimezone(now.tzinfo)
