#!/usr/bin/env python3
"""sweep: the grid, the controls, a Pareto set that is one, shards and the CSV."""
import csv
import json
import os
import re
import subprocess
import time
from program import PROGRAM, TEXT, check, document, environment, equal, finish, folder, need_model, refused, run, run_json, use_small_model

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:160])

table = os.path.join(place, "points.json")
done = run("sweep", text, "--route", "key_norm", "--over", "window=4:8:x2", "--over", "route_count=2,6", "--no-isolated", "--out", table,
           "--quiet")
equal(done.returncode, 0, f"status ({done.stderr})")
doc = json.load(open(table, encoding="utf-8"))
document(doc, "sweep")
equal(doc["axes"], {"cost": "pairs_ratio", "fidelity": "next_token_kl"}, "axes")
points = doc["points"]
own = [p for p in points if p["kind"] == "policy"]
equal([(p["values"]["window"], p["values"]["route-count"]) for p in own], [(4, 2), (4, 6), (8, 2), (8, 6)], "the grid, first axis slowest")
for kind in ("random", "oracle"):
    equal(len([p for p in points if p["kind"] == kind]), 4, f"a {kind} control beside each point")
for p in points:
    for key in ("policy", "values", "cost", "fidelity", "pareto", "held_out"):
        check(key in p, f"points: {key} is missing")
    beaten = any(q["cost"]["pairs_ratio"] <= p["cost"]["pairs_ratio"] and
                 q["fidelity"]["next_token_kl"] <= p["fidelity"]["next_token_kl"] and
                 (q["cost"]["pairs_ratio"], q["fidelity"]["next_token_kl"]) !=
                 (p["cost"]["pairs_ratio"], p["fidelity"]["next_token_kl"]) for q in own)
    equal(p["pareto"], p["kind"] == "policy" and not beaten, f"pareto of {p['values']} {p['kind']}")
rows = list(csv.DictReader(open(os.path.join(place, "points.csv"), encoding="utf-8")))
equal(len(rows), len(points), "the CSV beside it has the same points")

