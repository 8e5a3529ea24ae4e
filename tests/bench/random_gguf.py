#!/usr/bin/env python3
"""Writes a GGUF file with random weights in the shape of a published model, for races and memory proofs.

  random_gguf.py SHAPE TYPE FILE.gguf     SHAPE: qwen2.5-0.5b, llama-3.2-1b or llama-2-7b; TYPE: Q4_K_M or Q8_0; needs numpy

Which tensor gets which type is what llama.cpp's quantiser does: under Q4_K_M the value and down projections of every third layer
and the output matrix are Q6_K, and matrices whose rows are no multiple of 256 fall back to Q5_0 and Q8_0. The vocabulary has the
size of the real one and is made here: strings of letters, with the merges or scores that a tokenizer needs. Codes are random,
scales are chosen so that activations keep their size and attention is far from uniform. The same seed gives the same bytes.
"""
import itertools
import string
import struct
import sys

import numpy

SHAPES = {
    "qwen2.5-0.5b": {"architecture": "qwen2", "layers": 24, "width": 896, "feed_forward": 4864, "heads": 14, "kv_heads": 2,
                     "vocabulary": 151936, "context": 32768, "rope_base": 1e6, "tied": True, "tokenizer": "qwen2", "bias": True},
    "llama-3.2-1b": {"architecture": "llama", "layers": 16, "width": 2048, "feed_forward": 8192, "heads": 32, "kv_heads": 8,
                     "vocabulary": 128256, "context": 131072, "rope_base": 5e5, "tied": True, "tokenizer": "llama-bpe"},
    "llama-2-7b": {"architecture": "llama", "layers": 32, "width": 4096, "feed_forward": 11008, "heads": 32, "kv_heads": 32,
                   "vocabulary": 32000, "context": 4096, "rope_base": 1e4, "tied": False, "tokenizer": "llama"},
}
# GGUF's number of a type, values of a block, bytes of a block.
TYPES = {"F32": (0, 1, 4), "Q5_0": (6, 32, 22), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144), "Q6_K": (14, 256, 210)}
FALLBACK = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}
ALIGNMENT = 32
STRING, ARRAY, UINT32, INT32, FLOAT32, BOOL = 8, 9, 4, 5, 6, 7


