#!/usr/bin/env python3
"""Memory of models with random weights in real shapes, under a limit of the address space: what inspect says and what is used.

  memory.py FOVEA [--scratch DIR] [--models llama-3.2-1b:Q4_K_M:4,llama-2-7b:Q4_K_M:16] [--tokens 512] [--generate 16]

A model is SHAPE:TYPE:GB (random_gguf.py, which needs numpy); its file is made once in the scratch folder, by default
$FOVEA_CACHE/random or ~/.cache/fovea/random. Each command runs as a process of its own under RLIMIT_AS of that many GB, 10^9 bytes:
inspect, analyze, generate, and attention twice, once with a memory limit under which not all activations fit. Printed per command:
seconds, the largest resident set, and its share of what inspect said for that many tokens. The attention rows of both limits must
have the same bytes, and the last line says whether they do.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
TEXT = HERE.parent.parent / "samples" / "tides.txt"


def run(command, limit):
    """(exit status, output, seconds, largest resident set in bytes)"""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        return child.returncode, out.read().decode(), seconds, used.ru_maxrss * 1024


def made(folder, shape, kind):
    path = folder / f"{shape}.{kind}.gguf"
    if not path.exists():
        part = path.with_suffix(".part")
        subprocess.run([sys.executable, str(HERE / "random_gguf.py"), shape, kind, str(part)], check=True)
        part.rename(path)
    return path


def prove(fovea, path, limit, tokens, steps):
    model, text = ["--model", str(path), "--quiet"], [str(TEXT), "--max-tokens", str(tokens)]
    status, out, seconds, peak = run([fovea, "inspect", str(path), "--json", "--quiet"], limit)
    if status != 0:
        return print(f"  inspect failed: {out.strip()}")
    needs = {row["tokens"]: row["bytes"] for row in json.loads(out)["memory_needed"]}
    said = needs.get(tokens)
    print(f"  inspect    {seconds:7.1f} s  {peak / 1e9:6.2f} GB  says {said / 1e9:.2f} GB for {tokens} tokens", flush=True)

    def report(name, command, said):
        status, out, seconds, peak = run([fovea, *command], limit)
        share = f"  {peak / said:.2f} of what was said" if said else ""
        print(f"  {name:10} {seconds:7.1f} s  {peak / 1e9:6.2f} GB{share}" + (f"  FAILED: {out.strip()[-300:]}" if status else ""),
              flush=True)
        return status == 0

    report("analyze", ["analyze", *text, *model, "--policy", "default", "--ladder-steps", "0"], said)
    report("generate", ["generate", *text, *model, "--tokens", str(steps), "--policy", "default"], None)
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, more in (("attention", []), ("  limited", ["--max-memory", str(limited(json.loads(out), tokens, said))])):
            file = os.path.join(folder, f"{len(rows)}.npy")
            if report(name, ["attention", *text, *model, *more, "--layer", "3", "--head", "1", "--rows", f"0:{tokens}", "--npy", file,
                             "--policy", "default"], None):
                rows.append(pathlib.Path(file).read_bytes())
        print("  attention rows: " + ("the same bytes" if len(rows) == 2 and rows[0] == rows[1] else "DIFFERENT OR NOT THERE"))


def limited(card, tokens, said):
    """Bytes under which about two thirds of the layers' activations do not fit."""
    shape = card["model"]
    width = shape["heads"] * shape["head_dim"] + shape["kv_heads"] * shape["head_dim"]
    return said - int(shape["layers"] * 2 / 3) * tokens * (2 * width + shape["heads"]) * 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    default = pathlib.Path(os.environ.get("FOVEA_CACHE", pathlib.Path.home() / ".cache" / "fovea")) / "random"
    parser.add_argument("--scratch", type=pathlib.Path, default=default)
    parser.add_argument("--models", default="llama-3.2-1b:Q4_K_M:4,llama-2-7b:Q4_K_M:16")
    parser.add_argument("--tokens", type=int, default=512, choices=(512, 2048))
    parser.add_argument("--generate", type=int, default=16)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    for shape, kind, gigabytes in (m.split(":") for m in options.models.split(",")):
        path = made(options.scratch, shape, kind)
        print(f"{shape} {kind}, {path.stat().st_size / 1e9:.2f} GB, under {gigabytes} GB", flush=True)
        prove(os.path.abspath(options.program), path, int(float(gigabytes) * 1e9), options.tokens, options.generate)


if __name__ == "__main__":
    main()
