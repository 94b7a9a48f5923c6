"""The datasets of Satu Data: which figures of a month are for everybody, and over how many links each is summed.

Owns the tables and their columns. Figures of single links are those of an evidence pack (`evidence_figures`); here they are only
added up. Small counts are hidden and formats written by `bwmgr.reports.opendata`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bwmgr.daemon.evidence_figures import ALWAYS, Figures, Found
from bwmgr.daemon.public_points import PUBLIC_KINDS, Sieve
from bwmgr.daemon.request_verdicts import ENOUGH_RATIO
from bwmgr.daemon.rollout import all_steps, history, places, progress
from bwmgr.errors import UsageError
from bwmgr.language import Words
from bwmgr.measure.calendars import month
from bwmgr.model.inventory import Contract, Inventory, Link, LinkKind, SiteStatus
from bwmgr.model.said import Said
from bwmgr.reports.opendata.dataset import COUNT, LACKING, NOTE, About, DataColumn, Dataset, with_small_hidden
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

_KINDS = {
    LinkKind.OPD: "perangkat daerah", LinkKind.FACILITY: "fasilitas umum", LinkKind.VILLAGE: "desa/kelurahan",
    LinkKind.WIFI: "WiFi publik", LinkKind.EVENT: "acara",
}  # fmt: skip
_STATES = {
    SiteStatus.PLANNED: "rencana", SiteStatus.INSTALLED: "terpasang", SiteStatus.TRIAL: "uji coba", SiteStatus.ACTIVE: "aktif",
}  # fmt: skip
_WAYS = {"down": "unduh", "up": "unggah"}
"""Words of the columns' own, the same in every language: programs read them."""
_PERIODS = {"month": "bulan", "year": "tahun", "contract": "kontrak"}
_USAGE = ("volume_gb", "rata_rata_mbps", "kelengkapan")
_SERVICE = ("ketersediaan", "gangguan", "jam_gangguan", "jam_tidak_diketahui")

Rows = list[dict[str, Any]]


def period(text: str | None, timezone: str, now: datetime) -> tuple[datetime, datetime]:
    """A local month, such as `2026-02`, as [start, end); None: the last one that is over.

    Raises: UsageError where it is no month, or is not over.
    """
    local = now.astimezone(ZoneInfo(timezone)).date().replace(day=1) - timedelta(days=1)
    try:
        first = date.fromisoformat(f"{text}-01") if text else local
    except ValueError as error:
        raise UsageError(Said("not a month: {text!r}; write such as {example}", text=text, example=f"{local:%Y-%m}")) from error
    start, end = month(timezone, first.year, first.month)
    if end > now:
        raise UsageError(Said("{month} is not over: what is published is final", month=f"{first:%Y-%m}"))
    return start, end


def about_of(application: Application, start: datetime, end: datetime, words: Words) -> About:
    """What the datasets say of themselves."""
    office, section = application.inventory.organisation, application.settings.open_data
    zone = ZoneInfo(office.timezone)
    return About(
        producer=office.name,
        region=section.region or region_of(application.inventory.links.values()),
        coverage=office.name,
        first=start.astimezone(zone).date(),
        last=(end - timedelta(seconds=1)).astimezone(zone).date(),
        licence=section.licence,
        contact=section.contact,
        address=section.address,
        language=words.language,
        least=section.least,
    )


def region_of(links: Iterable[Link]) -> str:
    """What the region codes of the links have in common: `62.02` of 62.02.06 and 62.02.01.1003; empty where nothing."""
    codes = [link.site.code.split(".") for link in links if link.site.code]
    if not codes:
        return ""
    return ".".join(part[0] for part in takewhile(lambda part: len(set(part)) == 1, zip(*codes, strict=False)))


def datasets(application: Application, start: datetime, end: datetime, words: Words) -> list[Dataset]:
    """All datasets of [start, end). Raises: StoreError."""
    least = application.settings.open_data.least
    found = [one for one in Figures(application, start, end) if one.series.measurement == LINK_RATE and one.series.is_link]
    return [
        _points(application, words, least),
        _progress(application, words, end),
        _usage(application.inventory, found, words, least),
        _service(application.inventory, found, words, least),
        _contracts(application.inventory, start, end, words),
    ]


