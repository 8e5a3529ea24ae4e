#!/usr/bin/env python3
"""lesson: the list, all eight lessons step by step on the default model, their figures against those of analyze, and mistakes in a file."""
import json
import os
from program import check, close, equal, finish, folder, need_model, refused, run, run_json
from small_model import write_small_model

place = folder()
top = os.environ.get("FOVEA_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

listed = run_json("lesson", "list")["lessons"]
equal([one["id"] for one in listed], ["attention", "cost", "window", "sinks", "routing", "memory", "breaks", "benchmark"], "the lessons in their order")
check(all(4 <= one["minutes"] <= 8 for one in listed), "each says its minutes")

# Without a model: what is counted needs none.
for one in run_json("lesson", "check", "cost", "3", "routing", "--no-model")["lessons"]:
    check(one["ok"] and not one["model"], f"{one['id']} works without a model")
done = run("lesson", "check", "sinks", "--no-model", "--quiet")
equal(done.returncode, 1, "what needs a run is reported")
check('lesson "sinks", step 1: full attention has not run yet' in done.stderr, done.stderr)
check(b"68" in done.stdout, "what can be counted is there all the same")

# Mistakes.
example = {"fovea": "lesson", "version": 1, "id": "mine", "title": "Mine", "minutes": 3, "why": "To try it.",
           "text": {"content": "one two three four five six seven eight nine ten", "tokens": 8},
           "policies": {"near": {"local": {"window": 3}}},
           "steps": [{"kind": "see", "title": "Look", "policy": "near", "say": "{pairs} of {pairs(full)} pairs."},
                     {"kind": "check", "title": "Count", "say": "Now count.", "question": "How many keys has #5?", "answer": "row_keys(5)",
                      "because": "It has {row_keys(5)}."}]}


def write(name, document):
    path = os.path.join(place, name)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(document, out)
    return path


mine = run_json("lesson", "check", write("mine.json", example), "--no-model")["lessons"][0]
equal(mine["steps"][0]["say"], ["21 of 36 pairs."], "numbers are filled in")
equal(mine["steps"][1]["number"], 3, "and answers are computed")
equal(mine["time"]["words"], 16, "the words of titles, paragraphs, questions and verdicts are counted")
close(mine["time"]["reading_s"], 16 * 60 / 200, "and read at 200 a minute", 1e-9)
wrong = json.loads(json.dumps(example))
wrong["steps"][1]["answer"] = 3
refused(run("lesson", "check", write("typed.json", wrong)), 2, "steps[1].answer is 3; the name of a quantity is accepted")
wrong["steps"][1]["answer"] = "row_keys(5)"
wrong["steps"][0]["colour"] = "red"
refused(run("lesson", "check", write("unknown.json", wrong)), 2, "steps[0].colour is not known")
refused(run("lesson", "check", os.path.join(place, "absent.json")), 2, "absent.json")
refused(run("lesson", "teach"), 2, "list, check, new and quantities are accepted")
refused(run("lesson", "list", "3"), 2, "takes no file")
check(b"relay_layers(ttp)" in run("lesson", "quantities").stdout, "the quantities are listed")
check({"name": "token_of", "arguments": "snn"}.items() <= [q for q in run_json("lesson", "quantities")["quantities"] if q["name"] == "token_of"][0].items(),
      "also for scripts")

# A saved session becomes a step. The model is a small one of random weights.

small = os.path.join(place, "small.gguf")
write_small_model(small)
saved = {"fovea": "session", "version": 1, "local": {"window": 4}, "text": {"content": "the text of a session {with} [signs]", "max_tokens": 9},
         "model": {"path": small}, "view": {"layer": 1, "head": 2, "state": {"map.mode": "kept", "pinned": "6"}}}
session, made = write("saved.json", saved), os.path.join(place, "made.json")
for title in ("First", "Second"):
    equal(run("lesson", "new", made, session, "--title", title, "--say", "See {this} [here].").returncode, 0, f"lesson new: {title}")
with open(made, encoding="utf-8") as text:
    steps = json.load(text)["steps"]
equal([step["title"] for step in steps], ["First", "Second"], "a step is added")
equal([steps[1][key] for key in ("layer", "head", "query", "tokens", "map")], [1, 2, 6, 9, "kept"], "with the state of the session")
equal(steps[0]["policy"], steps[1]["policy"], "one policy has one name")
read = run_json("lesson", "check", made, "--model", small)["lessons"][0]
equal(read["steps"][0]["say"], ["See {this} [here]."], "words stay as they were written")
equal(read["tokens"], 9, "and the text is as long")
saved["text"]["content"] = "another"
refused(run("lesson", "new", made, write("other.json", saved), "--title", "T", "--say", "S"), 2, "another text than the lesson")
refused(run("lesson", "new", made), 2, "--title and --say")

# All eight on the default model.
need_model()
lessons = {one["id"]: one for one in run_json("lesson", "check", timeout=900)["lessons"]}
equal(len(lessons), 8, "all eight run")
for one in lessons.values():
    check(one["ok"] and not one["notes"], f"{one['id']}: {[step['problems'] for step in one['steps']]} {one['notes']}")
    check("(" not in "".join(step["title"] for step in one["steps"]), "titles are plain")
    minutes = (one["time"]["reading_s"] + one["time"]["films_s"]) / 60
    check(abs(one["minutes"] - minutes) < 1, f"{one['id']} says {one['minutes']} minutes and takes {minutes:.2f} to read and see")
    for step in one["steps"]:
        check("{" not in "".join(step["say"]), "no placeholder is left")


def answers(lesson):
    return {step["title"]: step["number"] for step in lessons[lesson]["steps"] if "answer" in step}


equal(answers("attention")["Count the cells"], 136, "lesson 1")
close(answers("attention")["All shares together"], 1, "a row sums to 1", 1e-5)
equal(answers("window")["How many layers?"], 4, "lesson 3")
equal(answers("routing")["The key role"], 320, "lesson 5")
equal(answers("routing")["The query role"], 61, "lesson 5")
equal(answers("memory")["How many summaries?"], 7, "lesson 6")
close(answers("memory")["And the work?"], 514, "lesson 6", 1)
equal(answers("benchmark")["Without a memory"], 5750, "lesson 8")

# The figures of lesson 4 are those of analyze on the same text.
text = os.path.join(top, "samples", "log.txt")
kl = [run_json("analyze", text, "--max-tokens", "512", "--window", "64", "--sinks", sinks, "--ladder-steps", "0")["fidelity"]["next_token_kl"] for sinks in ("0", "4")]
close(answers("sinks")["What are four tokens worth?"], kl[0] / kl[1], "the distance without sinks and with them", 1e-4)
# Lesson 7 shows a register that full attention answers, and finds lost answers or says that there are none.
breaks = {step["title"]: step for step in lessons["breaks"]["steps"]}
fair = breaks["A fair task"]
right, asked = fair["effect"].split("writes ")[1].split(" numbers")[0].split(" of ")
check(fair["effect_shown"], "there is a register that full attention answers")
equal(right, asked, "it answers every question of the longest one")
check(breaks["How many are left?"]["effect_shown"] == (breaks["How many are left?"]["number"] < int(asked)), "the effect is that of the run")

finish()
