#pragma once
#include "core/engine/Snapshot.h"
#include <cstdint>

namespace fovea {

/// What a cold tier of 8-bit directions (routed.store direction8) costs and loses, over all layers and heads,
/// isolated. Errors are relative Frobenius norms, o before the output projection. Nothing here is monotone:
/// promoting may make an output worse.
struct StoredTier {
    std::uint64_t exactBytes = 0,
                  coldBytes = 0;         ///< counted, keys and values: hot and always tokens; the others
    std::uint64_t f32Bytes = 0;          ///< all tokens in f32
    double keyError = 0, valueError = 0; ///< |x - x^| / |x| of all tokens' keys and values, were they cold
    double quantisationError =
        0; ///< |o^ - o'| / |o'|, o': the same policy with nothing rounded, ranking included
    /// Share of promoted keys that the oracle, at the greatest budget, promotes too; NaN: none was promoted.
    double promotionHits = 0;
    std::uint64_t promotedKeys = 0; ///< (head, query, key) triples
    double promotedError = 0;       ///< |o^ - o| / |o| against full attention
    double unpromotedError = 0;     ///< the same with no page promoted
    bool operator==(const StoredTier&) const = default;
};

/// Runs every layer four times from the full run's activations: the policy, with nothing rounded, with
/// nothing promoted, and with the oracle's choice (a posted rule's `newest` pages count as its budget).
/// Errors: those of runLayer, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<StoredTier> measureStoredTier(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                   const WorkContext& work);

} // namespace fovea
