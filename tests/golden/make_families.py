#!/usr/bin/env python3
"""Golden tiny models of every family: a folder as on Hugging Face, the same weights as GGUF, and reference values.

  make_families.py LLAMA_CPP [FAMILY...]     needs torch, transformers, tokenizers, safetensors, sentencepiece, protobuf, gguf, numpy

LLAMA_CPP is the folder of llama.cpp (in the source distribution of llama-cpp-python: vendor/llama.cpp). The GGUF is written by
its convert_hf_to_gguf.py. One function of it is replaced: the one that recognises the pre-tokenizer of a published vocabulary
by a hash, which cannot know a vocabulary of 300 tokens; it answers with the name that the real vocabulary of the family gets.
References come from transformers, eager attention, in float64 throughout: under KeepDouble every place where a model asks for
float32 computes in float64.

Writes families/NAME beside itself:
  config.json tokenizer.json tokenizer_config.json model.safetensors     the folder
  config_new.json      the same configuration as transformers 5 writes it (rope_parameters, layer_types)
  model.gguf           the same weights and vocabulary
  references.json references.f32    arrays by name: {"shape", "offset"} in little-endian float32 values of references.f32
Names of arrays: `logits` and `opened` (every layer global, all else kept) [positions, V]; `short` [ids, V] for the first `ids`
tokens alone; `attention` [layers, heads, positions, T]; bert: `hidden` [T, M], `sentence` [M] (mean of all tokens, length 1).
`sensitivity` says by how much the logits (bert: hidden states) move when one convention is broken. The tolerance is 1e-4; less
than ten times that ends the script.
"""
import copy
import json
import logging
import pathlib
import shutil
import sys
import tempfile

import numpy
import sentencepiece
import torch
import transformers
from family_models import FAMILIES, weight
from safetensors.torch import save_file
from tokenizers import Tokenizer, normalizers
from torch.overrides import TorchFunctionMode

HERE = pathlib.Path(__file__).parent
TEXT = ("The keeper counts 12 ferries, one by one; it's late.\nUnder the bridge the river monte: « Über die Brücke », dit-elle. "
        "数字は 3.14 です 👋🏽\n    return width * height  # done\n\nWho is there? I'll carry the lamp to the tower.")
