#!/usr/bin/env python3
"""Golden rows of every far field, restated from the papers in plain Python doubles, one sum at a time.

  make_far.py        needs nothing; writes far.json beside itself

Written from the formulas alone: no block sums, no chunks, no log-sum-exp merge, no state. Linear attention 2006.16236,
positive and trigonometric orthogonal random features 2009.14794, second-order Taylor 2402.18668 (all D*D products),
softmax features 2402.04347 with U = identity, a shared normaliser 2410.10254 with one maximum, mean-pooled summaries
with log count, sink logit, and the seed block's recurrence. Random numbers are SplitMix64 as the program's.
performer-pytorch itself is run by make_peers.py.
"""
import json
import math
import pathlib

from draws import draw, f32, table

T, D, HEADS, KV = 22, 4, 2, 1
SEED, LAYER = 1, 0

Q, K, V = table(T, HEADS * D, 1, 2.0), table(T, D, 2, 2.0), table(T, D, 3, 1.0)
SCALE = 1 / math.sqrt(D)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def query(i, h):
    return Q[i][h * D:(h + 1) * D]


def directions(rows: int):
    w = []
    for r in range(rows):
        row = []
        for c in range(D):
            a = ((draw(SEED, LAYER, 0, r, c, 0) >> 11) + 1) * 2.0**-53
            b = (draw(SEED, LAYER, 0, r, c, 1) >> 11) * 2.0**-53
            row.append(math.sqrt(-2 * math.log(a)) * math.cos(2 * math.pi * b))
        w.append(row)
    for first in range(0, rows, D):
        block = w[first:first + D]
        done = []
        for row in block:
            length = math.sqrt(dot(row, row))
            x = list(row)
            for y in done:
                p = dot(x, y) / dot(y, y)
                x = [a - p * b for a, b in zip(x, y)]
            left = math.sqrt(dot(x, x))
            done.append([a / left * length for a in x])
        w[first:first + D] = done
    return w


