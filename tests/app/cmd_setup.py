#!/usr/bin/env python3
"""app/setup.sh: its packages exist, nothing is asked of the network when they are installed, the build says how far it is."""
import fcntl
import os
import pty
import shutil
import subprocess
import sys
from program import SKIPPED, check, environment, equal, finish, folder

SOURCE = os.environ.get("FOVEA_SOURCE_DIR", ".")
if not shutil.which("dpkg-query") or not shutil.which("apt-cache"):
    print("SKIP: not a Debian system, which app/setup.sh is for")
    sys.exit(SKIPPED)
place = folder()


def shell(script, **more):
    """bash that has sourced setup.sh."""
    return subprocess.run(["bash", "-c", f'set -euo pipefail; FOVEA_TOP="{SOURCE}"; . "{SOURCE}/app/setup.sh"; {script}'],
                          capture_output=True, text=True, env=environment(**more), timeout=60)


names = shell('echo "${fovea_packages[@]}" "${fovea_window_packages[@]}" "${fovea_test_packages[@]}"').stdout.split()
check(len(names) > 15 and "cmake" in names and "clang-14" in names, f"the lists of packages: {names}")
# Without package lists apt-cache knows the installed packages only, and the rest cannot be judged.
lists = len(subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split()) > 20000
shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True).stdout
known = {line.split()[1] for line in shown.splitlines() if line.startswith("Package: ")}
for name in names:
    if lists or name in known:
        check(name in known, f"Debian has no package {name}")
    else:
        print(f"SKIP: whether Debian has {name}; this machine has no package lists")

# dpkg's answer decides; a stand-in for it says that everything, or all but one, is installed.
tools = os.path.join(place, "tools")
os.mkdir(tools)


def tool(name, body):
    path = os.path.join(tools, name)
    with open(path, "w", encoding="ascii") as out:
        out.write("#!/bin/sh\n" + body)
    os.chmod(path, 0o755)


tool("dpkg-query", 'for last; do :; done; [ "$last" = absent ] || printf installed\n')
for name in ("apt-get", "sudo"):
    tool(name, f'echo "{name} was called" >&2; exit 9\n')
path = tools + ":" + os.environ["PATH"]
done = shell('install_packages "${fovea_packages[@]}" "${fovea_window_packages[@]}" "${fovea_test_packages[@]}"', PATH=path, FOVEA_OFFLINE="1")
equal((done.returncode, done.stderr), (0, ""), "everything is installed: nothing is called, also offline")
done = shell("install_packages cmake absent", PATH=path, FOVEA_OFFLINE="1")
equal(done.returncode, 1, "status offline with a package missing")
check("missing: absent" in done.stderr and "was called" not in done.stderr, f"it is named, and nothing is called: {done.stderr}")

# Progress: the last count is said; lines that are none are passed over; a failed build stays failed.
lines = r'printf "Re-run\n[1/4] a.cpp\n[2/4] b.cpp\nwarning\n[4/4] fovea\n"'
done = shell(f"{lines} | show_progress 0")
equal([line.split(",")[0].strip() for line in done.stderr.splitlines()],
      ["1 of 4 steps", "2 of 4 steps", "4 of 4 steps"], "a line per pause")
equal(shell(f"{lines} | show_progress 30").stderr, "", "nothing before the pause is over")
outer, inner = pty.openpty()
subprocess.run(["bash", "-c", f'. "{SOURCE}/app/setup.sh"; {lines} | show_progress 30'], stderr=inner, timeout=60)
os.close(inner)
os.set_blocking(outer, False)
shown = os.read(outer, 4096).decode()
os.close(outer)
check(shown.startswith("\r") and "4 of 4 steps" in shown and "\n" not in shown, f"one line, rewritten, on a terminal: {shown!r}")
check(shown.endswith("\r\x1b[K"), "and taken away in the end")

tool("cmake", 'case "$1" in --build) echo "[1/2] a.cpp"; echo "a.cpp:1: error: no"; exit 3;; esac\n')
done = shell(f'configure_and_build "{place}/b" release', PATH=path)
equal(done.returncode, 1, "status of a build that failed")
check("error: no" in done.stderr and "b.log" in done.stderr, f"its errors and its log are named: {done.stderr}")
tool("cmake", "exit 0\n")
equal(shell(f'configure_and_build "{place}/b" release', PATH=path).returncode, 0, "status of one that worked")

# A fetch that was killed leaves its folder; the next one takes it away, but not that of a fetch that goes on.
cache = os.path.join(place, "cache")
os.makedirs(os.path.join(cache, ".fetch.dead", "wheels"))
os.mkdir(os.path.join(cache, ".fetch.living"))
living = os.open(os.path.join(cache, ".fetch.living"), os.O_RDONLY)
fcntl.flock(living, fcntl.LOCK_EX)
done = subprocess.run([os.path.join(SOURCE, "app", "fetch-model")], capture_output=True, text=True, timeout=60,
                      env=environment(FOVEA_CACHE=cache, FOVEA_OFFLINE="1", HOME=None))
equal(done.returncode, 1, "status offline without the file")
check("FOVEA_OFFLINE=1" in done.stderr, f"why: {done.stderr}")
equal(os.listdir(cache), [".fetch.living"], "what is left of earlier fetches")
finish()
