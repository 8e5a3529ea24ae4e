#!/usr/bin/env python3
"""Ctrl-C, kill and failed writes: nothing half-done, an old file stays whole."""
import json
import os
import resource
import signal
import stat
import subprocess
import time
from kill_saves import jobs_in, kill_saves
from program import PROGRAM, TEXT, check, environment, equal, finish, folder, need_model, refused, run

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT * 12)


def wait_until_started(process):
    """Until the program holds SIGINT itself: before that the system ends it, and there is nothing to test."""
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
            blocked = [line.split()[1] for line in file if line.startswith("SigBlk")]
        if blocked and int(blocked[0], 16) & 1 << (signal.SIGINT - 1):
            return
        time.sleep(0.005)


def interrupted(delay, *arguments, sig=signal.SIGINT):
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    wait_until_started(process)
    time.sleep(delay)
    process.send_signal(sig)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - sent, out, err.decode()


# Ctrl-C in every phase: 130, nothing on stdout, and either no file or one with the points done.
target = os.path.join(place, "out.json")
latest = 0.0
for delay in (0.0, 0.1, 0.3, 0.7, 1.2):
    status, latency, out, err = interrupted(delay, "sweep", text, "--over", "window=4:256:4", "--out", target)
    equal(status, 130, f"status after Ctrl-C at {delay} s ({err[-200:]})")
    equal(out, b"", "stdout after Ctrl-C")
    check(err.endswith("fovea: interrupted\n"), f"stderr after Ctrl-C: {err[-200:]}")
    if os.path.exists(target):
        points = json.load(open(target, encoding="utf-8"))
        check(1 <= len(points["points"]) <= points["points_asked"], "the points done are in the file")
    latest = max(latest, latency)
print(f"Ctrl-C to exit: at most {latest * 1000:.0f} ms of wall time on this machine (reported, not asserted)")
status, _, _, _ = interrupted(0.3, "analyze", text, "--out", os.path.join(place, "r"), sig=signal.SIGTERM)
equal(status, 143, "status after SIGTERM")
for sig, expected in ((signal.SIGHUP, 129), (signal.SIGXCPU, 152)):
    status, _, _, err = interrupted(0.1, "logits", text, "--logits", os.path.join(place, "gone.npy"), sig=sig)
    equal(status, expected, f"status after {sig.name} ({err[-200:]})")
    check(err.endswith("fovea: interrupted\n"), f"stderr after {sig.name}: {err[-200:]}")
    equal([name for name in os.listdir(place) if "gone.npy" in name or name.startswith(".")], [], f"what {sig.name} leaves")
process = subprocess.Popen([PROGRAM, "tokenize", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
wait_until_started(process)
time.sleep(0.05)
process.send_signal(signal.SIGINT)
equal(process.wait(timeout=30), 130, "status while waiting for standard input")
process.stdin.close()

# An existing file is replaced whole or not at all, also under SIGKILL.
saved = os.path.join(place, "saved.json")
first = run("tokenize", text, "--out", saved, "--quiet")
equal(first.returncode, 0, "the first save")
whole = open(saved, "rb").read()
json.loads(whole)
quick = [job for job in jobs_in(folder(), text) if job[0][0] in ("tokenize", "export") and "--rows" not in job[0]]
killed, _ = kill_saves(quick, 12, 3)
check(killed > 0, "at least one run was killed before it ended")
equal(open(saved, "rb").read(), whole, "the file of another run")
array = os.path.join(place, "logits.npy")
status, _, _, _ = interrupted(1.2, "logits", text, "--logits", array)
check(status in (0, 130), f"status {status}")
check(status == 0 or not os.path.exists(array), "no half array after Ctrl-C")
check(status != 130 or not [n for n in os.listdir(place) if n.startswith(".logits.npy")], "and no temporary file")

# Modes and links are kept.
os.chmod(saved, 0o640)
link = os.path.join(place, "link.json")
os.symlink(saved, link)
equal(run("tokenize", "--text", "new", "--out", link, "--quiet").returncode, 0, "a save through a link")
check(os.path.islink(link) and open(saved, "rb").read() != whole, "the link's target was replaced")
equal(stat.S_IMODE(os.stat(saved).st_mode), 0o640, "its mode is kept")

# What cannot be written is a failed work.
refused(run("tokenize", "--text", "a", "--json", "--quiet", "--out", os.path.join(place, "no", "such", "folder.json")), 1, "folder.json")
refused(run("tokenize", "--text", "a", "--json", "--quiet", "--out", place), 1, place)
refused(run("tokenize", "--text", "a", "--json", "--quiet", "--out", "/dev/null/x"), 1, "/dev/null/x")
refused(run("analyze", "--text", "a", "--quiet", "--out", saved), 1, saved)
# Past `ulimit -f` a write fails with a reason: the old file stays, and nothing lies about.
before = open(saved, "rb").read()
limited = subprocess.run([PROGRAM, "tokenize", text, "--out", saved, "--quiet"], capture_output=True, env=environment(),
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
equal(limited.returncode, 1, "status past the limit of a file's size")
check(b"File too large" in limited.stderr and limited.stdout, f"it is said, and the result is printed: {limited.stderr}")
equal(open(saved, "rb").read(), before, "the old file past the limit")
equal([name for name in os.listdir(place) if name.startswith(".")], [], "litter past the limit")
closed = subprocess.run(f'"{PROGRAM}" tokenize --text a --quiet >&-', shell=True, capture_output=True, env=environment())
equal(closed.returncode, 1, "status when stdout is closed")
finish()
