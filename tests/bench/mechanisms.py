#!/usr/bin/env python3
"""Every named policy at about the same cost on one text: fidelity and cost side by side, as a table.

    tests/bench/mechanisms.py build/release/fovea samples/tides.txt --tokens 2000 --pairs 0.2 [--only NAME,...] [--out table.md]

Each preset has one number that sets its cost (window, budget, coverage ...); it is moved until the planned pairs are
about the asked share of full attention's. Where the rest of the preset costs more than that by itself (full rows or layers,
a window beside the budget), the number stays as published and the row says so: such a row is not at equal cost with the
others. Presets without such a number, and pure far fields, run as published and say what they cost. All policies of a round run in one process over one full run of the model (fovea sweep).
"""
import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile

GROUP = 6

# preset -> (where the number stands, starting value at 20 % of 2,000 tokens); a count of keys, which is scaled to the length
# of the text, unless it is below 1.
KNOBS = {
    "window": ("local.window", 211), "window-sinks": ("local.window", 207), "streaming": ("local.window", 207),
    "dilated": ("local.window", 211), "dilated-heads": ("local.window", 211), "chunked": ("local.chunk", 400),
    "chunked-prev": ("local.chunk", 140), "longformer": ("local.window", 207), "sepllm": ("local.window", 170),
    "separators": ("local.window", 60), "gemma3": ("local.window", 40), "gemma2": ("local.window", 10),
    "interleave-1-1": ("local.window", 10), "duo": ("local.window", 10),
    "bigbird-itc": ("local.window", 100), "bigbird-etc": ("local.window", 100), "strided": ("local.window", 64),
    "default": ("routed.budget", 76), "head-dot": ("routed.budget", 76), "key-norm": ("routed.budget", 76),
    "random": ("routed.budget", 76), "oracle": ("routed.budget", 76), "query-peak": ("routed.query_budget", 60),
    "based": ("local.window", 200), "lolcats": ("local.window", 200), "seed": ("local.window", 211),
    "seed-local": ("local.window", 211), "seed-cache": ("local.window", 180), "seed-cache-posted": ("local.window", 180),
    "summaries": ("local.window", 140), "nsa": ("routed.budget", 100), "landmark": ("local.window", 100),
    "v4": ("local.window", 80), "v4-128": ("local.window", 190), "vatp": ("routed.budget", 90),
    "reformer": ("routed.budget", 64), "routing": ("routed.budget", 128), "colt5": ("local.window", 190),
    "informer": ("routed.query_budget", 210), "mod": ("routed.query_budget", 0.45), "h2o": ("routed.budget", 105),
    "snapkv": ("routed.budget", 100), "tova": ("routed.budget", 211), "quest": ("routed.budget", 80),
    "twilight": ("routed.budget", 0.85), "top-p": ("routed.budget", 0.85), "a-shape": ("local.window", 150),
    "vertical-slash": ("routed.diagonals", 300), "block-sparse": ("routed.budget", 200), "flexprefill": ("routed.budget", 0.8),
    "xattention": ("routed.budget", 0.8), "moba": ("routed.budget", 200), "dsa": ("routed.budget", 211),
    "dynamic-entropy": ("routed.budget", 76), "dynamic-deficit": ("routed.budget", 76),
}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def sweep(options, folder, names):
    """The points of these policies, or the program's error."""
    code, out, err = run(options.program, "sweep", options.text, "--max-tokens", options.tokens, "--policies",
                         ",".join(os.path.join(folder, n + ".json") for n in names), "--no-controls", "--json", "--quiet")
    return json.loads(out)["points"] if code == 0 else err.strip()


def run_all(options, folder, work, refused, names, what):
    """The points of these policies; those that the program refuses go to `refused` with its reason."""
    points = []
    for first in range(0, len(names), GROUP):
        group = names[first:first + GROUP]
        for name in group:
            json.dump(work[name]["policy"], open(os.path.join(folder, name + ".json"), "w"))
        done = sweep(options, folder, group)
        if isinstance(done, str):  # one of them fails: each alone tells which, and why
            for name in group:
                one = sweep(options, folder, [name])
                if isinstance(one, str):
                    refused[name] = one
                else:
                    points += one
        else:
            points += done
        print(f"{what}: {min(first + GROUP, len(names))} of {len(names)}", file=sys.stderr, flush=True)
    return points


def place(policy, path, value):
    section, key = path.split(".")
    policy.setdefault(section, {})[key] = round(value, 4) if value < 1 else int(round(value))


