#pragma once
#include "core/tune/Tuner.h"
#include <optional>
#include <vector>

namespace fovea {

/// Marks the predicted front among all points with a prediction, by estimated pairs and predicted KL, and the
/// measured front among all that were run. Controls and policies that look ahead are on neither.
void markFronts(std::vector<TunePoint>& points);

/// The measured point that answers the goal: the cheapest within the KL (ties: the least KL), or the least KL
/// within the pairs (ties: the cheapest). Without a goal none; empty also when none is within the bound.
[[nodiscard]] std::optional<std::size_t> bestMeasured(const std::vector<TunePoint>& points,
                                                      const TuneGoal& goal);

/// The knee of the measured front: the point that lies furthest below the straight line from its cheapest to
/// its dearest point, with the logarithms of pairs and KL as axes, each scaled to 1 (the criterion of
/// Satopaa, Albrecht, Irwin and Raghavan, "Finding a kneedle in a haystack", 2011, without its smoothing).
/// Points without any loss have no logarithm and take no part. Empty: fewer than three points of different
/// cost are on the front, or none lies below the line.
[[nodiscard]] std::optional<std::size_t> kneeMeasured(const std::vector<TunePoint>& points);

/// The point to run next, `best` being the best so far; empty: no point is expected to improve on it. For a
/// bound on KL the cheapest point predicted within it, then those that their band leaves open, the most
/// likely first; for a bound on pairs the least predicted KL; for the front the predicted front point that is
/// furthest in cost from all that were run. Points without a prediction are never run.
[[nodiscard]] std::optional<std::size_t> nextToMeasure(const std::vector<TunePoint>& points,
                                                       const TuneGoal& goal,
                                                       const std::optional<std::size_t>& best);

} // namespace fovea
