#!/usr/bin/env python3
"""tune: predictions and measurements stand apart, the best policy's figures are those that its command gives, a killed search goes on, and what
cannot be tuned is refused before any work. On a small model of random weights."""
import csv
import json
import math
import os
import shlex
import subprocess
import time
from program import PROGRAM, TEXT, check, document, environment, equal, finish, folder, refused, run, run_json
from small_model import HEADS, KV_HEADS, LAYERS, write_small_model

place = folder()
model = os.path.join(place, "small.gguf")
write_small_model(model)
text, other, short = (os.path.join(place, name) for name in ("text.txt", "other.txt", "short.txt"))
for path, words in ((text, TEXT[:220]), (other, TEXT[200:]), (short, "a")):
    with open(path, "w", encoding="utf-8") as out:
        out.write(words)
grid = ("--policy", "default", "--over", "window=8:64:x2", "--over", "route-count=0,4,16", "--model", model)
out = os.path.join(place, "tuned")

doc = run_json("tune", text, *grid, "--within-pairs", "0.6", "--runs", "4", "--held-out", other, "--out", out)
document(doc, "tune")
equal(len(doc["predicted"]), 12, "the grid is predicted")
check(1 <= len(doc["measured"]) <= 4, f"{len(doc['measured'])} policies are measured")
for point in doc["predicted"]:
    band = point["prediction"]["next_token_kl"]
    check(band["low"] <= band["value"] <= band["high"], f"a band holds its value: {band}")
    check("next_token_kl" not in point and "pairs_ratio" not in point, "a prediction is not written as a measurement")
for point in doc["measured"]:
    check(point["foretold"] is not None, "what was predicted before the run stands beside it")
    beaten = any(q["pairs_ratio"] <= point["pairs_ratio"] and q["next_token_kl"] <= point["next_token_kl"] and q is not point
                 for q in doc["measured"])
    equal(point["front"], not beaten, "the measured front is of measured points")
front = sorted((p["pairs_ratio"], p["next_token_kl"]) for p in doc["measured"] if p["front"] and p["next_token_kl"] > 0)
if doc["knee"]:
    place_of = [(math.log(pairs / front[0][0]) / math.log(front[-1][0] / front[0][0]), math.log(kl / front[-1][1]) / math.log(front[0][1] / front[-1][1])) for pairs, kl in front]
    furthest = min(range(len(front)), key=lambda n: sum(place_of[n]))
    equal((doc["knee"]["pairs_ratio"], doc["knee"]["next_token_kl"]), front[furthest], "the knee of the measured front")
else:
    check(len(front) < 3, f"a front of {len(front)} points without a knee")
best = doc["best"]
equal(best["next_token_kl"], min(p["next_token_kl"] for p in doc["measured"] if p["pairs_ratio"] <= 0.6), "the best within the pairs")
routed = run_json("tune", text, "--window", "16", "--route", "group_dot", "--over", "route-count=4,16", "--model", model, "--within-pairs", "2")
equal([c["kind"] for c in routed["best"]["controls"]], ["random", "oracle"], "the controls stand beside a router")

# The command that is printed gives the same numbers, and so does the policy file on the held-out text.
again = run_json(*shlex.split(best["command"])[1:])
equal(again["fidelity"]["next_token_kl"], best["next_token_kl"], "KL by the printed command")
equal(again["cost"]["pairs_ratio"], best["pairs_ratio"], "pairs by the printed command")
held = run_json("analyze", other, "--policy", os.path.join(out, "policy.json"), "--model", model)
equal(best["held_out"][0]["next_token_kl"], held["fidelity"]["next_token_kl"], "KL on the held-out text")
check(best["held_out"][0]["next_token_kl"] != best["next_token_kl"], "which is another text")
rows = list(csv.DictReader(open(os.path.join(out, "points.csv"), encoding="utf-8")))
equal(len(rows), 12, "a row for each policy")
equal(len([row for row in rows if row["next_token_kl"]]), len(doc["measured"]), "measured columns are empty where nothing was run")
store = os.path.join(out, "measurements.jsonl")
lines = open(store, encoding="utf-8").read().splitlines()

