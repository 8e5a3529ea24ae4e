#!/usr/bin/env python3
"""analyze: the report's shape, the pairs by formula, the identities, the files of --out."""
import csv
import json
import os
import shutil
import sys
from program import TEXT, check, close, document, equal, finish, folder, need_model, refused, run, run_json, use_small_model

need_model()
# The program without a window is made of the same objects: there one report shows that they are put together.
BRIEF = "--brief" in sys.argv
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:220])


def report(*options):
    doc = run_json("analyze", text, *options)
    document(doc, "report")
    for arm in ("full", "hybrid"):
        for key in ("mean_nll", "seconds", "pairs", "kv_bytes"):
            check(key in doc[arm], f"{arm}.{key} is missing")
        check(doc[arm]["pairs_computed"] >= doc[arm]["pairs"], f"{arm}: computed pairs hold the planned ones")
    for key in ("density", "pairs_ratio", "flops_ratio", "kv_bytes_ratio", "seconds_ratio", "break_even_tokens"):
        check(key in doc["cost"], f"cost.{key} is missing")
    for key in ("next_token_kl", "top1_agreement", "delta_nll", "mass_recall", "output_error", "row_divergence", "topk_overlap",
                "position_nll_delta", "layers"):
        check(key in doc["fidelity"], f"fidelity.{key} is missing")
    T, shape = doc["tokens"], doc["model"]
    equal(doc["full"]["pairs"], T * (T + 1) // 2 * shape["layers"] * shape["heads"], "pairs of full attention")
    close(doc["cost"]["density"], doc["hybrid"]["pairs"] / doc["full"]["pairs"], "density", 1e-9)
    check(doc["cost"]["pairs_ratio"] >= doc["cost"]["density"], "the ratio with the router is not below the one without")
    equal([l["layer"] for l in doc["fidelity"]["layers"]], list(range(shape["layers"])), "a row per layer")
    check(all(l["regime"] == "isolated" for l in doc["fidelity"]["layers"]), "labelled isolated")
    close(doc["fidelity"]["delta_nll"], doc["hybrid"]["mean_nll"] - doc["full"]["mean_nll"], "delta of the means", 1e-5)
    if "--ladder-steps" in options:
        check(doc["ladder"] is None and doc["ladder_note"], "no ladder was asked for: null with its note")
    else:
        ladder = doc["ladder"]
        equal(ladder["prompt"], T - T // 4, "the ladder's border")
        equal(ladder["steps"], min(16, T // 4), "the ladder's steps")
        for rung in ("full_cached", "full_uncached", "hybrid_cached", "hybrid_uncached"):
            check(ladder[rung]["seconds_per_token"]["median"] > 0, f"{rung} was timed")
            check(ladder[rung]["kv_bytes"] > 0, f"{rung} holds keys and values")
        equal(ladder["full_cached"]["steps_timed"], ladder["steps"], "every cached step is timed")
        check(1 <= ladder["full_uncached"]["steps_timed"] <= 3, "a few uncached steps are timed")
    equal(doc["trained_for_policy"], "drop-in", "trained-ness")
    equal(sorted({g["gate"] for g in doc["gates"]}), list(range(1, 9)), "eight gates")
    for gate in doc["gates"]:
        check(gate["ok"] is not False, f"gate {gate['gate']} failed: {gate['detail']}")
    return doc


def banded(T, window, sinks):
    return sum(min(i + 1, window) + min(sinks, max(0, i + 1 - window)) for i in range(T))


# Window and sinks: exactly the formula, nothing routed.
plain = report("--window", "16", "--sinks", "4")
units = plain["model"]["layers"] * plain["model"]["heads"]
equal(plain["hybrid"]["pairs"], banded(plain["tokens"], 16, 4) * units, "pairs of window 16 and 4 sinks")
equal(plain["hybrid"]["how"], "skipped", "work is skipped, not masked")
equal(plain["routing"]["rows"], 0, "nothing is routed")
check(plain["full"]["seconds"]["spread"] is None, "one run has no spread")
check(plain["ladder"]["hybrid_cached"]["kv_bytes"] < plain["ladder"]["full_cached"]["kv_bytes"] or plain["tokens"] < 90,
      "a window's cache is smaller")
check(plain["fidelity"]["next_token_kl"] > 0.001, "a narrow window is not full attention")

refused(run("analyze", text, "--max-memory", "100M", "--quiet"), 2, "105 MB")  # what this model needs

if BRIEF:
    finish()

# What follows depends on the policy and the report, not on a trained model.
use_small_model()
plain = report("--window", "16", "--sinks", "4")
units = plain["model"]["layers"] * plain["model"]["heads"]
equal(plain["hybrid"]["pairs"], banded(plain["tokens"], 16, 4) * units, "pairs of window 16 and 4 sinks on this model")

# Positions of the cache: the same pairs, another answer once the sinks have left the window.
moved = report("--window", "16", "--sinks", "4", "--rope-positions", "cache", "--ladder-steps", "0")
equal(moved["hybrid"]["pairs"], plain["hybrid"]["pairs"], "pairs of positions in the cache")
check(moved["fidelity"]["next_token_kl"] != plain["fidelity"]["next_token_kl"], "positions in the cache change the answer")
check(all(l["bound_ratio"] is None for l in moved["fidelity"]["layers"]), "no bound is claimed for moved keys")
check("cold_tier" not in plain, "no cold tier where none is stored")

# A cold tier of 8 bits: bytes by formula, and what it loses.
tiered = report("--policy", "seed-cache", "--window", "16", "--ladder-steps", "0")
tier, T, shape = tiered["cold_tier"], tiered["tokens"], tiered["model"]
vectors = 2 * shape["kv_heads"] * shape["layers"]
equal(tier["exact_bytes"], vectors * 16 * shape["head_dim"] * 4, "bytes of the hot tier")
equal(tier["cold_bytes"], vectors * (T - 16) * (shape["head_dim"] + 4), "bytes of the cold tier")
equal(tiered["hybrid"]["kv_bytes"], tier["exact_bytes"] + tier["cold_bytes"], "both tiers are counted")
for key in ("key_error", "value_error", "quantisation_error"):
    check(0 < tier[key] < 0.05, f"{key} is that of 8 bits")
check(0.2 < tier["promotion_hits"] <= 1 and tier["promoted_keys"] > 0, "promotion is compared with the oracle's")
check(tier["output_error"] > 0 and tier["output_error_unpromoted"] > 0, "output error with and without promotion")

# The whole budget is full attention.
whole = report("--window", "all", "--ladder-steps", "0")
close(whole["fidelity"]["next_token_kl"], 0, "KL of window all", 1e-9)
equal(whole["fidelity"]["top1_agreement"], 1, "top-1 of window all")
equal(whole["hybrid"]["pairs"], whole["full"]["pairs"], "pairs of window all")
policy = os.path.join(place, "full.json")
with open(policy, "w", encoding="utf-8") as out:
    json.dump({"fovea": "policy", "version": 1, "name": "full", "local": {"window": "all"}}, out)
equal(report("--policy", policy)["hybrid"]["pairs"], whole["full"]["pairs"], "the same from a file")

# Full layers.
layers, heads = plain["model"]["layers"], plain["model"]["heads"]
mixed = report("--window", "16", "--full-layers", f"0,{layers - 1}")
T = mixed["tokens"]
equal(mixed["hybrid"]["pairs"], ((layers - 2) * banded(T, 16, 0) + 2 * T * (T + 1) // 2) * heads, "pairs with two full layers")

# Routed keys: count by formula, record rows that agree, files.
folder_out = os.path.join(place, "report")
done = run("analyze", text, "--window", "16", "--sinks", "2", "--route", "group_dot", "--route-count", "4", "--out", folder_out,
           "--repeat", "3", "--routing-rows", "--quiet")
equal(done.returncode, 0, f"status with --out ({done.stderr})")
for word in (b"density", b"next-token KL", b"top-1", b"kept mass", b"output error", b"router", b"skipped", b"drop-in", b"isolated",
             b"propagated"):
    check(word in done.stdout, f"the summary says {word.decode()}")
doc = json.load(open(os.path.join(folder_out, "report.json"), encoding="utf-8"))
page = os.path.join(folder_out, "report.html")
draws = "this build has no pictures" not in run("export", text, "--map", "map.gif").stderr
equal(os.path.exists(page), draws, "a page where the build draws")
if draws:
    html = open(page, encoding="utf-8").read()
    check(html.endswith("</html>\n") and "<script" not in html and html.count("<svg") == 2, "one page with two pictures and no script")
    check(f"{doc['fidelity']['next_token_kl']:.5f}" in html, "the page has the report's KL")
T = doc["tokens"]
routed = sum(min(4, max(0, i + 1 - 16 - 2)) for i in range(T))
equal(doc["hybrid"]["pairs"], (banded(T, 16, 2) + routed) * units, "pairs with four routed keys")
for arm in ("full", "hybrid"):
    check(doc[arm]["seconds"]["spread"] is not None and doc[arm]["seconds"]["median"] > 0, f"--repeat fills {arm}'s spread")
equal(sum(r["queries"] for r in doc["routing"]), routed * units, "the record holds every choice")
for r in doc["routing"]:
    if not (r["token"] <= r["query_first"] <= r["query_last"] < T and 1 <= r["rank"] <= 4 and r["score"] >= r["threshold"]):
        check(False, f"a routing row contradicts itself: {r}")
        break
rows = list(csv.DictReader(open(os.path.join(folder_out, "routing.csv"), encoding="utf-8")))
equal(len(rows), len(doc["routing"]), "routing.csv has the same rows")
equal([int(r["token"]) for r in rows[:50]], [r["token"] for r in doc["routing"][:50]], "in the same order")

done = run("analyze", text, "--window", "16", "--sinks", "2", "--route", "group_dot", "--route-count", "4", "--out", folder_out,
           "--routing-full", "--quiet")
equal(done.returncode, 0, f"status with --routing-full ({done.stderr})")
summary = json.load(open(os.path.join(folder_out, "report.json"), encoding="utf-8"))["routing"]
equal(summary["rows"], len(doc["routing"]), "the summary counts the rows")
equal(summary["choices"], routed * units, "and the choices")
equal(summary["file"], "routing.csv", "and says where they are")
per_head = [[0] * doc["model"]["heads"] for _ in range(doc["model"]["layers"])]
for r in doc["routing"]:
    per_head[r["layer"]][r["head"]] += 1
equal(summary["tokens_per_layer_and_head"], per_head, "tokens of each head")
check(os.path.getsize(os.path.join(folder_out, "report.json")) < 200_000, "the report stays small")
with open(os.path.join(folder_out, "routing.csv"), encoding="utf-8") as file:
    equal(sum(1 for _ in file) - 1, routed * units, "the expanded record has one row per choice")

# Defaults, edges, labels.
default = run("analyze", text, "--quiet")
check(b"window 128, sinks 4, group_dot 32" in default.stdout, "no policy option: the preset default")
single = run_json("analyze", "--text", "a")
equal((single["tokens"], single["full"]["pairs"]), (1, units), "one token")
check(single["fidelity"]["delta_nll"] in (None, 0), "has no loss to compare")
ahead = run("analyze", text, "--window", "16", "--route", "received", "--route-choice", "sequence", "--route-scope", "sequence",
            "--quiet")
check(b"looks ahead" in ahead.stdout, "a signal that looks ahead is labelled")
broken = run("analyze", "-", "--window", "4", stdin=b"caf\xe9 and tea " * 3)
check("not UTF-8" in broken.stderr, "invalid bytes are said")

# Memory: refused before anything is allocated; units as people write them.
equal(run("analyze", text, "--max-memory", "2 GB", "--ladder-steps", "0", "--quiet").returncode, 0, "2 GB is enough")
refused(run("analyze", text, "--pinned", "99999", "--window", "4", "--quiet"), 2, "99999")

# A report does not take the place of its text.
shutil.copy(text, os.path.join(folder_out, "report.html"))
refused(run("analyze", os.path.join(folder_out, "report.html"), "--out", folder_out, "--quiet"), 2, "--out", "the text")
refused(run("analyze", text, "--policy", "longformer-sym", "--quiet"), 2, "causal")
finish()
