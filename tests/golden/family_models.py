"""The tiny models of make_families.py: configurations as published folders write them, weights, tokenizers, and the
conventions whose violation each reference must show.

Weights are drawn from SplitMix64 by tensor name, so that they do not depend on a library's generator. Every value has 8
significant bits, so F32, F16 and BF16 hold the same number. Scales are such that attention is far from uniform.
"""
import zlib

import family_tokenizers as kinds
import numpy

CHATML = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
          "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LLAMA3_CHAT = ("{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
               "+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
               "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
GEMMA_CHAT = ("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}"
              "{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | "
              "trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")
PHI3_CHAT = ("{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}")
MISTRAL_CHAT = ("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + "
                "message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}")


def uniform(key: str, count: int) -> numpy.ndarray:
    """`count` numbers in [-1, 1): SplitMix64 of a 32-bit check sum of `key` and the place."""
    with numpy.errstate(over="ignore"):
        x = numpy.uint64(zlib.crc32(key.encode()) << 32) + numpy.arange(count, dtype=numpy.uint64)
        x = x + numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        x = x ^ (x >> numpy.uint64(31))
    return (x >> numpy.uint64(40)).astype(numpy.float64) / 2**23 - 1


def eight_bits(x: numpy.ndarray) -> numpy.ndarray:
    """Rounded to 8 significant bits; what a half could only hold as a subnormal becomes 0."""
    mantissa, exponent = numpy.frexp(x)
    y = numpy.ldexp(numpy.round(mantissa * 256) / 256, exponent)
    return numpy.where(numpy.abs(y) < 2.0**-14, 0.0, y).astype(numpy.float32)


def weight(family: dict, name: str, shape) -> numpy.ndarray:
    u = uniform(family["name"] + "/" + name, int(numpy.prod(shape))).reshape(shape) * 3**0.5
    gemma = family["name"].startswith("gemma")
    norm = "norm" in name.lower() or ".ln_" in name or name.startswith("ln_") or ".ln_f" in name
    if name.endswith("bias"):
        x = family.get("shift", {}).get(name.removeprefix("encoder."), 0.0) + 0.3 * u
    elif "q_norm" in name or "k_norm" in name:
        x = (0.6 if gemma else 1.6) + 0.3 * u
    elif norm:
        x = (0.0 if gemma else 1.0) + 0.3 * u
    elif "embed_tokens" in name or "wte" in name or "word_embeddings" in name or "lm_head" in name:
        x = 0.6 * u
    elif "wpe" in name or "position_embeddings" in name or "token_type_embeddings" in name:
        x = 0.4 * u
    else:
        inner = shape[0] if family["name"] == "gpt2" else shape[1]
        gain = family.get("gain", {})
        scale = next((gain[part] for part in gain if part in name), None)
        if scale is None:
            scale = next((g for part, g in (("q_proj", 1.7), ("k_proj", 1.7), (".query", 1.7), (".key", 1.7), ("c_attn", 1.5),
                                            ("qkv", 1.5)) if part in name), 1.2)
        x = scale / inner**0.5 * u
    return eight_bits(x)


def shared(architecture, model_type, layers, width, inner, **more):
    return {"architectures": [architecture], "model_type": model_type, "num_hidden_layers": layers, "hidden_size": width,
            "intermediate_size": inner, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, **more}


LLAMA3_SCALING = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
                  "rope_type": "llama3"}
