#pragma once
#include "core/policy/AttentionPolicy.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// A set of tokens chosen once for a text: keys of choice sequence, or tokens in query role.
struct TextChoice {
    std::vector<std::uint8_t> chosen;  ///< [n]
    std::vector<std::uint32_t> rank;   ///< [n] 1 = best, when the token was decided
    std::vector<std::uint32_t> budget; ///< [n] tokens that were allowed when it was decided
    std::vector<float>
        bar; ///< [n] score of the last one within the budget then; tau for a threshold; NaN for none
    std::uint64_t nanScores = 0;
};

/// Tokens allowed out of `candidates`: count, or the share rounded up.
[[nodiscard]] std::size_t allowed(BudgetKind kind, double budget, std::size_t candidates);

/// Chooses among the first n tokens those with eligible[j] != 0. Prefix: token j is decided on arrival, among
/// tokens <= j (so a count may be exceeded). Sequence: all at once. `kind` is Count, Fraction or Threshold.
/// Cost n log n.
[[nodiscard]] TextChoice chooseTokens(const std::vector<float>& scores,
                                      const std::vector<std::uint8_t>& eligible, BudgetKind kind,
                                      double budget, Scope scope);

} // namespace fovea
