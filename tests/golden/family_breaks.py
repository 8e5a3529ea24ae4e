"""How far the values of a tiny model move when one convention of its family is broken."""
import json

import numpy
import torch
from make_families import KeepDouble, load, run


def layers_of(model):
    return model.transformer.h if hasattr(model, "transformer") else model.encoder.layer if hasattr(model, "encoder") \
        else model.model.layers


def interleave(rows, heads):
    """Rows of q or k in the order of consecutive pairs, which is how GGUF stores some families."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def each(model, change):
    for layer in layers_of(model):
        change(layer)


def permuted(model):
    config = model.config
    heads, groups = config.num_attention_heads, config.num_key_value_heads

    def change(layer):
        attention = layer.self_attn
        if hasattr(attention, "qkv_proj"):
            width = heads * attention.head_dim
            inner = groups * attention.head_dim
            rows = attention.qkv_proj.weight.data
            rows[:width] = interleave(rows[:width].clone(), heads)
            rows[width:width + inner] = interleave(rows[width:width + inner].clone(), groups)
        else:
            attention.q_proj.weight.data = interleave(attention.q_proj.weight.data, heads)
            attention.k_proj.weight.data = interleave(attention.k_proj.weight.data, groups)
    each(model, change)


def regrouped(model):
    """Query head h reads key head h mod G instead of h G / H: the query heads change places."""
    config = model.config
    heads, groups = config.num_attention_heads, config.num_key_value_heads

    def change(layer):
        attention = layer.self_attn
        size = attention.head_dim
        order = [h for g in range(groups) for h in range(heads) if h % groups == g]
        rows = torch.cat([torch.arange(h * size, (h + 1) * size) for h in order])
        if hasattr(attention, "qkv_proj"):
            attention.qkv_proj.weight.data[:heads * size] = attention.qkv_proj.weight.data[:heads * size][rows]
        else:
            attention.q_proj.weight.data = attention.q_proj.weight.data[rows]
        attention.o_proj.weight.data = attention.o_proj.weight.data[:, rows]
    each(model, change)


def activation(kind):
    def change(model):
        def one(layer):
            holder = layer.mlp if hasattr(layer, "mlp") else layer.intermediate
            name = next(n for n in ("act_fn", "act", "activation_fn", "intermediate_act_fn") if hasattr(holder, n))
            holder._modules.pop(name, None)
            setattr(holder, name, lambda x: torch.nn.functional.gelu(x, approximate=kind))
        each(model, one)
    return change


def norms_without_one(model):
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data -= 1


def no_biases(model):
    for name, parameter in model.named_parameters():
        if name.endswith("proj.bias"):
            parameter.data.zero_()


def norm_gone(*names):
    class Nothing(torch.nn.Module):
        def forward(self, x):
            return x

    def change(model):
        def one(layer):
            for name in names:
                holder = layer.self_attn if name in ("q_norm", "k_norm") else layer
                setattr(holder, name, Nothing())
        each(model, one)
    return change


def norm_per_head(model):
    """q and k normed in each head instead of over their whole width."""
    def one(layer):
        attention = layer.self_attn
        for name in ("q_norm", "k_norm"):
            old = getattr(attention, name)

            class PerHead(torch.nn.Module):
                def __init__(self, old):
                    super().__init__()
                    self.old = old

                def forward(self, x):
                    y = x.reshape(*x.shape[:-1], -1, attention.head_dim)
                    y = y / (y.pow(2).mean(-1, keepdim=True) + self.old.variance_epsilon).sqrt()
                    return y.reshape(x.shape) * self.old.weight
            setattr(attention, name, PerHead(old))
    each(model, one)


def up_before_gate(model):
    def one(layer):
        rows = layer.mlp.gate_up_proj.weight.data
        half = rows.shape[0] // 2
        layer.mlp.gate_up_proj.weight.data = torch.cat([rows[half:], rows[:half]])
    each(model, one)


def tied(model):
    model.lm_head.weight.data = model.model.embed_tokens.weight.data.clone()


def no_token_types(model):
    model.embeddings.token_type_embeddings.weight.data.zero_()


def no_positions(model):
    (model.transformer.wpe if hasattr(model, "transformer") else model.embeddings.position_embeddings).weight.data.zero_()


def embedding_unscaled(model):
    """The embedding enters the layers without the factor sqrt(M); the output keeps its rows."""
    class Plain(torch.nn.Module):
        def __init__(self, rows):
            super().__init__()
            self.rows = rows

        def forward(self, ids):
            return self.rows[ids]
    model.model.embed_tokens = Plain(model.model.embed_tokens.weight.data / model.config.hidden_size**0.5
                                     if model.config.model_type == "gemma2" else model.model.embed_tokens.weight.data)


def attention_factor_gone(model):
    model.model.rotary_emb.attention_scaling = 1.0


def breaks(family, config):
    """name -> (changes of the configuration, change of the model)."""
    name, window = family["name"], family.get("window")
    out = {}
    if name not in ("gpt2", "bert"):
        out["q and k rows in pairs"] = ({}, permuted)
        if config["num_key_value_heads"] > 1:
            out["query heads grouped by remainder"] = ({}, regrouped)
        if name in ("gemma3",):
            both = lambda full, local: {"rope_parameters": {  # noqa: E731
                "full_attention": {"rope_type": "linear", "factor": full[1], "rope_theta": full[0]},
                "sliding_attention": {"rope_type": local[1], "rope_theta": local[0], "factor": 4.0}}}
            out["one RoPE base for all layers"] = (both((1e6, 4.0), (1e6, "default")), None)
            out["no scaling of the global layers"] = (both((1e6, 1.0), (1e4, "default")), None)
            out["scaling of the local layers too"] = (both((1e6, 4.0), (1e4, "linear")), None)
        else:
            out["RoPE base doubled"] = ({"rope_parameters": {"rope_theta": 2 * config["rope_theta"]}}, None)
    if name in ("llama", "llama3"):
        out["no RoPE scaling"] = ({"rope_parameters": {"rope_type": "default"}}, None)
    if name == "llama3":
        out["llama3 scaling as linear"] = ({"rope_parameters": {"rope_type": "linear"}}, None)
        out["high_freq_factor 2"] = ({"rope_parameters": {"high_freq_factor": 2.0}}, None)
    if config.get("tie_word_embeddings") is False and name not in ("gpt2", "bert"):
        out["output tied"] = ({}, tied)
    if name == "qwen2":
        out["no biases"] = ({}, no_biases)
    if name in ("qwen3", "gemma3", "olmo2"):
        out["no q and k norm"] = ({}, norm_gone("q_norm", "k_norm"))
    if name == "olmo2":
        out["q and k normed per head"] = ({}, norm_per_head)
    if name.startswith("gemma"):
        out["norms without 1 +"] = ({}, norms_without_one)
        out["GELU by erf"] = ({}, activation("none"))
        out["no norm after the branches"] = ({}, norm_gone("post_attention_layernorm", "post_feedforward_layernorm"))
        out["embedding not scaled"] = ({}, embedding_unscaled)
        out["pattern shifted by a layer"] = ({"layer_types": config["layer_types"][1:] + config["layer_types"][:1]}, None)
    if name == "gemma2":
        out["no cap on attention logits"] = ({"attn_logit_softcapping": None}, None)
        out["no cap on final logits"] = ({"final_logit_softcapping": None}, None)
        out["cap 50 on attention logits"] = ({"attn_logit_softcapping": 50.0}, None)
        out["scale by M / H"] = ({"query_pre_attn_scalar": 8}, None)
    if window:
        out["window one more"] = ({"sliding_window": window + 1}, None)
        out["window one less"] = ({"sliding_window": window - 1}, None)
        out["opened up"] = ({"sliding_window": family.get("open")}, None)
    if name.startswith("phi"):
        out["up before gate"] = ({}, up_before_gate)
    if name == "phi4":
        out["all of a head rotated"] = ({"rope_parameters": {"partial_rotary_factor": 1.0, "short_factor": [1.0, 1.2, 1.5, 1.0],
                                                             "long_factor": [1.2, 2.5, 6.0, 1.0]}}, None)
    if name in ("phi3_long", "phi4"):
        short, long = (config["rope_scaling"][k] for k in ("short_factor", "long_factor"))
        out["short factors on a long text"] = ({"rope_parameters": {"long_factor": short}}, None)
        out["attention factor left out"] = ({}, attention_factor_gone)
    if name == "smollm3":
        out["rotation in every layer"] = ({"no_rope_layers": [1] * config["num_hidden_layers"]}, None)
        out["pattern shifted by a layer"] = ({"no_rope_layers": [1, 1, 0, 1, 1]}, None)
    if name == "gpt2":
        out["GELU by erf"] = ({}, activation("none"))
        out["no positions"] = ({}, no_positions)
    if name == "bert":
        out["GELU by tanh"] = ({}, activation("tanh"))
        out["no token types"] = ({}, no_token_types)
        out["no positions"] = ({}, no_positions)
        out["causal"] = ({"is_decoder": True}, None)
    return out


def sensitivity(family, folder, ids, values):
    import transformers
    config = json.loads((folder / "config.json").read_text())
    config["layer_types"] = getattr(transformers.AutoConfig.from_pretrained(folder), "layer_types", None)
    moved = {}
    for name, (changes, change) in breaks(family, config).items():
        with KeepDouble():
            model = load(family, folder, **changes)
            if change:
                change(model)
            other = run(model, ids)
        moved[name] = float(f"{numpy.abs(other - values).max():.3g}")
    return moved
