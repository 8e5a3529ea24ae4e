#!/usr/bin/env python3
"""--against: a second policy in the place of full attention. Its numbers are those of its own run, the differences add up."""
import csv
import json
import os
from program import TEXT, check, close, document, equal, finish, folder, refused, run, run_json
from small_model import write_small_model

place = folder()
model = os.path.join(place, "small.gguf")
write_small_model(model)
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT)
other = os.path.join(place, "other.json")
with open(other, "w", encoding="utf-8") as out:
    json.dump({"fovea": "policy", "version": 1, "local": {"window": 24}}, out)
policy = ("--window", "8", "--sinks", "2", "--route", "key_norm", "--route-count", "3", "--model", model)
alone = ("--policy", other, "--model", model)
short = ("--max-tokens", "120", "--ladder-steps", "0")

doc = run_json("analyze", text, *policy, *short, "--against", other)
document(doc, "report")
own, second = run_json("analyze", text, *policy, *short), run_json("analyze", text, *alone, *short)
equal(doc["fidelity"]["next_token_kl"], own["fidelity"]["next_token_kl"], "B is as without A")
check("against" not in own, "no A, no word of it")
against = doc["against"]
equal(against["policy"]["local"]["window"], 24, "A's policy")
for key in ("next_token_kl", "top1_agreement", "mass_recall", "output_error", "depth_error"):
    equal(against["fidelity"][key], second["fidelity"][key], f"A's {key} is that of its own run")
equal(against["cost"]["pairs_ratio"], second["cost"]["pairs_ratio"], "and its cost")
difference = against["difference"]
for key in ("next_token_kl", "top1_agreement", "mass_recall", "output_error"):
    close(difference[key], own["fidelity"][key] - second["fidelity"][key], f"difference of {key}", 1e-12)
close(difference["cost_ratio"], own["cost"]["pairs_ratio"] / second["cost"]["pairs_ratio"], "B's cost as a share of A's", 1e-12)
close(difference["mean_nll"], own["hybrid"]["mean_nll"] - second["hybrid"]["mean_nll"], "difference of the losses", 1e-12)
check(" | A window 24" in doc["provenance"] and " | B window 8" in doc["provenance"], "both arms in the provenance")
table = run("analyze", text, *policy, *short, "--against", other).stdout.decode()
check("Arm B against arm A" in table and "B - A" in table, "the table has both arms")

at = ("--layer", "3", "--head", "1")
row = run_json("attention", text, *at, "--query", "100", *policy, "--against", other)
mine, theirs = (run_json("attention", text, *at, "--query", "100", *which) for which in (policy, alone))
equal(row["hybrid"], mine["hybrid"], "B's row")
equal(row["against"], theirs["hybrid"], "A's row is that of its own run")
equal(row["against_policy"]["local"]["window"], 24, "named")
check("against" not in mine, "only with --against")
key = 85  # in A's window, not in B's
pair = run_json("attention", text, *at, "--pair", f"100,{key}", *policy, "--against", other)
close(pair["against"], theirs["hybrid"][key], "A's weight of a pair", 1e-7)
equal(pair["against_why"], "window", "and why")
close(pair["hybrid"], mine["hybrid"][key], "B's weight", 1e-7)
block = run_json("attention", text, *at, "--block", f"100:101,{key}:{key + 1}", "--quantity", "arm-difference", *policy, "--against", other)
close(block["largest"], pair["hybrid"] - pair["against"], "the difference of one pair", 1e-6)
whole = run_json("attention", text, *at, "--block", "100:101,0:101", "--quantity", "arm-difference", *policy, "--against", other)
largest = max((b - a for a, b in zip(theirs["hybrid"], mine["hybrid"])), key=abs)
close(whole["largest"], largest, "the largest difference keeps its sign", 1e-6)
close(whole["mass"], 0, "both rows hold the same mass", 1e-5)
token = run_json("attention", text, *at, "--token", "100", *policy, "--against", other)
equal(token["against_kept_keys"], 24, "keys that A reads")
for line in token["reads"]:
    close(line["against"], theirs["hybrid"][line["key"]], "a line's weight under A", 1e-7)
check(b"against p" in run("attention", text, *at, "--pair", f"100,{key}", *policy, "--against", other).stdout, "the pair in words")

rows = os.path.join(place, "rows.csv")
equal(run("export", text, *at, "--rows", rows, "--queries", "100:101", *policy, "--against", other, "--quiet").returncode, 0, "export")
with open(rows, encoding="utf-8", newline="") as read:
    lines = list(csv.DictReader(read))
equal([float(line["against"]) for line in lines], [float(f"{p}") for p in theirs["hybrid"]], "the table's column of A")

