#!/usr/bin/env python3
"""Races core/kernels' attention against PyTorch on one thread, interleaved A/B/A/B in one run.

usage: race_attention.py BENCH_ATTENTION [--rounds N] [--cpu N] [--only TEXT]

BENCH_ATTENTION is build/bench/tests/bench_attention or the like. Needs torch (throw-away environment); FlexAttention is
compiled. Each round takes ours, then the peer, then the measured multiply-add peak, so that a busy minute hits all three. Prints
one JSON line per case: medians, ranges, GF/s of useful pairs, share of peak, ratio of medians and range of the per-round ratios.
What a peer does not skip: SDPA with is_causal skips future blocks; FlexAttention skips by its block mask (128 x 128).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("bench")
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--cpu", type=int, default=0)
parser.add_argument("--only", default="")
arguments = parser.parse_args()
os.sched_setaffinity(0, {arguments.cpu})
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402  after the thread count is set
from torch.nn.attention.flex_attention import create_block_mask, flex_attention  # noqa: E402

torch.set_num_threads(1)
sdpa = torch.nn.functional.scaled_dot_product_attention
flex = torch.compile(flex_attention)


def tensors(heads, kv_heads, tokens, dim):
    make = lambda h: torch.randn(1, h, tokens, dim)  # noqa: E731
    return make(heads), make(kv_heads), make(kv_heads)


def sdpa_peer(heads, kv_heads, tokens, dim, causal):
    q, k, v = tensors(heads, kv_heads, tokens, dim)
    grouped = heads != kv_heads
    return lambda: sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)


def flex_peer(heads, tokens, dim, window):
    q, k, v = tensors(heads, heads, tokens, dim)
    reads = lambda b, h, i, j: (j <= i) & (i - j < window)  # noqa: E731
    mask = create_block_mask(reads, None, None, tokens, tokens, device="cpu")
    return lambda: flex(q, k, v, block_mask=mask)


CASES = [
    ("full-8x64-4096", "SDPA f32", lambda: sdpa_peer(8, 8, 4096, 64, False)),
    ("causal-8x64-4096", "SDPA f32", lambda: sdpa_peer(8, 8, 4096, 64, True)),
    ("causal-9x3x64-8192", "SDPA f32", lambda: sdpa_peer(9, 3, 8192, 64, True)),
    ("window512-12x64-4096", "FlexAttention f32, compiled", lambda: flex_peer(12, 4096, 64, 512)),
]

ours = subprocess.Popen([arguments.bench, "--serve", "--threads", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(line):
    ours.stdin.write(line + "\n")
    ours.stdin.flush()
    answer = json.loads(ours.stdout.readline())
    if "error" in answer:
        sys.exit(answer["error"])
    return answer


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


with torch.no_grad():
    for name, peer_name, make_peer in CASES:
        if arguments.only not in name:
            continue
        peer = make_peer()
        peer()
        peer()
        flops = ask(name)["flops"]
        mine, theirs, peaks = [], [], []
        for _ in range(arguments.rounds):
            mine.append(ask(name)["seconds"])
            theirs.append(timed(peer))
            peaks.append(ask("peak")["fma_gflops"])
        ratios = [b / a for a, b in zip(mine, theirs)]
        median = statistics.median(mine)
        print(json.dumps({
            "case": name, "peer": f"torch {torch.__version__} {peer_name}", "rounds": arguments.rounds,
            "ours_ms": round(1e3 * median, 2), "ours_range_ms": [round(1e3 * x, 2) for x in (min(mine), max(mine))],
            "peer_ms": round(1e3 * statistics.median(theirs), 2),
            "peer_range_ms": [round(1e3 * x, 2) for x in (min(theirs), max(theirs))],
            "ours_gflops": round(flops / median / 1e9, 1), "best_ours_gflops": round(flops / min(mine) / 1e9, 1),
            "peak_gflops": round(max(peaks), 1), "share_of_peak": round(flops / median / 1e9 / statistics.median(peaks), 3),
            "ratio": round(statistics.median(theirs) / median, 3), "ratio_of_best": round(min(theirs) / min(mine), 3),
            "round_ratios": [round(min(ratios), 3), round(max(ratios), 3)],
            "load": os.getloadavg()[0],
        }), flush=True)
ours.stdin.close()
ours.wait()
