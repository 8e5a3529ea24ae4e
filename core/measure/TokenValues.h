#pragma once
#include "core/measure/MapTile.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// How a token takes part in a row or column of attention, or in a score.
enum class TokenState : std::uint8_t {
    None,       ///< nothing is known of it
    Value,      ///< it has a value
    Skipped,    ///< not read under the plan; its value is 0
    Impossible, ///< comes after the query (or before the key), or lies outside the native window
};

/// One number per token of a text.
struct TokenValues {
    std::vector<float> value;      ///< [T] 0 where there is none
    std::vector<TokenState> state; ///< [T]
};

/// What a query reads from each token: p^ where the plan covers the row, else p. A recurrent far field gives
/// no weight to a token: None. Cost: a row of attention.
[[nodiscard]] TokenValues readByQuery(const TileSource& source, int head, std::size_t query);
/// What each query reads from a key: p^ where the plan covers the query's row, None where it does not; p
/// without a plan. Cost: a column of attention.
[[nodiscard]] TokenValues givenToKey(const TileSource& source, int head, std::size_t key);
/// A router's scores of one row (signalScores) over the text: None where a token is no candidate.
[[nodiscard]] TokenValues scoredTokens(std::span<const float> scores, std::size_t tokens);
/// Loss of the hybrid minus that of the full run at each position, nats; None where either is not finite.
[[nodiscard]] TokenValues lossDeltas(std::span<const float> fullNll, std::span<const float> hybridNll,
                                     std::size_t tokens);

} // namespace fovea
