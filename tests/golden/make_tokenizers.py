#!/usr/bin/env python3
"""Small vocabularies of every kind and the ids that the reference libraries give: tests/golden/tokenizers.json.

    python3 make_tokenizers.py     in an environment with tokenizers, sentencepiece and regex (PyPI); used: 0.23.3, 0.2.3, 2026.11.19

Word patterns: the pieces of each pre-tokenizer by the package regex, which must agree with Split of `tokenizers`. SentencePiece: a BPE model trained
by its library on the LICENSE of this repository; the same vocabulary as merges in `tokenizers` must give the same ids. WordPiece and byte-level BPE:
trained and encoded by `tokenizers`. Nothing of Fovea is imported.
"""
import io
import json
import pathlib
import random

import regex
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).resolve().parent
prose = (here / "../../LICENSE").read_text(encoding="utf-8")
lines = [line.strip() for line in prose.splitlines() if line.strip()]

contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
upper, low = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
tail = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
patterns = {
    "gpt-2": [gpt2],
    "smollm": [r"\p{N}", gpt2],
    "dbrx": [contractions + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + tail],
    "llama-bpe": [contractions + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + tail],
    "qwen2": [contractions + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + tail],
    "tekken": [rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{low}+|[^\r\n\p{{L}}\p{{N}}]?{upper}+{low}*|\p{{N}}" + tail.replace(r"[\r\n]*", r"[\r\n/]*", 1)],
    "gpt-4o": [rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{low}+{contractions}?|[^\r\n\p{{L}}\p{{N}}]?{upper}+{low}*{contractions}?|\p{{N}}{{1,3}}" +
               tail.replace(r"[\r\n]*", r"[\r\n/]*", 1)],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""],
}

picked = [
    "Hello world", " Hello  world ", "a\r\nb\r\n\r\nc", "\t\tx\ty  ", "   ", "\n", " \n \n x", "1234567890", "3.14159 1,000,000", "a1b22c333dddd4444",
    "I'll you're THEY'VE it's don't I'M he'd 'S", "l'\u00e9t\u00e9 it\u2019s", "na\u00efve caf\u00e9 cafe\u0301 \u0301x", "camelCase HTMLParser XMLHttpRequest iPhone",
    "\u6e2f\u306e\u8a18\u9332\uff1a\u7b2c\u4e09\u306e\u9328\u3002", "\u4f60\u597d\uff0c\u4e16\u754c", "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\u041f\u0440\u0438\u0432\u0435\u0442, \u041c\u0418\u0420",
    "\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645\u064f", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\U0001f469\U0001f3fd\u200d\u2708\ufe0f ok \U0001f600\U0001f600", "\u00bd \u2167 \u0663\u0665 \uff11\uff12 x\u00b2",
    "\u00a0\u2003\u3000\u2028\u0085z", "a\u180eb", "int main() {\n\treturn x[1] != 0; // ok/\n}\n", "path/to/file.txt//\n\n", "$a+b=c^2~|`<>", "__init__(self):\n\n\n    pass",
    "\u01c5\u02b0\u2160 \u00aa\u00ba", "\u0130stanbul I\u0307 \u0131\u015f\u0131k STRASSE stra\u00dfe", "https://example.org/a?b=c&d=%20#e", "word\n  word\n\n\tword", "!" * 20 + "\n", "=" * 9 + "a",
]
rng = random.Random(20261130)
alphabet = ["'s", "'LL", "a", "Z", "\u00e9", "e\u0301", " ", "  ", "\n", "\r\n", "\t", "1", "23", "4567", ".", "--", "/", "\u4e2d", "\u3042", "\uac00", "\u0436", "\u0416", "_", "(", "\u2014",
            "\U0001f600", "\u0300", "\u02b0", "\u01c5", "+", "$", "\u3002", "the", "World"]
texts = picked + ["".join(rng.choice(alphabet) for _ in range(rng.randrange(2, 22))) for _ in range(130)]


