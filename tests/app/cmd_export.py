#!/usr/bin/env python3
"""export: numbers as CSV, the policy as a file, the map as a picture where the build draws."""
import csv
import json
import os
from program import TEXT, check, close, equal, finish, folder, need_model, refused, run, run_json, use_small_model

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:240])

rows, policy = os.path.join(place, "rows.csv"), os.path.join(place, "policy.json")
options = ("--window", "8", "--sinks", "2", "--route", "key_norm", "--route-count", "3", "--pinned", "5")
done = run("export", text, "--rows", rows, "--policy-file", policy, "--layer", "4", "--head", "1", "--queries", "30:32", *options, "--quiet")
equal(done.returncode, 0, f"status ({done.stderr})")
table = list(csv.DictReader(open(rows, encoding="utf-8")))
equal(len(table), 31 + 32, "two causal rows")
doc = run_json("attention", text, "--layer", "4", "--head", "1", "--query", "30", *options)
for cell in table[:31]:
    key = int(cell["key"])
    close(float(cell["p"]), doc["full"][key], "p", 1e-7)
    equal(cell["reason"], doc["reason"][key], "reason")
use_small_model()  # what the policy chooses from here on is compared with itself
doc = run_json("attention", text, "--layer", "4", "--head", "1", "--query", "30", *options)
again = run_json("attention", text, "--layer", "4", "--head", "1", "--query", "30", "--policy", policy)
equal(again["reason"], doc["reason"], "the saved policy does the same")
saved = json.load(open(policy, encoding="utf-8"))
equal((saved["fovea"], saved["version"], saved["local"]["window"]), ("policy", 1, 8), "the policy file")

picture = os.path.join(place, "map.png")
done = run("export", text, "--map", picture, *options, "--quiet")
if "no pictures" in done.stderr:
    equal(done.returncode, 2, "status without pictures")
    print("SKIP: pictures, this build has none")
else:
    equal(done.returncode, 0, f"status of --map ({done.stderr})")
    equal(open(picture, "rb").read(8), b"\x89PNG\r\n\x1a\n", "a PNG")
    drawing = os.path.join(place, "map.svg")
    equal(run("export", text, "--map", drawing, *options, "--quiet").returncode, 0, "status of an SVG")
    check(b"<svg" in open(drawing, "rb").read(400), "an SVG")
    refused(run("export", text, "--map", os.path.join(place, "map.gif")), 2, ".png, .svg or .pdf")
refused(run("export", text), 2, "nothing to export")
refused(run("export", text, "--policy-file", policy, "--against", "streaming"), 2, "--against", "--map or --rows")
refused(run("export", text, "--policy-file", rows, "--rows", rows), 2, "--rows and --policy-file both name")
link = os.path.join(place, "link.csv")
os.symlink(rows, link)
refused(run("export", text, "--policy-file", rows, "--rows", link), 2, "both name")
refused(run("export", text, "--rows", text), 2, "the text")
refused(run("export", text, "--out", rows, "--rows", rows), 2, "--out")
finish()
