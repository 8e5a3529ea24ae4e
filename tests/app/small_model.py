"""A llama model of random weights, made in a moment: the shapes of a real one, small. Standard library only."""
import random
import struct

LAYERS, HEADS, KV_HEADS, HEAD_DIM, WIDTH, HIDDEN, CONTEXT = 6, 6, 2, 64, 96, 128, 2048


def _alphabet():
    """GPT-2's characters for the 256 bytes."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = iter(range(256, 512))
    return [chr(byte) if byte in kept else chr(next(other)) for byte in range(256)]


def _text(value):
    data = value.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _key(name, kind, data):
    return _text(name) + struct.pack("<I", kind) + data


def _texts(values):
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(_text, values))


def write_small_model(path, seed=1):
    """Keys and values differ from head to head and rows are peaked enough for a router to choose by."""
    draw = random.Random(seed)
    pieces = ["<|endoftext|>", *_alphabet()]
    merges = ["t h", "th e", "i n", "a n", "e r", "o n", "r e", "e n"]
    pieces += [merge.replace(" ", "") for merge in merges]
    keys = [_key("general.architecture", 8, _text("llama")), _key("general.name", 8, _text("small")),
            _key("general.alignment", 4, struct.pack("<I", 32))]
    for name, value in (("block_count", LAYERS), ("context_length", CONTEXT), ("embedding_length", WIDTH), ("feed_forward_length", HIDDEN),
                        ("attention.head_count", HEADS), ("attention.head_count_kv", KV_HEADS), ("vocab_size", len(pieces)),
                        ("rope.dimension_count", HEAD_DIM), ("attention.key_length", HEAD_DIM), ("attention.value_length", HEAD_DIM)):
        keys.append(_key("llama." + name, 4, struct.pack("<I", value)))
    keys += [_key("llama.rope.freq_base", 6, struct.pack("<f", 10000)),
             _key("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)),
             _key("tokenizer.ggml.model", 8, _text("gpt2")), _key("tokenizer.ggml.pre", 8, _text("smollm")),
             _key("tokenizer.ggml.tokens", 9, _texts(pieces)),
             _key("tokenizer.ggml.token_type", 9, struct.pack("<IQ", 5, len(pieces)) + struct.pack("<i", 3) +
                  struct.pack("<i", 1) * (len(pieces) - 1)),
             _key("tokenizer.ggml.merges", 9, _texts(merges)),
             _key("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 0)), _key("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 0)),
             _key("tokenizer.ggml.add_bos_token", 7, b"\0")]
    tensors = []

    def matrix(name, rows, columns, scale):
        tensors.append((name, (columns, rows), struct.pack(f"<{rows * columns}f", *(draw.gauss(0, scale) for _ in range(rows * columns)))))

    def vector(name):
        tensors.append((name, (WIDTH,), struct.pack(f"<{WIDTH}f", *(draw.uniform(0.5, 1.5) for _ in range(WIDTH)))))

    root = WIDTH ** -0.5
    matrix("token_embd.weight", len(pieces), WIDTH, 0.5)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight")
        vector(block + "ffn_norm.weight")
        matrix(block + "attn_q.weight", HEADS * HEAD_DIM, WIDTH, 1.2 * root)
        matrix(block + "attn_k.weight", KV_HEADS * HEAD_DIM, WIDTH, 1.2 * root)
        matrix(block + "attn_v.weight", KV_HEADS * HEAD_DIM, WIDTH, root)
        matrix(block + "attn_output.weight", WIDTH, HEADS * HEAD_DIM, 0.4 * root)
        matrix(block + "ffn_gate.weight", HIDDEN, WIDTH, root)
        matrix(block + "ffn_up.weight", HIDDEN, WIDTH, root)
        matrix(block + "ffn_down.weight", WIDTH, HIDDEN, 0.4 * root)
    vector("output_norm.weight")
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    offset, data = 0, []
    for name, shape, numbers in tensors:
        header += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        padded = numbers + bytes(-len(numbers) % 32)
        data.append(padded)
        offset += len(padded)
    with open(path, "wb") as out:
        out.write(header + bytes(-len(header) % 32) + b"".join(data))
