"""Small tokenizers of the kinds that model families use, trained on a few lines written for this purpose.

Byte-level BPE (with the pattern of the family), SentencePiece BPE with byte fallback, WordPiece. Each function writes
tokenizer.json (SentencePiece: also tokenizer.model, which only the converter reads) and returns the `tokenizers` object.
"""
import pathlib

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

CORPUS = [
    "The ferry leaves at 7:45 and the harbour is still dark.", "She counts the windows of the houses, one by one.",
    "A letter is a promise that somebody will read it.", "It's late; they're tired, and I'll carry the lamp.",
    "The river runs under the bridge and the bridge runs over the river.", "The old clock in the tower is 12 minutes slow.",
    "def area(width, height):", "    return width * height", "for i in range(10): total += i", "x = [1, 2, 3]; print(x)",
    "Le pont est fermé, dit-elle, et la rivière monte.", "Über die Brücke geht niemand mehr.", "El niño mira el río.",
    "数字は十二です。", "Река под мостом.", "The reader reads, the writer writes, the keeper keeps.",
    "Numbers: 2024, 1987, 365, 40219, 3.14159, 1,000,000.", "What is the time? Who is there? Where does it go?",
    "and the, of the, in the, to the, on the, for the, with the, that the, from the", "ing ed er est ly tion ness ment",
]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PATTERNS = {"gpt-4o": GPT4O, "gpt-2": GPT2, "qwen2": QWEN2, "llama-bpe": LLAMA3, "smaug-bpe": LLAMA3, "dbrx": LLAMA3}


def template(bos, eos=None):
    """Post-processor that puts `bos` before a text and `eos` behind it; each is (text, id)."""
    single = ([bos[0]] if bos else []) + ["$A"] + ([eos[0]] if eos else [])
    pair = single + [part.replace("$A", "$B") + ":1" for part in single]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[t for t in (bos, eos) if t])


def add(tokenizer, specials, users=()):
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False, rstrip=r) for t, r in specials])
    if users:
        tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in users])


def byte_bpe(folder: pathlib.Path, pre: str, size: int, specials, users=(), bos=None, nfc=False, ignore_merges=False):
    """`size` tokens from bytes and merges, then the special ones."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if pre == "gpt-2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERNS[pre]), "isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    add(tokenizer, [(t, False) for t in specials], users)
    level = processors.ByteLevel(trim_offsets=False)
    tokenizer.post_processor = level
    if bos:
        tokenizer.post_processor = processors.Sequence([level, template((bos, tokenizer.token_to_id(bos)))])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def sentence_piece(folder: pathlib.Path, size: int, prefix: bool, gemma: bool, specials=(), users=()):
    """Llama 2 style with `prefix` (a space before the text), Gemma style without. `specials`: (text, rstrip) behind the
    vocabulary; `users`: user-defined pieces inside it."""
    order = dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>") if gemma \
        else dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    prefix_of_model = folder / "tokenizer"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_prefix=str(prefix_of_model), model_type="bpe", vocab_size=size,
        byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_digits=True, add_dummy_prefix=prefix, allow_whitespace_only_pieces=True, num_threads=1,
        user_defined_symbols=list(users), minloglevel=2, hard_vocab_limit=True, **order)
    (folder / "tokenizer.vocab").unlink()
    pieces = sentencepiece_model_pb2.ModelProto()
    pieces.ParseFromString((folder / "tokenizer.model").read_bytes())
    vocabulary = {p.piece: i for i, p in enumerate(pieces.pieces)}
    scores = {p.piece: p.score for p in pieces.pieces}
    # The rule by which published tokenizer.json files were made from SentencePiece models: every split of a piece into two
    # pieces is a merge; merges in the order of the scores of their results, splits of one piece by the ids of the parts.
    merges = []
    for piece in vocabulary:
        splits = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))
                  if piece[:cut] in vocabulary and piece[cut:] in vocabulary]
        merges += sorted(((left, right, scores[piece]) for left, right in splits),
                         key=lambda m: (vocabulary[m[0]], vocabulary[m[1]]))
    merges = [(left, right) for left, right, _ in sorted(merges, key=lambda m: -m[2])]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [normalizers.Prepend("▁")] if prefix else []
    steps.append(normalizers.Replace(" ", "▁"))
    tokenizer.normalizer = normalizers.Sequence(steps) if prefix else steps[0]
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()] +
                                          ([decoders.Strip(" ", 1, 0)] if prefix else []))
    control = ["<pad>", "<eos>", "<bos>", "<unk>"] if gemma else ["<unk>", "<s>", "</s>"]
    add(tokenizer, [(t, t == "</s>" and bool(specials)) for t in control])  # Phi-3 strips behind </s>, Llama does not
    for text in users:
        (tokenizer.add_special_tokens if "_of_turn" in text else tokenizer.add_tokens)(
            [AddedToken(text, special="_of_turn" in text, normalized=False)])
    add(tokenizer, list(specials))
    bos = "<bos>" if gemma else "<s>"
    tokenizer.post_processor = template((bos, vocabulary[bos]))
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def word_piece(folder: pathlib.Path, size: int):
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None,
                                                      lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=specials, show_progress=False,
                                        continuing_subword_prefix="##")
    tokenizer.train_from_iterator(CORPUS, trainer)
    cls, sep = (("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]")))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[cls, sep])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer
