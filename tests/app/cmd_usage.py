#!/usr/bin/env python3
"""Help, slips of the hand, and everything that is refused before a model is opened. Needs no model."""
import json
import os
import subprocess
from program import PROGRAM, check, environment, equal, finish, folder, refused, run

place = folder()


def path(name, content):
    full = os.path.join(place, name)
    with open(full, "wb") as out:
        out.write(content)
    return full


text = path("text.txt", b"some words\n")
commands = ["analyze", "sweep", "check", "inspect", "tokenize", "logits", "attention", "heads", "generate", "export", "bench"]

# Help teaches: the main job first, each command with an example, each policy option with its range.
top = run("--help")
equal(top.returncode, 0, "status of --help")
for name in commands:
    check(f"\n  {name} " in top.stdout.decode(), f"--help lists {name}")
    help_text = run(name, "--help")
    equal(help_text.returncode, 0, f"status of {name} --help")
    check(b"Example" in help_text.stdout, f"{name} --help has an example")
    check(max(len(line) for line in help_text.stdout.decode().splitlines()) <= 140, f"{name} --help fits a terminal")
words = run("analyze", "--help").stdout.decode()
for option in ("--window", "--sinks", "--pinned", "--route", "--route-count", "--route-fraction", "--full-layers", "--model",
               "--policy", "--threads", "--precision", "--special-tokens", "--max-memory", "--template", "--json", "--out",
               "--quiet", "--repeat", "--routing-full"):
    check(option in words, f"analyze --help names {option}")
check("1 to 64" in words, "analyze --help gives the range of --dilation")
version = run("--version")
check(version.stdout.startswith(b"fovea "), "--version says the name")

# Slips: one line, status 2, what was meant.
refused(run("anlyze", text), 2, "anlyze", "did you mean analyze?")
refused(run("analyze", "--windw", "3", text), 2, "--windw", "did you mean --window?")
refused(run("analyze", text, "--window"), 2, "--window needs a value")
refused(run("analyze", text, "--window", "3", "--window", "4"), 2, "--window is given more than once")
refused(run("analyze", text, "more.txt"), 2, "more.txt")
refused(run("analyze"), 2, "no text is given")
refused(run("analyze", text, "--text", "two"), 2, "both a file")
refused(run("analyze", "--text", ""), 2, "--text is empty")
refused(run("analyze", path("empty.txt", b"")), 2, "empty.txt", "is empty")
refused(run("analyze", "-", stdin=b""), 2, "standard input is empty")
refused(run("analyze", os.path.join(place, "missing.txt")), 2, "missing.txt", "No such file")
refused(run("analyze", place), 2, place)
refused(run("analyze", text, "--threads", "0"), 2, "--threads", "1 to 1024")
refused(run("analyze", text, "--threads", "two"), 2, "--threads", "two")
refused(run("analyze", text, "--precision", "f64"), 2, "f64", "f32 and bf16")
refused(run("analyze", text, "--template", "html"), 2, "html", "raw and chat")
for size in ("lots", "500X", "2 GBB", "5 iB", "2 G B", "-1G", "0", "nan"):
    refused(run("analyze", text, "--max-memory", size), 2, f'"{size}"', "500M", "powers of 1024")
refused(run("analyze", text, "--route", "group_dot", "--route-fraction", "5%"), 2, "5%")
refused(run("analyze", text, "--route", "key_norm", "--route-role", "queries", "--route-query-count", "3", "--route-query-fraction", "0.5"), 2,
        "same budget")
# An empty value is a slip, not an option left out.
refused(run("inspect", ""), 2, "MODEL is empty")
refused(run("analyze", text, "--out", ""), 2, "--out is empty")
refused(run("analyze", text, "--model", ""), 2, "--model is empty")
refused(run("analyze", text, "--policy="), 2, "--policy")
refused(run("analyze", ""), 2, "FILE is empty")
refused(run("analyze", text, "--repeat", "0"), 2, "--repeat")
refused(run("logits", text, "--top", "0"), 2, "--top")
refused(run("attention", text, "--regime", "both"), 2, "isolated and propagated")
refused(run("attention", text, "--rows", "0:1"), 2, "--rows", "--npy")
refused(run("bench", "--case", "full-8x64"), 2, "full-8x64")
refused(run("bench", "--case", "blocky-8x64-64-f32"), 2, "blocky")
refused(run("bench", "--case", "full-9/2x64-64-f32"), 2, "9/2x64")

