#!/usr/bin/env python3
"""heads: the ranking, against the rows of attention; tokenize --find: the tokens that match. On a small model of random weights."""
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

found = run("tokenize", *given, "--find", "re:s(hi|al)", "--quiet").stdout.decode()
check("2 matches" in found, f"an expression: {found}")
check(run("tokenize", *given, "--find", "#0-1", "--quiet").stdout.decode().endswith("1 match\n"), "a range")
refused(run("tokenize", *given, "--find", "#99999"), 2, "no token #99999")
refused(run("tokenize", *given, "--find", "x", "--json"), 2, "--find")
finish()
