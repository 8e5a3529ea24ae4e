#!/usr/bin/env python3
"""check and bench: every gate with its number, every case beside the machine's limits."""
import os

from program import TEXT, check, document, equal, finish, folder, need_model, refused, run, run_json, use_small_model

need_model()
doc = run_json("check", "--window", "32", "--sinks", "2", "--route", "group_dot", "--route-count", "4", "--max-tokens", "64")
document(doc, "check")
equal(sorted({g["gate"] for g in doc["gates"]}), list(range(1, 9)), "eight gates")
for gate in doc["gates"]:
    for key in ("name", "ok", "value", "tolerance", "detail"):
        check(key in gate, f"gate {gate['gate']}: {key} is missing")
    check(gate["ok"] is True, f"gate {gate['gate']}: {gate['detail']}")
    if gate["gate"] <= 7:
        check(gate["value"] is not None, f"gate {gate['gate']} has a number")
bench = run_json("bench", "--rounds", "2", "--threads", "1", "--case", "full-2x64-256-f32", "--case", "causal-4/2x32-200-f32",
                 "--case", "window64+sinks4+routed8-3/1x64-300-f32", "--case", "causal-8x64-64-bf16", "--case", "decode-128",
                 "--case", "prefill-32")
document(bench, "bench")
for key in ("peak_gflops_f32", "peak_gflops_bf16", "read_gb_s"):
    check(key in bench["machine"], f"machine.{key} is missing")
check(bench["machine"]["peak_gflops_f32"] > 1, "a peak was measured")
for case in bench["cases"]:
    half = case["name"].endswith("-bf16")
    if half and bench["machine"]["peak_gflops_bf16"] is None:
        check(case["refused"] and case["seconds"] is None, f"{case['name']} is refused with a reason")
        continue
    check(case["seconds"]["median"] > 0 and case["seconds"]["spread"] >= 0, f"{case['name']} was timed")
    # Not how fast it ran, which is the machine's minute: the share is what its own figures say.
    peak = bench["machine"]["peak_gflops_bf16" if half else "peak_gflops_f32"]
    check(0 < case["share_of_peak"] and abs(case["share_of_peak"] * peak / case["useful_gflops"] - 1) < 1e-3,
          f"{case['name']}: share of peak {case['share_of_peak']} of {peak}, {case['useful_gflops']} GF/s")
    if case["name"].startswith("prefill"):
        check(case["tokens_per_second"] > 0, "prefill has a rate")
    elif case["name"].startswith("decode"):
        check(case["tokens_per_second"] > 0 and case["read_gb_s"] > 0, "decode has a rate and its bytes")
    else:
        check(case["max_error"] < (5e-3 if half else 5e-6), f"{case['name']}: error {case['max_error']}")

use_small_model()
# Policies beside full attention: what is counted is exact, what is measured adds up, and a policy that does not fit says why.
page = os.path.join(folder(), "policies.txt")
with open(page, "w", encoding="utf-8") as file:
    file.write(TEXT * 3)
timed = run_json("bench", page, "--policies", "full,window,longformer-sym", "--max-tokens", "160", "--layers", "1", "--rounds", "2",
                 "--threads", "1")
document(timed, "bench")
equal(timed["cases"], [], "no other case runs")
full, window, refusal = timed["policies"]
equal(full["pairs_ratio"], 1, "full attention has every pair")
tokens = 160
equal(round(window["pairs_ratio"], 9), round(sum(min(i + 1, 128) for i in range(tokens)) / (tokens * (tokens + 1) / 2), 9),
      "the window's pairs")
check(refusal["refused"] and "pairs_ratio" not in refusal, "a policy for encoders is refused with a reason")
for row in (full, window):
    check(row["time_ratio"]["runs"] == 2 and row["full_seconds"]["median"] > 0, f"{row['name']} was timed")
    equal(row["follows"], row["time_ratio"]["median"] <= 1.5 * row["pairs_ratio"] + 0.02, "the limit of time by count")
refused(run("bench", "--policies", "window"), 2, "needs a text")
shown = run("check", "--text", TEXT[:200], "--window", "16", "--quiet")
equal(shown.returncode, 0, f"status ({shown.stderr})")
check(b"full budget equals full attention" in shown.stdout, "the gates are printed by name")
short = run("check", "--text", "Too short for the window.", "--quiet")
equal(short.returncode, 0, f"a text inside the window passes too ({short.stderr})")
finish()