def _points(application: Application, words: Words, least: int) -> Dataset:
    inventory, rows = application.inventory, Rows()
    sieve = Sieve(inventory)
    for kind in PUBLIC_KINDS:
        for place in places(link for link in inventory.links.values() if link.kind is kind):
            named = {
                "kode_wilayah": place.code,
                "kecamatan": sieve.passed(place.kecamatan),
                "kelurahan": sieve.passed(place.kelurahan),
            }
            rows += [
                {**named, "jenis": _KINDS[kind], "status": _STATES[status], COUNT: count}
                for status, count in place.counts.items()
                if count
            ]
    return Dataset(
        slug="titik-internet",
        title=words.text("Public internet points by kelurahan and state"),
        description=words.text("How many points are planned, installed, on trial and active in each kelurahan."),
        method=words.text("Counted from the inventory of links on the day of the export."),
        unit=words.text("points"),
        keywords=("internet", "wifi-publik", "titik-akses", "kelurahan"),
        columns=[
            DataColumn(name="kode_wilayah", label=words.text("Region code (Ministry of Home Affairs)")),
            DataColumn(name="kecamatan", label="Kecamatan"),
            DataColumn(name="kelurahan", label="Kelurahan"),
            *_kind_columns(words),
            DataColumn(name="status", label=words.text("State")),
            _count_column(words),
            _note_column(words),
        ],
        rows=with_small_hidden(rows, (), least),
    )


def _progress(application: Application, words: Words, end: datetime) -> Dataset:
    inventory = application.inventory
    names = {link.id for link in inventory.links.values() if link.kind in PUBLIC_KINDS}
    steps = [step for step in all_steps(inventory, history(application.state)) if step.link in names]
    last = end.astimezone(ZoneInfo(inventory.organisation.timezone)).date()
    rows = [
        {"tanggal": day.isoformat(), **{_STATES[status].replace(" ", "_"): totals[status] for status in SiteStatus}}
        for day, totals in progress(steps)
        if day < last
    ]
    return Dataset(
        slug="kemajuan-pemasangan",
        title=words.text("Progress of the roll-out"),
        description=words.text("How many points had reached each state by the end of each day on which one did."),
        method=words.text("From the dates of each point's states; points whose dates are not known are not counted."),
        unit=words.text("points"),
        keywords=("internet", "wifi-publik", "pembangunan"),
        columns=[
            DataColumn(name="tanggal", label=words.text("Day"), type="date"),
            *(
                DataColumn(name=name.replace(" ", "_"), label=name, type="integer", unit=words.text("points"))
                for name in _STATES.values()
            ),
        ],
        rows=rows,
    )


def _usage(inventory: Inventory, found: Sequence[Found], words: Words, least: int) -> Dataset:
    sieve = Sieve(inventory)
    grouped: dict[tuple[str, LinkKind, str], list[Mapping[str, Any]]] = {}
    for one in found:
        link = inventory.links[one.series.name]
        for cells in one.usage:
            if cells["calendar"] == ALWAYS:
                grouped.setdefault((sieve.passed(link.site.kecamatan) or "", link.kind, cells["direction"]), []).append(cells)
    rows = [
        {"kecamatan": place or None, "jenis": _KINDS[kind], "arah": _WAYS[way], **_used(members)}
        for (place, kind, way), members in sorted(grouped.items())
    ]
    return Dataset(
        slug="pemakaian-bandwidth",
        title=words.text("Use of the internet by kecamatan and kind of link"),
        description=words.text("Volume and mean rate of all links of a kind in a kecamatan, around the clock."),
        method=words.text(
            "From interface counters: volume is the sum over the measured time, the mean rate the sum of the links' means. "
            "Figures of which less than {enough_ratio} of the time was measured are left out.",
            enough_ratio=ENOUGH_RATIO,
        ),
        unit="GB, Mbps",
        keywords=("internet", "bandwidth", "pemakaian"),
        columns=[
            DataColumn(name="kecamatan", label="Kecamatan"),
            *_kind_columns(words),
            DataColumn(name="arah", label=words.text("Direction")),
            _count_column(words),
            DataColumn(name="volume_gb", label=words.text("Volume"), type="number", unit="GB"),
            DataColumn(name="rata_rata_mbps", label=words.text("Mean"), type="number", unit="Mbps"),
            DataColumn(name="kelengkapan", label=words.text("Complete"), type="number", unit="0-1"),
            _note_column(words),
        ],
        rows=with_small_hidden(rows, _USAGE, least),
    )  # fmt: skip


