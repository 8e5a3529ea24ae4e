#!/usr/bin/env python3
"""logits: distributions, losses and the NPY array, full and under policies."""
import ast
import math
import os
import struct
from program import TEXT, check, close, document, equal, finish, folder, need_model, run, run_json

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:240])

array = os.path.join(place, "logits.npy")
doc = run_json("logits", text, "--positions", "all", "--top", "3", "--logits", array)
document(doc, "logits")
T, V = doc["tokens"], doc["model"]["vocab"]
equal(len(doc["nll"]), T, "a loss per token")
check(doc["nll"][0] is None, "the first token has no loss")
check(all(x > 0 for x in doc["nll"][1:]), "losses are positive")
close(doc["mean_nll"], sum(doc["nll"][1:]) / (T - 1), "mean loss", 1e-5)
check(doc["mean_nll"] < 6, f"the model predicts English: {doc['mean_nll']}")
equal([p["index"] for p in doc["positions"]], list(range(T)), "all positions")

with open(array, "rb") as file:
    data = file.read()
equal(data[:8], b"\x93NUMPY\x01\x00", "NPY magic")
length = struct.unpack("<H", data[8:10])[0]
equal((10 + length) % 64, 0, "data starts at a multiple of 64")
head = ast.literal_eval(data[10:10 + length].decode("latin1").strip())
equal((head["descr"], head["fortran_order"], head["shape"]), ("<f4", False, (T, V)), "NPY header")
equal(len(data), 10 + length + 4 * T * V, "NPY size")
for index in (0, T // 2, T - 1):
    start = 10 + length + 4 * V * index
    row = struct.unpack(f"<{V}f", data[start:start + 4 * V])
    top = doc["positions"][index]["top"]
    equal(top[0]["id"], max(range(V), key=lambda i: (row[i], -i)), f"most likely token at {index}")
    close(top[0]["logit"], row[top[0]["id"]], f"its logit at {index}", 1e-6)
    most = max(row)
    normaliser = most + math.log(math.fsum(math.exp(x - most) for x in row))
    close(top[0]["logprob"], top[0]["logit"] - normaliser, f"its ln P at {index}", 1e-4)
    close(math.fsum(math.exp(x - normaliser) for x in row), 1, f"probabilities at {index} sum to 1", 1e-6)
    check(top[0]["logit"] >= top[1]["logit"] >= top[2]["logit"], "best first")

# A policy that is full is the full run to the bit; a narrow one is not.
same = run_json("logits", text, "--window", "all")
equal(same["nll"], doc["nll"], "window all is full attention")
wide = run_json("logits", text, "--window", str(T))
check(max(abs(a - b) for a, b in zip(wide["nll"][1:], doc["nll"][1:])) < 1e-3, "window T is full attention")
narrow = run_json("logits", text, "--window", "4")
check(abs(narrow["mean_nll"] - doc["mean_nll"]) > 0.05, "window 4 without sinks is not")
equal(narrow["nll"][1:4], doc["nll"][1:4], "before the window is left, nothing differs")
one = run_json("logits", text, "--threads", "1")
equal(one["nll"], doc["nll"], "the same bits with one thread")

last = run_json("logits", "--text", "The capital of France is", "--top", "5")
equal([p["index"] for p in last["positions"]], [last["tokens"] - 1], "the last position by default")
check(any("Paris" in t["piece"] for t in last["positions"][0]["top"]), "the capital of France is among the five")
single = run_json("logits", "--text", "a")
equal((single["tokens"], single["nll"], single["mean_nll"]), (1, [None], None), "one token has no loss")
chat = run_json("logits", "--text", "Hi", "--template", "chat")
check(chat["tokens"] > 10, "--template chat adds a turn")
bad = run("logits", text, "--positions", str(T))
equal(bad.returncode, 2, "a position past the end")
check("--positions" in bad.stderr, "names the option")
finish()
