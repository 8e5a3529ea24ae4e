#!/usr/bin/env python3
"""attention: rows are distributions, skipped keys have none, reasons agree with the policy."""
import os
import struct
from program import TEXT, check, close, document, equal, finish, folder, need_model, run, run_json, use_small_model

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:240])


def row(*options):
    doc = run_json("attention", text, *options)
    document(doc, "attention")
    count = doc["query"] + 1
    for key in ("full", "hybrid", "kept", "reason"):
        equal(len(doc[key]), count, f"length of {key}")
    close(sum(doc["full"]), 1, "the full row sums to 1", 1e-4)
    close(sum(doc["hybrid"]), 1, "the hybrid row sums to 1", 1e-4)
    for p, kept, reason in zip(doc["hybrid"], doc["kept"], doc["reason"]):
        check(kept == (reason not in ("skipped", "far")), "kept and reason agree")
        check(reason != "skipped" or p == 0, "what is skipped has no weight")
    equal(len(doc["why"]), count, "length of why")
    return doc


stood = row("--layer", "5", "--head", "2", "--query", "40", "--window", "8", "--far", "summaries", "--far-m", "4")
check(stood["reason"].count("far") > 20, "summaries stand for what no other part reads")
full = row("--layer", "5", "--head", "2", "--query", "40")
equal(set(full["reason"]), {"local"}, "without a policy everything is read")
check(max(abs(a - b) for a, b in zip(full["full"], full["hybrid"])) < 1e-6, "and the arms are equal")

windowed = row("--layer", "5", "--head", "2", "--query", "40", "--window", "8", "--sinks", "3")
equal(windowed["reason"], ["always"] * 3 + ["skipped"] * 30 + ["local"] * 8, "three sinks and exactly eight of the newest keys")
mass = sum(p for p, kept in zip(windowed["full"], windowed["kept"]) if kept)
for p, q, kept in zip(windowed["full"], windowed["hybrid"], windowed["kept"]):
    close(q, p / mass if kept else 0, "isolated: the kept keys share the whole mass", 2e-5)
equal(windowed["full"], full["full"], "the full row does not depend on the policy")

own = row("--layer", "20", "--query", "40", "--window", "8", "--sinks", "1", "--regime", "propagated")
isolated = row("--layer", "20", "--query", "40", "--window", "8", "--sinks", "1")
equal(own["reason"], isolated["reason"], "the regime does not change a fixed plan")
check(own["hybrid"] != isolated["hybrid"], "but the activations")
equal(own["full"], isolated["full"], "of the hybrid arm only")

# What follows depends on the policy alone.
use_small_model()
full = row("--layer", "5", "--head", "2", "--query", "40")
windowed = row("--layer", "5", "--head", "2", "--query", "40", "--window", "8", "--sinks", "3")
equal(windowed["reason"], ["always"] * 3 + ["skipped"] * 30 + ["local"] * 8, "three sinks and eight of the newest keys")
equal(windowed["full"], full["full"], "the full row does not depend on the policy")

pinned = row("--query", "40", "--window", "4", "--pinned", "10,25")
equal([j for j, r in enumerate(pinned["reason"]) if r == "always"], [10, 25], "pinned keys are read")
reader = row("--query", "25", "--window", "4", "--pinned", "10,25", "--pinned-role", "queries")
check(all(reader["kept"]), "a token pinned in query role reads everything before it")
other = row("--query", "26", "--window", "4", "--pinned", "10,25", "--pinned-role", "queries")
equal(sum(other["kept"]), 4, "and is not read by others beyond their window")
both = row("--query", "30", "--window", "4", "--pinned", "10,25", "--pinned-role", "both")
check(both["kept"][10] and both["kept"][25], "both roles: later queries read it too")

routed = row("--query", "40", "--window", "8", "--sinks", "2", "--route", "oracle", "--route-count", "5", "--layer", "3")
chosen = [j for j, r in enumerate(routed["reason"]) if r == "routed"]
equal(len(chosen), 5, "five keys are routed")
candidates = sorted(range(2, 33), key=lambda j: (-routed["full"][j], -j))
equal(sorted(candidates[:5]), chosen, "the oracle takes the largest")
dilated = row("--query", "40", "--window", "4", "--dilation", "3")
equal([j for j, kept in enumerate(dilated["kept"]) if kept], [31, 34, 37, 40], "dilation spaces the window")
layers = row("--query", "40", "--window", "4", "--full-layers", "4", "--layer", "4")
check(all(layers["kept"]), "a full layer reads everything")
every = row("--query", "40", "--window", "4", "--full-every", "3", "--layer", "5")
check(all(every["kept"]), "every third layer: 2, 5, ... is full")
every = row("--query", "40", "--window", "4", "--full-every", "3", "--layer", "4")
equal(sum(every["kept"]), 4, "and layer 4 is not")

