#!/usr/bin/env python3
"""Golden token ids: tests/golden/tokens.json.

Run in a throw-away environment with tokenizers, gguf, llama-cpp-python (PyPI); used: tokenizers 0.23.3, gguf, llama-cpp-python 0.3.36.
    python3 make_tokens.py SmolLM2-135M-Instruct.Q4_1.gguf

The ids are those of the `tokenizers` library with the vocabulary and the merges of the file itself. The loader of
transformers leaves out the rule that every digit stands alone; here it is set: Digits(individual_digits=True) before
ByteLevel. llama-cpp-python must agree on every string but those of the kinds named in `disagreements`, which are kept apart.
"""
import hashlib
import json
import os
import random
import sys

import gguf
import llama_cpp
from tokenizers import Tokenizer, models, pre_tokenizers

path = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
fields = gguf.GGUFReader(path).fields
tokens = fields["tokenizer.ggml.tokens"].contents()
merges = [tuple(m.split(" ", 1)) for m in fields["tokenizer.ggml.merges"].contents()]
reference = Tokenizer(models.BPE(vocab={t: i for i, t in reversed(list(enumerate(tokens)))}, merges=merges))
words = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
reference.pre_tokenizer = words
other = llama_cpp.Llama(path, vocab_only=True, verbose=False)


def ids(text):
    return reference.encode(text).ids


def other_ids(text):
    return other.tokenize(text.encode(), add_bos=False, special=False)


def kind(c):
    """How the reference's pattern sees one character: letter, number, space or other."""
    if len(words.pre_tokenize_str("a" + c + "a")) == 1:
        return "L"
    if len(words.pre_tokenize_str("!" + c + "!")) == 1:
        return "O"
    return "S" if len(words.pre_tokenize_str(c + c)) == 1 else "N"


# Runs of code points of one kind, surrogates left out: [first, last, kind], "O" not written.
kinds = []
for cp in range(0x110000):
    if 0xD800 <= cp < 0xE000:
        continue
    k = kind(chr(cp))
    if k == "O":
        continue
    if kinds and kinds[-1][1] == cp - 1 and kinds[-1][2] == k:
        kinds[-1][1] = cp
    else:
        kinds.append([cp, cp, k])

picked = [
    "", " ", "a", "\n", "Hello world", " Hello  world ", "   leading", "trailing   ", "a\r\nb\r\n\r\nc", "\t\tx\ty", "tabs \t mixed \t",
    "1234567890", "3.14159 1,000,000", "a1b22c333", "  12", "12  34", "x = 0x1F + 42;", "2024-11-24T19:00:00Z", "\u00bd \u2167 \u0663\u0665 \uff11\uff12",
    "I'll you're they've it's don't I'm he'd", "I'LL IT'S", "'s 't 'm", "''''", "rock 'n' roll", "l'\u00e9t\u00e9", "it\u2019s",
    "na\u00efve caf\u00e9", "nai\u0308ve cafe\u0301", "\u0301\u0301\u0301", "a\u0300\u0316\u0301b", "Z\u0351\u036b\u0343a\u0363l\u0349g\u0300o",
    "\u6e2f\u306e\u8a18\u9332\uff1a\u7b2c\u4e09\u306e\u9328", "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\u3042\u3044\u3046\u3000\u3048\u304a",
    "\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645", "\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645\u064f", "\u05e9\u05dc\u05d5\u05dd", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u041f\u0440\u0438\u0432\u0435\u0442",
    "\U0001f469\U0001f3fd\u200d\u2708\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1f5\U0001f1f9\U0001f1eb\U0001f1f7", "\u2764\ufe0f\u200d\U0001f525", "\U0001f600\U0001f600\U0001f600", "#\ufe0f\u20e3",
    "\u200b\u200d\ufeff", "\u202eabc\u202c", "\u00a0\u2003\u3000\u2028\u2029\u0085", "a\u180eb", "\x00\x01\x02\x7f", "\ufffd", "\ue000",
    "<|im_start|>user\nHi<|im_end|>", "<|endoftext|>", "<repo_name>", "<|im_start", "<img src=x onerror=alert(1)>",
    "int main(int argc, char** argv)\n{\n    return argc > 1 ? 0 : 1; // done\n}\n", "def f(x):\n\treturn [i**2 for i in range(x) if i % 2]\n", "SELECT * FROM t WHERE a='b' -- c",
    "https://example.org/a?b=c&d=%20#e", "$E = mc^2$ \\frac{a}{b}", "{\"k\": [1, 2, null]}", "#!/usr/bin/env bash\nset -euo pipefail\n", "----====____....,,,,!!!!????",
    "supercalifragilisticexpialidocious", "ALLCAPS camelCase snake_case kebab-case", "\u01c5 \u02b0 \u2160", "\u00aa\u00ba\u00b5", "x\u00b2+y\u00b3", "\u2460\u2461", "\u0bf0",
    " " * 50, "\n" * 30, " \n \n \n", "\n    \n\t\n  x", "a" * 300, "ab" * 200, "!" * 200, "=" * 77, "0" * 40, "\u00e9" * 100, "\U0001f600" * 40, " a" * 60, "a " * 60,
]

