#!/usr/bin/env python3
"""The worked examples of core/README.md compile and do what they say: their pieces are applied to a copy of core."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

top = os.environ.get("FOVEA_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
program = os.environ.get("FOVEA_PROGRAM", os.path.join(top, "build/release/fovea"))
library = os.path.join(os.path.dirname(program), "core", "libfovea_core.a")
if not os.path.exists(library):
    print(f"SKIP: {library} is not there")
    sys.exit(77)
readme = open(os.path.join(top, "core/README.md"), encoding="utf-8").read()
pieces = re.findall(r"<!-- (.*?) -->\n```cpp\n(.*?)```", readme, re.S)
if len(pieces) != 5:
    sys.exit(f"core/README.md has {len(pieces)} marked pieces instead of 5")
copy = tempfile.mkdtemp(prefix="fovea-example-")
try:
    shutil.copytree(os.path.join(top, "core"), os.path.join(copy, "core"))
    path = lambda name: os.path.join(copy, name)

    def insert(name, pattern, text):
        source = open(path(name), encoding="utf-8").read()
        found = re.search(pattern, source)
        if not found:
            sys.exit(f"{name}: the place for the new row is gone ({pattern})")
        at = found.end()
        open(path(name), "w", encoding="utf-8").write(source[:at] + text + source[at:])

    open(path("core/route/FirstSeen.cpp"), "w", encoding="utf-8").write(pieces[0][1])
    insert("core/route/Signal.h", r"std::vector<float> valueNorm\(const SignalInput& in\);\n", pieces[1][1])
    insert("core/route/Signals.cpp", r"constexpr SignalSpec kSignals\[\] = \{\n", pieces[2][1])
    open(path("driver.cpp"), "w").write(r'''
#include "core/policy/PolicyJson.h"
#include "core/route/Router.h"
#include <cstdio>
int main() {
    using namespace fovea;
    ModelShape shape;
    shape.layers = 1, shape.heads = 2, shape.kvHeads = 1, shape.headDim = 8;
    constexpr std::size_t kTokens = 12;
    Matrix q(kTokens, 16), k(kTokens, 8);
    TokenFacts facts;
    facts.tokens = kTokens;
    facts.ids = {5, 7, 5, 9, 7, 7, 5, 9, 5, 11, 5, 7}; // first seen at 0, 1, 3, 9
    const auto policy = policyFromJson(R"({"fovea":"policy","version":1,"local":{"window":2},
        "routed":{"signal":"first_seen","budget":2}})");
    if (!policy) { std::puts(policy.error().message.c_str()); return 1; }
    const auto routing = route(*policy, shape, {0, q.view(), k.view(), k.view(), {}, &facts}, {0, kTokens}, -1, WorkContext{});
    if (!routing) { std::puts(routing.error().message.c_str()); return 1; }
    for (const std::uint32_t key : routing->units[0].choices->row(11))
        std::printf("%u ", key);
    return 0;
}
''')
    open(path("core/model/families/Pebble.cpp"), "w", encoding="utf-8").write(pieces[3][1])
    insert("core/model/Families.cpp", r"#define FOVEA_FAMILIES\(row\) \\\n", pieces[4][1])
    shutil.copy(os.path.join(top, "tests/architecture/example_family.cpp"), path("family.cpp"))

    def build_and_run(name, sources):
        flags = ["-std=c++20", "-O0", "-fopenmp", "-I", copy, "-I", top]
        binary = path(name)
        built = subprocess.run(["c++", *flags, *[path(s) for s in sources], library, "-lcrypto", "-lpcre2-8", "-o", binary] +
                               (["-ldnnl"] if b"dnnl" in open(library, "rb").read() else []), capture_output=True, text=True)
        if built.returncode != 0:
            sys.exit(f"the example {name} does not compile:\n" + built.stderr[:4000])
        return subprocess.run([binary], capture_output=True, text=True)

    done = build_and_run("signal", ["core/route/FirstSeen.cpp", "core/route/Signals.cpp", "driver.cpp"])
    # Query 11 with window 2 reads 10 and 11; of the first occurrences 0, 1, 3, 9 the two latest are routed.
    if done.returncode != 0 or done.stdout.split() != ["3", "9"]:
        sys.exit(f"the example routes {done.stdout!r} {done.stderr!r} instead of 3 9")
    print("the signal compiles and routes keys 3 and 9")
    done = build_and_run("family", ["core/model/families/Pebble.cpp", "core/model/Families.cpp", "family.cpp"])
    if done.returncode != 0:
        sys.exit(f"the family: {done.stdout} {done.stderr}")
    print("the family compiles: " + done.stdout.strip())
finally:
    shutil.rmtree(copy, ignore_errors=True)
