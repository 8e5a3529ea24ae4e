#!/usr/bin/env python3
"""Core and the commands need no Qt, shown without compiling them a second time.

1. The headless program, linked from the objects of this build, loads no Qt library.
2. The core-only preset configures while CMake is forbidden to find Qt.
3. It would compile the same files with the same options as this build did, so building it would give the same objects.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

top = os.environ.get("FOVEA_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
build = os.environ.get("FOVEA_BINARY_DIR", os.path.join(top, "build/release"))
program = os.environ.get("FOVEA_HEADLESS", os.path.join(build, "fovea_headless"))
if not os.path.exists(program):
    print(f"SKIP: {program} is not built")
    sys.exit(77)

loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
names = re.findall(r"^\s*(\S+)", loaded, re.M)
if len(names) < 3:
    sys.exit(f"ldd {program} names only {names}: the test looks in the wrong place")
windows = [n for n in names if re.search(r"qt|qcustomplot|libgl|libx", n, re.I)]
if windows:
    sys.exit(f"{program} loads {', '.join(windows)}")

settings = dict(re.findall(r"^(\w+):\w+=(.*)$", open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8").read(), re.M))
if settings["CMAKE_BUILD_TYPE"] != "Release" or settings["FOVEA_CORE_ONLY"] in ("ON", "1", "TRUE"):
    print("the headless program loads no Qt; compile commands are compared in the release build only")
    sys.exit(0)


def commands(folder, objects):
    """Object file of core and the commands -> its compile command, the build folder and the program's name left out."""
    listed = subprocess.run(["ninja", "-C", folder, "-t", "compdb", "-x"], capture_output=True, text=True, check=True).stdout
    found = {}
    for entry in json.loads(listed):
        output = entry["output"]
        if output.startswith(("core/", "app/")) and output.endswith((".o", ".gch")):
            # The commit is that of the last configuration, and may have gone on since.
            found[output] = re.sub(r"-DFOVEA_COMMIT=\S+", "", entry["command"].replace(folder, "BUILD"))
            if "/Unity/" in entry["file"]:  # written by CMake: the files that are compiled together
                found[output] += open(os.path.join(folder, entry["file"]), encoding="utf-8").read().replace(folder, "BUILD")
    return {objects(name): command.replace(name, objects(name)) for name, command in found.items() if objects(name)}


other = tempfile.mkdtemp(prefix="fovea-without-qt-")
try:
    same = [f"-D{name}={value}" for name, value in settings.items()
            if re.fullmatch(r"FOVEA_(WERROR|PCH|UNITY|ONEDNN|TESTS|CCACHE)|CMAKE_CXX_(COMPILER|FLAGS)", name)]
    done = subprocess.run(["cmake", "--preset", "core-only", "-B", other, "-DCMAKE_DISABLE_FIND_PACKAGE_Qt6=ON", *same],
                          cwd=top, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"the core-only preset does not configure without Qt:\n{done.stderr[-3000:]}")
    # Here the program without a window is fovea_headless, there it is fovea.
    ours = commands(build, lambda name: None if "/fovea.dir/" in name else name.replace("/fovea_headless.dir/", "/fovea.dir/"))
    theirs = commands(other, lambda name: name)
    if len(theirs) < 50:
        sys.exit(f"only {len(theirs)} compile commands seen: the test looks in the wrong place")
    problems = [f"{name}: only in the {'core-only' if name in theirs else 'release'} build" for name in sorted(ours.keys() ^ theirs.keys())]
    problems += [f"{name} is compiled differently:\n  {ours[name]}\n  {theirs[name]}"
                 for name in sorted(ours.keys() & theirs.keys()) if ours[name] != theirs[name]]
    if problems:
        sys.exit("\n".join(problems[:10]))
    print(f"no Qt among {len(names)} libraries; {len(theirs)} files are compiled alike with and without Qt")
finally:
    shutil.rmtree(other, ignore_errors=True)