far = row("--query", "40", "--window", "8", "--sinks", "2", "--far", "summaries")
check("far" in far["reason"], "keys outside the window are seen through summaries")
check(not any(k for k, r in zip(far["kept"], far["reason"]) if r == "far"), "a key that only the far field stands for is not kept")
equal(set(w for w, r in zip(far["why"], far["reason"]) if r == "far"), {"summary"}, "and says by what")

# The facts of the window's tip, inspector and lanes.
policy = ("--window", "8", "--sinks", "2", "--route", "key_norm", "--route-count", "3", "--layer", "5", "--head", "2")
whole = row("--query", "40", *policy)
report = run_json("attention", text, "--token", "40", *policy)
equal(report["kept_keys"], sum(whole["kept"]), "the token's report counts the row's keys")
close(report["kept_mass"], sum(p for p, k in zip(whole["full"], whole["kept"]) if k), "and their mass", 1e-5)
for line in report["reads"]:
    close(line["full"], whole["full"][line["key"]], "a line's p", 1e-6)
    equal(line["why"], whole["why"][line["key"]], "a line's cause")
key = next(j for j, r in enumerate(whole["reason"]) if r == "routed")
pair = run_json("attention", text, "--pair", f"40,{key}", *policy)
equal((pair["why"], pair["signal"], pair["budget"]), ("routed_key", "key_norm", 3), "a routed pair")
check(1 <= pair["router_rank"] <= 3 and pair["score"] >= pair["threshold"], "its place and bar")
close(pair["full"], whole["full"][key], "its p", 1e-6)
block = run_json("attention", text, "--block", "40:41,0:41", "--quantity", "full", *policy)
close(block["mass"], 1, "a whole row holds all the mass", 1e-4)
equal(block["kept_pairs"], sum(whole["kept"]), "and its kept keys")
lanes = run_json("attention", text, "--lanes", "--query", "40", *policy)
equal(lanes["routed_keys"], [j for j, r in enumerate(whole["reason"]) if r == "routed"], "the lanes' choices are the row's")
equal(run_json("attention", text, "--lanes", "--layer", "5", "--head", "2", "--full-layers", "5", "--window", "8",
               "--route", "key_norm", "--route-count", "3")["full_head"], True, "a head that reads everything has no lanes")
check(b"routed key" in run("attention", text, "--pair", f"40,{key}", *policy).stdout, "the pair in words")
for options in (("--pair", "40"), ("--pair", "40,9999"), ("--block", "0:3"), ("--pair", "4,3", "--lanes"), ("--token", "9999"),
                ("--pair", "4,3", "--regime", "propagated"), ("--quantity", "full")):
    equal(run("attention", text, *options).returncode, 2, f"status of {options}")

tile = os.path.join(place, "tile.npy")
doc = row("--layer", "5", "--head", "2", "--rows", "38:41", "--npy", tile, "--window", "8", "--sinks", "3")
equal(doc["query"], 40, "with --rows the last of them is shown")
data = open(tile, "rb").read()
T = doc["tokens"]
values = struct.unpack(f"<{2 * 3 * T}f", data[-4 * 2 * 3 * T:])
check(f"(2, 3, {T})".encode() in data[:128], "shape of the tile")
close(values[2 * T], doc["full"][0], "the tile's full row", 1e-7)
close(values[5 * T + 40], doc["hybrid"][40], "the tile's hybrid row", 1e-7)
equal(values[2 * T + 41:3 * T], (0.0,) * (T - 41), "nothing ahead of the query")

for options in (("--layer", str(doc["model"]["layers"])), ("--head", str(doc["model"]["heads"])), ("--query", "9999"), ("--pinned", "9999", "--window", "4")):
    equal(run("attention", text, *options).returncode, 2, f"status of {options}")
finish()
