"""Puts a changed copy of one source file into test programs without touching the source tree or the build.

The changed file lies in a folder of its own that precedes the source tree in the include path. It is compiled with the
command of the build, and the object precedes libfovea_core.a and libfovea_ui.a when the program is linked again, so that
the member of the archive is not taken. Where the build compiles files together (FOVEA_UNITY), all files of the group are
compiled again with the changed one.
"""
import json
import os
import re
import shlex
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Relink:
    def __init__(self, build, place, source=TOP):
        self.build = os.path.abspath(build)
        self.place = os.path.abspath(place)  # for changed sources, objects and programs
        self.top = os.path.abspath(source)  # what the build was made of; another copy of it may stand in
        cache = open(os.path.join(self.build, "CMakeCache.txt"), encoding="utf-8").read()
        self.home = re.search(r"^CMAKE_HOME_DIRECTORY:\w+=(.*)$", cache, re.M).group(1)
        os.makedirs(self.place, exist_ok=True)
        listed = subprocess.run(["ninja", "-C", self.build, "-t", "compdb"], capture_output=True, text=True, check=True).stdout
        self.compiles = {}
        for entry in json.loads(listed):
            if entry["output"].endswith(".o"):
                # A file that two programs compile: the last is the program with a window.
                for source in self.joined(entry) or [os.path.join(self.build, entry["file"])]:
                    self.compiles[os.path.relpath(source, self.home)] = entry
        self.links = {}

    def joined(self, entry):
        """The files that a command of the build compiles together; none for an ordinary file."""
        if "/Unity/" not in entry["file"]:
            return []
        with open(os.path.join(self.build, entry["file"]), encoding="utf-8") as group:
            return re.findall(r'^#include "(.*)"$', group.read(), re.M)

    def text(self, path):
        return open(os.path.join(self.top, path), encoding="utf-8").read()

    def source(self, path, text):
        """Writes the changed copy and returns its path."""
        changed = os.path.join(self.place, "source", path)
        os.makedirs(os.path.dirname(changed), exist_ok=True)
        with open(changed, "w", encoding="utf-8") as out:
            out.write(text)
        return changed

    def compile(self, path, unit, name, optimise=None):
        """Compiles `unit`, a .cpp file, with `path` (itself or a header of it) taken from the changed copies.
        Returns the object's path, or None and the compiler's words."""
        entry = self.compiles[unit]
        words = shlex.split(entry["command"])
        while "ccache" in os.path.basename(words[0]):
            words.pop(0)
        target = os.path.join(self.place, name + ".o")
        compiled = os.path.join(os.path.join(self.place, "source") if path == unit else self.top, unit)
        if group := self.joined(entry):
            lines = [compiled if os.path.relpath(file, self.home) == unit else
                     os.path.join(self.top, os.path.relpath(file, self.home)) for file in group]
            compiled = self.source(name + ".group.cpp", "".join(f'#include "{line}"\n' for line in lines))
        made, skip = [words[0], "-I" + os.path.join(self.place, "source"), "-I" + self.top], 0
        for at, word in enumerate(words[1:], 1):
            if skip:
                skip -= 1
            elif word in ("-MF", "-MT", "-MQ"):
                skip = 1
            elif word == "-MD":
                pass
            elif word == "-o":
                made += ["-o", target]
                skip = 1
            elif word == "-c":
                made += ["-c", compiled]
                skip = 1
            else:
                made.append(word)
        made += ["-w", "-g0"] + ([optimise] if optimise else [])
        done = subprocess.run(made, cwd=self.build, capture_output=True, text=True)
        return (target, "") if done.returncode == 0 else (None, done.stderr)

    def link(self, program, objects):
        """Links `program`, a target of the build, with other objects, (unit, object) each; returns the new program's path."""
        if program not in self.links:
            listed = subprocess.run(["ninja", "-C", self.build, "-t", "commands", program], capture_output=True, text=True,
                                    check=True).stdout
            self.links[program] = listed.strip().splitlines()[-1]
        command = self.links[program]
        out = re.search(r" -o (\S+)", command).group(1)
        made = os.path.join(self.place, os.path.basename(out))
        for unit, target in objects:
            old = self.compiles[unit]["output"]
            if f" {old} " in command:
                command = command.replace(f" {old} ", f" {target} ")
            else:
                command = command.replace(f" -o {out}", f" {target} -o {out}")
        command = command.replace(f" -o {out}", f" -o {made}")
        done = subprocess.run(command, cwd=self.build, shell=True, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program} does not link: {done.stderr[-2000:]}")
        return made

    def run(self, words, timeout, **environment):
        """passed, failed (with the first failing line) or timed out; and the seconds it took."""
        env = dict(os.environ, QT_QPA_PLATFORM="offscreen", QT_FONT_DPI="96", OMP_WAIT_POLICY="passive",
                   QTEST_FUNCTION_TIMEOUT="1400000",  # a slow machine is no fault found
                   FOVEA_PROGRAM=os.path.join(self.build, "fovea"), FOVEA_SOURCE_DIR=self.top, FOVEA_BINARY_DIR=self.build)
        env.update(environment)
        began = time.monotonic()
        try:
            done = subprocess.run(words, cwd=self.place, env=env, capture_output=True, text=True, errors="replace", timeout=timeout)
        except subprocess.TimeoutExpired:
            return "timed out", "", time.monotonic() - began
        said = re.search(r"^(FAIL.*|.*ERROR: \w+Sanitizer.*|WARNING: ThreadSanitizer.*|.*assert.*)$", done.stdout + done.stderr, re.M)
        return ("passed" if done.returncode == 0 else "failed"), (said.group(1) if said else f"status {done.returncode}"), \
            time.monotonic() - began
