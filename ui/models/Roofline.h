#pragma once
#include "core/engine/Snapshot.h"
#include "core/kernels/Peak.h"
#include <QString>
#include <vector>

namespace fovea::ui {

/// Attention of one arm against the limits of the machine. The bytes are the least that the whole run must
/// move: queries, keys and values read once and outputs written once, in f32.
struct RoofPoint {
    QString name;       ///< "full", "A", "B"
    double flops = 0;   ///< counted: 4 D per pair, 2 per multiply-add of a state
    double bytes = 0;   ///< counted
    double seconds = 0; ///< measured: the attention kernels
    bool armB = false;
    [[nodiscard]] double intensity() const { return flops / bytes; }       ///< flop per byte
    [[nodiscard]] double gflops() const { return flops / seconds * 1e-9; } ///< 10^9 flop per second
    bool operator==(const RoofPoint&) const = default;
};

/// The most that the machine does at `intensity` flop per byte, in 10^9 flop per second: the lesser of the
/// measured multiply-add peak and what the measured memory bandwidth feeds (S. Williams, A. Waterman, D.
/// Patterson, "Roofline", 2009).
[[nodiscard]] double roofAt(const Peak& peak, double intensity);

/// Full attention, arm A where it is a policy, and B, as far as they are measured. `snapshot` has a
/// propagated result.
[[nodiscard]] std::vector<RoofPoint> roofPoints(const Snapshot& snapshot);

/// "full: 61.0 Gflop/s at 119 flop per byte, 54.2 % of the roof"
[[nodiscard]] QString roofText(const RoofPoint& point, const Peak& peak);

} // namespace fovea::ui
