#!/usr/bin/env python3
"""Recomputes a recommendation from `bwmgr recommendations show ID --evidence DIR`: python3 recompute.py DIR. Standard library."""

import csv
import hashlib
import json
import math
import pathlib
import sys
from statistics import NormalDist

folder, wrong, N = pathlib.Path(sys.argv[1]), [], NormalDist()
for line in (folder / "SHA256SUMS").read_text().splitlines():
    digest, name = line.split("  ")
    if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
        sys.exit(f"{name} was changed after it was written")
P, V = (json.loads((folder / f"{name}.json").read_text()) for name in ("parameters", "values"))
rows = [{key: float(cell) for key, cell in row.items()} for row in csv.DictReader((folder / "samples.csv").open())]


def check(what, mine, theirs, within=1.0):  # bit/s: rounding of a sum, no more
    ok = mine == theirs or (None not in (mine, theirs) and abs(mine - theirs) <= within)
    print(f"{'ok   ' if ok else 'WRONG'} {what}: {mine} (recommended on {theirs})")
    wrong.extend([] if ok else [what])


def demand(mean, p95, share, limit, p):  # a normal distribution cut off at the limit: bwmgr/measure/demand.py
    if limit is None or share <= 1 - p:
        return p95
    z = N.inv_cdf(1 - min(share, 0.98))
    rate = max(p95, limit + max(limit - mean, 0) / (N.pdf(z) + z * N.cdf(z)) * (N.inv_cdf(p) - z))
    return min(max(rate, 1.25 * limit) if share > 0.30 else rate, 2.5 * limit)


def fill(links, path, room, have, ceiling, weight):  # progressive filling: all rise together until a ceiling or a full node stops
    active = {i for i in links if weight[i] > 0 and ceiling[i] > have[i]}
    while active:
        load = {n: sum(weight[i] for i in active if n in path[i]) for n in room}
        left = {n: max(room[n] - sum(have[i] for i in path if n in path[i]), 0.0) for n in room}
        rise = min([(ceiling[i] - have[i]) / weight[i] for i in active] + [left[n] / load[n] for n in room if load[n]])
        full = {n for n in room if load[n] and left[n] / load[n] <= rise * (1 + 1e-12) + 1e-12}
        for i in active:
            have[i] += rise * weight[i]
        active = {i for i in active if ceiling[i] - have[i] > 1e-9 * max(ceiling[i], 1) and not full & set(path[i])}


def shares(problem):  # CIR first (in proportion where too much was promised), then class after class by weight
    up, links = {n["id"]: n["parent"] for n in problem["nodes"]}, {i["id"]: i for i in problem["links"]}
    room = {n["id"]: max(n["capacity_bps"], 0) for n in problem["nodes"] if n["capacity_bps"] is not None}

    def above(n):
        return [] if n is None else [n, *above(up[n])]

    path, have = {i: above(link["parent"]) for i, link in links.items()}, dict.fromkeys(links, 0.0)
    top = {i: min(x for x in (k["demand_bps"], k["mir_bps"], math.inf) if x is not None) for i, k in links.items()}
    cir = {i: link["cir_bps"] for i, link in links.items()}
    fill(links, path, room, have, {i: min(cir[i], top[i]) for i in links}, cir)
    for rank in ("critical", "office", "public"):
        for last in (False, True):
            some = [i for i, k in links.items() if k["service_class"] == rank and (k["weight"] == 0) == last]
            fill(some, path, room, have, top, {i: links[i]["weight"] or 1.0 for i in links})
    return have


if rows and V["usage"]:
    seconds, rates = [r["interval_ticks"] / 100 for r in rows], sorted(r["rate_bps"] for r in rows)
    octets = round(math.fsum(r["rate_bps"] * s for r, s in zip(rows, seconds, strict=True)) / 8)
    mean, p = octets * 8 / math.fsum(seconds), P["window"]["percentile"] / 100
    p95 = rates[math.ceil(round(p * len(rates), 9)) - 1]
    share = math.fsum(s for r, s in zip(rows, seconds, strict=True) if r["rate_bps"] >= 0.95 * r["limit_bps"]) / math.fsum(
        seconds
    )
    check("percentile", p95, V["usage"]["p95_bps"], 0), check("mean", mean, V["usage"]["mean_bps"])
    found = demand(mean, p95, share, P["current"]["mir_bps"], p)
    if V["demand_bps"] is not None:
        check("demand", round(found), round(V["demand_bps"]))
    if V["target_bps"] is not None and "headroom_ratio" in P["policy_parameters"]:
        check("target", round(found * (1 + P["policy_parameters"]["headroom_ratio"])), round(V["target_bps"]))
for name in ("steps", "guarantees"):
    if V[name] and any(n["fairness"] == "hierarchical" for n in V[name]["nodes"]):
        print(f"--    {name}: a hierarchical node shares by its children's weights; not recomputed here")
    elif V[name]:
        for i, rate in shares(V[name]).items():
            check(f"{name} {i}", round(rate), round(V[name]["allocations"][i]))
sys.exit(f"{len(wrong)} figures differ" if wrong else 0)
