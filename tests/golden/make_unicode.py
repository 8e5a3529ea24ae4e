#!/usr/bin/env python3
"""Writes core/text/UnicodeData.inc, the character tables of core/text, from the Unicode Character Database.

    python3 make_unicode.py     Python 3.11, whose module unicodedata is Unicode 14.0, and the PyPI package regex (a later version)

Decompositions, combining classes, nonspacing marks, other characters, punctuation and lower case are those of Unicode 14.0, the version of PCRE2 10.42
in Debian 12. The characters that later versions added to the categories of the word patterns come from the package regex.
"""
import pathlib
import sys
import unicodedata as u

import regex

assert u.unidata_version == "14.0.0", u.unidata_version
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(chosen):
    out = []
    for c in chosen:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def wrapped(items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) > 108:
            lines.append(line)
            line = "   "
        line += " " + item
    return "\n".join(lines + [line])


def table(kind, name, rows):
    texts = ["{" + ", ".join("0x%X" % v if n < 2 or kind != "ClassRange" else str(v) for n, v in enumerate(row)) + "}," for row in rows]
    return f"constexpr {kind} {name}[] = {{\n{wrapped(texts)}\n}};\n"


# One step of canonical decomposition; Hangul is computed. A pair composes unless it is excluded.
pairs = []
for c in points:
    d = u.decomposition(chr(c))
    if d and not d.startswith("<"):
        parts = [int(x, 16) for x in d.split()]
        composes = len(parts) == 2 and u.normalize("NFC", chr(parts[0]) + chr(parts[1])) == chr(c)
        pairs.append((c, parts[0], parts[1] if len(parts) > 1 else 0, int(composes)))
classes = []
for c in points:
    k = u.combining(chr(c))
    if not k:
        continue
    if classes and classes[-1][1] == c - 1 and classes[-1][2] == k:
        classes[-1][1] = c
    else:
        classes.append([c, c, k])
# Lower case of one character by one; runs with a constant distance and step 1 or 2 are joined.
lower = []
for c in points:
    low = chr(c).lower()
    if c == 0x130 or len(low) != 1 or low == chr(c):
        continue
    distance = ord(low) - c
    for step in (1, 2):
        if lower and lower[-1][2] == distance and c - lower[-1][1] == step and lower[-1][3] in (0, step):
            lower[-1][1], lower[-1][3] = c, step
            break
    else:
        lower.append([c, c, distance, 0])
lower = [(a, b, d & 0xFFFFFFFF, s or 1) for a, b, d, s in lower]

out = ["// Made by tests/golden/make_unicode.py from the Unicode Character Database, version 14.0.0; do not edit.\n"]
out.append(table("Decomposition", "kDecompositions", pairs))
out.append(table("ClassRange", "kClasses", classes))
out.append(table("LowerRun", "kLower", lower))
out.append(table("CharacterRange", "kNonspacing", ranges([c for c in points if u.category(chr(c)) == "Mn"])))
out.append(table("CharacterRange", "kOther", ranges([c for c in points if u.category(chr(c)) in ("Cc", "Cf", "Co")])))
out.append(table("CharacterRange", "kPunctuation", ranges([c for c in points if u.category(chr(c))[0] == "P"])))
here = pathlib.Path(__file__).resolve().parent
(here / "../../core/text/UnicodeData.inc").write_text("\n".join(out))

later = {}
for name in ("M", "P", "S", "Lu", "Ll", "Lt", "Lm", "Lo"):
    pattern = regex.compile(r"\p{%s}" % name)
    has = [c for c in points if u.category(chr(c)) == "Cn" and pattern.match(chr(c))]
    later[name] = "".join("\\x{%X}" % a if a == b else "\\x{%X}-\\x{%X}" % (a, b) for a, b in ranges(has))
lines = ["// Made by tests/golden/make_unicode.py: what versions after Unicode 14.0 added to these categories; do not edit.\n",
         "constexpr LaterCharacters kLater[] = {\n"]
for name, text in later.items():
    chunks, rest = [], text
    while rest:
        cut = len(rest) if len(rest) <= 90 else rest.rindex("\\x", 1, 90) if rest[rest.rindex("\\x", 1, 90) - 1] != "-" else rest.rindex("\\x", 1, rest.rindex("\\x", 1, 90) - 1)
        chunks.append(rest[:cut])
        rest = rest[cut:]
    lines.append('    {"%s",\n%s},\n' % (name, "\n".join('     R"(%s)"' % c for c in chunks) or '     ""'))
lines.append("};\n")
(here / "../../core/text/LaterCharacters.inc").write_text("".join(lines))
print(len(pairs), "decompositions,", len(classes), "class ranges,", len(lower), "lower-case runs", file=sys.stderr)
