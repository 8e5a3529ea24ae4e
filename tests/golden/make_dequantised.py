#!/usr/bin/env python3
"""Golden blocks of every tensor type Fovea reads, unpacked by the `gguf` package's own quants.

  make_dequantised.py        needs gguf, numpy; writes dequantised.json beside itself

Blocks are random bytes; their half-precision scales are made finite, and some are subnormal, negative or zero.
Values are f32 bits in hex, so that the comparison is exact.
"""
import json
import pathlib

import gguf
import numpy
from gguf.quants import dequantize

# where the half-precision scales of a block lie
SCALES = {"F16": [0], "BF16": [], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
          "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
          "MXFP4": []}
HALVES = [0x3C00, 0x0001, 0x83FF, 0x0000, 0x8000, 0x2E66, 0xA1B7, 0x7BFF]


def main() -> None:
    rng = numpy.random.default_rng(5)
    cases = []
    for name, places in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        count = 64 if values == 1 else 6 if values == 32 else 4
        blocks = rng.integers(0, 256, (count, size), dtype=numpy.uint8)
        for i, block in enumerate(blocks):
            for k, place in enumerate(places):
                half = HALVES[(i + 3 * k) % len(HALVES)] if i % 2 == 0 else int(rng.integers(0, 0x7C00)) | int(
                    rng.integers(0, 2)) << 15
                block[place:place + 2] = numpy.frombuffer(numpy.uint16(half).tobytes(), numpy.uint8)
            if name == "BF16":
                block[1] &= 0xBF  # no infinity, no NaN
            if name == "MXFP4":
                block[0] = (0, 1, 2, 127, 130, 250)[i]  # the two smallest exponents are subnormal scales
        out = dequantize(blocks.reshape(1, -1), kind).astype("<f4").reshape(-1)
        assert out.size == count * values and numpy.isfinite(out).all()
        cases.append({"type": name, "values": int(out.size), "bytes": blocks.tobytes().hex(),
                      "f32": out.tobytes().hex()})
    here = pathlib.Path(__file__).parent / "dequantised.json"
    here.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
