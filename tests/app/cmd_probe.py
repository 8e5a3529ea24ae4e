#!/usr/bin/env python3
"""probe and find-failures: a probe that the model cannot answer is not applicable and the policy is not asked, the pair that is furthest away is
read by full attention alone, failures are saved as sessions that name their row, and what cannot be done is refused before any work."""
import csv
import json
import os
from program import TEXT, check, document, equal, finish, folder, refused, run, run_json
from small_model import HEADS, LAYERS, write_small_model

place = folder()
model = os.path.join(place, "small.gguf")
write_small_model(model)
text, other = (os.path.join(place, name) for name in ("text.txt", "other.txt"))
for path, words in ((text, TEXT[:220]), (other, TEXT[200:400])):
    with open(path, "w", encoding="utf-8") as out:
        out.write(words)

# Random weights copy nothing, so no probe applies; the furthest pair needs no weights.
out = os.path.join(place, "probes")
doc = run_json("probe", "--probe", "copy,furthest-pair", "--sizes", "64:128", "--model", model, "--window", "16", "--out", out)
document(doc, "probe")
copy = doc["probes"][0]
equal((copy["name"], copy["applicable"], copy["scored_at"]), ("copy", False, None), "full attention must pass first")
equal([size["hybrid"] for size in copy["sizes"]], [None], "the policy is not asked, and the size is not doubled")
equal(doc["furthest_pair"]["full"]["accuracy"], 1, "full attention reads the furthest pair")
check(doc["furthest_pair"]["hybrid"]["accuracy"] < 0.5, "a window does not")
equal(json.load(open(os.path.join(out, "probe.json"), encoding="utf-8")), doc, "the document is saved")
equal(len(list(csv.DictReader(open(os.path.join(out, "probe.csv"), encoding="utf-8")))), 1, "a row for the arm that was asked")
check(open(os.path.join(out, "probe.svg"), encoding="utf-8").read().count("<rect") == 2, "a cell in the picture, on a white ground")
refused(run("probe", "--probe", "pass"), 2, "--probe is", "passkey", "furthest-pair")
refused(run("probe", "--probe", "copy", "--cases", "5"), 2, "5 cases at each size", "20")
refused(run("probe", "--sizes", "512:128"), 2, "--sizes")
refused(run("probe", "--probe", "passkey", "--sizes", "8", "--model", model), 2, "8 tokens are too few")
refused(run("probe", "--probe", "copy", "--sizes", "100000", "--model", model), 2, "past the model's context")
shown = run("probe", "--probe", "copy", "--sizes", "64", "--model", model, "--quiet").stdout.decode()
check("asked no more after" in shown, f"an early end is told: {shown}")
check("!" not in shown and "Wilson" not in shown, f"no key to marks and intervals that are not there: {shown}")
# A probe that fails takes nothing from those before it.
done = run("probe", "--probe", "copy,passkey", "--sizes", "64", "--model", model, "--json", "--quiet")
equal(done.returncode, 2, "passkey needs longer texts")
check("tokens are too few" in done.stderr, done.stderr)
equal([probe["name"] for probe in json.loads(done.stdout or "{}").get("probes", [])], ["copy"], "what was asked before it")


def fits(size, *words):
    return run(*words, "--max-memory", str(size), "--model", model, "--quiet")


size = 70_000_000
while fits(size, "probe", "--probe", "copy", "--sizes", "64").returncode != 0:
    size = size * 6 // 5
refused(fits(size, "probe", "--probe", "copy", "--sizes", "64:2048"), 2, "2048 tokens need")

out = os.path.join(place, "failures")
doc = run_json("find-failures", text, other, "--window", "12", "--sinks", "2", "--most", "4", "--model", os.path.relpath(model), "--out", out)
document(doc, "failures")
equal([len(one["failures"]) for one in doc["texts"]], [4, 4], "the worst four of each text")
equal(sum(doc["kinds"].values()), 8, "each has a kind")
for one in doc["texts"]:
    changes = [failure["loss_change"] for failure in one["failures"]]
    equal(changes, sorted(changes, reverse=True), "worst first")
    for failure in one["failures"]:
        session = json.load(open(failure["session"], encoding="utf-8"))
        lost = failure["lost"]
        if lost is not None:
            check(0 <= lost["layer"] < LAYERS and 0 <= lost["head"] < HEADS and 0 < lost["mass"] <= 1, f"where it was lost: {lost}")
            check(2 <= lost["token"] <= lost["query"] - 12, "neither a sink nor in the window")
        equal(session["fovea"], "session", "a session")
        check(os.path.isabs(session["model"]["path"]), f"which opens from any folder: {session['model']['path']}")
        check(str(failure["token"] - 1) in json.dumps(session["view"]), "which opens on the row before the token")
equal(len(os.listdir(out)), 9, "eight sessions and the document")
# A text that fails takes nothing from those before it, on the screen and in the folder.
long = os.path.join(place, "long.txt")
with open(long, "w", encoding="utf-8") as file:
    file.write(TEXT * 6)
half = os.path.join(place, "half")
words = ("find-failures", text, "--window", "12", "--most", "2")
size = 70_000_000
while fits(size, *words).returncode != 0:
    size = size * 6 // 5
done = fits(size, *words, long, "--json", "--out", half)
equal(done.returncode, 2, f"no room for the long text ({done.stderr})")
check("tokens need" in done.stderr, done.stderr)
kept = json.loads(done.stdout or "{}").get("texts", [])
equal([len(one["failures"]) for one in kept], [2], "the failures of the first text")
equal(len(os.listdir(half)) if os.path.exists(half) else 0, 3, "two sessions and the document")
whole = run_json("find-failures", text, "--policy", "full", "--model", model)
equal(whole["texts"][0]["failures"], [], "full attention has no failure")
refused(run("find-failures", text, "--model", model, "--least-loss", "0"), 2, "--least-loss is 0")
refused(run("find-failures", text, "--model", model, "--out", text), 1, "text.txt")
kept = os.path.join(out, "failures.json")
with open(kept, "w", encoding="utf-8") as file:
    file.write(TEXT[:100])
refused(run("find-failures", kept, "--model", model, "--out", out), 2, "failures.json")
equal(open(kept, encoding="utf-8").read(), TEXT[:100], "a text that is read is not replaced")
finish()