def features(name: str, x, count: int):
    x = [v * math.sqrt(SCALE) for v in x]
    if name == "elu1":
        return [v + 1 if v > 0 else math.exp(v) for v in x]
    if name == "performer":
        half = dot(x, x) / 2
        return [math.exp(dot(w, x) - half) / math.sqrt(count) for w in directions(count)]
    if name == "trig":
        grow = math.exp(dot(x, x) / 2) / math.sqrt(count / 2)
        angles = [dot(w, x) for w in directions(count // 2)]
        return [grow * math.cos(a) for a in angles] + [grow * math.sin(a) for a in angles]
    if name == "taylor2":
        return [1.0] + x + [a * b / math.sqrt(2) for a in x for b in x]
    soft = []
    for sign in (1, -1):
        e = [math.exp(sign * v) for v in x]
        soft += [v / sum(e) for v in e]
    return soft


def exact_keys(i, window, sinks):
    return sorted(set(range(max(0, i - window + 1), i + 1)) | set(range(min(sinks, i + 1))))


def linear_row(i, h, name, count, window, sinks, factor):
    exact = exact_keys(i, window, sinks)
    far = [j for j in range(i + 1) if j not in exact]
    weights = {j: factor * math.exp(SCALE * dot(query(i, h), K[j])) for j in exact}
    phi = features(name, query(i, h), count)
    for j in far:
        weights[j] = dot(phi, features(name, K[j], count))
    # Where the state answers alone 1e-6 joins the denominator, but not with random features.
    total = sum(weights.values()) + (1e-6 if not exact and name != "performer" else 0)
    return [sum(w * V[j][d] for j, w in weights.items()) / total for d in range(D)]


def summary_row(i, h, window, sinks, m, log_count, top, sink_logit):
    exact = exact_keys(i, window, sinks)
    terms = [(math.exp(SCALE * dot(query(i, h), K[j])), V[j]) for j in exact]
    entries = []
    for first in range(0, i + 1, m):
        members = [j for j in range(first, min(first + m, i + 1)) if j not in exact]
        if members:
            c = len(members)
            k = [sum(K[j][d] for j in members) / c for d in range(D)]
            v = [sum(V[j][d] for j in members) / c for d in range(D)]
            entries.append((SCALE * dot(query(i, h), k) + (math.log(c) if log_count else 0), v))
    if top:
        entries = sorted(entries, key=lambda e: -e[0])[:top]
    terms += [(math.exp(s), v) for s, v in entries]
    total = sum(w for w, _ in terms) + (math.exp(sink_logit) if sink_logit is not None else 0)
    return [sum(w * v[d] for w, v in terms) / total for d in range(D)]


def recurrence(h):
    def matrix(n):
        bound = 1 / math.sqrt(D)
        return [[f32(bound * (2 * (draw(SEED, LAYER, h, n, r * D + c) >> 40) / 2**24 - 1)) for c in range(D)]
                for r in range(D)]
    wr, wz, wn, ur, un = (matrix(n) for n in range(5))
    sigmoid = lambda x: 1 / (1 + math.exp(-x))
    state, rows = [0.0] * D, []
    for t in range(T):
        k, v = K[t], V[t]
        r = [sigmoid(dot(wr[c], state) + dot(ur[c], k)) for c in range(D)]
        z = [sigmoid(dot(wz[c], state) + k[c]) for c in range(D)]
        n = [math.tanh(dot(wn[c], [a * b for a, b in zip(r, state)]) + dot(un[c], k)) for c in range(D)]
        state = [(1 - z[c]) * state[c] + z[c] * n[c] * v[c] for c in range(D)]
        rows.append(state)
    return rows


def main() -> None:
    cases = []

    def add(name, policy, row):
        policy = {"fovea": "policy", "version": 1, "name": name, **policy}
        cases.append({"name": name, "policy": policy,
                      "o": [[float(f"{x:.9g}") for h in range(HEADS) for x in row(i, h)] for i in range(T)]})

    for name, count in (("elu1", 0), ("performer", 12), ("trig", 12), ("taylor2", 0), ("hedgehog", 0)):
        far = {"far": "linear", "map": name, "features": count}
        if name != "trig":  # its lone denominator may vanish
            add(name + " alone", {"local": {"window": 0}, "far": far, "combine": {"combine": "shared"}},
                lambda i, h, n=name, c=count: linear_row(i, h, n, c, 0, 0, 1))
        add(name + " shared", {"local": {"window": 3}, "always": {"sinks": 2}, "far": far,
                               "combine": {"combine": "shared", "window_factor": 0.5}},
            lambda i, h, n=name, c=count: linear_row(i, h, n, c, 3, 2, 0.5))
    for m, log_count, top, sink in ((4, True, 0, None), (4, False, 0, None), (2, True, 3, None), (8, True, 0, 0.7)):
        always = {"sinks": 1}
        if sink is not None:
            always["sink_logit"] = sink
        add(f"summaries m {m} log {log_count} top {top} sink {sink}",
            {"local": {"window": 3}, "always": always,
             "far": {"far": "summaries", "m": m, "log_count": log_count, "top": top}},
            lambda i, h, a=(3, 1, m, log_count, top, sink): summary_row(i, h, *a))
    add("sink logit alone", {"local": {"window": 5}, "always": {"sink_logit": -0.5}},
        sink_only)
    states = [recurrence(h) for h in range(HEADS)]
    for gate in (0.0, 0.731):
        def gated(i, h, g=gate):
            exact = exact_keys(i, 4, 0)
            w = [math.exp(SCALE * dot(query(i, h), K[j])) for j in exact]
            return [g * sum(a * V[j][d] for a, j in zip(w, exact)) / sum(w) + (1 - g) * states[h][i][d]
                    for d in range(D)]
        add(f"recurrent gate {gate}", {"local": {"window": 4}, "far": {"far": "recurrent"},
                                       "combine": {"combine": "gated", "gate": gate}}, gated)
    out = {"tokens": T, "dim": D, "heads": HEADS, "kv_heads": KV, "q": Q, "k": K, "v": V, "cases": cases}
    path = pathlib.Path(__file__).with_name("far.json")
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{len(cases)} cases, {path.stat().st_size} bytes")


def sink_only(i, h):
    exact = exact_keys(i, 5, 0)
    w = [math.exp(SCALE * dot(query(i, h), K[j])) for j in exact]
    return [sum(a * V[j][d] for a, j in zip(w, exact)) / (sum(w) + math.exp(-0.5)) for d in range(D)]


if __name__ == "__main__":
    main()
