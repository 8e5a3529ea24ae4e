#pragma once
#include "core/engine/Snapshot.h"
#include <cstdint>

namespace fovea {

/// Cost and error of storing older keys and values as 8-bit directions (routed.store direction8), over all
/// layers and heads, in the isolated regime. Keys read back from this form are called cold; pages that the
/// router chooses are promoted. Errors are relative Frobenius norms of o before the output projection.
/// Reading more keys does not always reduce an error.
struct StoredTier {
    std::uint64_t exactBytes = 0,
                  coldBytes = 0;         ///< counted bytes: local and always tokens; the others
    std::uint64_t f32Bytes = 0;          ///< all tokens in f32
    double keyError = 0, valueError = 0; ///< |x - x^| / |x| of all keys and values in 8-bit form
    double quantisationError = 0; ///< |o^ - o'| / |o'|, where o' is from the same policy without any rounding
    /// Share of the promoted keys that the oracle also promotes at the same budget; NaN: none was promoted.
    double promotionHits = 0;
    std::uint64_t promotedKeys = 0; ///< (head, query, key) triples
    double promotedError = 0;       ///< |o^ - o| / |o| against full attention
    double unpromotedError = 0;     ///< the same with no page promoted
    bool operator==(const StoredTier&) const = default;
};

/// Runs every layer four times from the activations of the full run: under the policy, without rounding,
/// without promoted pages, and with the oracle's choice (for a threshold rule `newest` pages count as its
/// budget). Errors: those of runLayer, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<StoredTier> measureStoredTier(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                   const WorkContext& work);

} // namespace fovea
