#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// BigBird's random key blocks, by query block. The first and the last query block read everything and have
/// none. A block may occur twice, or may also be read by the pattern; every occurrence counts.
using BlockDraws = std::vector<std::vector<std::uint32_t>>;

/// Draws `count` blocks for each of `blocks` query blocks, from the same candidates as the reference code
/// (transformers, BigBirdBlockSparseAttention._bigbird_block_rand_mask, for the lengths it calls old plans):
/// all blocks except those of the window and the first and last one. For the last two query blocks that draw,
/// the blocks of the window are candidates too, so they can count double. Numbers come from SplitMix64
/// instead of numpy's generator, so there is no generator state. Precondition: blocks > 5 + 2 count.
[[nodiscard]] BlockDraws drawBlocks(std::size_t blocks, std::size_t count, std::uint64_t seed, int layer,
                                    int head);

/// Like makePlan, for one layer of a bidirectional (encoder) model, where keys after the query are read too.
/// Two patterns:
/// - local.sides both: window/2 keys on either side of the query and always the query itself; sinks, pinned,
/// special and
///   separator tokens as global tokens, in the role of keys by every query, in the role of queries reading
///   every key (Longformer, 2004.05150, with one set of projections);
/// - mix.parity bigbird: blocks of routed.page tokens, a last one that may be short. The first and the last
/// query
///   block read everything; the others the first, the last, their own and its two neighbours, and each of
///   their random blocks once more, as PlanItem::multiplicity (Big Bird, 2007.14062). A text of at most 5 + 2
///   r blocks is read in full, as in the reference code.
/// `draws`: [H] the random blocks if they are known, because the weights of a checkpoint were trained with
/// its own. Empty: drawn from the policy's seed. Layers that the mix keeps full read every key of every
/// query. Heads differ only in their draws. Errors: BadValue (a pinned position outside the text; draws of
/// another shape); Unsupported (a causal policy, a projection). Cost: one step per item, and per global key
/// one per block.
[[nodiscard]] Result<AttentionPlan> makeBidirectionalPlan(std::shared_ptr<const AttentionPolicy> policy,
                                                          const ModelShape& shape, int layer,
                                                          std::shared_ptr<const TokenFacts> facts,
                                                          std::span<const BlockDraws> draws = {});

/// The plan of one layer of an encoder as the model computes it: every query reads every key.
[[nodiscard]] AttentionPlan encoderPlan(const ModelShape& shape, int layer, std::size_t tokens);

/// `tokens` queries that each read all of `keys` keys, which need not be tokens: the projected keys of
/// Linformer.
[[nodiscard]] HeadPlan projectedPlan(std::size_t tokens, std::size_t keys);

/// The reason for which a planned key is read under a bidirectional policy.
[[nodiscard]] Reason bidirectionalReason(const AttentionPolicy& policy, int layer, std::size_t tokens,
                                         std::size_t query, std::size_t key);

} // namespace fovea
