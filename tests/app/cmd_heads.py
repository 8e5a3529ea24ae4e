#!/usr/bin/env python3
"""heads: the ranking, against the rows of attention; attention --merge-heads and --by: several heads and words as one row, against single rows;
tokenize --find: the tokens that match. On a small model of random weights."""
import os
from program import TEXT, check, close, document, equal, finish, folder, npy, refused, run, run_json
from small_model import HEADS, LAYERS, write_small_model

place = folder()
model = os.path.join(place, "small.gguf")
write_small_model(model)
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:120])
given = (text, "--model", model)
policy = ("--window", "8", "--sinks", "2")

doc = run_json("heads", *given, "--by", "kept-mass", *policy)
document(doc, "heads")
equal(len(doc["heads"]), LAYERS * HEADS, "every head is ranked")
values = [head["value"] for head in doc["heads"]]
equal(values, sorted(values), "kept mass: the smallest first")
tokens = run_json("tokenize", *given)["tokens"]
rows = {}  # of each head: full and hybrid weights of every query


def at(head):
    return head["layer"], head["head"]


for layer in range(LAYERS):
    for head in range(HEADS):
        path = os.path.join(place, "rows.npy")
        done = run("attention", *given, "--layer", str(layer), "--head", str(head), "--rows", f"0:{tokens}", "--npy", path, *policy, "--quiet")
        equal(done.returncode, 0, f"the rows of layer {layer} head {head} ({done.stderr})")
        shape, numbers = npy(path)
        equal(shape, [2, tokens, tokens], "full and hybrid rows")
        rows[layer, head] = [[numbers[(arm * tokens + i) * tokens:(arm * tokens + i) * tokens + i + 1] for i in range(tokens)] for arm in (0, 1)]


def kept_mass(head):
    """Mean over queries of full attention's probability on the keys that the window and the sinks read."""
    return sum(sum(p for p, q in zip(*row) if q > 0) for row in zip(*rows[head])) / tokens


def keys_for_90(head):
    """Mean over 64 queries, evenly spaced, the last one included."""
    count, chosen = 0, min(64, tokens)
    for n in range(chosen):
        row = rows[head][0][(n + 1) * tokens // chosen - 1]
        total = 0
        for p in sorted(row, reverse=True):
            if total >= 0.9:
                break
            total, count = total + p, count + 1
    return count / chosen


for head in doc["heads"]:
    close(head["value"], kept_mass(at(head)), f"kept mass of {at(head)}", 1e-4)
check(doc["heads"][0]["value"] < 1, "the worst head loses something")
doc = run_json("heads", *given, "--by", "keys-for-90", "--policy", "full")
values = [head["value"] for head in doc["heads"]]
equal(values, sorted(values, reverse=True), "keys for 90 %: the largest first")
for head in doc["heads"]:
    close(head["value"], keys_for_90(at(head)), f"keys for 90 % of {at(head)}", 0.02)
done = run("heads", *given, "--by", "keys-for-90", *policy, "--quiet")
equal(done.stderr, "", "quiet")
check("the policy does not change it" in run("heads", *given, "--by", "keys-for-90", *policy).stderr, "a policy that has no say is told")
table = run("heads", *given, *policy, "--top", "3", "--quiet").stdout.decode()
check(f"3 of {LAYERS * HEADS} heads" in table and "kept mass: mean over queries" in table, "the table says what it shows")
refused(run("heads", *given, "--by", "nonsense"), 2, "accepted are kept-mass")
refused(run("heads", *given, "--top", "0"), 2, "--top")

combined = run_json("attention", *given, "--layer", "2", "--merge-heads", "0-1,3", "--by", "word", "--query", str(tokens - 3), *policy)
first, last = combined["tokens_of_cell"]
check(first <= tokens - 3 < last and combined["heads"] == [[2, 0], [2, 1], [2, 3]], "the word that holds the token, and the heads")
check("".join(combined["pieces"]) == TEXT[:120][:sum(map(len, combined["pieces"]))], "words follow each other without gap")
expected = {"full": [0] * len(combined["cells"]), "hybrid": [0] * len(combined["cells"])}
for query in range(first, last):
    for head in ("0", "1", "3"):
        row = run_json("attention", *given, "--layer", "2", "--head", head, "--query", str(query), *policy)
        for arm, sums in expected.items():
            for cell, (begin, end) in enumerate(combined["cells"]):
                sums[cell] += sum(row[arm][begin:end]) / 3 / (last - first)
for arm, sums in expected.items():
    for ours, theirs in zip(combined[arm], sums):
        close(ours, theirs, f"a word of the mean of three heads, {arm}", 1e-5)
    close(sum(combined[arm]), 1, f"the row still sums to 1, {arm}", 1e-4)
check("mean of L2 H0, L2 H1, L2 H3, by word" in run("attention", *given, "--layer", "2", "--merge-heads", "0,1,3", "--by", "word", "--quiet").stdout.decode(),
      "the table names its recipe")
refused(run("attention", *given, "--merge-heads", "9"), 2, "--merge-heads")
refused(run("attention", *given, "--merge", "max"), 2, "without --merge-heads")
refused(run("attention", *given, "--by", "word", "--pair", "3,1"), 2, "take no --pair")

found = run("tokenize", *given, "--find", "re:s(hi|al)", "--quiet").stdout.decode()
check("2 matches" in found, f"an expression: {found}")
check(run("tokenize", *given, "--find", "#0-1", "--quiet").stdout.decode().endswith("1 match\n"), "a range")
refused(run("tokenize", *given, "--find", "#99999"), 2, "no token #99999")
refused(run("tokenize", *given, "--find", "x", "--json"), 2, "--find")
finish()
