#!/usr/bin/env python3
"""Races core/kernels' attention against other programs on one thread, interleaved A/B/A/B in one run.

usage: race_attention.py BENCH_ATTENTION [--rounds N] [--repeat N] [--cpu N] [--only TEXT] [--isa NAME]

BENCH_ATTENTION is build/bench/tests/bench_attention or the like. Needs torch (throw-away environment); FlexAttention is
compiled. With onnxruntime and onnx installed their MultiHeadAttention runs too, else its cases say so. Cases in bf16 say so where
the CPU has no such instructions. --repeat runs the whole list so many times. Each round takes ours, then the peer, then the measured multiply-add peak, so that a busy minute hits all three. Prints
one JSON line per case: medians, ranges, GF/s of useful pairs, share of peak, ratio of medians and range of the per-round ratios.
What a peer does not skip: SDPA with is_causal skips future blocks, with a dense mask nothing; FlexAttention skips by its block
mask (128 x 128); ONNX Runtime skips nothing.
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
parser.add_argument("--repeat", type=int, default=1)
parser.add_argument("--isa", default="")
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


def tensors(heads, kv_heads, tokens, dim, kind):
    make = lambda h: torch.randn(1, h, tokens, dim).to(kind)  # noqa: E731
    return make(heads), make(kv_heads), make(kv_heads)


def sdpa_peer(heads, kv_heads, tokens, dim, causal, kind=torch.float32):
    q, k, v = tensors(heads, kv_heads, tokens, dim, kind)
    grouped = heads != kv_heads
    return lambda: sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)


def masked_peer(heads, tokens, dim, window, kind):
    q, k, v = tensors(heads, heads, tokens, dim, kind)
    i = torch.arange(tokens)
    mask = (i[None, :] <= i[:, None]) & (i[:, None] - i[None, :] < window)
    return lambda: sdpa(q, k, v, attn_mask=mask)


def onnx_peer(heads, tokens, dim):
    import numpy
    import onnx
    import onnxruntime
    names = ["query", "key", "value"]
    shape = [1, tokens, heads * dim]
    node = onnx.helper.make_node("MultiHeadAttention", names, ["output"], domain="com.microsoft", num_heads=heads)
    info = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)  # noqa: E731
    graph = onnx.helper.make_graph([node], "attention", [info(name) for name in names], [info("output")])
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {name: numpy.random.randn(*shape).astype(numpy.float32) for name in names}
    return lambda: session.run(None, feed)


def flex_peer(heads, tokens, dim, window, kind=torch.float32):
    q, k, v = tensors(heads, heads, tokens, dim, kind)
    reads = lambda b, h, i, j: (j <= i) & (i - j < window)  # noqa: E731
    mask = create_block_mask(reads, None, None, tokens, tokens, device="cpu")
    return lambda: flex(q, k, v, block_mask=mask)


CASES = [
    ("full-8x64-4096", "SDPA f32", lambda: sdpa_peer(8, 8, 4096, 64, False)),
    ("causal-8x64-4096", "SDPA f32", lambda: sdpa_peer(8, 8, 4096, 64, True)),
    ("causal-9x3x64-8192", "SDPA f32", lambda: sdpa_peer(9, 3, 8192, 64, True)),
    ("window512-12x64-4096", "FlexAttention f32, compiled", lambda: flex_peer(12, 4096, 64, 512)),
    ("window512-12x64-4096", "SDPA f32, dense mask", lambda: masked_peer(12, 4096, 64, 512, torch.float32)),
    ("full-8x64-4096", "ONNX Runtime MultiHeadAttention f32", lambda: onnx_peer(8, 4096, 64)),
    ("full-8x64-4096-bf16", "SDPA bf16", lambda: sdpa_peer(8, 8, 4096, 64, False, torch.bfloat16)),
    ("full-8x64-8192-bf16", "SDPA bf16", lambda: sdpa_peer(8, 8, 8192, 64, False, torch.bfloat16)),
    ("causal-8x64-4096-bf16", "SDPA bf16", lambda: sdpa_peer(8, 8, 4096, 64, True, torch.bfloat16)),
    ("causal-8x64-8192-bf16", "SDPA bf16", lambda: sdpa_peer(8, 8, 8192, 64, True, torch.bfloat16)),
    ("causal-9x3x64-8192-bf16", "SDPA bf16", lambda: sdpa_peer(9, 3, 8192, 64, True, torch.bfloat16)),
    ("window512-12x64-4096-bf16", "FlexAttention bf16, compiled", lambda: flex_peer(12, 4096, 64, 512, torch.bfloat16)),
    ("window512-12x64-4096-bf16", "SDPA bf16, dense mask", lambda: masked_peer(12, 4096, 64, 512, torch.bfloat16)),
]

command = [arguments.bench, "--serve", "--threads", "1"] + (["--isa", arguments.isa] if arguments.isa else [])
ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(line):
    ours.stdin.write(line + "\n")
    ours.stdin.flush()
    return json.loads(ours.stdout.readline())


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


with torch.no_grad():
    for name, peer_name, make_peer in CASES * arguments.repeat:
        if arguments.only not in f"{name} {peer_name}":
            continue
        first = ask(name)
        if "error" in first:
            print(json.dumps({"case": name, "peer": peer_name, "not_run": first["error"]}), flush=True)
            continue
        try:
            peer = make_peer()
            peer()
            peer()
        except ImportError as missing:
            print(json.dumps({"case": name, "peer": peer_name, "not_run": str(missing)}), flush=True)
            continue
        flops = first["flops"]
        limit = "bf16_gflops" if name.endswith("-bf16") else "fma_gflops"
        mine, theirs, peaks = [], [], []
        for _ in range(arguments.rounds):
            mine.append(ask(name)["seconds"])
            theirs.append(timed(peer))
            peaks.append(ask("peak")[limit])
        ratios = [b / a for a, b in zip(mine, theirs)]
        median = statistics.median(mine)
        print(json.dumps({
            "case": name, "peer": f"{peer_name} (torch {torch.__version__})", "rounds": arguments.rounds,
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