# Once more: every run is read back. Threads change no number.
second = run_json("tune", text, *grid, "--within-pairs", "0.6", "--runs", "0", "--held-out", other, "--out", out, "--threads", "1")
equal(second["runs_read_back"], doc["runs"], "measurements that are read back")
equal(second["best"]["policy_sha256"], best["policy_sha256"], "the same answer")
equal(open(store, encoding="utf-8").read().splitlines(), lines, "nothing was run again")
first = {p["policy_sha256"]: p["prediction"] for p in doc["predicted"]}
equal({p["policy_sha256"]: p["prediction"] for p in second["predicted"]}, first, "the same predictions at one thread")

# Killed between two runs: what was measured is not measured again.
killed = os.path.join(place, "killed")
process = subprocess.Popen([PROGRAM, "tune", text, *grid, "--runs", "12", "--out", killed, "--quiet"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=environment())
store = os.path.join(killed, "measurements.jsonl")
while process.poll() is None and not (os.path.exists(store) and open(store, "rb").read().count(b"\n") >= 8):
    time.sleep(0.005)
process.kill()
process.wait()
kept = open(store, "rb").read().splitlines()
with open(store, "ab") as torn:
    torn.write(b'{"fovea":"measurement","vers')
done = run("tune", text, *grid, "--runs", "2", "--out", killed, "--json")
equal(done.returncode, 0, f"status after a kill ({done.stderr})")
check("cut short" in done.stderr, "the line that was cut short is named")
doc = json.loads(done.stdout)
check(doc["runs_read_back"] >= 1, f"{doc['runs_read_back']} runs are read back")
equal(open(store, "rb").read().splitlines()[:len(kept)], kept, "no line is lost")

# Sensitivity and budgets of a policy that is given: no bound is needed.
doc = run_json("tune", text, "--window", "16", "--sinks", "2", "--special", "--budgets", "--sensitivity", "--model", model, "--held-out", other)
params = {row["parameter"]: row for row in doc["sensitivity"]["parameters"]}
equal((params["window"]["down"]["value"], params["window"]["up"]["value"]), ("8", "32"), "the window steps by half and twice")
check(params["special"]["does_nothing"] and not params["window"]["does_nothing"], "a parameter that does nothing is said to")
budgets = doc["budgets"]
equal(len(budgets["shares"]), LAYERS * KV_HEADS, "a share for each key-value head of each layer")
check(len({(s["window"]) for s in budgets["shares"]}) > 1, "shares differ")
equal(sorted({(s["last_head"] - s["first_head"]) for s in budgets["shares"]}), [HEADS // KV_HEADS - 1], "heads that share keys share a budget")
uniform, shared = (budgets[name]["measured"][0] for name in ("uniform", "budgets"))
check(shared["pairs_ratio"] <= uniform["pairs_ratio"] * 1.03, f"equal pairs: {shared['pairs_ratio']} and {uniform['pairs_ratio']}")
equal(len(budgets["budgets"]["held_out"]), 1, "budgets are measured on the held-out text")

# Two texts tuned on: the mean counts.
doc = run_json("tune", text, other, *grid, "--within-kl", "100", "--runs", "1")
equal(len(doc["best"]["held_out"]), 0, "no held-out text")
both = doc["measured"][0]["texts"]
equal(len(both), 2, "each text has its figures")
check(abs(doc["measured"][0]["next_token_kl"] - sum(t["next_token_kl"] for t in both) / 2) < 1e-12, "the mean over the texts")

# No file of the search may replace one that is read, and a policy of an earlier tuning does not stay beside the new document.
for name, words in (("policy.json", ("--policy", os.path.join(out, "policy.json"), "--model", model)),
                    ("budgets.json", ("--policies", f"default,{os.path.join(out, 'budgets.json')}", "--model", model))):
    path = os.path.join(out, name)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(run("policies", "h2o").stdout.decode())
    before = open(path, "rb").read()
    refused(run("tune", text, *words, "--runs", "0", "--out", out, "--quiet"), 2, name)
    equal(open(path, "rb").read(), before, f"{name} is as it was")
kept = os.path.join(out, "points.csv")
with open(kept, "w", encoding="utf-8") as file:
    file.write(TEXT[:200])
refused(run("tune", text, *grid, "--runs", "0", "--held-out", kept, "--out", out, "--quiet"), 2, "points.csv")
equal(open(kept, encoding="utf-8").read(), TEXT[:200], "the held-out text is as it was")
equal(run("tune", text, *grid, "--within-kl", "1e-9", "--runs", "0", "--out", out, "--quiet").returncode, 1, "nothing within the bound")
for name in ("policy.json", "budgets.json"):
    check(not os.path.exists(os.path.join(out, name)), f"{name} of an earlier tuning is gone")

# What fails after the search takes nothing from its answer. Retrieval heads are ranked where the best policy is run again, too.
budget = run("tune", text, "--policy", "full", "--within-pairs", "2", "--budgets", "--model", model, "--json", "--quiet")
equal(budget.returncode, 2, f"budgets of a policy with window all ({budget.stderr})")
check("window all" in budget.stderr, budget.stderr)
check(json.loads(budget.stdout)["best"] is not None, "the answer is printed all the same")
ranked = run_json("tune", text, "--window", "8", "--full-heads", "0.34", "--route", "group_dot", "--over", "route-count=2,4", "--model", model,
                  "--within-pairs", "2", "--held-out", other)
check(ranked["best"]["held_out"][0]["next_token_kl"] > 0 and len(ranked["best"]["controls"]) == 2, "full heads on held-out text and controls")

# The runs of several texts are held at once: the limit is shared, so two texts do not take twice what one may.
def fits(size, *texts):
    return run("tune", *texts, *grid, "--runs", "0", "--max-memory", str(size), "--quiet")


size = 40_000_000
while fits(size, text).returncode != 0:
    size = size * 5 // 4
crowded = fits(size, text, other)
equal(crowded.returncode, 2, f"two texts in the memory of one ({crowded.stderr})")
check("tokens need" in crowded.stderr, crowded.stderr)
equal(fits(3 * size, text, other).returncode, 0, "two texts with room for both")

refused(run("tune", text, *grid, "--within-kl", "0.1", "--within-pairs", "0.1"), 2, "within-kl", "within-pairs", "one of them")
refused(run("tune", text, *grid, "--within-kl", "0"), 2, "--within-kl is 0")
refused(run("tune", text, *grid, "--within-kl", "nan"), 2, "--within-kl")
refused(run("tune", text, *grid, "--within-pairs", "0.00001", "--quiet"), 2, "within-pairs", "cheapest policy of the space")
refused(run("tune", short, *grid, "--within-kl", "0.1", "--quiet"), 2, "1 token,", "32")
refused(run("tune", text, "--policies", "random,oracle", "--model", model, "--quiet"), 2, "control")
refused(run("tune", text, "--over", "windw=1,2", "--model", model), 2, "windw")
refused(run("tune", text, "--sensitivity", "--budgets", "--policies", "random,window", "--runs", "0", "--model", model, "--quiet"), 2,
        "--sensitivity needs a policy")
refused(run("tune", text, *grid, "--out", text), 1, "text.txt")
refused(run("tune", text, *grid, "--held-out", os.path.join(place, "absent.txt")), 2, "absent.txt")
none = run("tune", text, *grid, "--within-kl", "1e-9", "--runs", "2", "--quiet", "--json")
equal(none.returncode, 1, "status when nothing is within the bound")
equal(json.loads(none.stdout)["best"], None, "no answer is none")
finish()
