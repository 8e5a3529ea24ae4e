#pragma once
#include "core/policy/AttentionPolicy.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// A set of tokens that is chosen once for a text: keys with choice "sequence", or tokens in query role.
struct TextChoice {
    std::vector<std::uint8_t> chosen;  ///< [n]
    std::vector<std::uint32_t> rank;   ///< [n] rank when the token was decided, 1 = best
    std::vector<std::uint32_t> budget; ///< [n] number of tokens allowed when the token was decided
    std::vector<float> bar; ///< [n] score of the last token within the budget at that time, or the given
                            ///< threshold; NaN: none
    std::uint64_t nanScores = 0;
};

/// The number of tokens allowed out of `candidates`: the count, or the share rounded up.
[[nodiscard]] std::size_t allowed(BudgetKind kind, double budget, std::size_t candidates);

/// Chooses among those of the first n tokens for which eligible[j] != 0. Scope prefix: token j is decided
/// when it arrives, among tokens <= j, so a count can be exceeded. Scope sequence: all are decided at once.
/// `kind` is Count, Fraction or Threshold. Cost n log n.
[[nodiscard]] TextChoice chooseTokens(const std::vector<float>& scores,
                                      const std::vector<std::uint8_t>& eligible, BudgetKind kind,
                                      double budget, Scope scope);

} // namespace fovea