STRINGS = [
    "", " ", "a", "\n", "Hello world", " leading and  double  spaces ", "    four\n\tand a tab\n\n\nthree lines\r\n",
    "naïve café — “quotes” cafe\u0301", "数字は 12345 です。", "👩🏽‍🚀 emoji 👍 #️⃣", "I'll we've IT'S THEY'RE 'tis",
    "3.14159 1,000,000 x2y 007", "non\u00a0breaking\u200bzero\u3000wide", "<s>a</s> <|endoftext|> <|im_start|>user\nHi<|im_end|>",
    "<bos><start_of_turn>user\nHi<end_of_turn>\n", "<|begin_of_text|><|user|>\n Hi <|end|>\n<|assistant|>", "[CLS] [SEP] [MASK]",
    "Привет, мир! مرحبا שלום हिन्दी", "ALLCAPS camelCase snake_case kebab-case", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\x7f\x1b[0m",
    "<think>\nwell\n</think>", "한국어 띄어쓰기", "the river, the bridge and the tower of the harbour", "!!!???...---===", TEXT]
CHAT = [{"role": "user", "content": "Who is there?"}, {"role": "assistant", "content": "The keeper."},
        {"role": "user", "content": "It's late."}]


class KeepDouble(TorchFunctionMode):
    """float32 asked for by name becomes float64."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        swap = lambda x: torch.float64 if x is torch.float32 else x  # noqa: E731
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        return function(*map(swap, args), **{k: swap(v) for k, v in (kwargs or {}).items()})


def make_folder(family, folder):
    """Writes the four files and tokenizer.model where there is one; returns (tokenizer, config)."""
    tokenizer = family["tokenizer"](folder)
    if family.get("no_template"):
        text = json.loads((folder / "tokenizer.json").read_text())
        text["post_processor"] = None
        (folder / "tokenizer.json").write_text(json.dumps(text, ensure_ascii=False, indent=1))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = dict(family["config"], vocab_size=tokenizer.get_vocab_size() + family.get("padding", 0))
    for key, text in family.get("ids", {}).items():
        config[key] = tokenizer.token_to_id(text)
    config["torch_dtype"] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[family["stored"]]
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    settings = dict(family["tokenizer_config"], added_tokens_decoder={
        str(t["id"]): {k: t[k] for k in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")} for t in added},
        model_max_length=config.get("max_position_embeddings", config.get("n_positions")))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=None, ensure_ascii=False) + "\n")
    compact = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(compact, ensure_ascii=False, separators=(",", ":")) + "\n")
    if family["name"] == "bert":
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]) + "\n")
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({
            "word_embedding_dimension": config["hidden_size"], "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False}) + "\n")
    return tokenizer, config


def model_class(family):
    return transformers.AutoModel if family["name"] == "bert" else transformers.AutoModelForCausalLM


def make_weights(family, folder, extras):
    """Names and shapes are those of the library's own model; values are drawn by name. `extras`: with what published folders
    carry beside weights; the converter stops at one of them."""
    config = transformers.AutoConfig.from_pretrained(folder)
    model = model_class(family).from_config(config)
    kind = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[family["stored"]]
    tied = set(getattr(model, "_tied_weights_keys", None) or ()) if config.tie_word_embeddings else set()
    tensors = {}
    for name, parameter in model.named_parameters():
        if name in tied or (config.tie_word_embeddings and name == "lm_head.weight"):
            continue
        name = name.removeprefix("transformer.")
        tensors[name] = torch.from_numpy(weight(family, name, tuple(parameter.shape))).to(kind)
    if extras and family["name"] == "bert":
        tensors["embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[None]
    if extras and family["name"] == "gpt2":
        tensors["h.0.attn.bias"] = torch.ones(config.n_positions, config.n_positions, dtype=torch.bool).tril()[None, None]
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def convert(family, folder, llama_cpp):
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    import convert_hf_to_gguf
    from conversion.base import TextModel
    TextModel.get_vocab_base_pre = lambda self, tokenizer: family["pre"]
    keep = sys.argv
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outtype", family["gguf"], "--outfile", str(folder / "model.gguf")]
    try:
        convert_hf_to_gguf.main()
    finally:
        sys.argv = keep
        logging.getLogger().setLevel(logging.WARNING)
        del sys.path[:2]


def load(family, folder, **changes):
    """The model of the folder in float64; `changes` go into the configuration as the library holds it."""
    config = transformers.AutoConfig.from_pretrained(folder)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(getattr(config, key), dict):
            value = {**copy.deepcopy(getattr(config, key)), **value}
        setattr(config, key, value)
    torch.set_default_dtype(torch.float64)
    try:
        model = model_class(family).from_pretrained(folder, config=config, dtype=torch.float64, attn_implementation="eager")
    finally:
        torch.set_default_dtype(torch.float32)
    return model.eval()


def run(model, ids, attention=False):
    """Logits [T, V] (bert: hidden states [T, M]), and attention [L, H, T, T] when asked for, as float64 arrays."""
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=attention, use_cache=False) if model.config.model_type != "bert" \
            else model(torch.tensor([ids]), output_attentions=attention)
    values = out.logits[0] if hasattr(out, "logits") else out.last_hidden_state[0]
    assert values.dtype == torch.float64 and bool(torch.isfinite(values).all())
    return (values.numpy(), torch.stack(out.attentions)[:, 0].numpy()) if attention else values.numpy()


def positions_of(tokens, window):
    wanted = {0, 1, 2, 3, tokens - 1, *range(11, tokens, 8)}
    if window:
        wanted |= {window - 2, window - 1, window, window + 1, 2 * window}
    return sorted(p for p in wanted if p < tokens)


def tokens_of(family, folder, tokenizer):
    """Ids of the strings. `ids`: as the folder's tokenizer.json says, text of special tokens as plain characters; `special`:
    the same with special tokens read; `gguf`: where the GGUF's vocabulary means something else (no NFC there)."""
    model = None
    if (folder / "tokenizer.model").exists():
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.encode_special_tokens = True
    reader = Tokenizer.from_file(str(folder / "tokenizer.json"))
    gguf_plain, gguf_reader = (Tokenizer.from_file(str(folder / "tokenizer.json")) for _ in range(2))
    if isinstance(plain.normalizer, normalizers.NFC):
        gguf_plain.normalizer = gguf_reader.normalizer = normalizers.Sequence([])
    gguf_plain.encode_special_tokens = True
    strings = []
    for text in STRINGS:
        entry = {"text": text, "ids": plain.encode(text, add_special_tokens=False).ids}
        special = reader.encode(text, add_special_tokens=False).ids
        if special != entry["ids"]:
            entry["special"] = special
        other = gguf_plain.encode(text, add_special_tokens=False).ids
        if other != entry["ids"]:
            entry["gguf"] = other
        other = gguf_reader.encode(text, add_special_tokens=False).ids
        if other != special:
            entry["gguf_special"] = other
        if model is not None:
            assert model.encode(text) == entry["ids"] or "<" in text, "sentencepiece and tokenizers disagree: " + repr(text)
        strings.append(entry)
    return strings


def references(family, folder, tokenizer):
    ids = tokenizer.encode(TEXT).ids
    bert, window = family["name"] == "bert", family.get("window", 0)
    limit = 96
    ids = ids[:limit - 1] + ids[-1:] if bert and len(ids) > limit else ids[:limit]
    with KeepDouble():
        model = load(family, folder)
        values, attention = run(model, ids, attention=True)
        opened = run(load(family, folder, sliding_window=family.get("open")), ids) if window else None
        short = run(model, ids[:family["short"]]) if "short" in family else None
    places = positions_of(len(ids), window)
    layers = {"gemma3": [4, 5], "smollm3": [2, 3], "gemma2": [0, 1]}.get(family["name"], [0, 1])
    heads = [1, 2]  # of four; they read different key heads where there are two
    arrays = {"attention": attention[layers][:, heads][:, :, places]}
    if bert:
        mean = values.mean(0)
        arrays |= {"hidden": values, "sentence": mean / numpy.linalg.norm(mean)}
    else:
        arrays["logits"] = values[places]
        if opened is not None:
            arrays["opened"] = opened[places]
        if short is not None:
            arrays["short"] = short
    entropy = -(attention * numpy.log(numpy.maximum(attention, 1e-300))).sum(-1)[:, :, -1].mean()
    span = min(window, len(ids)) if window and family["name"] != "gemma2" else len(ids)
    offset, index = 0, {}
    for name, array in arrays.items():
        index[name] = {"shape": list(array.shape), "offset": offset}
        offset += array.size
    document = {
        "made_by": f"make_families.py, torch {torch.__version__}, transformers {transformers.__version__}, float64, eager",
        "family": family["name"], "says": family["says"], "window": window, "ids": ids, "positions": places,
        "attention_layers": layers, "attention_heads": heads, "arrays": index,
        "entropy": f"last row, mean of layers and heads: {entropy:.3f} nats; uniform over what a row may read: {numpy.log(span):.3f}",
        "strings": tokens_of(family, folder, tokenizer),
        "before": tokenizer.encode("a").ids[:tokenizer.encode("a").ids.index(tokenizer.encode("a", add_special_tokens=False).ids[0])]}
    if "short" in family:
        document["short_ids"] = family["short"]
    template = family["tokenizer_config"].get("chat_template")
    if template:
        settings = family["tokenizer_config"]
        fast = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(str(folder / "tokenizer.json")),
                                                    bos_token=settings.get("bos_token"), eos_token=settings["eos_token"])
        text = fast.apply_chat_template(CHAT, chat_template=template, tokenize=False, add_generation_prompt=True)
        document["chat"] = {"messages": CHAT, "text": text, "special": tokenizer.encode(text, add_special_tokens=False).ids}
    return document, arrays, values


