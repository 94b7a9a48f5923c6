"""Pictures of every dashboard that `grafana install` writes, drawn from what a real InfluxDB answers: grafana_pictures.py FOLDER.

For looking at the dashboards where no Grafana is at hand: panels at their places with their titles, queries, units, mirrored,
dashed and dotted curves and bands. Grafana draws them itself, and better; colours and fonts are not its own. The data are the
virtual regency's, as in the tests.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bwmgr.reports.grafana.asking import chosen_values, filled, seconds
from bwmgr.reports.grafana.files import dashboards
from bwmgr.testing.influx_versions import installed
from tests.system.grafana_servers import Loaded, loaded, target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")
Json = Mapping[str, Any]
Row = dict[str, Any]
_ROW_INCHES, _WIDTH_INCHES, _COLUMNS = 0.36, 18.0, 24
_SHOWN_ROWS = 9
_DAY_SECONDS = 86_400
"""Matplotlib counts days since 1970."""
_TAG = re.compile(r"\$tag_(\w+)")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One series of a query: its query's letter, its name, and (matplotlib's day, value) pairs."""

    ref: str
    name: str
    points: Sequence[tuple[float, Any]]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the server says to the queries of one panel."""

    server: Loaded
    panel: Json
    chosen: Mapping[str, str]

    def curves(self) -> list[Curve]:
        return [curve for query in self._asked() for curve in self._curves_of(query)]

    def rows(self) -> list[Row]:
        """Of a table: its queries and lists side by side by the field that joins them."""
        frames = [self._frame(query) for query in self.panel["targets"]]
        key = next(
            (step["options"]["byField"] for step in self.panel.get("transformations", []) if step["id"] == "joinByField"), None
        )
        if key is None or len(frames) == 1:
            return frames[0]
        known = {row[key]: row for row in frames[1] if key in row}
        return [{**row, **known[row[key]]} for row in frames[0] if row.get(key) in known]

    def _asked(self) -> Iterator[Json]:
        return (query for query in self.panel["targets"] if "query" in query)

    def _series(self, query: Json) -> Iterator[Json]:
        since = self.panel.get("timeFrom")
        start = self.server.start if since is None else self.server.end - seconds(since)
        least = seconds(self.panel.get("interval") or "1s")
        yield from self.server.client.query(filled(query["query"], self.chosen, start=start, end=self.server.end, least=least))

    def _curves_of(self, query: Json) -> Iterator[Curve]:
        for series in self._series(query):
            tags = series.get("tags") or {}
            for place, column in enumerate(series["columns"][1:], 1):
                points = [(row[0] / _DAY_SECONDS, row[place]) for row in series["values"] if row[place] is not None]
                yield Curve(ref=query["refId"], name=_named(query.get("alias", ""), tags) or column, points=points)

    def _frame(self, query: Json) -> list[Row]:
        if "csvContent" in query:
            return list(csv.DictReader(io.StringIO(query["csvContent"])))
        return [
            {**(series.get("tags") or {}), **dict(zip(series["columns"], values, strict=True))}
            for series in self._series(query)
            for values in series["values"]
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", choices=("en", "id"), default="en")
    parser.add_argument("--version", help="of the InfluxDB; the newest that is installed")
    parser.add_argument("--link", default="dinkes", help="chosen where a dashboard shows one link")
    given = parser.parse_args()
    if not installed():
        parser.error("no influxd is installed (the package influxdb, tools/influxd18.sh, tools/influxd2.sh)")
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, loaded(given.version or max(installed()), Path(folder)) as server:
        for name, dashboard in dashboards(target(given.language)).items():
            chosen = {**chosen_values(dashboard), **({"link": given.link} if name == "opd" else {})}
            draw(dashboard, partial(Answers, server=server, chosen=chosen), given.folder / f"{name}-{given.language}.png")
            sys.stdout.write(f"{given.folder / f'{name}-{given.language}.png'}\n")
    return 0


def draw(dashboard: Json, answers: Callable[..., Answers], path: Path) -> None:
    """All panels at their places."""
    from matplotlib.figure import Figure

    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(_WIDTH_INCHES, height * _ROW_INCHES + 0.5))
    figure.suptitle(dashboard["title"], x=0.01, ha="left", weight="bold")
    for panel in panels:
        at = panel["gridPos"]
        left, width = at["x"] / _COLUMNS + 0.032, at["w"] / _COLUMNS - 0.045
        bottom = 0.97 * (1 - (at["y"] + at["h"]) / height) + 0.6 / (height + 1)
        axes = figure.add_axes((left, bottom, width, 0.97 * max(at["h"] - 2.2, 0.2) / height))
        axes.set_title(panel["title"], loc="left", fontsize=8, weight="bold" if panel["type"] == "row" else "normal")
        axes.tick_params(labelsize=6)
        if panel["type"] == "row":
            axes.axis("off")
        else:
            _DRAWN.get(panel["type"], _table)(axes, panel, answers(panel=panel))
    figure.savefig(path, dpi=90)


def _lines(axes: Axes, panel: Json, found: Answers) -> None:
    looks = _looks(panel)
    drawn = {curve.name: curve for curve in found.curves()}
    for curve in drawn.values():
        look = looks.get(curve.ref, {})
        sign = -1 if look.get("custom.transform") == "negative-Y" else 1
        times, heights = [at for at, _ in curve.points], [sign * float(height) for _, height in curve.points]
        style = "o" if look.get("custom.drawStyle") == "points" else "--" if "custom.lineStyle" in look else "-"
        axes.plot(times, heights, style, linewidth=0.9, markersize=4, label=curve.name[:40])
        if (lower := drawn.get(look.get("custom.fillBelowTo", ""))) and len(lower.points) == len(curve.points):
            axes.fill_between(times, heights, [sign * float(height) for _, height in lower.points], alpha=0.3)
    axes.xaxis_date()
    axes.yaxis.set_major_formatter(lambda height, _: _worded(height, panel))
    axes.grid(alpha=0.3)
    if drawn:
        axes.legend(fontsize=5, ncols=4, loc="upper left", framealpha=0.6)


def _looks(panel: Json) -> dict[str, Row]:
    """By query's letter: what its curves are drawn like."""
    found: dict[str, Row] = {}
    for override in panel["fieldConfig"]["overrides"]:
        found.setdefault(override["matcher"]["options"], {}).update({one["id"]: one["value"] for one in override["properties"]})
    return found


