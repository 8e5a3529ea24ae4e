#!/usr/bin/env python3
"""sweep: the grid, the controls, a Pareto set that is one, shards and the CSV."""
import csv
import json
import os
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