PHI_SPECIALS = [("<|endoftext|>", False), ("<|assistant|>", True), ("<|system|>", True), ("<|end|>", True), ("<|user|>", True)]
GEMMA_USERS = ["<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "\t", "\t\t"]
LLAMA3_SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

FAMILIES = [
    {"name": "llama", "says": "Llama 2 kind: SentencePiece with byte fallback, linear scaling, an output of its own",
     "config": shared("LlamaForCausalLM", "llama", 2, 32, 48, rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 2.0},
                      tie_word_embeddings=False, bos_token_id=1, eos_token_id=2),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 340, prefix=True, gemma=False),
     "tokenizer_config": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>",
                          "eos_token": "</s>", "unk_token": "<unk>", "chat_template": MISTRAL_CHAT},
     "stored": "F16", "gguf": "f32"},
    {"name": "mistral", "says": "a window in the folder; its converter drops it, so the GGUF is the model opened up",
     "config": shared("MistralForCausalLM", "mistral", 2, 32, 40, head_dim=8, rope_theta=10000.0, sliding_window=9,
                      tie_word_embeddings=False, bos_token_id=1, eos_token_id=2),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 340, prefix=True, gemma=False),
     "tokenizer_config": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>",
                          "eos_token": "</s>", "unk_token": "<unk>", "chat_template": MISTRAL_CHAT},
     "window": 9, "stored": "BF16", "gguf": "bf16"},
    {"name": "llama3", "says": "Llama 3.2 kind: byte BPE, llama3 scaling, tied output",
     "config": shared("LlamaForCausalLM", "llama", 2, 32, 48, head_dim=16, rope_theta=500000.0, rope_scaling=LLAMA3_SCALING,
                      tie_word_embeddings=True),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "llama-bpe", 330, LLAMA3_SPECIALS, bos="<|begin_of_text|>",
                                                ignore_merges=True),
     "pre": "llama-bpe",
     "tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
                          "eos_token": "<|eot_id|>", "chat_template": LLAMA3_CHAT},
     "ids": {"bos_token_id": "<|begin_of_text|>", "eos_token_id": "<|eot_id|>"}, "stored": "BF16", "gguf": "bf16"},
    {"name": "qwen2", "says": "biases on q, k and v; more rows of the embedding than tokens",
     "config": shared("Qwen2ForCausalLM", "qwen2", 2, 32, 48, rope_theta=1000000.0, tie_word_embeddings=True, rms_norm_eps=1e-6,
                      use_sliding_window=False, sliding_window=128, max_window_layers=1),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "qwen2", 320, QWEN_SPECIALS, nfc=True), "pre": "qwen2", "padding": 5,
     "tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "bos_token": None,
                          "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML},
     "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"}, "stored": "BF16", "gguf": "f16"},
    {"name": "qwen3", "says": "RMS norm of q and k in each head, heads x head dimension differs from the width, untied",
     "config": shared("Qwen3ForCausalLM", "qwen3", 2, 48, 48, head_dim=16, rope_theta=1000000.0, tie_word_embeddings=False,
                      rms_norm_eps=1e-6, attention_bias=False, use_sliding_window=False, sliding_window=None,
                      max_window_layers=2),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "qwen2", 310, QWEN_SPECIALS, users=["<think>", "</think>"], nfc=True),
     "pre": "qwen2",
     "tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "bos_token": None,
                          "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML},
     "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"}, "stored": "F16", "gguf": "f16"},
    {"name": "gemma2", "says": "soft caps, norms before and after, every other layer windowed",
     "config": shared("Gemma2ForCausalLM", "gemma2", 4, 32, 40, head_dim=16, rope_theta=10000.0, rms_norm_eps=1e-6,
                      hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=16,
                      attn_logit_softcapping=3.0, final_logit_softcapping=4.0, sliding_window=6, pad_token_id=0, eos_token_id=1,
                      bos_token_id=2),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 350, prefix=False, gemma=True, users=GEMMA_USERS),
     "tokenizer_config": {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False,
                          "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>",
                          "chat_template": GEMMA_CHAT},
     "window": 6, "open": 4096, "gain": {"gate_proj": 2.5, "up_proj": 2.5, "down_proj": 2.5}, "stored": "BF16", "gguf": "bf16"},
    {"name": "gemma3", "says": "q and k norms, two RoPE bases, five windowed layers to a global one, linear scaling of the global",
     "config": shared("Gemma3ForCausalLM", "gemma3_text", 7, 32, 24, head_dim=16, num_key_value_heads=1, rope_theta=1000000.0,
                      rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 4.0}, rms_norm_eps=1e-6,
                      hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=16, attn_logit_softcapping=None,
                      final_logit_softcapping=None, sliding_window=8, sliding_window_pattern=6, pad_token_id=0, eos_token_id=1,
                      bos_token_id=2),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 340, prefix=False, gemma=True, users=GEMMA_USERS),
     "tokenizer_config": {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False,
                          "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>",
                          "chat_template": GEMMA_CHAT},
     "window": 8, "open": 4096, "gain": {"gate_proj": 2.5, "up_proj": 2.5, "down_proj": 2.5}, "stored": "BF16", "gguf": "f16"},
    {"name": "phi3", "says": "fused q, k, v and gate, up; every layer windowed",
     "config": shared("Phi3ForCausalLM", "phi3", 2, 32, 48, rope_theta=10000.0, rope_scaling=None, sliding_window=7,
                      original_max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=1, eos_token_id=None,
                      pad_token_id=None, attention_bias=False),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 330, prefix=True, gemma=False, specials=PHI_SPECIALS),
     "tokenizer_config": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "add_eos_token": False,
                          "bos_token": "<s>", "eos_token": "<|endoftext|>", "unk_token": "<unk>", "pad_token": "<|endoftext|>",
                          "chat_template": PHI3_CHAT},
     "ids": {"eos_token_id": "<|endoftext|>", "pad_token_id": "<|endoftext|>"}, "no_template": True,
     "window": 7, "stored": "BF16", "gguf": "bf16"},
    {"name": "phi3_long", "says": "long RoPE: long factors above 32 tokens, short ones up to 32; a window beyond the context",
     "config": shared("Phi3ForCausalLM", "phi3", 2, 48, 32, rope_theta=10000.0, sliding_window=262144,
                      original_max_position_embeddings=32, tie_word_embeddings=False, bos_token_id=1, eos_token_id=None,
                      pad_token_id=None, attention_bias=False,
                      rope_scaling={"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.4, 1.7, 2.0],
                                    "long_factor": [1.1, 1.5, 2.1, 3.5, 6.0, 9.5]}),
     "tokenizer": lambda folder: kinds.sentence_piece(folder, 330, prefix=True, gemma=False, specials=PHI_SPECIALS),
     "tokenizer_config": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "add_eos_token": False,
                          "bos_token": "<s>", "eos_token": "<|endoftext|>", "unk_token": "<unk>", "pad_token": "<|endoftext|>",
                          "chat_template": PHI3_CHAT},
     "ids": {"eos_token_id": "<|endoftext|>", "pad_token_id": "<|endoftext|>"}, "no_template": True,
     "short": 24, "stored": "F16", "gguf": "f16"},
    {"name": "phi4", "says": "Phi-4-mini kind: rotates six of eight numbers of a head, long RoPE, tied, byte BPE",
     "config": shared("Phi3ForCausalLM", "phi3", 2, 32, 40, rope_theta=10000.0, sliding_window=262144, partial_rotary_factor=0.75,
                      original_max_position_embeddings=32, tie_word_embeddings=True, attention_bias=False,
                      rope_scaling={"type": "longrope", "short_factor": [1.0, 1.2, 1.5], "long_factor": [1.2, 2.5, 6.0]}),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "gpt-4o", 310, ["<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>",
                                                                       "<|system|>"]),
     "pre": "gpt-4o",
     "tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": False, "bos_token": "<|endoftext|>",
                          "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
                          "chat_template": PHI3_CHAT.replace("|>\\n'", "|>'").replace("<|end|>\\n", "<|end|>")},
     "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|endoftext|>", "pad_token_id": "<|endoftext|>"},
     "short": 24, "stored": "F16", "gguf": "f16"},
    {"name": "smollm3", "says": "no rotation in every fourth layer",
     "config": shared("SmolLM3ForCausalLM", "smollm3", 5, 32, 40, rope_theta=5000000.0, rms_norm_eps=1e-6,
                      no_rope_layers=[1, 1, 1, 0, 1], no_rope_layer_interval=4, use_sliding_window=False, sliding_window=None,
                      attention_bias=False, mlp_bias=False, tie_word_embeddings=True),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "smaug-bpe", 310, QWEN_SPECIALS + LLAMA3_SPECIALS[:2]),
     "pre": "smaug-bpe",
     "tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": None, "eos_token": "<|im_end|>",
                          "chat_template": CHATML},
     "ids": {"bos_token_id": "<|begin_of_text|>", "eos_token_id": "<|im_end|>", "pad_token_id": "<|im_end|>"},
     "stored": "BF16", "gguf": "bf16"},
    {"name": "olmo2", "says": "norms after the branches only, q and k normed over their whole width",
     "config": shared("Olmo2ForCausalLM", "olmo2", 2, 48, 48, rope_theta=500000.0, rms_norm_eps=1e-6, attention_bias=False,
                      tie_word_embeddings=False),
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "dbrx", 310, ["<|endoftext|>", "<|pad|>"]), "pre": "dbrx",
     "tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                          "pad_token": "<|pad|>", "chat_template": None},
     "ids": {"eos_token_id": "<|endoftext|>", "bos_token_id": "<|endoftext|>"}, "stored": "F16", "gguf": "f16"},
    {"name": "gpt2", "says": "learned positions, LayerNorm with biases, fused q, k, v",
     "config": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4,
                "n_positions": 100, "n_ctx": 100, "n_inner": None, "activation_function": "gelu_new",
                "layer_norm_epsilon": 1e-5},
     "tokenizer": lambda folder: kinds.byte_bpe(folder, "gpt-2", 310, ["<|endoftext|>"]), "pre": "gpt-2",
     "tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                          "unk_token": "<|endoftext|>", "add_prefix_space": False},
     "ids": {"eos_token_id": "<|endoftext|>", "bos_token_id": "<|endoftext|>"}, "gain": {"c_fc": 2.5, "mlp.c_proj": 2.5, "c_attn": 2.2},
     "stored": "F32", "gguf": "f16"},
    {"name": "bert", "says": "reads both directions, LayerNorm after the branches, token types, WordPiece, mean pooling",
     "config": {"architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": 2, "hidden_size": 32,
                "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu", "max_position_embeddings": 128,
                "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0, "position_embedding_type": "absolute"},
     "tokenizer": lambda folder: kinds.word_piece(folder, 260), "pre": "jina-v2-en",
     "tokenizer_config": {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "cls_token": "[CLS]",
                          "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"},
     # The last feed-forward works where the two forms of GELU differ most against their value; LayerNorm hides it elsewhere.
     "gain": {"layer.1.intermediate": 0.5, "layer.1.output": 15.0}, "shift": {"layer.1.intermediate.dense.bias": -2.3}, "stored": "F32", "gguf": "f16"},
]
