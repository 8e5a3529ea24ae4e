#!/usr/bin/env python3
"""How many small faults would the tests find? Changes one place of one source file, compiles that file, links the few test
programs that cover it and runs them, again and again, with a seeded choice of places.

  tests/faults/mutate.py AREA... [--build build/release] [--count 25] [--seed 1] [--at-least 85] [--journal FILE] [--list]

AREA is one of parser, planner, kernels, fidelity. The build must be a Release or Debug build with tests. Operators: comparisons, + and -,
constants off by one, && and ||, negated conditions, removed statements. A survivor whose object at -O2 equals the original's is
equivalent and does not count (Papadakis, Jia, Harman, Le Traon: Trivial Compiler Equivalence, ICSE 2015); one that does
not compile does not count either. Survivors are printed with their place and their line. With --journal every verdict is
written down as it falls, and a run that was ended goes on where it was: a mutant is known again by its file's text and its change.
"""
import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

from relink import TOP, Relink

# area -> for each file the unit that compiles it (the file itself, or a .cpp that includes the header) and the programs that
# cover it, the likeliest to notice first: most mutants cost one compile, one link and one run
AREAS = {
    "parser": [
        ("core/files/Gguf.cpp", None, ["tst_Gguf", "tst_SplitGguf"]),
        ("core/files/GgufKeys.cpp", None, ["tst_Gguf", "tst_ModelHeader"]),
        ("core/files/Reader.cpp", None, ["tst_Gguf"]),
        ("core/files/Sniff.cpp", None, ["tst_FileKinds", "tst_Gguf"]),
        ("core/files/SafetensorsHeader.cpp", None, ["tst_Safetensors"]),
        ("core/files/SplitGguf.cpp", None, ["tst_SplitGguf"]),
    ],
    "planner": [
        ("core/plan/PlanBuilder.cpp", None, ["tst_Plan", "tst_Mechanisms", "tst_Attention"]),
        ("core/plan/ItemWriter.cpp", None, ["tst_Plan", "tst_Attention"]),
        ("core/plan/AttentionPlan.cpp", None, ["tst_Plan", "tst_Attention"]),
        ("core/plan/BidirectionalPlan.cpp", None, ["tst_Bidirectional"]),
        ("core/plan/RowRuns.cpp", None, ["tst_Plan", "tst_Bidirectional"]),
        ("core/plan/StoredKeys.cpp", None, ["tst_StoredKeys"]),
        ("core/plan/Recast.cpp", None, ["tst_Recast", "tst_Plan"]),
    ],
    "kernels": [
        ("core/kernels/Oracle.cpp", None, ["tst_Recast", "tst_FarField", "tst_Attention"]),
        ("core/kernels/LinearState.cpp", None, ["tst_FarField"]),
        ("core/kernels/Summaries.cpp", None, ["tst_Summaries", "tst_FarField"]),
        ("core/kernels/FusedTile.h", "core/kernels/Attend_portable.cpp", ["tst_Attention"]),
    ],
    "fidelity": [
        ("core/measure/Fidelity.cpp", None, ["tst_MeasureFidelity"]),
        ("core/measure/Cost.cpp", None, ["tst_MeasureCost"]),
    ],
}

OPTIMISE = {"kernels": "-O1"}  # elsewhere -O0: compiling takes longer than running

SWAPS = {" < ": [" <= "], " <= ": [" < "], " > ": [" >= "], " >= ": [" > "], " == ": [" != "], " != ": [" == "], " + ": [" - "],
         " - ": [" + "], " += ": [" -= "], " -= ": [" += "], " && ": [" || "], " || ": [" && "]}
SWAP = re.compile("|".join(re.escape(word.strip()).join((" ", "(?= )")) for word in sorted(SWAPS, key=len, reverse=True)))
NUMBER = re.compile(r"(?<![\w.'\"])(\d+)(?=(?:U|UL|ULL|u)?(?![\w.'\"]))")
TEXTUAL = re.compile(r"\"|to_string|inQuotes|\bat\(")  # a sum of strings has no difference
CONDITION = re.compile(r"^(\s*(?:\} else )?(?:if|while) \()(.*)(\)(?: \{)?)$")
STATEMENT = re.compile(r"^(\s*)((?!return\b|const\b|constexpr\b|auto\b|using\b|static\b|struct\b|enum\b|case\b|default\b|FOVEA_ASSERT|else\b|for\b"
                       r"|if\b|while\b|do\b|\}|\{)[A-Za-z_+\-*(].*;)$")
DECLARATION = re.compile(r"^\s*(?:[\w:]+(?:<.*>)?[&*]* )+\w+(?:\{.*\}|\(.*\)| = .*|\[.*\])?(?:, \w+.*)?;$")


def code_of(line):
    """The line with strings, characters and comments blanked, of the same length."""
    line = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'', lambda m: m.group(0)[0] + "_" * (len(m.group(0)) - 2) + m.group(0)[-1], line)
    cut = line.find("//")
    return line if cut < 0 else line[:cut] + " " * (len(line) - cut)


