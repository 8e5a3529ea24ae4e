#pragma once
#include "core/policy/AttentionPolicy.h"
#include "core/route/RowChoice.h"
#include "core/route/Signal.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// Budgets that follow the text: the units of a layer share one total, `budget` keys for each of them. Every
/// `probe_every`-th row is scored in full; its entropy, or the mass that local and always miss, moves the
/// unit's weight w <- 0.9 w + 0.1 x, w = 1 at first. A unit gets total * w / sum w keys, 0 to four times the
/// budget, by largest remainder, for the rows after the probe: nothing looks ahead.
class DynamicBudget {
public:
    /// With Dynamic::None every row of every unit has the policy's budget and nothing is computed.
    DynamicBudget(const AttentionPolicy& policy, UnitKind kind, std::size_t units, const SignalInput& in);
    /// Keys of a row: the policy's own number where that covers the row anyway.
    [[nodiscard]] double at(std::size_t unit, std::size_t query) const;
    /// First row after `query` whose budget may differ.
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

/// Shares `total` among weights, each share at most `cap`, whole numbers by largest remainder (ties to the
/// first). For cap * weights.size() >= total. Weights that are not positive numbers count as 0.
[[nodiscard]] std::vector<std::uint32_t> shareOut(std::uint64_t total, std::uint64_t cap,
                                                  const std::vector<double>& weights);

} // namespace fovea
