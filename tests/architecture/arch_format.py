#!/usr/bin/env python3
"""Every C++ file is formatted as .clang-format says. clang-format 14 is Debian 12's; other versions break lines differently."""
import os
import shutil
import subprocess
import sys

top = os.environ.get("FOVEA_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
tool = shutil.which("clang-format-14")
if not tool:
    print("SKIP: clang-format-14 is not installed")
    sys.exit(77)
files = sorted(
    os.path.join(folder, name)
    for area in ("core", "ui", "app", "tests")
    for folder, _, names in os.walk(os.path.join(top, area))
    for name in names
    if name.endswith((".h", ".cpp")))
if len(files) < 20:
    sys.exit(f"only {len(files)} files seen: the test looks in the wrong place")
done = subprocess.run([tool, "--dry-run", "--Werror", "--style=file", *files], capture_output=True, text=True)
wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line})
if done.returncode != 0:
    names = "\n".join(os.path.relpath(path, top) for path in wrong)
    sys.exit(f"{len(wrong)} files are not formatted (clang-format-14 -i FILE):\n{names}\n{done.stderr if not wrong else ''}")
print(f"{len(files)} files are formatted")