def write(document, arrays, folder):
    """One member a line, and one string a line."""
    line = lambda x: json.dumps(x, separators=(",", ":"))  # noqa: E731
    members = [f'"{key}":' + ("[\n" + ",\n".join(map(line, value)) + "]" if key == "strings" else line(value))
               for key, value in document.items()]
    (folder / "references.json").write_text("{" + ",\n".join(members) + "}\n")
    with open(folder / "references.f32", "wb") as file:
        for array in arrays.values():
            file.write(numpy.ascontiguousarray(array, "<f4").tobytes())


def main() -> None:
    from family_breaks import sensitivity
    llama_cpp = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for family in FAMILIES:
        if wanted and family["name"] not in wanted:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary) / family["name"]
            folder.mkdir()
            tokenizer, _ = make_folder(family, folder)
            make_weights(family, folder, extras=False)
            convert(family, folder, llama_cpp)
            make_weights(family, folder, extras=True)
            newer = json.loads(transformers.AutoConfig.from_pretrained(folder).to_json_string())
            (folder / "config_new.json").write_text(json.dumps(newer | {"architectures": family["config"]["architectures"]},
                                                               indent=1) + "\n")
            document, arrays, values = references(family, folder, tokenizer)
            document["sensitivity"] = sensitivity(family, folder, document["ids"], values)
            write(document, arrays, folder)
            (folder / "tokenizer.model").unlink(missing_ok=True)
            for file in folder.rglob("*.*"):
                file.chmod(0o644 if file.is_file() else 0o755)
            target = HERE / "families" / family["name"]
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target)
        size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
        print(f"{family['name']}: {len(document['ids'])} tokens, largest |value| {numpy.abs(values).max():.2f}, "
              f"{document['entropy']}, {size / 1000:.0f} KB")
        for name, moved in document["sensitivity"].items():
            print(f"    {moved:9.2e}  {name}")
        weak = [name for name, moved in document["sensitivity"].items() if moved < 1e-3]
        if weak:
            sys.exit(f"{family['name']}: too weak to show {weak}")


if __name__ == "__main__":
    main()
