#!/usr/bin/env python3
"""Faults as programmers make them, one per layer, each of which the suite must find. Run by hand after the suite was made quicker.

  tests/faults/planted.py [--build build/tests] [--sanitizers build/tests-debug] [--threads build/tests-tsan] [NAME...]

Each fault is put into a copy of its file, linked into one test program that the default tests/run runs in that build, and that
program must fail with it. The folders are those of tests/run; a build that is not there is said and counts as a failure.
"""
import argparse
import os
import shutil
import sys
import tempfile

from relink import TOP, Relink

# name, build, file, units that compile it, what stands there, what is put there, program and arguments
FAULTS = [
    ("tokenizer: a merge that went stale is applied", "release", "core/text/BytePairs.cpp", ["core/text/BytePairs.cpp"],
     "left.id != rule.left || left.next < 0 || symbol(left.next).id != rule.right", "left.id != rule.left || left.next < 0",
     ["tst_Tokenizer"]),
    ("parser: a tensor may end behind the file", "release", "core/files/Gguf.cpp", ["core/files/Gguf.cpp"],
     "if (!end || *end > m_size)", "if (!end)", ["tst_Gguf"]),
    ("parser: a number is read across the end", "sanitizers", "core/files/Reader.cpp", ["core/files/Reader.cpp"],
     "if (into.size() > remaining())", "if (into.size() > remaining() + 8)", ["tst_Gguf"]),
    ("router: equal scores go to the earlier token", "release", "core/route/TextChoice.cpp", ["core/route/TextChoice.cpp"],
     ["rankedOf(scores[j], static_cast<std::uint32_t>(j))", "place[tokenOf(order[p])]"],
     ["rankedOf(scores[j], static_cast<std::uint32_t>(0xFFFFFF - j))", "place[0xFFFFFF - tokenOf(order[p])]"], ["tst_Router"]),
    ("planner: the window is one key too wide", "release", "core/route/ReadSets.h", ["core/plan/PlanBuilder.cpp"],
     "first = query >= m_window ? query - m_window + 1 : 0;", "first = query >= m_window ? query - m_window : 0;", ["tst_Plan"]),
    ("kernel: a lane reads a key masked for it", "release", "core/kernels/KeyRanges.h", ["core/kernels/Attend_portable.cpp"],
     ": task.masks[item.data + static_cast<std::uint32_t>(n)] & task.block->activeLanes;",
     ": (task.masks[item.data + static_cast<std::uint32_t>(n)] | 2U) & task.block->activeLanes;", ["tst_Attention"]),
    ("far field: the denominator forgets the reference", "release", "core/kernels/LinearState.cpp", ["core/kernels/LinearState.cpp"],
     "branch.exponent[row * heads + h] = reference + static_cast<double>(s.queryExponents[i]);",
     "branch.exponent[row * heads + h] = static_cast<double>(s.queryExponents[i]);", ["tst_FarField"]),
    ("fidelity: divergence without its half", "release", "core/measure/Fidelity.cpp", ["core/measure/Fidelity.cpp"],
     "return 0.5 * (kept + (1 - rho)", "return (kept + (1 - rho)", ["tst_MeasureFidelity"]),
    ("cache: rows that move leave their values behind", "release", "core/model/KvCache.cpp", ["core/model/KvCache.cpp"],
     "    std::memmove(m_values.data() + to * m_width, m_values.data() + from * m_width,\n"
     "                 count * m_width * sizeof(float));\n", "",
     ["tst_Decoder", "cachedEqualsUncached_onTheSmallModel"]),
    ("decoding: earlier queries are taken for the newest", "release", "core/engine/Decode.cpp", ["core/engine/Decode.cpp"],
     "q = {queries[layer].data(), tokens, in.q.size()};", "", ["tst_Decoder", "cachedEqualsUncached_onTheSmallModel"]),
    ("session: the cut of the text is not saved", "release", "core/export/Session.cpp", ["core/export/Session.cpp"],
     'text["max_tokens"] = request.maxTokens;', "", ["tst_Session"]),
    ("window: a number shows a digit too many", "release", "ui/plot/NumberText.cpp", ["ui/plot/NumberText.cpp"],
     "std::max(0, 2 - exponent)", "std::max(0, 3 - exponent)", ["tst_InspectorView"]),
    ("threads: all threads share one scratch", "threads", "core/kernels/Attend.cpp", ["core/kernels/Attend.cpp"],
     "float* own = scratch.data() + pitch * static_cast<std::size_t>(omp_get_thread_num());", "float* own = scratch.data();",
     ["tsan_attention"]),
    ("fuzzing: a tensor may end behind the file", "sanitizers", "core/files/Gguf.cpp", ["core/files/Gguf.cpp"],
     "if (!end || *end > m_size)", "if (!end)",
     ["fuzz_gguf", "-max_total_time=30", "-max_len=65536", "-verbosity=0", os.path.join(TOP, "tests/fuzz/seeds/gguf")]),
]
# As in tests/run.
ENVIRONMENT = {"threads": {"OMP_TOOL_LIBRARIES": "/usr/lib/llvm-14/lib/libarcher.so", "OMP_NUM_THREADS": "4",
                           "TSAN_OPTIONS": "ignore_noninstrumented_modules=1"},
               "sanitizers": {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
                              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}}


def plant(tool, fault):
    """None when the program failed as it must, else what is wrong."""
    name, build, path, units, old, new, words = fault
    text = tool.text(path)
    for before, after in zip([old] if isinstance(old, str) else old, [new] if isinstance(new, str) else new):
        if text.count(before) != 1:
            return f"{path} has the place {text.count(before)} times: {before}"
        text = text.replace(before, after)
    tool.source(path, text)
    try:
        objects = []
        for number, unit in enumerate(units):
            made, said = tool.compile(path, unit, f"fault{number}")
            if made is None:
                return f"{unit} does not compile: {said[-600:]}"
            objects.append((unit, made))
        program = tool.link(words[0], objects)
    finally:
        shutil.rmtree(os.path.join(tool.place, "source"))
    verdict, said, seconds = tool.run([program, *words[1:]], 600, **ENVIRONMENT.get(build, {}))
    print(f"{'found' if verdict != 'passed' else 'NOT FOUND':9}  {name}: {words[0]}, {seconds:.1f} s: {said[:160]}", flush=True)
    return None if verdict != "passed" else "not found"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="only faults whose name holds one of these")
    for option, folder in (("--build", "tests"), ("--sanitizers", "tests-debug"), ("--threads", "tests-tsan")):
        options.add_argument(option, default=os.path.join(TOP, "build", folder))
    options = options.parse_args()
    folders = {"release": options.build, "sanitizers": options.sanitizers, "threads": options.threads}
    place = tempfile.mkdtemp(prefix="fovea-planted-")
    tools, missed = {}, []
    try:
        for fault in FAULTS:
            name, build = fault[:2]
            if options.names and not any(word in name for word in options.names):
                continue
            if not os.path.exists(os.path.join(folders[build], "build.ninja")):
                wrong = f"{folders[build]} is not there"
            else:
                if build not in tools:
                    tools[build] = Relink(folders[build], os.path.join(place, build))
                wrong = plant(tools[build], fault)
            if wrong:
                missed.append(f"{name}: {wrong}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit("\n".join(missed) if missed else 0)


if __name__ == "__main__":
    main()