refused(run("attention", text, "--model", os.path.join(place, "none.gguf"), "--block", "0:3,0:3", "--quantity", "against"), 2, "without --against")
for options in (("--against", "no-such-policy"), ("--against", "longformer-sym"), ("--against", other, "--regime", "propagated"),
                ("--block", "0:3,0:3", "--quantity", "against"), ("--block", "0:3,0:3", "--quantity", "arm-difference")):
    done = run("attention", text, *policy, *options)
    equal(done.returncode, 2, f"status of {options}")
    check(done.stderr.count("\n") <= 2, f"{options}: one sentence")
check("--against" in run("attention", text, *policy, "--against", "no-such-policy").stderr, "the message names the option")

# Another text under the same policy: the run that it has alone, and what its words share with those of the first.
changed = os.path.join(place, "changed.txt")
with open(changed, "w", encoding="utf-8") as out:
    out.write(TEXT.replace("brig Alma", "cutter Mary"))
whole = ("--ladder-steps", "0")
two = run_json("analyze", text, *policy, *whole, "--against-text", changed)
document(two, "report")
first, theirs = run_json("analyze", text, *policy, *whole), run_json("analyze", changed, *policy, *whole)
equal(two["fidelity"], first["fidelity"], "B is as without A")
check("other" not in first, "no A, no word of it")
other_run = two["other"]
equal((other_run["differs"], other_run["tokens"], other_run["text_sha256"]), ("text", theirs["tokens"], theirs["text_sha256"]), "A's text")
for key in ("fidelity", "cost"):
    for name, value in theirs[key].items():
        if "seconds" not in name:
            equal(other_run[key][name], value, f"A's {name} is that of its own run")
equal(other_run["hybrid"]["pairs"], theirs["hybrid"]["pairs"], "pairs are counted for each text")
aligned = other_run["alignment"]
equal((aligned["by"], aligned["tokens_a"], aligned["tokens_b"]), ("words", theirs["tokens"], first["tokens"]), "aligned by words")
equal(aligned["parts"], len(TEXT.replace(",", " ,").replace(".", " .").replace(":", " :").replace("?", " ?").replace(";", " ;").split()) + 1 - 2,
      "all words but two, and the line's end")
equal(len(aligned["ranges"]), aligned["parts"], "with their tokens")
start = TEXT.index("brig")
for a0, a1, b0, b1 in aligned["ranges"]:
    check(a1 - a0 == b1 - b0 and ((b1 <= start) == (a0 == b0 and a1 <= start)), "what comes before the change stands in the same place")
equal(other_run["aligned_loss"]["parts"], aligned["parts"] - 1, "the first token has no loss")
check("aligned by equal words" in run("analyze", text, *policy, *whole, "--against-text", changed).stdout.decode(), "and said so")

# Another model on the same text: the tokens agree.
second = os.path.join(place, "second.gguf")
write_small_model(second, seed=2)
models = run_json("analyze", text, *policy, *short, "--against-model", second)
alone_there = run_json("analyze", text, *policy[:-1], second, *short)
equal(models["other"]["differs"], "model", "what differs")
equal(models["other"]["model"]["sha256"], alone_there["model"]["sha256"], "A's model")
equal(models["other"]["fidelity"], alone_there["fidelity"], "is that of its own run")
equal(models["other"]["alignment"], {"by": "tokens", "tokens_a": 120, "tokens_b": 120, "aligned_a": 120, "aligned_b": 120, "parts": 120},
      "the tokens agree one to one")
close(models["other"]["aligned_loss"]["full_a"], alone_there["full"]["mean_nll"], "the loss of all tokens", 1e-6)
check("one to one" in run("analyze", text, *policy, *short, "--against-model", second).stdout.decode(), "and said so")
row = run_json("attention", text, *at, "--query", "100", *policy, "--against-model", second)
mine, theirs = (run_json("attention", text, *at, "--query", "100", *policy[:-1], which) for which in (model, second))
equal((row["hybrid"], row["against"]), (mine["hybrid"], theirs["hybrid"]), "both models' rows")
check(mine["hybrid"] != theirs["hybrid"], "which differ")
for options in (("--regime", "propagated"), ("--against", other), ("--pair", "100,97")):
    equal(run("attention", text, *policy, "--against-model", second, *options).returncode, 2, f"status of attention {options}")
for options in (("--against-text", changed, "--against", other), ("--against-text", changed, "--against-model", second),
                ("--against-text", os.path.join(place, "none.txt")), ("--against-model", os.path.join(place, "none.gguf"))):
    done = run("analyze", text, *policy, *options)
    equal(done.returncode, 2, f"status of {options}")
    check(done.stderr.count("\n") <= 2, f"{options}: one sentence")
finish()