# Killed after the first point: it is in the file.
killed = os.path.join(place, "killed.json")
process = subprocess.Popen([PROGRAM, "sweep", text, "--over", "window=1:200:1", "--no-isolated", "--out", killed, "--quiet"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
while process.poll() is None and not os.path.exists(killed):
    time.sleep(0.01)
process.kill()
process.wait()
kept = json.load(open(killed, encoding="utf-8"))
check(1 <= len(kept["points"]) < kept["points_asked"] == 200, f"{len(kept['points'])} of {kept['points_asked']} points are kept")
check(any(p["pareto"] for p in kept["points"]), "with their Pareto set")

# The rest is arithmetic of the grid and the files.
use_small_model()
listed = run_json("sweep", text, "--policies", "full,window", "--no-controls", "--no-isolated")
equal(len(listed["points"]), 2, "a list of policies")
equal(listed["points"][0]["fidelity"]["next_token_kl"], 0, "full attention loses nothing")
seen = []
for shard in ("1/2", "2/2"):
    part = run_json("sweep", text, "--over", "window=4,8,16", "--no-controls", "--no-isolated", "--shard", shard)
    seen += [p["values"]["window"] for p in part["points"]]
equal(sorted(seen), [4, 8, 16], "the shards together are the grid")

# Several texts, and their shards: joined they are the sweep in one go, byte for byte, clock readings aside.
other, held = os.path.join(place, "other, with a comma.txt"), os.path.join(place, "held.txt")
for name, words in ((other, TEXT[40:150]), (held, TEXT[100:190])):
    with open(name, "w", encoding="utf-8") as out:
        out.write(words)
sweep = ("sweep", text, other, "--held-out", held, "--route", "key_norm", "--over", "window=4,8", "--no-isolated", "--quiet")


def bytes_of(name):
    """A file without its clock readings."""
    with open(name, encoding="utf-8") as file:
        if name.endswith(".json"):
            return re.sub(r'"(\w*seconds\w*)": (\{[^}]*\}|[^,\n]*)', r'"\1": clock', file.read())
        rows = list(csv.reader(file))
    clocks = [n for n, column in enumerate(rows[0]) if "seconds" in column]
    return [[cell for n, cell in enumerate(row) if n not in clocks] for row in rows]


def shard(n, count, *more):
    name = os.path.join(place, f"{n}-of-{count}.json")
    done = run(*sweep, "--shard", f"{n}/{count}", "--out", name, *more)
    equal(done.returncode, 0, f"shard {n} of {count} ({done.stderr})")
    return name


whole = os.path.join(place, "whole.json")
done = run(*sweep, "--out", whole)
equal(done.returncode, 0, f"status ({done.stderr})")
check(done.stdout.decode().count(" tokens") == 3 and "held out" in done.stdout.decode(), "a table for each text")
doc = json.load(open(whole, encoding="utf-8"))
document(doc, "sweep")
equal([t["name"] for t in doc["texts"]], [text, other, held], "the texts")
equal([p["text"] for p in doc["points"]], [text] * 6 + [other] * 6 + [held] * 6, "every point has its text")
equal([p["held_out"] for p in doc["points"]], [False] * 12 + [True] * 6, "and says whether it is held out")
one = run_json("sweep", other, "--route", "key_norm", "--over", "window=4,8", "--no-isolated")
equal([p["fidelity"] for p in one["points"]], [p["fidelity"] for p in doc["points"][6:12]], "a text beside others has its own numbers")
equal([p["pareto"] for p in one["points"]], [p["pareto"] for p in doc["points"][6:12]], "and its own front")
parts = [shard(n, 5) for n in range(5, 0, -1)]
merged = os.path.join(place, "merged.json")
done = run("merge", *parts, "--out", merged)
equal(done.returncode, 0, f"merge ({done.stderr})")
for end in (".json", ".csv"):
    equal(bytes_of(merged[:-5] + end), bytes_of(whole[:-5] + end), f"five shards joined, {end}")
refused(run("merge", parts[0], parts[1]), 2, "of 5 is in none of the files")
refused(run("merge", whole), 2, "is a whole sweep")
refused(run("merge", *parts, "--out", parts[2]), 2, "one of the shards")
refused(run("merge", text), 2, "text.txt")

# A shard that was killed goes on: what was there is not run again, and the file is that of a shard that was not.
part = shard(1, 2)
full, before = bytes_of(part), json.load(open(part, encoding="utf-8"))
half = dict(before, points=before["points"][:4])
with open(part, "w", encoding="utf-8") as out:
    json.dump(half, out)
refused(run("merge", part, shard(2, 2)), 2, "1-of-2.json", "4 of its 9 points", "--resume")
shard(1, 2, "--resume")
equal(bytes_of(part), full, "a shard that goes on")
after = json.load(open(part, encoding="utf-8"))
equal([p["cost"]["seconds"] for p in after["points"][:4]], [p["cost"]["seconds"] for p in half["points"]], "nothing is run twice")
refused(run(*sweep, "--shard", "2/2", "--out", part, "--resume"), 2, "another shard")
refused(run(*(word.replace("4,8", "4,9") for word in sweep), "--shard", "1/2", "--out", part, "--resume"), 2, "another sweep", "window 9")
refused(run(*sweep, "--max-tokens", "20", "--shard", "1/2", "--out", part, "--resume"), 2, "another sweep", "max_tokens")
refused(run(*sweep, "--resume"), 2, "--resume", "--out")
refused(run("sweep", text, text, "--over", "window=4"), 2, "named twice")

# An array job: its scripts are run here as a scheduler would, one shard by Slurm's number and the others by their argument.
jobs = os.path.join(place, "jobs")
words = [word for word in sweep if word != "--quiet"]
done = run(*words, "--slurm", jobs, "--shards", "3", "--threads", "1")
equal(done.returncode, 0, f"status of --slurm ({done.stderr})")
said = done.stdout.decode().splitlines()
check("core-hours: 18 points" in said[0] and "sbatch " in said[1], f"core-hours first: {said}")
script = os.path.join(jobs, "sweep.sh")
header = open(script, encoding="utf-8").read()
check("#SBATCH --array=1-3\n" in header and "#SBATCH --cpus-per-task=1\n" in header, header)
equal(sorted(os.listdir(jobs)), ["merge.sh", "sweep.sh"], "nothing was run")
for name in ("sweep.sh", "merge.sh"):
    equal(subprocess.run(["bash", "-n", os.path.join(jobs, name)], check=False).returncode, 0, f"{name} is a script")
for n in (1, 2, 3):
    ran = subprocess.run(["bash", script] + ([] if n == 1 else [str(n)]), capture_output=True, check=False, cwd="/",
                         env=environment(SLURM_ARRAY_TASK_ID="1" if n == 1 else None))
    equal(ran.returncode, 0, f"shard {n} by the script ({ran.stderr})")
ran = subprocess.run(["bash", os.path.join(jobs, "merge.sh"), "--quiet"], capture_output=True, check=False, cwd="/", env=environment())
equal(ran.returncode, 0, f"merge.sh ({ran.stderr})")
one = os.path.join(place, "one-thread.json")
equal(run(*sweep, "--threads", "1", "--out", one).returncode, 0, "the sweep in one go")
equal(bytes_of(os.path.join(jobs, "points.json")), bytes_of(one), "the array job's points")
equal(subprocess.run(["bash", script], capture_output=True, check=False, env=environment(SLURM_ARRAY_TASK_ID=None)).returncode != 0, True, "without a number")
refused(run(*words, "--slurm", jobs, "--shard", "1/2"), 2, "--slurm", "--shard")
refused(run("sweep", "-", "--over", "window=4", "--slurm", jobs), 2, "standard input")
refused(run(*words, "--slurm", os.path.join(place, "a b")), 2, "without spaces")

# The name's ending says the format; what cannot be written is said before any work, and the points are printed all the same.
alone = os.path.join(place, "alone.csv")
done = run("sweep", text, "--over", "window=4,8", "--no-isolated", "--out", alone, "--quiet")
equal(done.returncode, 0, f"status with a CSV ({done.stderr})")
rows = list(csv.DictReader(open(alone, encoding="utf-8")))
equal([row["window"] for row in rows], ["4", "8"], "the table alone")
check(all(row["options"].startswith("--window") for row in rows), f"options stand in the cell as they are: {rows[0]['options']}")
check(not os.path.exists(os.path.join(place, "alone.json")), "and no document beside it")
refused(run("sweep", text, "--over", "window=4", "--out", os.path.join(place, "points.txt")), 2, "points.txt", ".json or .csv")
os.mkdir(os.path.join(place, "taken.json"))
refused(run("sweep", text, "--over", "window=4", "--out", os.path.join(place, "taken.json")), 1, "taken.json")
refused(run("sweep", text, "--over", "window=4", "--out", os.path.join(place, "no", "such.json")), 1, "such.json")

refused(run("sweep", text, "--over", "window=1,2", "--over", "window=3"), 2, "window", "twice")
refused(run("sweep", text, "--policies", "full", "--window", "4"), 2, "--policies")
refused(run("sweep", text, "--over", "windw=1,2"), 2, "windw")
refused(run("sweep", text, "--over", "window=8:4:x2"), 2, "window")
refused(run("sweep", text, "--over", "sinks=1,999"), 2, "sinks", "999")
refused(run("sweep", text, "--over", "window=4", "--shard", "3/2"), 2, "--shard")
finish()
