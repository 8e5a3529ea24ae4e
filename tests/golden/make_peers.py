#!/usr/bin/env python3
"""Golden outputs of public implementations on small fixed inputs; writes peers.json beside itself.

  python make_peers.py       needs torch, transformers, local-attention, performer-pytorch (versions are in peers.json)

q, k and v are whole 64ths, [T x heads*D], so that nothing is rounded on the way; outputs are computed in double. What
differs from Fovea, and what was done about it:

transformers LongformerSelfAttention (2004.05150): symmetric window of w/2 a side and two-role global tokens.
  - Global rows have projections of their own; here both sets have the same weights, which is all that Fovea has.
  - T must be a multiple of w (the model pads); Fovea takes any T. Global tokens are cut out of the window and joined as
    global keys, so each key counts once, as in Fovea.
transformers BigBirdBlockSparseAttention (2007.14062): ITC, blocks of b.
  - Random blocks come from numpy's generator; they are written down here and handed to Fovea's plan, whose own draw is
    SplitMix64 over the same candidates.
  - It draws only in training mode. In evaluation mode (`model.eval()`, all inference) every random block is block 0,
    so the first block is read 1 + r times and no other block at random.
  - At T = 1024, 3072 and 4096 ("old plans") the query blocks n-3 and n-2 may draw blocks of their own window, which
    then weigh double; at other lengths another function draws and never repeats one. In "old plans" all lengths draw
    among the first 1,024 tokens only; Fovea draws from the whole text, which is the same thing at T = 1,024.
  - T must be a multiple of b (the model pads and adds -10000 to padded logits, which is weight 0 here); Fovea's last
    block may be short. Texts of at most 5 + 2r blocks are read in full by the model; Fovea does the same.
local-attention LocalAttention: without its rotary embedding (Fovea's q and k are rotated already).
  - By default it is not a sliding window: each query reads its own aligned block up to itself and the whole block
    before, which is Fovea's chunk with chunk_prev. Not causal: the own block and one on either side.
  - With exact_windowsize a window of w reads w + 1 keys: Fovea's window w + 1; not causal: w on either side.
performer-pytorch: positive orthogonal random features (2009.14794) with the directions that Fovea draws from its seed.
  - It makes its directions orthonormal and gives them fresh Gaussian norms; Fovea keeps each row's own norm. Both are
    the paper's; with the same directions only the rest is compared.
  - It adds 1e-4 to the stabilised features and takes the maximum over all keys, later ones included. Without the 1e-4
    the maximum cancels, and that is what Fovea is compared with; "shipped" are its outputs as published, which differ.
"""
import json
import math
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers
from local_attention import LocalAttention
from performer_pytorch import performer_pytorch as performer
from transformers import BigBirdConfig, LongformerConfig
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel
from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

from draws import draw

torch.set_default_dtype(torch.float64)


def hidden(tokens, width, salt):
    """Whole numbers from -96 to 96, in 64ths: -1.5 to 1.5."""
    return [[draw(salt, t, c) % 193 - 96 for c in range(width)] for t in range(tokens)]


def projections(width, salt):
    """Three signed permutations: q, k and v differ, and their entries stay whole 64ths."""
    out = []
    for n in range(3):
        order = sorted(range(width), key=lambda c: draw(salt, n, c))
        weight = torch.zeros(width, width)
        for row, column in enumerate(order):
            weight[row, column] = 1.0 if draw(salt, n, row, 1) % 2 else -1.0
        out.append(weight)
    return out


def numbers(tensor):
    return [float(f"{x:.8g}") for x in tensor.reshape(-1).tolist()]


def sixtyfourths(tensor):
    whole = (tensor * 64).round()
    assert torch.equal(whole, tensor * 64)
    return [int(x) for x in whole.reshape(-1).tolist()]


def inputs(x, weights):
    return {name: sixtyfourths(x @ w.T) for name, w in zip("qkv", weights)}


def load(module, weights, names):
    for name in names:
        for part, weight in zip(("query", "key", "value"), weights):
            layer = getattr(module, part + name)
            layer.weight.data = weight.clone()
            if layer.bias is not None:
                layer.bias.data.zero_()


def longformer(name, tokens, window, global_tokens, heads, dim):
    width = heads * dim
    module = LongformerSelfAttention(LongformerConfig(hidden_size=width, num_attention_heads=heads, num_hidden_layers=1,
                                                      attention_window=[window], attention_probs_dropout_prob=0.0), 0)
    weights = projections(width, 7)
    load(module, weights, ("", "_global"))
    module.eval()
    x = torch.tensor(hidden(tokens, width, 100 + tokens)) / 64.0
    is_global = torch.zeros(1, tokens, dtype=torch.bool)
    is_global[0, global_tokens] = True
    with torch.no_grad():
        out = module(x[None], attention_mask=torch.where(is_global, 10000.0, 0.0),
                     is_index_masked=torch.zeros(1, tokens, dtype=torch.bool), is_index_global_attn=is_global,
                     is_global_attn=bool(global_tokens))[0]
    return {"name": name, "tokens": tokens, "window": window, "global": global_tokens, "heads": heads, "head_dim": dim,
            **inputs(x, weights), "out": numbers(out)}


