#!/usr/bin/env python3
"""Recomputes a recommendation from `bwmgr recommendations show ID --evidence DIR`: python3 recompute.py DIR. Standard library."""

import csv
import hashlib
import json
import math
import pathlib
import statistics
import sys

folder, wrong = pathlib.Path(sys.argv[1]), []
for digest, name in (line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()):
    if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
        sys.exit(f"{name} was changed after it was written")
P, V = (json.loads((folder / f"{name}.json").read_text()) for name in ("parameters", "values"))
rows = [{key: float(cell) for key, cell in row.items()} for row in csv.DictReader((folder / "samples.csv").open())]


def check(what, mine, theirs):  # to the bit/s
    ok = mine == theirs or (None not in (mine, theirs) and abs(mine - theirs) <= 1)
    print(f"{'ok   ' if ok else 'WRONG'} {what}: {mine} (recommended on {theirs})")
    wrong.extend([] if ok else [what])


def demand(p95, said, limits):  # docs/method-demand.md; the two fits are given, all else is recomputed
    near = {x: [r["rate_bps"] for r in rows if r["limit_bps"] == x and r["rate_bps"] >= 0.95 * x] for x in limits}
    top = {x: 0.99 * statistics.median(rates) for x, rates in near.items() if rates}
    held = sum(r["discards_ps"] > 0 or r["rate_bps"] >= top.get(r["limit_bps"], math.inf) for r in rows) / len(rows)
    if said["demand_kind"] != "estimated":
        return max(p95, 1.25 * max(limits)) if said["demand_kind"] == "at least" else p95
    fits, most = (said["demand_sqrt_bps"], said["demand_log_bps"]), 2.5 * max(limits)
    return sum(min(max(x, p95), most) for x in (min(fits) * (1 - 0.5 * held), max(fits) * (1 + 1.8 * held))) / 2


def fill(links, path, room, have, ceiling, weight):  # progressive filling: all rise together until a ceiling or a full node stops
    while active := {i for i in links if weight[i] > 0 and ceiling[i] - have[i] > 1e-9 * max(ceiling[i], 1)}:
        load = {n: sum(weight[i] for i in active if n in path[i]) for n in room}
        left = {n: max(room[n] - sum(have[i] for i in path if n in path[i]), 0.0) for n in room}
        rise = min([(ceiling[i] - have[i]) / weight[i] for i in active] + [left[n] / load[n] for n in room if load[n]])
        for i in active:
            have[i] += rise * weight[i]
        full = {n for n in room if load[n] and left[n] / load[n] <= rise * (1 + 1e-12) + 1e-12}
        links = [i for i in active if not full & set(path[i])]


def shares(problem):  # CIR first (in proportion where too much was promised), then class after class by weight
    up, links = {n["id"]: n["parent"] for n in problem["nodes"]}, {i["id"]: i for i in problem["links"]}
    room = {n["id"]: max(n["capacity_bps"], 0) for n in problem["nodes"] if n["capacity_bps"] is not None}
    above = lambda n: [] if n is None else [n, *above(up[n])]  # noqa: E731
    path, cir = {i: above(k["parent"]) for i, k in links.items()}, {i: k["cir_bps"] for i, k in links.items()}
    have = dict.fromkeys(links, 0.0)
    top = {i: min(x for x in (k["demand_bps"], k["mir_bps"], math.inf) if x is not None) for i, k in links.items()}
    fill(links, path, room, have, {i: min(cir[i], top[i]) for i in links}, cir)
    for rank, last in ((rank, last) for rank in ("critical", "office", "public") for last in (False, True)):
        some = [i for i, k in links.items() if k["service_class"] == rank and (k["weight"] == 0) == last]
        fill(some, path, room, have, top, {i: links[i]["weight"] or 1.0 for i in links})
    return have


if rows and V["usage"]:
    rates, seconds = sorted(r["rate_bps"] for r in rows), [r["interval_ticks"] / 100 for r in rows]
    p95 = rates[math.ceil(round(P["window"]["percentile"] / 100 * len(rates), 9)) - 1]
    check("percentile", p95, V["usage"]["p95_bps"])
    check(
        "mean",
        math.fsum(r["rate_bps"] * s for r, s in zip(rows, seconds, strict=True)) / math.fsum(seconds),
        V["usage"]["mean_bps"],
    )
    if "demand_kind" in V["demand"]:
        found = demand(p95, V["demand"], {r["limit_bps"] for r in rows if r["limit_bps"] < math.inf})
        check("demand", round(found), round(V["demand_bps"]))
        for ratio in [P["policy_parameters"]["headroom_ratio"]] if V["target_bps"] is not None else []:
            check("target", round(found * (1 + ratio)), round(V["target_bps"]))
for name in ("steps", "guarantees"):
    if V[name] and any(n["fairness"] == "hierarchical" for n in V[name]["nodes"]):
        print(f"--    {name}: a hierarchical node shares by its children's weights; not recomputed here")
    for i, rate in shares(V[name]).items() if V[name] and all(n["fairness"] != "hierarchical" for n in V[name]["nodes"]) else ():
        check(f"{name} {i}", round(rate), round(V[name]["allocations"][i]))
sys.exit(f"{len(wrong)} figures differ" if wrong else 0)
