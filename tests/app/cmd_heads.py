#!/usr/bin/env python3
"""heads: the ranking, against the rows of attention; attention --merge-heads and --by: several heads and words as one row, against single rows;
tokenize --find: the tokens that match. On a small model of random weights."""
import os
from program import TEXT, check, close, document, equal, finish, folder, refused, run, run_json
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
worst = doc["heads"][0]
tokens = run_json("tokenize", *given)["tokens"]
mass = []
for query in range(tokens):
    row = run_json("attention", *given, "--layer", str(worst["layer"]), "--head", str(worst["head"]), "--query", str(query), *policy) if query < 24 else None
    if row:
        mass.append(sum(p for p, kept in zip(row["full"], row["kept"]) if kept))
close(max(mass), 1, "a row that the window holds whole keeps all", 1e-4)
check(worst["value"] < 1, f"the worst head loses something: {worst}")
doc = run_json("heads", *given, "--by", "keys-for-90", "--policy", "full")
values = [head["value"] for head in doc["heads"]]
equal(values, sorted(values, reverse=True), "keys for 90 %: the largest first")
first = doc["heads"][0]
counts = []
for query in range(0, tokens):
    if tokens > 64 and query % 16:
        continue
    row = sorted(run_json("attention", *given, "--layer", str(first["layer"]), "--head", str(first["head"]), "--query", str(query))["full"], reverse=True)
    total, count = 0, 0
    while total < 0.9 and count < len(row):
        total += row[count]
        count += 1
    counts.append(count)
check(min(counts) <= first["value"] <= max(counts), f"keys for 90 % ({first['value']}) lies among those of its rows ({min(counts)} to {max(counts)})")
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
