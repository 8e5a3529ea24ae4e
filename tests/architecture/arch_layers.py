#!/usr/bin/env python3
"""Folders of core/ stand in dependency order: each includes only those above it; core knows no Qt and no ui; ui knows no app."""
import os
import re
import sys

top = os.environ.get("FOVEA_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
order = ["base", "text", "files", "model", "policy", "route", "plan", "kernels", "measure", "engine", "tune", "probe", "export", "lesson"]
only = {  # library header -> the only folders that may include it
    "nlohmann/": ("core/files", "core/policy", "core/export"),
    "pcre2.h": ("core/text",),
    "dnnl": ("core/model",),
    "CLI/": ("app",),
    "qcustomplot.h": ("ui/plot",),
}
problems = []
count = 0
for area in ("core", "ui", "app"):
    for folder, _, names in os.walk(os.path.join(top, area)):
        for name in names:
            if not name.endswith((".h", ".cpp")):
                continue
            path = os.path.relpath(os.path.join(folder, name), top)
            parts = path.split("/")
            count += 1
            for number, line in enumerate(open(os.path.join(top, path), encoding="utf-8"), 1):
                found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
                if not found:
                    continue
                included = found.group(1)
                where = f"{path}:{number}: includes {included}"
                if area == "core":
                    if re.match(r"Q[A-Z]|Qt|ui/|app/", included):
                        problems.append(where + ": core has no Qt and no window")
                    target = re.match(r"core/(\w+)/", included)
                    if target and order.index(target.group(1)) > order.index(parts[1]):
                        problems.append(where + f": {parts[1]} stands above {target.group(1)}")
                if area == "ui" and included.startswith("app/"):
                    problems.append(where + ": the window does not know the program")
                for library, allowed in only.items():
                    if included.startswith(library) and not path.startswith(allowed):
                        problems.append(where + f": only in {', '.join(allowed)}")
if count < 20:
    problems.append(f"only {count} files seen: the test looks in the wrong place")
print("\n".join(problems) or f"{count} files, all includes point the right way")
sys.exit(1 if problems else 0)