def _figure(axes: Axes, panel: Json, found: Answers) -> None:
    heights = [float(height) for curve in found.curves() for _, height in curve.points]
    newest = "lastNotNull" in panel["options"]["reduceOptions"]["calcs"]
    figure = None if not heights else heights[-1] if newest else sum(heights) / len(heights)
    said = panel["fieldConfig"]["defaults"].get("noValue", "–") if figure is None else _worded(figure, panel)
    axes.text(0.5, 0.4, said, ha="center", va="center", fontsize=15)
    axes.axis("off")


def _bars(axes: Axes, panel: Json, found: Answers) -> None:
    summed = "sum" in panel["options"]["reduceOptions"]["calcs"]
    bars = [(curve.name, [float(height) for _, height in curve.points]) for curve in found.curves()]
    axes.barh([name[:30] for name, _ in bars], [sum(heights) if summed else heights[-1] for _, heights in bars if heights])
    axes.xaxis.set_major_formatter(lambda height, _: _worded(height, panel))


def _states(axes: Axes, panel: Json, found: Answers) -> None:
    for place, curve in enumerate(found.curves()):
        colours = ["tab:green" if state in (True, "true", 1) else "tab:red" for _, state in curve.points]
        axes.scatter([at for at, _ in curve.points], [place] * len(curve.points), c=colours, marker="s", s=14)
    axes.set_yticks([])
    axes.xaxis_date()


def _map(axes: Axes, panel: Json, found: Answers) -> None:
    rows = found.rows()
    places = [(float(row["longitude"]), float(row["latitude"]), float(row["load"] or 0)) for row in rows]
    east, north, load = zip(*places, strict=True)
    axes.scatter(east, north, c=load, cmap="RdYlGn_r", vmin=0, vmax=1)


def _table(axes: Axes, panel: Json, found: Answers) -> None:
    """The columns in their order under their headings, the first rows."""
    axes.axis("off")
    order: Row = next((step["options"] for step in panel["transformations"] if step["id"] == "organize"), {})
    names = order.get("renameByName", {})
    columns = [field.removesuffix(" (lastNotNull)") for field in sorted(names, key=order["indexByName"].get)]
    rows = [[str(row.get(column, ""))[:34] for column in columns] for row in found.rows()[:_SHOWN_ROWS]]
    if rows:
        heads = [names.get(column, names.get(f"{column} (lastNotNull)", column)) for column in columns]
        drawn = axes.table(rows, colLabels=heads, loc="upper left", cellLoc="left", edges="horizontal")
        drawn.auto_set_font_size(False)
        drawn.set_fontsize(6)


def _named(alias: str, tags: Mapping[str, str]) -> str:
    return _TAG.sub(lambda match: tags.get(match[1], ""), alias)


def _worded(height: float, panel: Json) -> str:
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    if unit == "percentunit":
        return f"{height:.1%}"
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(height) >= factor and unit in {"bps", "decbytes", "short"}:
            return f"{height / factor:.3g} {letter}{_UNITS.get(unit, '')}"
    return f"{height:.3g} {_UNITS.get(unit, '')}".strip()


_UNITS = {"bps": "b/s", "decbytes": "B", "s": "s", "ms": "ms", "cps": "/s"}
_DRAWN: Mapping[str, Callable[[Any, Json, Answers], None]] = {
    "timeseries": _lines,
    "stat": _figure,
    "bargauge": _bars,
    "piechart": _bars,
    "state-timeline": _states,
    "geomap": _map,
    "table": _table,
}

if __name__ == "__main__":
    sys.exit(main())
