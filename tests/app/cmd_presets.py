#!/usr/bin/env python3
"""Every named policy runs and passes the gates that apply to it; the labels are true.

On a small model of random weights with 400 tokens: gates compare a model with itself, so its weights need not mean anything,
and the text is longer than every window. With FOVEA_LONG_TESTS=1 (tests/run --full) also on the default model.
"""
import concurrent.futures
import os

from program import TEXT, check, equal, finish, folder, need_model, refused, run, run_json
from small_model import write_small_model

listed = run_json("policies")
names = [p["name"] for p in listed["policies"]]
equal(len(names), len(set(names)), "names of policies are unique")
for policy in listed["policies"]:
    for key in ("family", "help", "published_weights", "summary"):
        check(policy[key], f"policy {policy['name']} has {key}")
    check(policy["published_weights"] in ("drop-in", "adapted", "trained-for"), f"weights of {policy['name']}")
    again = run("policies", policy["name"])
    equal(again.returncode, 0, f"fovea policies {policy['name']} ({again.stderr})")
refused(run("policies", "no-such"), 2, "no policy is named", "h2o")

bidirectional = [p["name"] for p in listed["policies"] if p["bidirectional"]]
equal(bidirectional, ["encoder", "longformer-sym", "bigbird-parity", "linformer"], "presets that need a bidirectional model")
check(all(p["looks_ahead"] for p in listed["policies"] if p["bidirectional"]), "those look ahead")
table = run("policies").stdout.decode()
equal(" ".join(table.split()).count("for bidirectional models only, refused on causal ones"), 4, "the table says so")

small = os.path.join(folder(), "small.gguf")
write_small_model(small)
text = (TEXT * 3)[:1000]
runs = [(name, "--model", small, "--max-tokens", "400") for name in names if name not in bidirectional]
if os.environ.get("FOVEA_LONG_TESTS") == "1":
    need_model()
    runs += [(name, "--max-tokens", "160") for name in names if name not in bidirectional]


def checked(run_of):
    name, *options = run_of
    return name, run("check", "--text", text, "--policy", name, *options, "--no-ladder", "--threads", "1", "--quiet", "--json")


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for name, done in pool.map(checked, runs):
        equal(done.returncode, 0, f"fovea check --policy {name} ({done.stderr.strip()[:300]})")
# Separators beyond their cap are candidates of a router as any other key: with a full budget everything is read.
capped = run("check", "--text", "a, b, c, d. " * 40, "--policy", "sepllm", "--punctuation-cap", "4", "--max-tokens", "120",
             "--no-ladder", "--threads", "1", "--quiet", "--json")
equal(capped.returncode, 0, f"fovea check with separators beyond their cap ({capped.stderr.strip()[:300]})")
for name in bidirectional:
    for command in ("check", "analyze", "attention", "sweep", "generate"):
        refused(run(command, "--model", small, "--text", text, "--policy", name, "--quiet"), 2, name, "this model is causal",
                "bidirectional (encoder) model")
    # A list stops at it before anything is run, and says which one it was.
    refused(run("sweep", "--model", small, "--text", text, "--policies", f"window,{name}", "--quiet"), 2, name, "this model is causal")
refused(run("check", "--model", small, "--text", text, "--policy", "window", "--sides", "both", "--quiet"), 2, "this policy reads later keys")
refused(run("check", "--model", small, "--text", text, "--policy", "longformer-sym", "--dilation", "2", "--quiet"), 2, "local.dilation is 2")
finish()