def packed(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, value):
    """One key of the metadata; a list is an array of `kind`."""
    pack = {STRING: packed, UINT32: lambda v: struct.pack("<I", v), FLOAT32: lambda v: struct.pack("<f", v),
            BOOL: lambda v: struct.pack("<?", v), INT32: lambda v: struct.pack("<i", v)}[kind]
    if not isinstance(value, list):
        return packed(key) + struct.pack("<I", kind) + pack(value)
    if kind in (INT32, FLOAT32):
        body = numpy.array(value, "<i4" if kind == INT32 else "<f4").tobytes()
    else:
        body = b"".join(map(pack, value))
    return packed(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + body


def words(count):
    """Strings of letters, shorter ones first, each after its own beginning and end."""
    made = 0
    for length in itertools.count(2):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            if made == count:
                return
            made += 1
            yield "".join(letters)


def byte_letters():
    """GPT-2's printable stand-in of each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(other)) for b in range(256)]


def bpe_vocabulary(shape):
    specials = (["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|reserved_{i}|>" for i in range(254)]
                if shape["tokenizer"] == "llama-bpe" else
                ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|reserved_{i}|>" for i in range(268)])
    letters = byte_letters()
    space = letters[32]
    room = shape["vocabulary"] - len(letters) - len(specials) - 26  # and each letter after a space
    tokens = letters + [space + a for a in string.ascii_lowercase]
    merges = [f"{space} {a}" for a in string.ascii_lowercase]
    for word in words(room // 2 + 1):
        for text in (word, space + word):
            if len(tokens) < shape["vocabulary"] - len(specials):
                tokens.append(text)
                merges.append(f"{text[:-1]} {text[-1]}")
                if len(text) == 4 and text[0] != space:
                    merges.append(f"{text[:2]} {text[2:]}")
    kinds = [1] * len(tokens) + [3] * len(specials)
    first = len(tokens)
    tokens += specials
    return [entry("tokenizer.ggml.model", STRING, "gpt2"), entry("tokenizer.ggml.pre", STRING, shape["tokenizer"]),
            entry("tokenizer.ggml.tokens", STRING, tokens), entry("tokenizer.ggml.token_type", INT32, kinds),
            entry("tokenizer.ggml.merges", STRING, merges), entry("tokenizer.ggml.bos_token_id", UINT32, first),
            entry("tokenizer.ggml.eos_token_id", UINT32, first + (1 if shape["tokenizer"] == "llama-bpe" else 2)),
            entry("tokenizer.ggml.add_bos_token", BOOL, shape["tokenizer"] == "llama-bpe")]


def sentencepiece_vocabulary(shape):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    pieces = ["\u2581", *string.ascii_lowercase, *string.ascii_uppercase, *string.digits, *".,;:!?'-\"()"]
    pieces += ["\u2581" + a for a in string.ascii_lowercase]
    for word in words(shape["vocabulary"]):
        pieces += [word, "\u2581" + word]
    pieces = pieces[:shape["vocabulary"] - len(tokens)]
    scores = [0.0] * len(tokens) + [-float(i) for i in range(len(pieces))]
    return [entry("tokenizer.ggml.model", STRING, "llama"), entry("tokenizer.ggml.pre", STRING, "default"),
            entry("tokenizer.ggml.tokens", STRING, tokens + pieces), entry("tokenizer.ggml.scores", FLOAT32, scores),
            entry("tokenizer.ggml.token_type", INT32, kinds + [1] * len(pieces)),
            entry("tokenizer.ggml.bos_token_id", UINT32, 1), entry("tokenizer.ggml.eos_token_id", UINT32, 2),
            entry("tokenizer.ggml.unknown_token_id", UINT32, 0), entry("tokenizer.ggml.add_bos_token", BOOL, True)]


def metadata(name, kind, shape):
    a = shape["architecture"]
    head = shape["width"] // shape["heads"]
    rows = [entry("general.architecture", STRING, a), entry("general.name", STRING, f"random {name}"),
            entry("general.file_type", UINT32, {"Q4_K_M": 15, "Q8_0": 7}[kind]), entry("general.alignment", UINT32, ALIGNMENT),
            entry(f"{a}.block_count", UINT32, shape["layers"]), entry(f"{a}.context_length", UINT32, shape["context"]),
            entry(f"{a}.embedding_length", UINT32, shape["width"]),
            entry(f"{a}.feed_forward_length", UINT32, shape["feed_forward"]),
            entry(f"{a}.attention.head_count", UINT32, shape["heads"]),
            entry(f"{a}.attention.head_count_kv", UINT32, shape["kv_heads"]),
            entry(f"{a}.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5), entry(f"{a}.rope.freq_base", FLOAT32, shape["rope_base"])]
    if a == "llama":
        rows += [entry("llama.rope.dimension_count", UINT32, head), entry("llama.vocab_size", UINT32, shape["vocabulary"])]
    return rows + (sentencepiece_vocabulary(shape) if shape["tokenizer"] == "llama" else bpe_vocabulary(shape))


def tensors(kind, shape):
    """(name, type, columns, rows, standard deviation of the values) in the order of the file."""
    m, f, layers = shape["width"], shape["feed_forward"], shape["layers"]
    kv = shape["kv_heads"] * (m // shape["heads"])

    def matrix(name, wanted, columns, rows, gain=1.0):
        wanted = "Q8_0" if kind == "Q8_0" else wanted
        fits = columns % TYPES[wanted][1] == 0
        return name, wanted if fits else FALLBACK[wanted], columns, rows, gain / columns ** 0.5

    made = [matrix("token_embd.weight", "Q6_K" if shape["tied"] else "Q4_K", m, shape["vocabulary"], m ** 0.5)]
    made.append(("output_norm.weight", "F32", m, 0, None))
    if shape["tied"]:  # the same matrix makes the logits: the norm before it keeps them small
        made[-1] = ("output_norm.weight", "F32", m, 0, m ** -0.5)
    else:
        made.append(matrix("output.weight", "Q6_K", m, shape["vocabulary"], 2.0))
    for i in range(layers):
        more = i < layers // 8 or i >= 7 * layers // 8 or (i - layers // 8) % 3 == 2  # llama.cpp's use_more_bits
        better = "Q6_K" if more else "Q4_K"
        b = f"blk.{i}."
        made += [(b + "attn_norm.weight", "F32", m, 0, None), matrix(b + "attn_q.weight", "Q4_K", m, m, 1.7),
                 matrix(b + "attn_k.weight", "Q4_K", m, kv, 1.7), matrix(b + "attn_v.weight", better, m, kv),
                 matrix(b + "attn_output.weight", "Q4_K", m, m)]
        if shape.get("bias"):
            made += [(b + f"attn_{x}.bias", "F32", n, 0, "random") for x, n in (("q", m), ("k", kv), ("v", kv))]
        made += [(b + "ffn_norm.weight", "F32", m, 0, None), matrix(b + "ffn_gate.weight", "Q4_K", m, f),
                 matrix(b + "ffn_up.weight", "Q4_K", m, f), matrix(b + "ffn_down.weight", better, f, m)]
    return made


def size_of(kind, columns, rows):
    _, values, size = TYPES[kind]
    return max(rows, 1) * (columns // values) * size


class Codes:
    """Blocks of random codes. Their mean is zero, or at most a hundredth of their deviation."""

    def __init__(self, seed):
        self.bits = numpy.random.PCG64(seed)

    def random_bytes(self, count):
        return self.bits.random_raw((count + 7) // 8).view(numpy.uint8)[:count]

    def blocks(self, kind, count, deviation):
        data = self.random_bytes(count * TYPES[kind][2]).reshape(count, -1).copy()

        def half(column, value):
            data[:, column:column + 2] = numpy.frombuffer(numpy.float16(value).tobytes(), numpy.uint8)
        if kind == "Q8_0":
            half(0, deviation / 73.9)
        elif kind == "Q5_0":
            half(0, deviation / 9.23)
        elif kind == "Q6_K":  # 16 scales of +-32..63
            scales = data[:, 192:208]
            data[:, 192:208] = numpy.where(scales & 128, numpy.negative(32 + scales % 32), 32 + scales % 32)
            half(208, deviation / 18.5 / 48)
        else:  # Q4_K: eight scales of 32..63, each its own minimum, and dmin = 7.5 d
            low, high = data[:, 4:8].copy(), data[:, 12:16].copy()
            first = 32 + low % 32                        # scales 0..3, six bits
            second = 32 + high % 32                      # scales 4..7: four bits below, two in the bytes of 0..3
            data[:, 4:8] = first | (second >> 4) << 6    # scales
            data[:, 8:12] = data[:, 4:8]                 # minima
            data[:, 12:16] = (second & 15) | (second & 15) << 4
            d = numpy.float16(deviation / 4.61 / 48)
            half(0, d)
            half(2, numpy.float16(7.5) * d)
        return data


def write(name, kind, path):
    shape = SHAPES[name]
    rows, listed = metadata(name, kind, shape), tensors(kind, shape)
    place, infos = 0, []
    for tensor, stored, columns, count, _ in listed:
        dims = [columns] + ([count] if count else [])
        infos.append(packed(tensor) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, TYPES[stored][0], place))
        place += -(-size_of(stored, columns, count) // ALIGNMENT) * ALIGNMENT
    codes = Codes(seed=len(listed) + shape["width"])
    with open(path, "wb") as file:
        file.write(struct.pack("<IIQQ", 0x46554747, 3, len(listed), len(rows)) + b"".join(rows) + b"".join(infos))
        file.write(bytes(-file.tell() % ALIGNMENT))
        for _, stored, columns, count, deviation in listed:
            if stored != "F32":
                left = size_of(stored, columns, count) // TYPES[stored][2]
                while left > 0:
                    some = min(left, 1 << 18)
                    file.write(codes.blocks(stored, some, deviation).tobytes())
                    left -= some
            elif deviation == "random":
                file.write((codes.random_bytes(columns).astype("<f4") / 256 - 0.5).tobytes())
            else:
                file.write(numpy.full(columns, 1 if deviation is None else deviation, "<f4").tobytes())
            file.write(bytes(-file.tell() % ALIGNMENT))


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES or sys.argv[2] not in ("Q4_K_M", "Q8_0"):
        sys.exit(__doc__)
    write(*sys.argv[1:])


if __name__ == "__main__":
    main()
