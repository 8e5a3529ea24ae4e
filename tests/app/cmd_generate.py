#!/usr/bin/env python3
"""generate: both arms, greedy against logits, where they part, sampling and seeds, refusals."""
import os
from program import TEXT, check, document, equal, finish, folder, need_model, refused, run, run_json, use_small_model

need_model()
place = folder()
text = os.path.join(place, "text.txt")
with open(text, "w", encoding="utf-8") as out:
    out.write(TEXT[:300].rstrip() + " The inspector asked")


def both_arms(tokens):
    doc = run_json("generate", text, "--window", "16", "--sinks", "2", "--tokens", str(tokens))
    document(doc, "generate")
    for arm in ("full", "hybrid"):
        part = doc[arm]
        equal(len(part["pieces"]), len(part["ids"]), f"{arm}: a piece per token")
        check(1 <= len(part["ids"]) <= tokens, f"{arm}: {len(part['ids'])} tokens")
        check(part["stopped"] in ("length", "end of text"), f"{arm} says why it stopped")
        check(part["seconds_per_token"]["median"] > 0 and part["prompt_seconds"] > 0, f"{arm} was timed")
        equal("".join(part["pieces"][:len(part["ids"])]).startswith(part["text"]), True, f"{arm}: the text is its pieces")
    check(doc["hybrid"]["kv_bytes"] <= doc["full"]["kv_bytes"], "a window's cache is no larger")
    step = doc["divergence_step"]
    pairs = list(zip(doc["full"]["ids"], doc["hybrid"]["ids"]))
    if step is None:
        equal(doc["full"]["ids"], doc["hybrid"]["ids"], "arms that never part are equal")
    else:
        check(all(a == b for a, b in pairs[:step]), "equal before the divergence step")
        check(step >= len(pairs) or pairs[step][0] != pairs[step][1], "different at the divergence step")
    # Each step: what could have been written, and how far the two distributions are apart while the texts are the same.
    equal([at["step"] for at in doc["steps"]], list(range(max(len(doc[arm]["ids"]) for arm in ("full", "hybrid")))), "steps")
    for at in doc["steps"]:
        for arm in ("full", "hybrid"):
            token = at[arm]
            if at["step"] >= len(doc[arm]["ids"]):
                equal(token, None, f"{arm} had ended")
                continue
            equal(token["id"], doc[arm]["ids"][at["step"]], f"{arm}, step {at['step']}")
            equal((token["rank"], token["candidates"][0]["id"]), (1, token["id"]), "greedy takes the most likely token")
            equal(token["candidates"][0]["probability"], token["probability"], "its probability")
            shares = [candidate["probability"] for candidate in token["candidates"]]
            check(len(shares) == 8 and sorted(shares, reverse=True) == shares and 0 < sum(shares) <= 1.000001, "candidates")
        equal(at["kl"] is None, step is not None and at["step"] > step, f"KL of step {at['step']}")
        check(at["kl"] is None or at["kl"] > 0, "KL is positive")
    return doc


doc = both_arms(12)

# Greedy decoding with a cache says what the uncached logits say, token by token.
prompt = open(text, encoding="utf-8").read()
for n in range(3):
    best = run_json("logits", "--text", prompt + "".join(doc["full"]["pieces"][:n]), "--top", "1")
    equal(best["positions"][0]["top"][0]["id"], doc["full"]["ids"][n], f"greedy token {n}")

refused(run("generate", text, "--max-memory", "600M", "--tokens", "1000000"), 2, "may be used")

# The whole text in the window: nothing differs.
same = run_json("generate", text, "--window", "all", "--tokens", "8")
equal(same["divergence_step"], None, "window all never parts")
equal(same["hybrid"]["ids"], same["full"]["ids"], "window all")
equal(same["full"]["ids"], doc["full"]["ids"][:8], "the full arm does not depend on the policy")

# The rest says the same of any model. A random one mostly repeats the last token, so it is drawn from at a great heat.
use_small_model()
both_arms(8)
greedy = run_json("generate", text, "--window", "all", "--tokens", "8")
equal(greedy["hybrid"]["ids"], greedy["full"]["ids"], "window all, small model")