# Policy options: the range check of all entrances.
refused(run("analyze", text, "--window", "-1"), 2, "window", "-1", "0 to")
refused(run("analyze", text, "--window", "1.5"), 2, "window", "1.5")
refused(run("analyze", text, "--sinks", "257"), 2, "sinks", "257", "256")
refused(run("analyze", text, "--dilation", "0"), 2, "dilation", "1 to 64")
refused(run("analyze", text, "--route", "group_dt"), 2, "group_dt", "group_dot")
refused(run("analyze", text, "--route-fraction", "nan"), 2, "fraction", "nan")
refused(run("analyze", text, "--route-fraction", "1.5"), 2, "fraction", "1.5")
refused(run("analyze", text, "--route", "group_dot", "--route-count", "3", "--route-fraction", "0.1"), 2, "same budget")
refused(run("analyze", text, "--pinned", "3,x"), 2, "pinned")
refused(run("analyze", text, "--full-layers", "a"), 2, "full_layers")
refused(run("analyze", text, "--policy", "defalt"), 2, "defalt", "did you mean default?")
refused(run("analyze", text, "--policy", os.path.join(place, "none.json")), 2, "none.json")
# Hyphen and underscore are the same in names, and stay in values.
refused(run("analyze", text, "--route_count", "-2"), 2, "count", "-2")
refused(run("analyze", text, "--route-count=-2"), 2, "count", "-2")
refused(run("analyze", "--text", "--a_b", "--policy", "x_y"), 2, "x_y")


# Policy files: unknown key, wrong type, NaN, range, kind, damage; each names the key's path.
def policy(**parts):
    body = {"fovea": "policy", "version": 1, "name": "test"}
    body.update(parts)
    return body


def refused_policy(body, *words):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    refused(run("analyze", text, "--policy", path("policy.json", data)), 2, "policy.json", *words)


refused_policy(policy(local={"windov": 3}), "local.windov")
refused_policy(policy(locals={}), "locals")
refused_policy(policy(local={"window": "wide"}), "local.window")
refused_policy(policy(local={"window": True}), "local.window")
refused_policy(policy(local={"window": -1}), "local.window", "-1")
refused_policy(policy(local={"window": 1.5}), "local.window")
refused_policy(policy(always={"sinks": 10000}), "always.sinks", "10000")
refused_policy(policy(always=3), "always")
refused_policy(policy(routed={"signal": "tarot"}), "routed.signal", "tarot")
refused_policy(policy(version=2), "version")
refused_policy({"version": 1}, "fovea")
refused_policy(b'{"fovea":"policy","version":1,"local":{"window":NaN}}')
refused_policy(b'{"fovea":"policy","version":1,"local":{"window":1e400}}')
refused_policy(b'{"fovea":"policy","version":1,"local":{"window":1,"window":2}}', "window")
refused_policy(b'{"fovea":"policy","version":1} more')
refused_policy(b'{"fovea":"policy","version":1')
refused_policy(b'not json')
refused_policy(b'')
refused_policy(b'[' * 5000)

# What is no text is not read as one; a text may begin with a model's four letters.
refused(run("tokenize", path("a.txt", b"GGUF\3\0\0\0")), 2, "GGUF model, not a text")
refused(run("tokenize", path("a.json", b'{"fovea": "session", "version": 1}')), 2, "a session, not a text")
refused(run("tokenize", path("b.json", b'{"version": 1, "fovea": "policy"}')), 2, "a policy, not a text")
check("not a text" not in run("tokenize", path("b.txt", b"GGUF is a format of files."), "--model", "nowhere.gguf").stderr, "GGUF as a word")

# Models that are not there: which file is missing and how to get it.
refused(run("inspect", os.path.join(place, "no.gguf")), 2, "no.gguf")
lost = environment(FOVEA_CACHE=os.path.join(place, "cache"))
refused(run("inspect", env=lost), 2, "fetch-model")
refused(run("inspect", "gemma3", env=lost), 2, "gemma-3-270m-q4_k_m.gguf", "app/fetch-model gemma3")
refused(run("analyze", text, env=environment(FOVEA_MODEL=os.path.join(place, "gone.gguf"))), 2, "gone.gguf")

# Streams that are closed or full are a failed work, not a crash.
for target in ("/dev/full",):
    with open(target, "wb") as full:
        done = subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE)
        equal(done.returncode, 1, f"status when stdout is {target}")
        check(b"standard output" in done.stderr, "a full stdout is said")
reader, writer = os.pipe()
os.close(reader)
done = subprocess.run([PROGRAM, "--help"], stdout=writer, stderr=subprocess.PIPE)
os.close(writer)
check(done.returncode in (1, -13), f"status {done.returncode} when nobody reads stdout")
done = subprocess.run(f'"{PROGRAM}" --help >&-', shell=True, stderr=subprocess.PIPE)
equal(done.returncode, 1, "status when stdout is closed")
finish()
