#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include <cstddef>
#include <span>
#include <vector>

namespace fovea {

/// Rotary position embedding (Su et al., RoFormer, 2021, 2104.09864). Radians per position of each pair m = 0
/// .. D/2-1: base^(-2m/D), divided by the linear scaling factor and by factors[m] (the file's `rope_freqs`;
/// empty: 1).
[[nodiscard]] std::vector<double> ropeFrequencies(const ModelShape& shape, std::span<const float> factors);

/// Cosines and sines of every position, computed in f64, kept in f32.
struct RopeTable {
    Matrix cosines; ///< [T x D/2]
    Matrix sines;   ///< [T x D/2]
};
/// Throws std::bad_alloc. Opens an OpenMP region of `threads`.
[[nodiscard]] RopeTable makeRopeTable(std::span<const double> frequencies, std::size_t tokens, int threads);

} // namespace fovea
