"""Limits put on real, unlimited traffic, and what is then said of the demand behind them; the truth is known.

`python bench/demand.py [--quick]`: the Abilene traces beside the checkout (or where BWMGR_SHARED says), each limited at four of
its own quantiles. Prints errors of P95 in percent (median, 10 % and 90 %), how many true values the intervals hold, and the time
a link takes; then the optimum of the sum with and without the demand put back, and forecasts. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bwmgr.measure.behind import CLAIM_RATIO, CLAIM_UP_TO, demand_behind, expected_demand
from bwmgr.measure.columns import RATE, Rows
from bwmgr.measure.forecast import forecast
from bwmgr.measure.optimum import smallest_capacity
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction

QUANTILES = (0.95, 0.90, 0.85, 0.75)
BAR_PERCENT, BAR_SECONDS = 5.0, 0.25


def traces(quick: bool) -> dict[str, pd.DataFrame]:
    """Bit/s: the 12 ingress sums, and the single flows between two places."""
    folder = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    flows = pd.read_parquet(folder / "data" / "traffic" / "abilene-2004-03.parquet").astype(float) * 1e6
    ingress = flows.T.groupby(lambda name: name.split(">")[0]).sum().T
    return {"12 ingress links": ingress, "single flows": flows.iloc[:, ::6] if quick else flows}


def limited(truth_bps: pd.Series, limit_bps: float) -> Rows:
    """The rows that a poller would have written had the limit been in force."""
    rows = np.zeros(len(truth_bps), RATE)
    rows["end_ms"] = truth_bps.index.to_numpy("datetime64[ms]").astype(np.int64)
    rows["interval_ticks"] = 30_000
    rows["down_bps"], rows["down_limit_bps"] = np.minimum(truth_bps, limit_bps), limit_bps
    rows["up_limit_bps"] = np.inf
    rows["down_discards_ps"] = rows["up_discards_ps"] = np.nan
    return rows


def nearest_rank(figures: pd.Series, share: float) -> float:
    return float(np.sort(figures)[max(int(np.ceil(share * len(figures) - 1e-9)), 1) - 1])


def answers(data: pd.DataFrame, quantile: float) -> Iterator[tuple[float, float, DemandInterval]]:
    """(truth, naive, said) of each link."""
    for name in data.columns:
        truth = data[name]
        rows = limited(truth, float(np.quantile(truth, quantile)))
        said = demand_behind(rows, Direction.DOWN, timezone="America/Chicago")
        if said is not None and nearest_rank(truth, 0.95) > 0:
            yield nearest_rank(truth, 0.95), nearest_rank(pd.Series(rows["down_bps"]), 0.95), said


def spread(errors: list[float]) -> str:
    low, middle, high = 100 * np.quantile(errors, (0.1, 0.5, 0.9))
    return f"{middle:+6.1f} [{low:+6.1f}, {high:+6.1f}]"


def report(kind: str, data: pd.DataFrame, quantile: float, *, quick: bool) -> bool:
    began = time.perf_counter()
    found = list(answers(data, quantile))
    seconds = (time.perf_counter() - began) / len(found)
    naive = [seen / truth - 1 for truth, seen, _ in found]
    told = [(truth, said) for truth, _, said in found if said.sqrt_bps is not None and said.log_bps is not None]
    held = [said.low_bps <= truth * 1.0001 and (said.high_bps or np.inf) * 1.0001 >= truth for truth, _, said in found]
    kinds = ", ".join(f"{sum(said.kind == name for *_, said in found)} {name}" for name in ("measured", "estimated", "at least"))
    print(f"{kind:<17} {quantile:.2f}  saturated {100 * np.mean([s.saturated_ratio for *_, s in found]):4.1f} %  {kinds}")
    print(f"    naive {spread(naive)}   inside {100 * np.mean(held):.0f} %   {1000 * seconds:.0f} ms a link")
    claimed = CLAIM_RATIO if quantile >= 1 - CLAIM_UP_TO else 0.75
    met = (quick or seconds <= BAR_SECONDS) and bool(np.mean(held) >= claimed)
    if told:
        ends = {
            "sqrt": [said.sqrt_bps / truth - 1 for truth, said in told],
            "log": [said.log_bps / truth - 1 for truth, said in told],
        }
        middle = [(said.sqrt_bps + said.log_bps) / 2 / truth - 1 for truth, said in told]
        widths = [100 * (said.high_bps - said.low_bps) / truth for truth, said in told]
        print(f"    sqrt  {spread(ends['sqrt'])}   log {spread(ends['log'])}   median width {np.median(widths):.0f} %")
        print(f"    middle: median absolute error {100 * np.median(np.abs(middle)):.1f} %")
        met &= quantile < 0.85 or bool(100 * np.median(np.abs(middle)) <= BAR_PERCENT)
    return met


def report_sums(kind: str, data: pd.DataFrame, quantile: float) -> None:
    """The 1 % optimum of the sum of all links: from usage as limited, and from expected demand."""
    used, expected = np.zeros(len(data)), np.zeros(len(data))
    for name in data.columns:
        rows = limited(data[name], float(np.quantile(data[name], quantile)))
        used += rows["down_bps"]
        expected += expected_demand(rows, Direction.DOWN, timezone="America/Chicago")
    truth = smallest_capacity(data.sum(axis=1).to_numpy(), 0.01)
    errors = [100 * (smallest_capacity(series, 0.01) / truth - 1) for series in (used, expected)]
    print(
        f"{kind:<17} {quantile:.2f}  optimum of the sum: from usage {errors[0]:+5.1f} %, from expected demand {errors[1]:+5.1f} %"
    )


def report_forecasts(kind: str, data: pd.DataFrame) -> None:
    """Median error (sum of misses over volume) of the hours of a day and of the second week, champion and candidates."""
    at_ms = data.index.to_numpy("datetime64[ms]").astype(np.int64)[6::12]
    hourly = {name: data[name].to_numpy().reshape(-1, 12).mean(axis=1) for name in data.columns}
    for hours, cuts in ((24, range(240, 336, 24)), (168, (168,))):
        errors: dict[str, list[float]] = {"champion": [], "week ago": []}
        for rate in hourly.values():
            for cut in cuts:
                truth, ahead = rate[cut : cut + hours], at_ms[cut : cut + hours]
                said = forecast(rate[:cut], at_ms[:cut], ahead, timezone="America/Chicago")
                if said is not None and truth.sum() > 0:
                    errors["champion"].append(np.abs(said.rate_bps - truth).sum() / truth.sum())
                    errors["week ago"].append(np.abs(rate[cut - 168 : cut - 168 + hours] - truth).sum() / truth.sum())
        figures = ", ".join(f"{name} {np.median(found):.3f}" for name, found in errors.items())
        print(f"{kind:<17} forecast of {hours} h: {figures}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every sixth flow only, whatever time it takes")
    quick = parser.parse_args().quick
    data = traces(quick)
    met = [report(kind, table, quantile, quick=quick) for kind, table in data.items() for quantile in QUANTILES]
    for kind, table in data.items():
        for quantile in QUANTILES:
            report_sums(kind, table, quantile)
    for kind, table in ({} if quick else data | {"all as one": data["12 ingress links"].sum(axis=1).to_frame("all")}).items():
        report_forecasts(kind, table)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
