#!/usr/bin/env python3
"""Model files that are missing, truncated, hostile or unsupported: one sentence, status 2. Needs no model."""
import os
import struct
from program import check, equal, finish, folder, refused, run

place = folder()


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def key(name, kind, value):
    return string(name) + struct.pack("<I", kind) + value


def header(keys=(), tensors=(), version=3, counts=None, magic=b"GGUF"):
    tensor_count, key_count = counts or (len(tensors), len(keys))
    return magic + struct.pack("<IQQ", version, tensor_count, key_count) + b"".join(keys) + b"".join(tensors)


def tensor(name, shape, kind, offset):
    return string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape) + \
        struct.pack("<IQ", kind, offset)


architecture = key("general.architecture", 8, string("llama"))


def inspect(content, *words):
    full = os.path.join(place, "model.gguf")
    with open(full, "wb") as out:
        out.write(content)
    refused(run("inspect", full), 2, *words)


refused(run("inspect", os.path.join(place, "missing.gguf")), 2, "missing.gguf")
refused(run("inspect", place), 2)
inspect(b"")
inspect(b"GG")
inspect(b"<!DOCTYPE html><html>not found</html>")
inspect(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS pointer")
inspect(b"PK\x03\x04" + bytes(60))
inspect(b"\x80\x02}q\x00.", "A pickle can run code. Convert it to safetensors.")
inspect(b"PK\x03\x04" + bytes(22) + struct.pack("<HH", 16, 0) + b"archive/data.pkl", "Convert it to safetensors.")
inspect(struct.pack("<Q", 2) + b"{}x", "config.json")
inspect(header(magic=b"ggml"))
for version in (0, 1, 4):
    inspect(header(version=version), str(version))
inspect(header(version=0x03000000), "big-endian")
inspect(header(counts=(1 << 63, 1)), "claims")
inspect(header(counts=(0, (1 << 64) - 1)), "claims")
inspect(header(keys=[string("k" * 70000) + struct.pack("<I", 4) + bytes(4)]))
inspect(header(keys=[architecture, architecture]), "general.architecture")
inspect(header(keys=[key("a", 13, bytes(8))]))
inspect(header(keys=[key("a", 7, b"\x02")]))
inspect(header(keys=[key("a", 9, struct.pack("<IQ", 9, 1))]))
inspect(header(keys=[key("general.alignment", 4, struct.pack("<I", 3))]), "power of two")
inspect(header(keys=[key("general.architecture", 8, string("mamba"))]), "mamba")
inspect(header(keys=[architecture], tensors=[tensor("x", [32], 10, 0)]) + bytes(4096), "Q2_K")
inspect(header(keys=[architecture], tensors=[tensor("x", [33], 2, 0)]) + bytes(4096), "x")
inspect(header(keys=[architecture], tensors=[tensor("x", [1 << 62, 8], 0, 0)]) + bytes(4096), "x")
inspect(header(keys=[architecture], tensors=[tensor("x", [64], 0, 1 << 40)]) + bytes(4096), "x")
inspect(header(keys=[architecture]))

# A name with control characters and a formula stays one line.
inspect(header(keys=[key("general.architecture", 8, string("a\nb\x1b[31m"))]))

real = run("inspect", "--json", "--quiet")
if real.returncode == 0:
    import json
    doc = json.loads(real.stdout)
    source = doc["path"]
    with open(source, "rb") as file:
        head = file.read(3_000_000)
    for cut in (10, 1000, 100_000, 1_700_000, 2_500_000):
        inspect(head[:cut], "model.gguf")
    equal(doc["parameters"], 134515008, "parameters")
    equal(doc["model"]["vocab"], 49152, "vocabulary")
    equal(doc["quantisation"]["Q4_1"], 210, "tensors of type Q4_1")
    equal(len(doc["native_attention"]), doc["model"]["layers"], "a native kind of attention per layer")
    equal(sum(f["tensors"] for f in doc["tensor_families"]), 272, "tensors over families")
    equal(sum(f["parameters"] for f in doc["tensor_families"]), doc["parameters"], "parameters over families")
    needs = [need["bytes"] for need in doc["memory_needed"]]
    check(needs == sorted(needs) and needs[0] > doc["weight_bytes"], "memory grows with the text")
else:
    print("SKIP: cuts of the default model, which is absent (app/fetch-model smollm2)")
finish()