def mutants(text):
    """(line number from 0, what, the new line) for each place of the text."""
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        code = code_of(line)
        bare = code.strip()
        if not bare or bare.startswith(("#", "FOVEA_ASSERT", "static_assert", "template", "namespace", "using ")):
            continue
        for match in SWAP.finditer(code):
            word = match.group(0) + " "
            if "+" in word and TEXTUAL.search(code):
                continue
            for other in SWAPS[word]:
                found.append((number, f"{word.strip()} to {other.strip()}", line[:match.start()] + other + line[match.end() + 1:]))
        for match in NUMBER.finditer(code):
            more = str(int(match.group(1)) + 1)
            found.append((number, f"{match.group(1)} to {more}", line[:match.start(1)] + more + line[match.end(1):]))
        match = CONDITION.match(code.rstrip())
        if match and match.group(2).count("(") == match.group(2).count(")"):
            begin = match.end(1)
            begin += match.group(2).rfind("; ") + 2 if "; " in match.group(2) else 0
            found.append((number, "negated", line[:begin] + "!(" + line[begin:match.end(2)] + ")" + line[match.end(2):]))
        match = STATEMENT.match(code.rstrip())
        before = next((code_of(l).strip() for l in reversed(lines[:number]) if code_of(l).strip()), "")
        if match and before.endswith((";", "{", "}", ":", ")", "else")) and bare.count("(") == bare.count(")") and not DECLARATION.match(bare):
            found.append((number, "removed", match.group(1) + ";"))
    return [m for m in found if m[2] != lines[m[0]]]


def digest(path):
    """Of the object without its symbols' sections that name the file."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["objcopy", "--strip-debug", "--remove-section=.comment", path, out.name], check=True)
        return hashlib.sha256(open(out.name, "rb").read()).hexdigest()


def built(tool, path, unit, text, optimise):
    tool.source(path, text)
    made, _ = tool.compile(path, unit, "mutant", optimise)
    shutil.rmtree(os.path.join(tool.place, "source"))
    return made


def judge(tool, path, unit, programs, text, changed, optimise):
    """What becomes of one mutant: the verdict, and who killed it."""
    made = built(tool, path, unit, changed, optimise)
    if made is None:
        return "does not compile", ""
    for program in programs:
        verdict, said, _ = tool.run([tool.link(program, [(unit, made)])], limit(tool, program))
        if verdict != "passed":
            return "killed", f"{program}: {said if verdict == 'failed' else verdict}"
    if (path, text) not in _originals:
        _originals[path, text] = digest(built(tool, path, unit, text, "-O2"))
    same = digest(built(tool, path, unit, changed, "-O2")) == _originals[path, text]
    return ("equivalent" if same else "survived"), ""


def limit(tool, program):
    """Seconds after which a mutant counts as endless: several times what the program needs without one."""
    if program not in _limits:
        verdict, said, seconds = tool.run([os.path.join(tool.build, "tests", program)], 1200)
        if verdict != "passed":
            sys.exit(f"{program} does not pass without a mutant: {said}")
        _limits[program] = 20 + 6 * seconds
    return _limits[program]


_originals, _limits = {}, {}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("areas", nargs="+", choices=sorted(AREAS))
    options.add_argument("--build", default=os.path.join(TOP, "build/release"))
    options.add_argument("--source", default=TOP, help="the sources the build was made of, should they have gone on since")
    options.add_argument("--count", type=int, default=25, help="mutants that count, of each area")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--at-least", type=float, default=85, help="percent killed; less is exit status 1")
    options.add_argument("--journal", help="verdicts that stand in it are not sought again; new ones are added")
    options.add_argument("--list", action="store_true", help="only print the chosen places")
    options = options.parse_args()
    place = tempfile.mkdtemp(prefix="fovea-mutants-")
    weak, journal = [], {}
    if options.journal and os.path.exists(options.journal):
        with open(options.journal, encoding="utf-8") as lines:
            journal = {entry["mutant"]: tuple(entry["said"]) for entry in map(json.loads, lines)}
    try:
        tool = Relink(options.build, place, options.source)
        for area in options.areas:
            everything = []
            for path, unit, programs in AREAS[area]:
                everything += [(path, unit or path, programs, *mutant) for mutant in mutants(tool.text(path))]
            random.Random(f"{options.seed} {area}").shuffle(everything)
            print(f"{area}: {len(everything)} places in {len(AREAS[area])} files", flush=True)
            if options.list:
                for path, _, _, number, what, line in everything[:options.count]:
                    print(f"  {path}:{number + 1} {what}: {line.strip()}")
                continue
            verdicts = {"killed": 0, "survived": 0, "equivalent": 0, "does not compile": 0}
            for path, unit, programs, number, what, line in everything:
                if verdicts["killed"] + verdicts["survived"] >= options.count:
                    break
                text = tool.text(path)
                lines = text.split("\n")
                old, lines[number] = lines[number], line
                changed = "\n".join(lines)
                key = hashlib.sha256(f"{area} {path} {unit} {programs} {changed}".encode()).hexdigest()
                known = key in journal
                if not known:
                    journal[key] = judge(tool, path, unit, programs, text, changed, OPTIMISE.get(area, "-O0"))
                    if options.journal:
                        with open(options.journal, "a", encoding="utf-8") as out:
                            out.write(json.dumps({"mutant": key, "place": f"{path}:{number + 1}", "what": what, "said": journal[key]}) + "\n")
                verdict, by = journal[key]
                verdicts[verdict] += 1
                where = f"{path}:{number + 1} {what}"
                if verdict == "killed" and not known:
                    print(f"  killed    {where} by {by[:140]}", flush=True)
                elif verdict == "survived":
                    print(f"  SURVIVED  {where}\n            was  {old.strip()}\n            now  {line.strip()}", flush=True)
            killed, equivalent, broken = verdicts["killed"], verdicts["equivalent"], verdicts["does not compile"]
            counted = killed + verdicts["survived"]
            score = 100 * killed / counted if counted else 0
            print(f"{area}: {killed} of {counted} killed ({score:.0f} %), {equivalent} equivalent, {broken} did not compile", flush=True)
            if score < options.at_least:
                weak.append(area)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(f"below {options.at_least:g} %: {', '.join(weak)}" if weak else 0)


if __name__ == "__main__":
    main()
