#!/usr/bin/env python3
"""How time and memory grow with the text, per policy, on the real model: fitted exponents and break-even lengths.

    tests/bench/growth.py build/release/fovea [--tokens 512,1024,2048,4096,8192] [--policies NAME,...] [--out table.md]

The text is samples/tides.txt and samples/winter.txt, one after the other, repeated when a longer one is asked (said in the
table). Per length all policies run in one process over one full run (fovea sweep). "attention" is router + plan + kernel,
measured; the exponent is the slope of its logarithm over the lengths from 1,024 on; the break-even length against full
attention is where the two fitted lines cross, or where they did between two measured lengths.
"""
import argparse
import json
import math
import os
import resource
import subprocess
import tempfile

DEFAULT = "window,window-sinks,key-norm,default,oracle,quest,summaries,linear,performer,reformer,h2o,interleave-1-1"


def slope(points):
    points = [(math.log(t), math.log(s)) for t, s in points if s and s > 0]
    if len(points) < 2:
        return None
    mx = sum(x for x, _ in points) / len(points)
    my = sum(y for _, y in points) / len(points)
    return sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)


def break_even(full, policy):
    """First length from which on the policy's attention part is the cheaper one, interpolated in logarithms."""
    lengths = sorted(set(full) & set(policy))
    gaps = [(t, math.log(policy[t] / full[t])) for t in lengths if policy[t] > 0 and full[t] > 0]
    if not gaps or gaps[-1][1] > 0:
        return "> %d" % lengths[-1]
    below = [t for t, gap in gaps if gap > 0]
    if not below:
        return "< %d" % lengths[0]
    last = below[-1]
    (a, x) = next(g for g in gaps if g[0] == last)
    (b, y) = next(g for g in gaps if g[0] > last)
    return "%d" % round(math.exp(math.log(a) + (math.log(b) - math.log(a)) * x / (x - y)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--tokens", default="512,1024,2048,4096,8192")
    parser.add_argument("--policies", default=DEFAULT)
    parser.add_argument("--out")
    options = parser.parse_args()
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    once = "".join(open(os.path.join(top, "samples", n), encoding="utf-8").read() for n in ("tides.txt", "winter.txt"))
    tokens_once = 11891
    lengths = [int(t) for t in options.tokens.split(",")]
    names = options.policies.split(",")
    path = os.path.join(tempfile.mkdtemp(), "long.txt")
    open(path, "w", encoding="utf-8").write(once * (1 + max(lengths) // tokens_once))
    full, memory, rows = {}, {}, {n: {} for n in names}
    for length in lengths:
        done = subprocess.run([options.program, "sweep", path, "--max-tokens", str(length), "--policies", ",".join(names),
                               "--no-controls", "--no-isolated", "--json", "--quiet"], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        memory[length] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        doc = json.loads(done.stdout)
        full[length] = doc["full"]["attention_seconds"]["median"]
        for name, point in zip(names, doc["points"]):
            cost = point["cost"]
            rows[name][length] = sum(cost[k]["median"] for k in ("router_seconds", "plan_seconds", "attention_seconds"))
    window = rows.get("window", {})
    lines = ["Attention part (router + plan + kernel, all layers), seconds, one reading each; two threads."
             + (f" Beyond {tokens_once} tokens the text repeats." if max(lengths) > tokens_once else ""), "",
             "| policy | " + " | ".join(f"{t}" for t in lengths) + " | exponent | cheaper than full from | than window 128 x |",
             "|" + "---|" * (len(lengths) + 4)]
    table = [("full", full)] + [(n, rows[n]) for n in names]
    for name, seconds in table:
        exponent = slope([(t, s) for t, s in seconds.items() if t >= 1024])
        last = max(seconds)
        lines.append(f"| {name} | " + " | ".join(f"{seconds[t]:.3f}" for t in lengths)
                     + f" | {'-' if exponent is None else format(exponent, '.2f')} | {'' if name == 'full' else break_even(full, seconds)} | "
                     + (f"{seconds[last] / window[last]:.1f}" if window.get(last) else "-") + " |")
    lines += ["", "Largest resident set of the process up to that length: "
              + ", ".join(f"{t}: {memory[t] / 1e9:.2f} GB" for t in lengths)
              + f"; exponent {slope([(t, memory[t]) for t in lengths if t >= 1024]) or 0:.2f} (weights included)"]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        open(options.out, "w").write(text)


main()
