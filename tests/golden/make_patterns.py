#!/usr/bin/env python3
"""Restates, from the papers, which keys each query reads under the fixed patterns; writes patterns.json beside itself.

Sliding window, dilated window and global tokens: Longformer (2004.05150), here causal. Sinks: StreamingLLM (2309.17453).
Chunks: Efficient Transformers survey (2009.06732). Separators: SepLLM (2412.12094): initial, neighbouring and the latest
separator tokens. Interleaved layers: Gemma 2 and 3 (2408.00118, 2503.19786). Nothing of Fovea is imported.
"""
import json
import pathlib

T = 150


def window(i, w):
    return set(range(max(0, i - w + 1), i + 1))


def dilated(i, w, step):
    return {i - step * t for t in range(w) if i - step * t >= 0}


def chunk(i, size, previous):
    begin = i // size * size
    return set(range(max(0, begin - size) if previous else begin, i + 1))


def sinks(i, s):
    return set(range(min(s, i + 1)))


def latest(i, marks, cap):
    seen = [j for j in marks if j <= i]
    return set(seen[-cap:] if cap else seen)


def runs(keys):
    """[first, last, first, last, ...] of neighbouring keys."""
    out = []
    for key in keys:
        if out and key == out[-1] + 1:
            out[-1] = key
        else:
            out += [key, key]
    return out


def rows(read):
    """Every query reads at least itself."""
    return [runs(sorted(read(i)) or [i]) for i in range(T)]


separators = [j for j in range(T) if (j * 7 + 3) % 11 < 2]
special = [j for j in range(T) if j % 40 == 13]
pinned = [3, 50, 90]
border = T - T // 4
everything = lambda i: set(range(i + 1))

cases = []


def case(name, policy, read, layer=0, head=0):
    cases.append({"name": name, "layer": layer, "head": head, "policy": {"fovea": "policy", "version": 1, **policy},
                  "rows": rows(read)})


case("full", {}, everything)
case("window 1", {"local": {"window": 1}}, lambda i: window(i, 1))
case("window 17", {"local": {"window": 17}}, lambda i: window(i, 17))
case("window 0", {"local": {"window": 0}}, lambda i: set())
case("dilated 9 x 4", {"local": {"window": 9, "dilation": 4}}, lambda i: dilated(i, 9, 4))
case("dilated further than the text", {"local": {"window": 40, "dilation": 64}}, lambda i: dilated(i, 40, 64))
case("chunk 32", {"local": {"window": 0, "chunk": 32}}, lambda i: chunk(i, 32, False))
case("chunk 32 and the one before", {"local": {"window": 0, "chunk": 32, "chunk_prev": 1}}, lambda i: chunk(i, 32, True))
case("window and chunk", {"local": {"window": 5, "chunk": 20}}, lambda i: window(i, 5) | chunk(i, 20, False))
case("window 16 + 4 sinks", {"local": {"window": 16}, "always": {"sinks": 4}}, lambda i: window(i, 16) | sinks(i, 4))
case("longformer: window 12, global tokens of both roles",
     {"local": {"window": 12}, "always": {"pinned": [{"tokens": pinned, "role": "both"}]}},
     lambda i: everything(i) if i in pinned else window(i, 12) | {j for j in pinned if j <= i})
case("global keys only", {"local": {"window": 12}, "always": {"pinned": [{"tokens": pinned, "role": "keys"}]}},
     lambda i: window(i, 12) | {j for j in pinned if j <= i})
case("global queries only", {"local": {"window": 12}, "always": {"pinned": [{"tokens": pinned, "role": "queries"}]}},
     lambda i: everything(i) if i in pinned else window(i, 12))
case("separators", {"local": {"window": 10}, "always": {"sinks": 2, "punctuation": True}},
     lambda i: window(i, 10) | sinks(i, 2) | latest(i, separators, 0))
case("sepllm: the latest 5 separators", {"local": {"window": 10}, "always": {"sinks": 2, "punctuation": True, "punctuation_cap": 5}},
     lambda i: window(i, 10) | sinks(i, 2) | latest(i, separators, 5))
case("special tokens, the latest 2", {"local": {"window": 6}, "always": {"special": True, "special_cap": 2}},
     lambda i: window(i, 6) | latest(i, special, 2))
case("both caps", {"local": {"window": 6}, "always": {"special": True, "special_cap": 1, "punctuation": True, "punctuation_cap": 3}},
     lambda i: window(i, 6) | latest(i, special, 1) | latest(i, separators, 3))
case("prefill phase: rows from the border on read everything",
     {"local": {"window": 20}, "routed": {"signal": "none", "phase": "prefill"}},
     lambda i: window(i, 20) if i < border else everything(i))
case("decode phase: prompt rows read everything",
     {"local": {"window": 20}, "routed": {"signal": "none", "phase": "decode"}},
     lambda i: everything(i) if i < border else window(i, 20))
for layer in range(3):
    case("2 windowed : 1 full, layer %d" % layer, {"local": {"window": 8}, "mix": {"full_every": 3}},
         everything if layer % 3 == 2 else lambda i: window(i, 8), layer)
named = {"local": {"window": 8}, "head_policies": {"wide": {"local": {"window": 8, "dilation": 3}}, "sinks": {"local": {"window": 4}, "always": {"sinks": 3}}},
         "mix": {"heads": ["wide", "", "full", "sinks"]}}
for head, read in enumerate([lambda i: dilated(i, 8, 3), lambda i: window(i, 8), everything, lambda i: window(i, 4) | sinks(i, 3)]):
    case("heads differ, head %d" % head, named, read, 0, head)
layered = {"local": {"window": 8}, "head_policies": {"wide": {"local": {"window": 30}}}, "mix": {"layers": ["", "wide", "full"]}}
for layer, read in enumerate([lambda i: window(i, 8), lambda i: window(i, 30), everything]):
    case("layers differ, layer %d" % layer, layered, read, layer)

out = {"tokens": T, "punctuation": separators, "special": special, "cases": cases}
pathlib.Path(__file__).with_name("patterns.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