def _used(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    complete = sum(cells["coverage_ratio"] for cells in members) / len(members)
    enough = complete >= ENOUGH_RATIO
    return {
        COUNT: len(members),
        "volume_gb": round(sum(cells["octets"] for cells in members) / 1e9, 1) if enough else None,
        "rata_rata_mbps": round(sum(cells["mean_bps"] or 0.0 for cells in members) / 1e6, 2) if enough else None,
        "kelengkapan": round(complete, 3),
        NOTE: "" if enough else LACKING,
    }


def _service(inventory: Inventory, found: Sequence[Found], words: Words, least: int) -> Dataset:
    grouped: dict[LinkKind, list[Found]] = {}
    for one in found:
        grouped.setdefault(inventory.links[one.series.name].kind, []).append(one)
    rows = [{"jenis": _KINDS[kind], **_served(members)} for kind, members in sorted(grouped.items())]
    return Dataset(
        slug="ketersediaan-layanan",
        title=words.text("Availability of the internet service by kind of link"),
        description=words.text("Share of the known time in which the links were up, and their outages of five minutes or more."),
        method=words.text(
            "From the poller's own readings: down where an interface said so, or a router was silent while others answered."
        ),
        unit=words.text("ratio, hours"),
        keywords=("internet", "ketersediaan", "gangguan"),
        columns=[
            *_kind_columns(words),
            _count_column(words),
            DataColumn(name="ketersediaan", label=words.text("Available"), type="number", unit="0-1"),
            DataColumn(name="gangguan", label=words.text("Outages"), type="integer"),
            DataColumn(name="jam_gangguan", label=words.text("Time without service"), type="number", unit=words.text("hours")),
            DataColumn(name="jam_tidak_diketahui", label=words.text("Unknown"), type="number", unit=words.text("hours")),
            _note_column(words),
        ],
        rows=with_small_hidden(rows, _SERVICE, least),
    )


def _served(members: Sequence[Found]) -> dict[str, Any]:
    up, down, unknown = (sum(one.availability[f"{what}_seconds"] for one in members) for what in ("up", "down", "unknown"))
    enough = up + down > 0 and (up + down) / (up + down + unknown) >= ENOUGH_RATIO
    return {
        COUNT: len(members),
        "ketersediaan": round(up / (up + down), 5) if enough else None,
        "gangguan": sum(len(one.outages) for one in members) if enough else None,
        "jam_gangguan": round(down / 3600, 2) if enough else None,
        "jam_tidak_diketahui": round(unknown / 3600, 2),
        NOTE: "" if enough else LACKING,
    }


def _contracts(inventory: Inventory, start: datetime, end: datetime, words: Words) -> Dataset:
    zone = ZoneInfo(inventory.organisation.timezone)
    first, last = start.astimezone(zone).date(), (end - timedelta(seconds=1)).astimezone(zone).date()
    held = [
        (provider.name, contract)
        for provider in inventory.providers.values()
        for contract in provider.contracts
        if (contract.start or first) <= last and (contract.end or last) >= first
    ]
    ordered = sorted(held, key=lambda one: (one[0], one[1].start or first, one[1].capacity.down))
    rows = [{"nomor": number, "penyedia": name, **_bought(contract)} for number, (name, contract) in enumerate(ordered, 1)]
    return Dataset(
        slug="kapasitas-internet",
        title=words.text("Internet capacity bought"),
        description=words.text("Capacity, price and duration of each contract in force in the period."),
        method=words.text("From the contracts."),
        unit="Mbps, Rp",
        keywords=("internet", "kontrak", "pengadaan"),
        columns=[
            DataColumn(name="nomor", label=words.text("Number"), type="integer"),
            DataColumn(name="penyedia", label=words.text("Provider")),
            DataColumn(name="unduh_mbps", label=words.text("Download"), type="number", unit="Mbps"),
            DataColumn(name="unggah_mbps", label=words.text("Upload"), type="number", unit="Mbps"),
            DataColumn(name="harga", label=words.text("Price"), type="integer", unit=inventory.organisation.currency),
            DataColumn(name="harga_per", label=words.text("Price per"), type="string"),
            DataColumn(name="mulai", label=words.text("Start"), type="date"),
            DataColumn(name="berakhir", label=words.text("End"), type="date"),
        ],
        rows=rows,
    )


def _bought(contract: Contract) -> dict[str, Any]:
    return {
        "unduh_mbps": contract.capacity.down / 1e6,
        "unggah_mbps": contract.capacity.up / 1e6,
        "harga": contract.price,
        "harga_per": _PERIODS[contract.per] if contract.price is not None else None,
        "mulai": contract.start and contract.start.isoformat(),
        "berakhir": contract.end and contract.end.isoformat(),
    }


def _kind_columns(words: Words) -> list[DataColumn]:
    return [DataColumn(name="jenis", label=words.text("Kind"))]


def _count_column(words: Words) -> DataColumn:
    return DataColumn(name=COUNT, label=words.text("Number of links"), type="integer")


def _note_column(words: Words) -> DataColumn:
    return DataColumn(name=NOTE, label=words.text("Note: hidden since too few, or not enough data"))
