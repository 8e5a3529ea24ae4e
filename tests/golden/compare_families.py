#!/usr/bin/env python3
"""The program beside the golden tiny models: token ids, logits and logits of the opened model, of the GGUF and of the folder;
of the encoder hidden states, the sentence vector and rows of attention.

  compare_families.py FOVEA [FAMILY...]        FOVEA: the program or fovea_headless; needs numpy

Prints one line for everything that was compared: the largest difference, or the first string whose ids differ, or what the
program refused. A tolerance of 1e-4 decides the exit status. The test suite compares the same ids and logits; this script shows
the whole picture of a build at once.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

HERE = pathlib.Path(__file__).parent / "families"
failures = 0


def call(*arguments):
    done = subprocess.run([PROGRAM, *arguments, "--quiet"], capture_output=True, text=True)
    return done.stdout, (done.stderr.strip().splitlines() or [""])[-1] if done.returncode else ""


def say(family, kind, what, text, good):
    global failures
    failures += not good
    print(f"{'ok ' if good else 'BAD'} {family:10} {kind:6} {what:10} {text}", flush=True)


def ids_of(model, text, *options):
    out, error = call("tokenize", "--model", model, "--text", text, "--json", *options)
    if error:
        return error
    document = json.loads(out)
    return document["ids"] if "ids" in document else [t["id"] for t in document["tokens"]]


def compare_encoder(family, kind, model, text, reference, array):
    """Last hidden states, the sentence vector and rows of attention, all of the full run."""
    with tempfile.TemporaryDirectory() as folder:
        hidden, sentence, rows = (pathlib.Path(folder) / name for name in ("hidden.npy", "sentence.npy", "rows.npy"))
        _, error = call("export", "--model", model, "--text", text, "--hidden", str(hidden), "--sentence", str(sentence))
        if error:
            return say(family, kind, "hidden", error, False)
        for what, file in (("hidden", hidden), ("sentence", sentence)):
            moved = numpy.abs(numpy.load(file)[0] - array(what)).max()
            say(family, kind, what, f"largest difference {moved:.1e}", moved <= 1e-4)
        moved = 0
        for i, layer in enumerate(reference["attention_layers"]):
            for j, head in enumerate(reference["attention_heads"]):
                _, error = call("attention", "--model", model, "--text", text, "--layer", str(layer), "--head", str(head),
                                "--rows", f"0:{len(reference['ids'])}", "--npy", str(rows))
                if error:
                    return say(family, kind, "attention", error, False)
                moved = max(moved, numpy.abs(numpy.load(rows)[0][reference["positions"]] - array("attention")[i][j]).max())
        say(family, kind, "attention", f"largest difference {moved:.1e}", moved <= 1e-4)


def compare(family, kind, model):
    reference = json.loads((HERE / family / "references.json").read_text())
    values = numpy.fromfile(HERE / family / "references.f32", "<f4")

    def array(name):
        at = reference["arrays"][name]
        return values[at["offset"]:at["offset"] + int(numpy.prod(at["shape"]))].reshape(at["shape"])
    bert = family == "bert"
    after = reference["ids"][-1:] if bert else []
    for what, plain, options in (("tokens", "ids", []), ("special", "special", ["--special-tokens"])):
        wrong = []
        for entry in reference["strings"]:
            expected = entry["ids"] if plain == "ids" else entry.get("special", entry["ids"])
            if kind == "gguf":
                expected = entry.get("gguf" if plain == "ids" else "gguf_special", expected)
            expected = reference["before"] + expected + after
            got = ids_of(model, entry["text"], *options)
            if got != expected and entry["text"]:
                wrong.append((entry["text"], got, expected))
        total = len(reference["strings"])
        if wrong:
            text, got, expected = wrong[0]
            if isinstance(got, list):
                place = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
                got = f"at {place}: {got[place:place + 6]}, expected {expected[place:place + 6]}"
            say(family, kind, what, f"{len(wrong)} of {total} differ; {text[:40]!r} {got}", False)
        else:
            say(family, kind, what, f"{total} strings", True)
    text = next(s["text"] for s in reference["strings"][::-1])
    if bert:
        return compare_encoder(family, kind, model, text, reference, array)
    runs = [("logits", "opened" if family == "mistral" and kind == "gguf" else "logits", [])]
    if "opened" in reference["arrays"]:
        runs.append(("opened", "opened", ["--native-windows", "off"]))
    for what, name, options in runs:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "logits.npy"
            _, error = call("logits", "--model", model, "--text", text, "--max-tokens", str(len(reference["ids"])),
                            "--logits", str(file), *options)
            if error:
                say(family, kind, what, error, False)
                continue
            moved = numpy.abs(numpy.load(file)[reference["positions"]] - array(name)).max()
            say(family, kind, what, f"largest difference {moved:.1e}", moved <= 1e-4)
    if "short" in reference["arrays"]:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "logits.npy"
            _, error = call("logits", "--model", model, "--text", text, "--max-tokens", str(reference["short_ids"]),
                            "--logits", str(file))
            if error:
                say(family, kind, "short", error, False)
            else:
                moved = numpy.abs(numpy.load(file) - array("short")).max()
                say(family, kind, "short", f"largest difference {moved:.1e}", moved <= 1e-4)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    for folder in sorted(HERE.iterdir()):
        if len(sys.argv) > 2 and folder.name not in sys.argv[2:]:
            continue
        compare(folder.name, "gguf", str(folder / "model.gguf"))
        compare(folder.name, "folder", str(folder))
    sys.exit(1 if failures else 0)
