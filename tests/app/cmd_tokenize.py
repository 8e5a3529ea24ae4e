#!/usr/bin/env python3
"""tokenize: ids, pieces and spans of any bytes."""
import os
from program import check, document, equal, finish, folder, need_model, run, run_json

need_model()
place = folder()


def tokenize(data, *options):
    doc = run_json("tokenize", "-", *options, stdin=data)
    document(doc, "tokenize")
    count = len(doc["ids"])
    equal(len(doc["pieces"]), count, "pieces")
    equal(len(doc["spans"]), count, "spans")
    at = 0
    for begin, end in doc["spans"]:
        check(begin == at and end >= begin, f"spans cover {data[:40]!r} without gap: {begin} after {at}")
        at = end
    equal(at, len(data), f"end of the last span of {data[:40]!r}")
    for index, (piece, (begin, end)) in enumerate(zip(doc["pieces"], doc["spans"])):
        if index not in doc["escaped_pieces"] and doc["unknown_bytes"] == 0 and doc["invalid_bytes"] == 0:
            equal(piece.encode(), data[begin:end], f"piece {index} of {data[:40]!r}")
    return doc


equal(tokenize(b"Hello")["ids"], [19556], "ids of Hello")
for text in ("one two  three\n\n\tfour\r\n", "def f(x):\n    return x*x  # 123", "数学と言語", "مرحبا بالعالم",
             "👩‍👩‍👧‍👦 e\u0301 ﷺ", "a" * 3000, " " * 500, "<|im_start|>user", "\u202eabc", "x\x00y"):
    tokenize(text.encode())
digits = tokenize(b"2026")
equal(len(digits["ids"]), 4, "every digit stands alone")
plain = tokenize(b"<|im_start|>")
special = tokenize(b"<|im_start|>", "--special-tokens")
check(len(plain["ids"]) > 1, "special tokens are plain characters by default")
equal(special["ids"], [1], "--special-tokens reads them")

tokenize(b"GGUF is the name of a file format")
refused = run("tokenize", "-", stdin=b"GGUF\x03\0\0\0" + b"\0" * 60)
equal(refused.returncode, 2, "status of a model given as the text")
check("standard input is a GGUF model" in refused.stderr, f"a model given as the text: {refused.stderr!r}")

broken = tokenize(b"ab\xff\xfecd \xe2\x82")
equal(broken["invalid_bytes"], 4, "invalid bytes are counted")
equal(broken["first_invalid_byte"], 2, "and the first is named")
shown = run("tokenize", "-", "--quiet", stdin=b"ab\xffcd")
check(b"not UTF-8" in shown.stdout, "invalid bytes are shown")
unknown = tokenize(b"a\x04b")
equal(unknown["unknown_bytes"], 1, "bytes the vocabulary cannot say are counted")
equal(unknown["first_unknown_byte"], 1, "and the first is named")
check(tokenize("🙂".encode())["escaped_pieces"], "a cut character is escaped and listed")

one = os.path.join(place, "one.txt")
with open(one, "wb") as out:
    out.write(b"a")
equal(run_json("tokenize", one)["ids"], run_json("tokenize", "--text", "a")["ids"], "a file and --text read alike")
saved = os.path.join(place, "doc.json")
equal(run("tokenize", "--text", "a", "--out", saved, "--quiet").returncode, 0, "status with --out")
check(os.path.getsize(saved) > 100, "--out writes the document")
finish()
