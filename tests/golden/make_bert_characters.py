#!/usr/bin/env python3
"""core/text/BertCharacters.inc: where the categories of the `tokenizers` library differ from Unicode 14.0.

  make_bert_characters.py      needs tokenizers (PyPI; used: 0.23.3) and a Python whose unicodedata is 14.0 (3.11)

The reference WordPiece tokenizers decide what is a control character, a mark to strip and a punctuation character by tables of
about Unicode 8. Characters that came later are plain characters to them, and a vocabulary has been used with that. Every code
point is asked here.
"""
import pathlib
import unicodedata

from tokenizers import normalizers, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
here = pathlib.Path(__file__).resolve().parent
switches = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
cleaner = normalizers.BertNormalizer(**switches | {"clean_text": True})
stripper = normalizers.BertNormalizer(**switches | {"strip_accents": True})
splitter = pre_tokenizers.BertPreTokenizer()
points = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
category = {c: unicodedata.category(chr(c)) for c in points}


def removed(normalizer):
    """The characters that vanish between two letters."""
    found = set()
    for first in range(0, len(points), 4096):
        part = points[first:first + 4096]
        words = normalizer.normalize_str("\u4e00".join("a" + chr(c) + "b" for c in part)).split("\u4e00")
        if len(words) != len(part):  # the separator was among them
            words = [normalizer.normalize_str("a" + chr(c) + "b") for c in part]
        found |= {c for c, word in zip(part, words) if word == "ab"}
    return found


ascii_punctuation = {c for c in range(33, 127) if not chr(c).isalnum()}
breaks = {0x9, 0xA, 0xD}  # and U+FFFD: WordPiece.cpp treats them by itself
kinds = {
    "Other": ({c for c in points if category[c] in ("Cc", "Cf", "Co")} - breaks, removed(cleaner) - {0xFFFD}),
    "Mark": ({c for c in points if category[c] == "Mn"}, removed(stripper)),
    "Punctuation": ({c for c in points if category[c][0] == "P"} | ascii_punctuation,
                    {c for c in points if len(splitter.pre_tokenize_str("a" + chr(c) + "b")) == 3}),
}
lines = ["// Made by tests/golden/make_bert_characters.py; do not edit.\n"]
for name, (unicode14, reference) in kinds.items():
    ranges = []
    for c in sorted(unicode14 ^ reference):
        if ranges and ranges[-1][1] == c - 1 and (c in reference) == (ranges[-1][0] in reference):
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    lines.append(f"constexpr OtherCategory k{name}[] = {{\n")
    line = "   "
    for first, last in ranges:
        item = f" {{0x{first:X}, 0x{last:X}, {'true' if first in reference else 'false'}}},"
        if len(line) + len(item) > 110:
            lines.append(line + "\n")
            line = "   "
        line += item
    lines.append(line + "\n};\n")
(here / "../../core/text/BertCharacters.inc").write_text("".join(lines))
