#!/usr/bin/env python3
"""Every command on an encoder: the tiny bert of tests/golden/families as a GGUF file and as a folder. What it has no next token
for says so in words, and what reads in one direction only is refused with the reason."""
import array
import json
import math
import os

from program import check, close, equal, finish, folder, npy, refused, run, run_json

FAMILY = os.path.join(os.environ["FOVEA_SOURCE_DIR"], "tests", "golden", "families", "bert")
REFERENCE = json.load(open(os.path.join(FAMILY, "references.json"), encoding="utf-8"))
TEXT = REFERENCE["strings"][-1]["text"]
WHY = "reads the text in both directions and predicts no next token"


def reference(name):
    place = REFERENCE["arrays"][name]
    count = math.prod(place["shape"])
    numbers = array.array("f")
    with open(os.path.join(FAMILY, "references.f32"), "rb") as file:
        file.seek(4 * place["offset"])
        numbers.frombytes(file.read(4 * count))
    return numbers


def worst(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


out = folder()
reports = []
for model in (os.path.join(FAMILY, "model.gguf"), FAMILY):
    on = ("--model", model, "--text", TEXT)
    card = run_json("inspect", model)
    equal(card["model"]["family"], "bert", "family")
    table = run("inspect", model, "--quiet").stdout.decode()
    check("both directions" in table and "sentence vector by mean" in table, f"inspect says how it reads: {table}")

    # Without a policy option: the default of an encoder, said on stderr.
    done = run("analyze", *on)
    equal(done.returncode, 0, f"fovea analyze ({done.stderr})")
    check('the preset "encoder" is taken' in done.stderr, f"the other default is told: {done.stderr}")
    said = done.stdout.decode()
    for word in ("sentence vector    cosine 0.", "last hidden state  cosine 0.", "depth error", "KL, top-1, loss    none", WHY):
        check(word in said, f"analyze prints {word!r}")
    check("looks ahead" not in said, "no warning of a causal policy")

    report = run_json("analyze", *on, "--policy", "encoder", "--window", "12")
    f = report["fidelity"]
    for name in ("next_token_kl", "top1_agreement", "delta_nll", "kl_p95", "kl_worst", "kl_worst_position"):
        equal(f[name], None, f"fidelity.{name} of an encoder")
    check(WHY in f["next_token_note"], "the document says why")
    check(WHY in report["ladder_note"], "so does the missing ladder")
    check(0 < f["token_cosine_worst"] <= f["token_cosine"] < 1 and 0 < f["sentence_cosine"] < 1, f"cosines: {f['sentence_cosine']}")
    equal(len(f["token_cosines"]), len(REFERENCE["ids"]), "one cosine a token")
    close(sum(f["token_cosines"]) / len(f["token_cosines"]), f["token_cosine"], "their mean", 1e-6)
    equal(len(f["depth_error"]), 2, "depth error of each layer")
    check(f["output_error"] > 0 and f["mass_recall"] < 1, "isolated measures")
    gates = {g["gate"]: g for g in report["gates"]}
    for gate in (2, 3, 4, 6):
        check(gates[gate]["ok"] is None and gates[gate]["detail"].startswith("does not apply: "), f"gate {gate} says why not")
    for gate in (1, 5, 7, 8):
        check(gates[gate]["ok"] is True, f"gate {gate}: {gates[gate]['detail']}")
    reports.append(f)

    # Hidden states and the sentence vector, beside those of the transformers library; the hybrid ones give the cosine.
    hidden, sentence = os.path.join(out, "hidden.npy"), os.path.join(out, "sentence.npy")
    done = run("export", *on, "--policy", "encoder", "--window", "12", "--hidden", hidden, "--sentence", sentence, "--quiet")
    equal(done.returncode, 0, f"fovea export ({done.stderr})")
    shape, numbers = npy(hidden)
    equal(shape, [2, *REFERENCE["arrays"]["hidden"]["shape"]], "shape of the hidden states")
    check(worst(numbers, reference("hidden")) <= 1e-4, "hidden states of the full run")
    shape, numbers = npy(sentence)
    equal(shape, [2, *REFERENCE["arrays"]["sentence"]["shape"]], "shape of the sentence vectors")
    check(worst(numbers, reference("sentence")) <= 1e-4, "sentence vector of the full run")
    width = shape[1]
    close(sum(x * y for x, y in zip(numbers[:width], numbers[width:])), f["sentence_cosine"], "their product is the cosine", 1e-5)

    # A row has every key, and those after the query too.
    row = run_json("attention", *on, "--policy", "encoder", "--window", "12", "--layer", "1", "--head", "2", "--query", "20")
    equal(len(row["full"]), len(REFERENCE["ids"]), "keys of a row")
    close(sum(row["full"]), 1, "full weights", 1e-4)
    close(sum(row["hybrid"]), 1, "hybrid weights", 1e-4)
    equal([row["why"][k] for k in (0, 13, 14, 20, 26, 27)], ["pinned_key", "skipped", "window", "window", "window", "skipped"],
          "reasons on both sides")
    pair = run_json("attention", *on, "--policy", "encoder", "--pair", "5,25", "--layer", "1")
    check(pair["why"] == "window" and pair["full"] > 0, f"a later key is read: {pair}")
    for options in (["--block", "0:8,40:50"], ["--token", "9"], ["--lanes"]):
        equal(run("attention", *on, "--policy", "bigbird-parity", *options, "--quiet").returncode, 0, f"attention {options}")

    for policy in ("full", "encoder", "longformer-sym", "bigbird-parity", "linformer"):
        done = run("check", *on, "--policy", policy, "--quiet", "--json")
        equal(done.returncode, 0, f"fovea check --policy {policy} ({done.stderr[:300]})")
    sweep = run_json("sweep", *on, "--policy", "encoder", "--over", "window=4,16,64")
    equal([p["fidelity"]["next_token_kl"] for p in sweep["points"]], [None] * 3, "no KL in a sweep")
    check(WHY in sweep["next_token_note"] and sweep["axes"]["fidelity"] == "sentence_cosine", "the sweep says so")
    check(any(p["pareto"] for p in sweep["points"]), "a Pareto front by cosine")
    csv = os.path.join(out, "points.csv")
    done = run("sweep", *on, "--policies", "encoder,linformer,full", "--out", csv, "--quiet")
    equal(done.returncode, 0, f"fovea sweep ({done.stderr})")
    check("sentence cosine" in done.stdout.decode() and WHY in done.stdout.decode(), "the table has cosines")
    head = open(csv, encoding="utf-8").readline()
    check("sentence_cosine,token_cosine,next_token_note" in head, f"columns of the file: {head}")

    # Heads, several of them as one row, and a folder of results.
    heads = run_json("heads", *on, "--by", "kept-mass", "--policy", "encoder", "--window", "12")["heads"]
    equal(len(heads), card["model"]["layers"] * card["model"]["heads"], "every head is ranked")
    both = [run_json("attention", *on, "--layer", "1", "--head", head, "--query", "20", "--policy", "encoder", "--window", "12") for head in ("0", "1")]
    merged = run_json("attention", *on, "--layer", "1", "--merge-heads", "0,1", "--query", "20", "--policy", "encoder", "--window", "12")
    for arm in ("full", "hybrid"):
        equal(len(merged[arm]), len(REFERENCE["ids"]), f"every key of the mean, {arm}")
        for key, value in enumerate(merged[arm]):
            close(value, (both[0][arm][key] + both[1][arm][key]) / 2, f"mean of two heads, {arm}, key {key}", 1e-6)
    results = os.path.join(out, "results")
    done = run("analyze", *on, "--policy", "encoder", "--window", "12", "--against", "longformer-sym", "--out", results, "--quiet")
    equal(done.returncode, 0, f"fovea analyze --out ({done.stderr})")
    with open(os.path.join(results, "report.json"), encoding="utf-8") as file:
        check(0 < json.load(file)["against"]["fidelity"]["sentence_cosine"] <= 1, "arm A has a cosine too")
    if os.path.exists(os.path.join(results, "report.html")):
        page = open(os.path.join(results, "report.html"), encoding="utf-8").read()
        check(WHY in page and "Compared with" in page and "--against longformer-sym" in page, "the page says what it compares")

    # One direction, or a next token.
    for policy in ("default", "window", "window-sinks", "summaries"):
        refused(run("analyze", *on, "--policy", policy, "--quiet"), 2, "reads earlier keys only", "both directions", "longformer-sym")
    refused(run("analyze", *on, "--policy", "linformer", "--window", "8", "--quiet"), 2, "far.far is projection")
    for command in ("generate", "logits"):
        refused(run(command, *on, "--quiet"), 2, WHY)
    refused(run("bench", "--case", "decode-16", "--model", model, "--quiet"), 2, WHY)
    refused(run("analyze", "--model", model, "--text", TEXT * 3, "--quiet"), 2, "128")

equal(reports[0], reports[1], "GGUF and folder give the same fidelity")
finish()
