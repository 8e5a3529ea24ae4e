#!/usr/bin/env python3
"""Kills the program at random moments and looks at the files it saves: the old one or the new one, never less, and no litter.
   kill_saves.py [COUNT] [SEED]     COUNT kills (200) over what the commands save and the window's session; cmd_interrupt.py does a
                                    short form. The model is a small one.
The window runs on Qt's VNC platform, and Ctrl+S reaches it as from a keyboard; FOVEA_PROGRAM without a window leaves it out and says so.
The same at each system call, without luck, is tests/core/tst_AtomicFile.cpp."""
import ast
import json
import math
import os
import random
import socket
import struct
import subprocess
import sys
import time
from program import PROGRAM, TEXT, check, environment, equal, finish, folder, run
from small_model import write_small_model


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


class Window:
    """The program with its window on `session`. `save()` presses Ctrl+S."""

    def __init__(self, session, home, model):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([PROGRAM, session], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(
            QT_QPA_PLATFORM=f"vnc:addr=127.0.0.1:port={port}", XDG_CONFIG_HOME=home, XDG_RUNTIME_DIR=home, FOVEA_MODEL=model,
            FOVEA_CACHE=os.path.join(home, "cache"), FOVEA_OFFLINE="1"))
        end = time.monotonic() + 120
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the window did not open (status {self.process.poll()})") from None
                time.sleep(0.02)
        with self.socket.makefile("rwb") as stream:  # version, no security, the screen's size and name (RFC 6143, section 7)
            stream.read(12)
            stream.write(b"RFB 003.003\n")
            stream.flush()
            stream.read(4)
            stream.write(b"\1")
            stream.flush()
            stream.read(struct.unpack(">I", stream.read(24)[20:])[0])

    def save(self):
        for symbol, down in ((0xFFE3, 1), (ord("s"), 1), (ord("s"), 0), (0xFFE3, 0)):
            self.socket.sendall(struct.pack(">BBHI", 4, down, 0, symbol))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


def has_window():
    done = run("policies", "--help")
    libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=False).stdout
    return done.returncode == 0 and "libQt6Widgets" in libraries


def session_document(model):
    done = run("policies", "default")
    document = json.loads(done.stdout)
    document.update({"fovea": "session", "text": {"content": TEXT * 40, "template": "raw", "special_tokens": True, "max_tokens": 64},
                     "model": {"path": model, "sha256": "", "precision": "f32"},
                     "view": {"layer": 0, "head": 0, "queries": [0, 10], "keys": [0, 10], "state": {}}})
    return document


def kill_window(place, model, count, seed):
    """Kills the window while it saves over and over. Returns kills that found the old session, the new one, and litter."""
    draw = random.Random(seed)
    session = os.path.join(place, "session.json")
    home = folder()
    old = json.dumps(session_document(model), indent=1).encode()
    found = {"old": 0, "new": 0, "litter": 0}
    for n in range(count):
        with open(session, "wb") as out:
            out.write(old)
        window = Window(session, home, model)
        try:
            end = time.monotonic() + draw.uniform(0, 0.3)
            window.save()  # the first one replaces the old file; its moment is not known, so most kills come soon
            while time.monotonic() < end:
                time.sleep(draw.uniform(0.005, 0.02))
                if open(session, "rb").read() != old:
                    window.save()
        finally:
            window.kill()
        with open(session, "rb") as file:
            data = file.read()
        document = json.loads(data)
        equal(document["text"]["content"], TEXT * 40, f"the session's text after kill {n}")
        found["old" if data == old else "new"] += 1
        left = [name for name in os.listdir(place) if name != "session.json"]
        found["litter"] += bool(left)
        check(all(name.startswith(".fovea-") for name in left), f"after kill {n} there is {left}")
    window = Window(session, home, model)
    before = os.stat(session).st_mtime_ns
    window.save()
    end = time.monotonic() + 60
    while os.stat(session).st_mtime_ns == before and time.monotonic() < end:
        time.sleep(0.05)
    window.kill()
    check(os.stat(session).st_mtime_ns != before, "the last session was saved")
    return found


def jobs_in(place, text, *more):
    """`more`: options of every job."""
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
        jobs.append(([*(part.format(folder_of) for part in arguments), *more], folder_of))
    return jobs


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what is tested is the moment, not the speed
    here = folder()
    source = os.path.join(here, "text.txt")
    with open(source, "w", encoding="utf-8") as out:
        out.write(TEXT[:111])
    small = os.path.join(here, "small.gguf")
    write_small_model(small)
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    of_window = total // 5 if has_window() else 0
    killed, left = kill_saves(jobs_in(here, source, "--model", small), total - of_window, first)
    print(f"{total - of_window} runs of commands, {killed} killed before their end, {left} left a hidden file until the next save")
    if of_window:
        saved = os.path.join(here, "window")
        os.mkdir(saved)
        counts = kill_window(saved, small, of_window, first)
        print(f"{of_window} kills of the window: {counts['old']} found the old session, {counts['new']} the new one, "
              f"{counts['litter']} left a hidden file until the next save")
    else:
        print("the window's session is left out: this program has no window")
    finish()
