"""What the command tests share: running the program, the default model, plain checks. Standard library only."""
import array
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("FOVEA_PROGRAM", "build/release/fovea")
TEXT = ("The lighthouse keeper wrote down every ship. On the first of March the brig Alma came in with salt and rope; "
        "Ida Brandt signed for both. On the second nothing moved: fog lay on the water until evening, and the keeper "
        "noted only the bell. When the inspector came he asked which ship brought the rope, and who signed for it.\n")
SKIPPED = 77

_failures = []
_checks = 0
_model = None


def folder():
    """A folder that goes away with the test."""
    path = tempfile.mkdtemp(prefix="fovea-test-")
    import atexit
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def environment(**changes):
    env = dict(os.environ)
    env.pop("FOVEA_MODEL", None)
    if _model:
        env["FOVEA_MODEL"] = _model
    env.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads of several tests would take each other's processors
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def run(*arguments, stdin=b"", env=None, timeout=300):
    """The finished process with bytes in stdout and text in stderr."""
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, env=env or environment(), timeout=timeout)
    done.stderr = done.stderr.decode("utf-8", "replace")
    return done


def run_json(*arguments, **more):
    done = run(*arguments, "--json", "--quiet", **more)
    if done.returncode != 0:
        print(f"fovea {' '.join(arguments)}: status {done.returncode}: {done.stderr}", file=sys.stderr)
        sys.exit(1)

    def refuse(word):
        raise ValueError(f"{word} is no JSON")
    return json.loads(done.stdout.decode("utf-8"), parse_constant=refuse)


def need_model():
    """Ends the test as skipped when the default model is absent."""
    done = run("inspect", "--json", "--quiet")
    if done.returncode != 0:
        print("SKIP: the default model is absent (app/fetch-model smollm2): " + done.stderr.strip())
        sys.exit(SKIPPED)


def use_small_model():
    """The runs that follow are of a small model of random weights, which needs a twentieth of the time. With FOVEA_LONG_TESTS=1
    (tests/run --full) they stay on the default model. Returns whether it is the small one."""
    global _model
    if os.environ.get("FOVEA_LONG_TESTS") == "1":
        return False
    from small_model import write_small_model
    _model = os.path.join(folder(), "small.gguf")
    write_small_model(_model)
    return True


def check(condition, what):
    global _checks
    _checks += 1
    if not condition:
        _failures.append(what)
        print("FAIL: " + what, file=sys.stderr)


def equal(found, expected, what):
    check(found == expected, f"{what}: {str(found)[:300]!r} instead of {str(expected)[:300]!r}")


def close(found, expected, what, tolerance=1e-6):
    check(found is not None and abs(found - expected) <= tolerance, f"{what}: {found} instead of {expected} +- {tolerance}")


def npy(path):
    """Shape and numbers of a file that the program wrote."""
    data = open(path, "rb").read()
    length = int.from_bytes(data[8:10], "little")
    header = data[10:10 + length].decode()
    shape = [int(n) for n in header[header.index("(") + 1:header.index(")")].split(",") if n.strip()]
    numbers = array.array("f")
    numbers.frombytes(data[10 + length:])
    return shape, numbers


def refused(done, status, *words):
    """One line on stderr that begins as ours do, holds the words, and nothing on stdout."""
    name = " ".join(str(a) for a in done.args[1:])[:160]
    equal(done.returncode, status, f"status of fovea {name} ({done.stderr.strip()[:200]})")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("fovea: note: ") and " % " not in line[:14]]
    equal(len(lines), 1, f"lines on stderr of fovea {name}: {lines}")
    check(done.stderr.startswith("fovea: "), f"stderr of fovea {name} begins otherwise: {done.stderr[:100]}")
    for word in words:
        check(word in done.stderr, f"fovea {name}: \"{word}\" is not in: {done.stderr.strip()[:300]}")
    equal(done.stdout, b"", f"stdout of fovea {name}")


def document(doc, kind, threads=True):
    """What every document carries."""
    for key in ("fovea", "version", "model", "policy", "threads"):
        check(key in doc, f"{kind}: {key} is missing")
    if doc.get("model"):
        for key in ("name", "sha256", "family", "layers", "heads", "kv_heads", "head_dim", "context", "vocab"):
            check(key in doc["model"], f"{kind}: model.{key} is missing")
        equal(len(doc["model"]["sha256"]), 64, f"{kind}: length of model.sha256")


def finish():
    if _failures:
        print(f"{len(_failures)} of {_checks} checks failed", file=sys.stderr)
        sys.exit(1)
    print(f"{_checks} checks passed")
    sys.exit(0)
