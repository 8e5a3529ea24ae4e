#!/usr/bin/env python3
"""Every named policy runs on the default model and passes the gates that apply to it; the labels are true."""
import concurrent.futures

from program import TEXT, check, equal, finish, need_model, refused, run, run_json

listed = run_json("policies")
names = [p["name"] for p in listed["policies"]]
equal(len(names), len(set(names)), "names of policies are unique")
for policy in listed["policies"]:
    for key in ("family", "help", "published_weights", "summary"):
        check(policy[key], f"policy {policy['name']} has {key}")
    check(policy["published_weights"] in ("drop-in", "adapted", "trained-for"), f"weights of {policy['name']}")
    again = run("policies", policy["name"])
    equal(again.returncode, 0, f"fovea policies {policy['name']} ({again.stderr})")
refused(run("policies", "no-such"), 2, "no policy is named", "h2o")

need_model()
text = (TEXT * 3)[:1000]


def checked(name):
    return name, run("check", "--text", text, "--policy", name, "--max-tokens", "160", "--no-ladder", "--threads", "1", "--quiet", "--json")


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for name, done in pool.map(checked, names):
        equal(done.returncode, 0, f"fovea check --policy {name} ({done.stderr.strip()[:300]})")
refused(run("check", "--text", text, "--policy", "linformer", "--quiet"), 2, "linformer", "bidirectional")
finish()