def start_of(policy, path):
    section, key = path.split(".")
    return policy.get(section, {}).get(key)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("text")
    parser.add_argument("--tokens", default="2000")
    parser.add_argument("--pairs", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--out")
    options = parser.parse_args()
    _, listed, _ = run(options.program, "policies", "--json")
    presets = {p["name"]: p for p in json.loads(listed)["policies"] if not p["bidirectional"]}
    unknown = sorted(set(KNOBS) - set(presets))
    if unknown:
        raise SystemExit("no such policies: " + ", ".join(unknown))
    if options.only:
        presets = {n: presets[n] for n in options.only.split(",")}
    folder = tempfile.mkdtemp()
    work = {}
    for name in presets:
        policy = json.loads(run(options.program, "policies", name)[1])
        policy["name"] = name
        knob = KNOBS.get(name)
        if knob and knob[1] >= 1:
            knob = (knob[0], max(1, round(knob[1] * int(options.tokens) / 2000)))
        published = copy.deepcopy(policy)
        if knob:
            place(policy, *knob)
        work[name] = {"policy": policy, "published": published, "knob": knob, "value": knob[1] if knob else None, "seen": []}
    results = {}
    refused = {}
    for turn in range(options.rounds):
        todo = [n for n, w in work.items() if n not in refused and
                (n not in results or (w["knob"] and abs(results[n]["cost"]["density"] / options.pairs - 1) > 0.05))]
        if not todo:
            break
        points = run_all(options, folder, work, refused, todo, f"round {turn + 1}")
        for point in points:
            name = point["policy"]["name"]
            off = lambda p: abs(p["cost"]["density"] - options.pairs)
            if name not in results or off(point) < off(results[name]):
                results[name] = point
            w = work[name]
            if not w["knob"] or turn + 1 == options.rounds:
                continue
            section, key = w["knob"][0].split(".")
            w["seen"].append((w["policy"][section][key], point["cost"]["density"]))
            value, density = w["seen"][-1]
            if len(w["seen"]) > 1 and w["seen"][-1][1] != w["seen"][-2][1]:
                (a, x), (b, y) = w["seen"][-2:]
                guess = b + (options.pairs - y) * (b - a) / (y - x)
                value = min(max(guess, value / 3), value * 3)
            else:
                value *= min(max(options.pairs / max(density, 1e-3), 0.34), 3)
            w["value"] = min(value, 0.999) if w["knob"][1] < 1 else max(1, value)
            place(w["policy"], w["knob"][0], w["value"])
    # A number that cannot reach the target was moved until little of the mechanism was left: shown as published instead.
    far = [n for n, p in results.items() if work[n]["knob"] and abs(p["cost"]["density"] / options.pairs - 1) > 0.1]
    for name in far:
        work[name]["policy"], work[name]["knob"] = work[name]["published"], None
    for point in run_all(options, folder, work, refused, far, "as published"):
        results[point["policy"]["name"]] = point
    lines = [f"{os.path.basename(options.text)}, {options.tokens} tokens; pairs as a share of full attention's; KL in nats. Next-token "
             "KL, top-1 and loss are propagated, kept mass and output error isolated; seconds of the hybrid run, one reading. Rows "
             "more than 10 % off the asked share are not at equal cost. *: looks ahead", "",
             "| policy | set | pairs | with router | next-token KL | top-1 | loss change | kept mass | output error | seconds |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name in presets:
        if name not in results:
            why = refused[name].replace("fovea: ", "")
            lines.append(f"| {name} | refused: {why} | | | | | | | | |")
            continue
        p = results[name]
        w = work[name]
        knob = f"{w['knob'][0].split('.')[1]} {start_of(p['policy'], w['knob'][0])}" if w["knob"] else "as published"
        if name in far and abs(p["cost"]["density"] / options.pairs - 1) > 0.1:
            knob += f", {options.pairs:.0%} is out of reach"
        label = name + ("*" if presets[name]["looks_ahead"] else "")
        f = p["fidelity"]
        number = lambda x, form: "-" if x is None else format(x, form)
        lines.append(f"| {label} | {knob} | {p['cost']['density']:.3f} | {p['cost']['pairs_ratio']:.3f} | "
                     f"{number(f['next_token_kl'], '.4f')} | {number(f['top1_agreement'], '.3f')} | "
                     f"{number(f['delta_nll'], '+.4f')} | {number(f['mass_recall'], '.3f')} | "
                     f"{number(f['output_error'], '.3f')} | {p['cost']['seconds']['median']:.2f} |")
    table = "\n".join(lines) + "\n"
    print(table)
    if options.out:
        open(options.out, "w").write(table)


main()