rng = random.Random(20261124)
letters = [cp for first, last, _ in kinds for cp in range(first, last + 1)]
prose = open(os.path.join(here, "..", "..", "LICENSE"), encoding="utf-8").read().split()


def random_text():
    what, n = rng.randrange(9), rng.randrange(1, 24)
    if what == 0:
        return "".join(chr(rng.randrange(128)) for _ in range(n))
    if what == 1:
        return "".join(chr(rng.choice(letters)) for _ in range(n // 2 + 1))
    if what == 2:
        return "".join(chr(rng.randrange(0x3000)) for _ in range(n))
    if what == 3:
        return "".join(rng.choice(" \t\n\r\x0b\x0c\x85\u00a0\u2003\u3000ab1!'") for _ in range(n))
    if what == 4:
        return rng.choice([" ", "  ", "\n", "\r\n"]).join(rng.choice(prose) for _ in range(n))
    if what == 5:
        return "".join(rng.choice(["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'", "a", " ", "1", "\u00e9", "\u0301", "\u4f60", "\u0628",
                                   "\U0001f469", "\u200d", "\U0001f3fd", "\U0001f1eb", "\ufe0f"]) for _ in range(n))
    if what == 6:
        return "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9FFF), rng.randrange(0x600, 0x6FF), rng.randrange(0x900, 0xDFF),
                                       rng.randrange(0x1F300, 0x1FAFF), rng.randrange(0xAC00, 0xD7A3)])) for _ in range(n // 2 + 1))
    if what == 7:
        return "".join(rng.choice("(){}[];:<>=+-*/%&|^~!?.,_#\"'\\ \n\tabcxyz019") for _ in range(n * 2))
    return "".join(rng.choice("etaoin shrdlu.,;") for _ in range(n * 3))


agreed, apart = [], []
for text in picked + [random_text() for _ in range(1850)]:
    (agreed if ids(text) == other_ids(text) else apart).append([text, ids(text)])
# Bytes without a symbol inside a run of punctuation, and letters of Unicode 16 and later.
for text in ["!\x04!", "(\x13)", "!\x04\x04!x", "!\U00040000!", "a\ua7cba", "a\U00010d4aa", " \U0001e5d0x"]:
    apart.append([text, ids(text)])

long = {"letters": ["a", 1 << 20], "pair": ["ab", 500000], "spaces": [" ", 1 << 20], "points": ["!", 1 << 20], "digits": ["7", 200000],
        "accents": ["\u00e9", 300000], "code": ["\tif (x[1] != 0)\r\n", 20000], "family": ["\U0001f468\u200d\U0001f469 ", 20000]}
longer = []
for name, (unit, count) in long.items():
    found = ids(unit * count)
    packed = b"".join(i.to_bytes(4, "little") for i in found)
    longer.append({"name": name, "unit": unit, "count": count, "tokens": len(found), "sha256": hashlib.sha256(packed).hexdigest()})

result = {
    "by": "tests/golden/make_tokens.py",
    "model_sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(),
    "agreed": agreed,
    "disagreements": apart,
    "long": longer,
}
with open(os.path.join(here, "tokens.json"), "w", encoding="utf-8") as out:
    out.write("{\n")
    for n, (key, value) in enumerate(result.items()):
        out.write(json.dumps(key) + ": ")
        if isinstance(value, list):
            out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value) + "\n]")
        else:
            out.write(json.dumps(value))
        out.write(",\n" if n + 1 < len(result) else "\n")
    out.write("}\n")
with open(os.path.join(here, "character_kinds.json"), "w", encoding="utf-8") as out:
    out.write("[" + ",\n".join(",".join(json.dumps(row, separators=(",", ":")) for row in kinds[i:i + 8]) for i in range(0, len(kinds), 8)) + "]\n")
print(f"{len(agreed)} strings on which both agree, {len(apart)} apart, {sum(len(i) for _, i in agreed)} tokens, {len(kinds)} runs of characters")