def cut(stages, text):
    """End offsets in bytes of the pieces: matches and the gaps between them, stage by stage."""
    pieces = [text]
    for stage in stages:
        after = []
        for piece in pieces:
            at = 0
            for m in regex.finditer(stage, piece, regex.V0):
                after += [x for x in (piece[at:m.start()], m.group()) if x]
                at = m.end()
            after += [piece[at:]] if piece[at:] else []
        pieces = after
    steps = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(stage), "isolated") for stage in stages])
    assert [p for p, _ in steps.pre_tokenize_str(text)] == pieces, (stages, text)
    ends, at = [], 0
    for piece in pieces:
        at += len(piece.encode())
        ends.append(at)
    return ends


result = {"by": "tests/golden/make_tokenizers.py", "texts": texts, "pieces": {name: [cut(stages, t) for t in texts] for name, stages in patterns.items()}}

# SentencePiece and the same vocabulary as merges.
store = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines + ["a  b   c\td"] * 30), model_writer=store, model_type="bpe", vocab_size=700, byte_fallback=True, character_coverage=0.999,
    normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2, split_digits=False, max_sentencepiece_length=24)
sp = sentencepiece.SentencePieceProcessor(model_proto=store.getvalue())
size = sp.get_piece_size()
tokens = [sp.id_to_piece(i) for i in range(size)]
scores = [sp.get_score(i) for i in range(size)]
kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1 for i in range(size)]
ids = {t: i for i, t in enumerate(tokens)}
merges = []
for i, token in enumerate(tokens):
    if kinds[i] == 1 and len(token) > 1:
        merges += [(-scores[i], n, token[:n], token[n:]) for n in range(1, len(token)) if token[:n] in ids and token[n:] in ids]
pairs = [(a, b) for _, _, a, b in sorted(merges, key=lambda m: (m[0], m[1]))]
bpe = Tokenizer(models.BPE(vocab=ids, merges=pairs, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
bpe.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
bpe.add_special_tokens(["<unk>", "<s>", "</s>"])
bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
plain = [t for t in texts if "\u2581" not in t] + ["", "the the  License", "x" * 70, "\u4e2d" * 9] + lines[10:14]
for text in plain:
    if text:
        assert sp.encode(text) == bpe.encode(text, add_special_tokens=False).ids, text
result["sentencepiece"] = {"tokens": tokens, "scores": scores, "kinds": kinds, "texts": plain, "ids": [sp.encode(t) for t in plain], "json": bpe.to_str()}

# WordPiece.
words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
words.normalizer = normalizers.BertNormalizer(lowercase=True)
words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
words.train_from_iterator(lines + ["\u4e2d \u4f60 caf\u00e9 na\u00efve stra\u00dfe 1 2 3"] * 5,
                          trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
words.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
more = texts + ["caf\u00e9 CAFE\u0301 na\u00efve", "a\x00b\ufffdc\u200bd\u00ade", "x" * 101, "the" * 30, "don't (stop)!", "\u4f60\u597d\u4e2d", "\uf900\u2f00", "A\u0327\u0301b", "\ud55c\uae00 \u1112\u1161\u11ab"]
result["wordpiece"] = {"json": words.to_str(), "texts": more, "ids": [words.encode(t).ids for t in more]}

# Byte-level BPE as Llama 3 has it: its pattern, pieces that are tokens, a token before each text, added tokens.
level = Tokenizer(models.BPE(ignore_merges=True))
level.normalizer = normalizers.NFC()
level.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(patterns["llama-bpe"][0]), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
level.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
state = json.loads(level.to_str())
vocab = state["model"]["vocab"]
vocab[" Whole".replace(" ", "\u0120")] = len(vocab)  # a token that no merge makes
level = Tokenizer.from_str(json.dumps(state))
level.add_special_tokens(["<|begin|>", "<|end|>"])
level.add_tokens([AddedToken("<tool>", special=False, normalized=False), AddedToken("<tool>>", special=False, normalized=False)])
level.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", level.token_to_id("<|begin|>"))])])
extra = texts + ["a Whole Wholes", "x<tool>>y<tool>", "e\u0301\u0327 \u1112\u1161\u11ab \u212b"]
result["bytelevel"] = {"json": level.to_str(), "texts": extra, "ids": [level.encode(t).ids for t in extra]}

with open(here / "tokenizers.json", "w", encoding="ascii") as out:
    out.write("{\n" + ",\n".join(json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in result.items()) + "\n}\n")
print(len(texts), "texts,", len(patterns), "patterns,", size, "pieces,", (here / "tokenizers.json").stat().st_size, "bytes")