def bigbird(name, tokens, block, random, heads, dim, training, seed):
    width = heads * dim
    blocks = -(-tokens // block)
    padded = blocks * block
    assert blocks > 5 + 2 * random
    config = BigBirdConfig(hidden_size=width, num_attention_heads=heads, num_hidden_layers=1, block_size=block,
                           num_random_blocks=random, max_position_embeddings=padded, use_bias=False,
                           attention_probs_dropout_prob=0.0)
    module = BigBirdBlockSparseAttention(config, seed=seed)
    weights = projections(width, 8)
    load(module, weights, ("",))
    module.train(training)
    x = torch.tensor(hidden(padded, width, 200 + padded)) / 64.0
    real = torch.zeros(1, padded)
    real[0, :tokens] = 1.0
    blocked, band, from_mask, to_mask = BigBirdModel.create_masks_for_block_sparse_attn(real, block)
    drawn = []
    inner = module._create_rand_mask_from_inputs

    def watched(from_blocked, to_blocked, rand_attn, *more):
        drawn.append(rand_attn[0].tolist())
        return inner(from_blocked, to_blocked, rand_attn, *more)

    module._create_rand_mask_from_inputs = watched
    with torch.no_grad():
        out = module(x[None], band, from_mask, to_mask, blocked, blocked)[0]
    draws = [[[]] + head + [[]] for head in drawn[0]]
    twice = any(k in (0, blocks - 1, q - 1, q, q + 1) for q, row in enumerate(draws[0]) for k in row)
    return {"name": name, "tokens": tokens, "block": block, "random": random, "heads": heads, "head_dim": dim,
            "draws": draws, "counts_twice": twice, **inputs(x[:tokens], weights), "out": numbers(out[0, :tokens])}


def local(name, policy, tokens, heads, dim, **options):
    width = heads * dim
    weights = projections(width, 9)
    x = torch.tensor(hidden(tokens, width, 300 + tokens)) / 64.0
    q, k, v = ((x @ w.T).view(tokens, heads, dim).transpose(0, 1) for w in weights)
    out = LocalAttention(use_rotary_pos_emb=False, autopad=True, **options)(q, k, v)
    return {"name": name, "policy": {"fovea": "policy", "version": 1, **policy}, "tokens": tokens, "heads": heads,
            "head_dim": dim, **inputs(x, weights), "out": numbers(out.transpose(0, 1))}


def directions(rows, dim):
    """Fovea's: Gaussian rows of seed 1, layer 0, key-value head 0, orthogonal in blocks, norms kept."""
    w = []
    for r in range(rows):
        row = []
        for c in range(dim):
            a = ((draw(1, 0, 0, r, c, 0) >> 11) + 1) * 2.0**-53
            b = (draw(1, 0, 0, r, c, 1) >> 11) * 2.0**-53
            row.append(math.sqrt(-2 * math.log(a)) * math.cos(2 * math.pi * b))
        w.append(row)
    w = torch.tensor(w)
    for first in range(0, rows, dim):
        done = []
        for row in w[first:first + dim]:
            left = row.clone()
            for y in done:
                left -= left @ y / (y @ y) * y
            done.append(left / left.norm() * row.norm())
        w[first:first + dim] = torch.stack(done)
    return w


def linear(name, tokens, features, dim):
    weights = projections(dim, 10)
    x = torch.tensor(hidden(tokens, dim, 400 + tokens)) / 64.0
    q, k, v = ((x @ w.T)[None, None] for w in weights)
    projection = directions(features, dim)

    def run(eps, denominator):
        phi = [performer.softmax_kernel(t, projection_matrix=projection, is_query=query, eps=eps)
               for t, query in ((q, True), (k, False))]
        return performer.causal_linear_attention_noncuda(*phi, v, eps=denominator)

    return {"name": name, "tokens": tokens, "features": features, "heads": 1, "head_dim": dim, **inputs(x, weights),
            "out": numbers(run(0.0, 0.0)), "shipped": numbers(run(1e-4, 1e-6))}


def main():
    window = lambda w, sides="earlier": {"local": {"window": w, "sides": sides}}
    doc = {
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "longformer": [
            longformer("no global token", 64, 16, [], 2, 4),
            longformer("two-role tokens", 96, 8, [0, 33, 34, 95], 2, 4),
            longformer("a window wider than its text's half", 32, 32, [5], 1, 8),
        ],
        "bigbird": [
            bigbird("trained: blocks near the end weigh double", 1024, 64, 3, 1, 4, True, 2),
            bigbird("evaluation: the first block four times", 16 * 12, 16, 3, 2, 4, False, 0),
            bigbird("trained, another length: none twice", 16 * 12, 16, 3, 2, 4, True, 1),
            bigbird("a short last block", 16 * 9 - 5, 16, 1, 2, 4, True, 2),
        ],
        "local_attention": [
            local("exact window", window(9), 48, 2, 4, window_size=8, causal=True, exact_windowsize=True),
            local("blocks: own and previous", {"local": {"window": 0, "chunk": 8, "chunk_prev": 1}}, 45, 2, 4,
                  window_size=8, causal=True),
            local("exact window to both sides", window(16, "both"), 48, 2, 4, window_size=8, causal=False,
                  exact_windowsize=True),
        ],
        "performer": [linear("causal", 40, 24, 8)],
    }
    assert doc["bigbird"][0]["counts_twice"] and not doc["bigbird"][2]["counts_twice"]
    path = pathlib.Path(__file__).with_name("peers.json")
    path.write_text(json.dumps(doc, separators=(",", ":")) + "\n")
    print(f"{path.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
