"""python3 recompute.py DIR: recomputes what `bwmgr recommendations show ID --evidence DIR` wrote. Standard library alone."""

import csv, hashlib, json, math, pathlib, statistics, sys  # noqa: E401

folder, wrong = pathlib.Path(sys.argv[1]), []
for digest, name in (line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()):
    if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
        sys.exit(f"{name} was changed after it was written")
values = json.loads((folder / "values.json").read_text())
table = csv.DictReader((folder / "samples.csv").open())
rows = [[float(row[column]) for column in ("rate_bps", "limit_bps", "discards_ps")] for row in table]


def check(what, mine, theirs):  # to the bit/s
    wrong.extend([what] if abs(mine - theirs) > 1 else [])
    print(f"{'WRONG' if what in wrong else 'ok   '} {what}: {mine:.0f} (recommended on {theirs:.0f})")


def demand(p95, said, limits):  # docs/method-demand.md; the two fits behind the limit are given, what is made of them is not
    if said["demand_kind"] != "estimated":
        return max(p95, 1.25 * max(limits)) if said["demand_kind"] == "at least" else p95
    top = {x: 0.99 * statistics.median([r for r, limit, _ in rows if limit == x and r >= 0.95 * x] or [math.inf]) for x in limits}
    held = sum(drops > 0 or rate >= top.get(limit, math.inf) for rate, limit, drops in rows) / len(rows)
    low, high = sorted((said["demand_sqrt_bps"], said["demand_log_bps"]))
    return sum(min(max(x, p95), 2.5 * max(limits)) for x in (low * (1 - 0.5 * held), high * (1 + 1.8 * held))) / 2


def shares(nodes, links):  # docs/method-allocation.md: CIR, then class after class by weight, weights of 0 last
    up = {node["id"]: node["parent"] for node in nodes}
    above = lambda node: [node, *above(up[node])] if node in up else []  # noqa: E731
    path = {i: above(link["parent"]) for i, link in links.items()}
    room = {node["id"]: max(node["capacity_bps"], 0) for node in nodes if node["capacity_bps"] is not None}
    most = {i: min(x for x in (k["demand_bps"], k["mir_bps"], math.inf) if x is not None) for i, k in links.items()}
    have = dict.fromkeys(links, 0.0)
    turns = [(links, {i: k["cir_bps"] for i, k in links.items()}, {i: min(k["cir_bps"], most[i]) for i, k in links.items()})]
    for turn in sorted({(k["service_class"], k["weight"] == 0) for k in links.values()}):  # critical, office, public
        some = [i for i, k in links.items() if (k["service_class"], k["weight"] == 0) == turn]
        turns.append((some, {i: links[i]["weight"] or 1.0 for i in some}, most))
    for rising, weight, ceiling in turns:  # all rise together; who has all that it wants, or a full node above, stops
        while rising := [i for i in rising if weight[i] > 0 and ceiling[i] > have[i] * (1 + 1e-9)]:
            pull = {n: sum(weight[i] for i in rising if n in path[i]) for n in room}
            left = {n: max(room[n] - sum(have[i] for i in links if n in path[i]), 0) / pull[n] for n in room if pull[n]}
            step = min([(ceiling[i] - have[i]) / weight[i] for i in rising] + list(left.values()))
            have |= {i: have[i] + step * weight[i] for i in rising}
            rising = [i for i in rising if all(left[n] > step * (1 + 1e-12) + 1e-12 for n in path[i] if n in left)]
    return have


if rows and values["usage"]:
    p95 = sorted(rate for rate, _, _ in rows)[math.ceil(round(0.95 * len(rows), 9)) - 1]
    check("samples", len(rows), values["usage"]["samples"])
    check("percentile", p95, values["usage"]["p95_bps"])
    if "demand_kind" in values["demand"]:
        check("demand", demand(p95, values["demand"], {limit for _, limit, _ in rows} - {math.inf}), values["demand_bps"])
for name, tree in ((name, values[name]) for name in ("steps", "guarantees") if values[name]):
    odd = [x["id"] for x in tree["nodes"] + tree["links"] if x.get("fairness") == "hierarchical" or x.get("bandwidth_function")]
    print(f"--    {name}: not recomputed, since not by weights of links alone: {', '.join(odd)}" if odd else f"--    {name}:")
    for link, rate in ({} if odd else shares(tree["nodes"], {link["id"]: link for link in tree["links"]})).items():
        check(f"{name} {link}", rate, tree["allocations"][link])
sys.exit(f"{len(wrong)} figures differ" if wrong else 0)
