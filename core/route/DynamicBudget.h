#pragma once
#include "core/policy/AttentionPolicy.h"
#include "core/route/RowChoice.h"
#include "core/route/Signal.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// Budgets that adapt to the text. The units of a layer (sets of heads that choose together) share one total,
/// `budget` keys for each of them. Every `probe_every`-th row is scored in full; x is its entropy, or the
/// mass outside local and always. Each unit has a weight w <- 0.9 w + 0.1 x, at first 1. For the rows after
/// the probe a unit gets total * w / sum w keys, at least 0 and at most four times the budget, rounded by
/// largest remainder. Nothing looks ahead.
class DynamicBudget {
public:
    /// With Dynamic::None every row of every unit has the budget of the policy, and nothing is computed.
    DynamicBudget(const AttentionPolicy& policy, UnitKind kind, std::size_t units, const SignalInput& in);
    /// The number of keys of a row; the policy's own number if that covers the whole row anyway.
    [[nodiscard]] double at(std::size_t unit, std::size_t query) const;
    /// The first row after `query` whose budget may be different.
    [[nodiscard]] std::size_t changesAfter(std::size_t query) const;
    [[nodiscard]] std::uint64_t macs() const { return m_macs; }
    [[nodiscard]] bool on() const { return m_every > 0; }

private:
    double m_budget;
    std::size_t m_every = 0; ///< 0: off
    std::size_t m_units = 0;
    std::vector<std::uint32_t> m_keys; ///< [probes + 1][units]
    std::uint64_t m_macs = 0;
};

/// Divides `total` in proportion to the weights into whole numbers of at most `cap`, by largest remainder
/// (ties to the first). Requires cap * weights.size() >= total. Weights that are not positive numbers count
/// as 0.
[[nodiscard]] std::vector<std::uint32_t> shareOut(std::uint64_t total, std::uint64_t cap,
                                                  const std::vector<double>& weights);

} // namespace fovea
