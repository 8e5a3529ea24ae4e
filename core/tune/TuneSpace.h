#pragma once
#include "core/engine/Sweep.h"
#include "core/model/ModelShape.h"
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fovea {

/// A policy that may be tuned to.
struct TuneCandidate {
    AttentionPolicy policy;
    std::string hash;                                       ///< policyHash
    std::string preset;                                     ///< the preset that it is; empty: none
    std::vector<std::pair<std::string, ParamValue>> values; ///< what was varied
    bool control = false; ///< routed by `random` or `oracle`: it is shown, and is never an answer
    bool ahead = false;   ///< looks ahead: it is shown, and is never an answer
};

/// The candidates of a search: a grid of parameters over each base policy.
struct TuneSpace {
    std::vector<TuneCandidate> candidates; ///< without duplicates
    /// The candidates one step away on one axis of the grid. Empty for presets without axes.
    [[nodiscard]] std::vector<std::size_t> neighbours(std::size_t candidate) const;
    /// Presets that were left out, because they do not fit the model or text.
    std::size_t unfit = 0;

    std::vector<std::size_t> axisSizes;          ///< of the grid, the first axis varies slowest
    std::vector<std::vector<std::size_t>> grids; ///< for each base the candidate of each place in its grid
    std::vector<std::pair<std::size_t, std::size_t>>
        places; ///< of each candidate: base and place; no grid: base = grids.size()
};

/// The grid of `axes` over each of `bases`. Errors: those of sweepPolicies; BadValue for more than 10,000
/// candidates; those of policyFits for any candidate.
[[nodiscard]] Result<TuneSpace> tuneSpace(const std::vector<AttentionPolicy>& bases,
                                          const std::vector<SweepAxis>& axes, const ModelShape& shape,
                                          std::size_t tokens);

/// The space where nobody named one: every preset that fits the model and the text and does not look ahead,
/// and the preset `default` with windows of 16 tokens to half the text and 0 to 128 routed keys.
[[nodiscard]] Result<TuneSpace> standardSpace(const ModelShape& shape, std::size_t tokens);

} // namespace fovea
