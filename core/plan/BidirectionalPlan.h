#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// BigBird's random key blocks, by query block. The first and the last query block read everything and have
/// none. A block may stand there twice, or be read by the pattern anyway: each time counts.
using BlockDraws = std::vector<std::vector<std::uint32_t>>;

/// `count` blocks for each query block of `blocks`, of the same candidates as the reference code has
/// (transformers, BigBirdBlockSparseAttention._bigbird_block_rand_mask, lengths it calls old plans): neither
/// the window's blocks nor the first and last one; but for the last two query blocks that draw at all, the
/// window's too, so that they can weigh double. SplitMix64 of what a draw belongs to takes the
/// place of numpy's generator, so that no state is carried.
/// Precondition: blocks > 5 + 2 count.
[[nodiscard]] BlockDraws drawBlocks(std::size_t blocks, std::size_t count, std::uint64_t seed, int layer,
                                    int head);

/// As makePlan, for one layer of a bidirectional (encoder) model: keys behind the query are read too. Two
/// patterns:
/// - local.sides both: window/2 keys on either side of the query and always the query itself; sinks, pinned,
/// special and
///   separator tokens as global tokens, in the role of keys by every query, in the role of queries reading
///   every key (Longformer, 2004.05150, with one set of projections);
/// - mix.parity bigbird: blocks of routed.page tokens, a last one that may be short. The first and the last
/// query
///   block read everything; the others the first, the last, their own and its two neighbours, and each of
///   their random blocks once more, as PlanItem::multiplicity (Big Bird, 2007.14062). A text of at
///   most 5 + 2 r blocks is read in full, as the reference does.
/// `draws`: [H] the random blocks, where they are known: a checkpoint's weights were trained with its own.
/// Empty: drawn from the policy's seed. Layers that the mix keeps full read every key of every query. Heads
/// are alike but for their draws. No model of this program is bidirectional yet, so only tests run these
/// plans. Errors: BadValue (a pinned position outside the text; draws of another shape); Unsupported (a
/// causal policy, a projection). Cost: one step per item, and per global key one per block.
[[nodiscard]] Result<AttentionPlan> makeBidirectionalPlan(std::shared_ptr<const AttentionPolicy> policy,
                                                          const ModelShape& shape, int layer,
                                                          std::shared_ptr<const TokenFacts> facts,
                                                          std::span<const BlockDraws> draws = {});

/// Why a planned key is read under a bidirectional policy.
[[nodiscard]] Reason bidirectionalReason(const AttentionPolicy& policy, int layer, std::size_t tokens,
                                         std::size_t query, std::size_t key);

} // namespace fovea