# What was read before step 0 is the last row of the prompt: the same that `attention` shows, full and propagated.
longer = os.path.join(place, "longer.txt")
with open(longer, "w", encoding="utf-8") as out:
    out.write(2 * TEXT.rstrip())
where = ("--window", "16", "--sinks", "2", "--layer", "3", "--head", "4")
detail = run_json("generate", longer, *where, "--tokens", "2", "--step", "0")
row = run_json("attention", longer, *where, "--regime", "propagated")
read = detail["read"]
equal((read["step"], read["layer"], read["head"]), (0, 3, 4), "place")
for arm in ("full", "hybrid"):
    equal(read[arm]["query"], row["query"], f"{arm}: the last token of the prompt")
    worst = max(abs(a - b) for a, b in zip(read[arm]["weight"], row[arm]))
    check(len(read[arm]["weight"]) == len(row[arm]) and worst < 1e-4, f"{arm}: weights differ by {worst}")
equal(read["hybrid"]["why"], row["why"], "reasons")
equal(read["hybrid"]["keys_read"], sum(row["kept"]), "keys that are read")
for arm in ("full", "hybrid"):
    for layer in detail["caches"][arm]:
        equal(layer["stored"] + layer["dropped"], row["query"] + 1, f"{arm}, layer {layer['layer']}: every key")
        equal(sum(last - first for first, last in layer["stored_ranges"]), layer["stored"], "ranges")
equal(detail["caches"]["hybrid"][3]["read"], 18, "window and sinks")
check(detail["caches"]["hybrid"][3]["dropped"] > 0 and detail["caches"]["full"][3]["dropped"] == 0, "only B drops keys")

# Sampling: the seed decides, both arms draw alike.
hot = ("--window", "all", "--tokens", "10", "--temperature", "5")
one, again, other = (run_json("generate", text, *hot, "--sample-seed", seed) for seed in ("3", "3", "4"))
equal(one["full"]["ids"], again["full"]["ids"], "the same seed, the same tokens")
equal(one["full"]["ids"], one["hybrid"]["ids"], "both arms draw alike")
check(one["full"]["ids"] != other["full"]["ids"], "another seed, other tokens")
check(one["full"]["ids"] != greedy["full"]["ids"], "hot is not greedy")
cold = run_json("generate", text, *hot, "--top-k", "1")
equal(cold["full"]["ids"][:8], greedy["full"]["ids"], "top-k 1 is greedy")
narrow = run_json("generate", text, *hot, "--top-p", "0.000001")
equal(narrow["full"]["ids"], cold["full"]["ids"], "so is a tiny top-p")

# The default policy routes; a signal of the model's own loss too.
routed = run_json("generate", text, "--tokens", "3")
equal(routed["policy"]["routed"]["signal"], "group_dot", "the default policy")
own = run_json("generate", text, "--tokens", "3", "--window", "16", "--route", "surprisal", "--route-count", "4")
equal(len(own["hybrid"]["ids"]), 3, "routed by surprisal")

shown = run("generate", text, "--tokens", "3", "--quiet")
equal(shown.returncode, 0, f"status ({shown.stderr})")
check(b"full attention" in shown.stdout and b"hybrid attention" in shown.stdout, "both arms are printed")
refused(run("generate", text, "--tokens", "0"), 2, "--tokens", "0")
refused(run("generate", text, "--temperature", "hot"), 2, "--temperature", "hot")
refused(run("generate", text, "--top-p", "2"), 2, "--top-p")
refused(run("generate", text, "--tokens", "3", "--step", "3"), 2, "--step", "0 to 2")
refused(run("generate", text, "--tokens", "3", "--layer", "3"), 2, "--step")
heads = run_json("inspect")["model"]["heads"]
refused(run("generate", text, "--tokens", "3", "--step", "1", "--head", str(heads)), 2, "--head", f"0 to {heads - 1}")
finish()
