#!/usr/bin/env python3
"""Every named policy runs on the default model and passes the gates that apply to it; the labels are true."""
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
refused(run("policies", "no-such"), 2, "no policy is named", "streaming")

need_model()
text = (TEXT * 2)[:700]
for policy in listed["policies"]:
    name = policy["name"]
    done = run("check", "--text", text, "--policy", name, "--max-tokens", "96", "--quiet", "--json")
    if name == "linformer":
        refused(done, 2, "linformer", "bidirectional")
        continue
    equal(done.returncode, 0, f"fovea check --policy {name} ({done.stderr.strip()[:300]})")
finish()
