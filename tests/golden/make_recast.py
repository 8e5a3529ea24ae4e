#!/usr/bin/env python3
"""Golden rows of keys that are read otherwise than the model made them, in plain Python doubles, one sum at a time.

  make_recast.py     needs nothing; writes recast.json beside itself

streaming: positions inside the cache as StreamingLLM (2309.17453, section 3.2) has them. Keys are kept as they are
before the rotation; each query gathers what it reads, rotates the keys to 0, 1, 2 ... in that order and itself to the
last of these positions. No key is turned back, no two softmaxes are merged: what the program does instead.

stored: the seed block's two-tier cache. Keys and values behind the window are their length and 127 x / |x| rounded; a
row reads its window and sinks exactly, and from the stored form the 2 pages of 4 with the greatest q.k (posted: the
newest 2 whose greatest q.k is 0.02 or more), all under one softmax.
"""
import json
import math
import pathlib

from draws import draw, f32, table

T, D, HEADS, KV = 26, 6, 2, 1
FREQUENCIES = [50.0 ** (-2 * m / D) / 2 / factor for m, factor in enumerate((1.0, 1.5, 2.0))]
WINDOWS, SINKS = (5, 9), (3, 1)  # of the two heads

Q, K, V = table(T, HEADS * D, 1, 2.0), table(T, D, 2, 2.0), table(T, D, 3, 1.0)
SCALE = 1 / math.sqrt(D)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def rotated(x, position):
    half = D // 2
    to = [0.0] * D
    for m in range(half):
        c, s = math.cos(position * FREQUENCIES[m]), math.sin(position * FREQUENCIES[m])
        to[m] = x[m] * c - x[m + half] * s
        to[m + half] = x[m] * s + x[m + half] * c
    return to


def softmax_row(scores, keys):
    most = max(scores)
    weights = [math.exp(s - most) for s in scores]
    total = sum(weights)
    p = [w / total for w in weights]
    return {"keys": keys, "p": p, "o": [sum(w * V[j][d] for w, j in zip(p, keys)) for d in range(D)],
            "lse": most + math.log(total)}


def streaming(h: int, i: int):
    read = sorted(set(range(min(SINKS[h], i + 1))) | set(range(max(0, i - WINDOWS[h] + 1), i + 1)))
    q = rotated(Q[i][h * D:(h + 1) * D], len(read) - 1)
    return softmax_row([SCALE * dot(q, rotated(K[j], rank)) for rank, j in enumerate(read)], read)


def kept_mass(h: int, i: int):
    """Full attention's own probability on the keys that streaming reads."""
    q = rotated(Q[i][h * D:(h + 1) * D], i)
    whole = softmax_row([SCALE * dot(q, rotated(K[j], j)) for j in range(i + 1)], list(range(i + 1)))
    return sum(whole["p"][j] for j in streaming(h, i)["keys"])


S_T, S_WINDOW, S_SINKS, PAGE, BAR = 60, 8, 2, 4, 0.02
SQ, SK, SV = table(S_T, HEADS * D, 4, 2.0), table(S_T, D, 5, 2.0), table(S_T, D, 6, 1.0)


def read_back(x):
    length = math.sqrt(dot(x, x))
    return [round(127 * c / length) * f32(length) / 127 for c in x]


SK_BACK, SV_BACK = [read_back(x) for x in SK], [read_back(x) for x in SV]


def stored(h: int, i: int, posted: bool):
    q = SQ[i][h * D:(h + 1) * D]
    exact = sorted(set(range(min(S_SINKS, i + 1))) | set(range(max(0, i - S_WINDOW + 1), i + 1)))
    cold = [j for j in range(i + 1) if j not in exact]
    pages = sorted({j // PAGE for j in cold})
    score = {p: max(SCALE * dot(q, SK_BACK[j]) for j in cold if j // PAGE == p) for p in pages}
    if posted:
        promoted = [p for p in sorted(pages, reverse=True) if score[p] >= BAR][:2]
    else:
        promoted = sorted(pages, key=lambda p: (score[p], p), reverse=True)[:2]
    keys = sorted(exact + [j for j in cold if j // PAGE in promoted])
    k = [SK[j] if j in exact else SK_BACK[j] for j in keys]
    v = [SV[j] if j in exact else SV_BACK[j] for j in keys]
    scores = [SCALE * dot(q, x) for x in k]
    most = max(scores)
    weights = [math.exp(x - most) for x in scores]
    total = sum(weights)
    return {"keys": keys, "p": [w / total for w in weights], "lse": most + math.log(total),
            "o": [sum(w / total * x[d] for w, x in zip(weights, v)) for d in range(D)]}


rows = [[streaming(h, i) for i in range(T)] for h in range(HEADS)]
document = {
    "tokens": T, "head_dim": D, "heads": HEADS, "kv_heads": KV, "scale": SCALE, "frequencies": FREQUENCIES,
    "windows": WINDOWS, "sinks": SINKS, "v": V,
    "q_rotated": [[f32(x) for h in range(HEADS) for x in rotated(Q[i][h * D:(h + 1) * D], i)] for i in range(T)],
    "k_rotated": [[f32(x) for x in rotated(K[i], i)] for i in range(T)],
    "streaming": [[{**row, "kept_mass": kept_mass(h, i)} for i, row in enumerate(head)] for h, head in enumerate(rows)],
    "stored": {"tokens": S_T, "window": S_WINDOW, "sinks": S_SINKS, "page": PAGE, "bar": BAR, "q": SQ, "k": SK, "v": SV,
               "k_back": SK_BACK,
               "best": [[stored(h, i, False) for i in range(S_T)] for h in range(HEADS)],
               "posted": [[stored(h, i, True) for i in range(S_T)] for h in range(HEADS)]},
}
pathlib.Path(__file__).with_name("recast.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
