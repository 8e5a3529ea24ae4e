#!/usr/bin/env python3
"""Kills the program at random moments and looks at the files it saves: the old one or the new one, never less, and no litter.
   kill_saves.py [COUNT] [SEED]     all of COUNT kills (200) over what the commands save; cmd_interrupt.py does a short form.
The same at each system call, without luck, is tests/core/tst_AtomicFile.cpp."""
import ast
import json
import math
import os
import random
import subprocess
import sys
import time
from program import PROGRAM, TEXT, check, environment, equal, finish, folder, need_model


def sound(path):
    """Is the file whole? The documents end in a line break and parse; an array has the size that its head says."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".json"):
        json.loads(data)
    elif path.endswith(".csv"):
        columns = data.split(b"\n", 1)[0].count(b",")
        return data.endswith(b"\n") and all(line.count(b",") >= columns for line in data.splitlines())
    elif path.endswith(".npy"):
        end = data.index(b"\n") + 1
        return len(data) == end + 4 * math.prod(ast.literal_eval(data[10:end].decode())["shape"])
    elif path.endswith(".png"):
        return data.endswith(b"IEND\xaeB`\x82")
    return bool(data)


def kill_saves(jobs, count, seed):
    """`jobs`: arguments of the program and the folder they save into. Returns kills, and kills that left a hidden file."""
    draw = random.Random(seed)
    kills = litter = 0
    lengths = []
    for arguments, place in jobs:
        begun = time.monotonic()
        done = subprocess.run([PROGRAM, *arguments, "--quiet"], capture_output=True, env=environment(), timeout=300)
        lengths.append(time.monotonic() - begun)
        equal(done.returncode, 0, f"the first run of {arguments[0]} ({done.stderr[-200:]})")
    for n in range(count):
        arguments, place = jobs[n % len(jobs)]
        names = sorted(os.listdir(place))
        process = subprocess.Popen([PROGRAM, *arguments, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        # Most moments are near the end, where files are written.
        length = lengths[n % len(jobs)]
        time.sleep(draw.uniform(0.75 * length, 1.1 * length) if draw.random() < 0.8 else draw.uniform(0, length))
        process.kill()
        kills += process.wait() != 0
        after = sorted(os.listdir(place))
        hidden = [name for name in after if name.startswith(".")]
        litter += bool(hidden)
        for name in after:
            if not name.startswith("."):
                check(sound(os.path.join(place, name)), f"{name} after kill {n} of {arguments[0]} is not whole")
        check(all(name in after for name in names if not name.startswith(".")), f"a file is gone after kill {n}: {names}, {after}")
    for arguments, place in jobs:
        subprocess.run([PROGRAM, *arguments, "--quiet"], capture_output=True, env=environment(), timeout=300)
        equal([name for name in os.listdir(place) if name.startswith(".")], [], f"litter of {arguments[0]} after the next save")
    return kills, litter


def jobs_in(place, text):
    jobs = []
    for name, arguments in {
            "tokens": ("tokenize", text, "--out", "{}/tokens.json"),
            "policy": ("export", text, "--policy-file", "{}/policy.json"),
            "rows": ("export", text, "--rows", "{}/rows.csv", "--policy-file", "{}/policy.json"),
            "logits": ("logits", text, "--logits", "{}/logits.npy", "--out", "{}/logits.json"),
            "report": ("analyze", text, "--out", "{}", "--ladder-steps", "0"),
            "sweep": ("sweep", text, "--over", "window=4,8,16", "--no-isolated", "--out", "{}/points.json")}.items():
        folder_of = os.path.join(place, name)
        os.mkdir(folder_of)
        jobs.append(([part.format(folder_of) for part in arguments], folder_of))
    return jobs


if __name__ == "__main__":
    need_model()
    here = folder()
    source = os.path.join(here, "text.txt")
    with open(source, "w", encoding="utf-8") as out:
        out.write(TEXT)
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    killed, left = kill_saves(jobs_in(here, source), total, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(f"{total} runs, {killed} killed before their end, {left} left a hidden file until the next save")
    finish()
