#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include <cstddef>
#include <cstdint>
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

/// Turns vectors that are rotated already on to another position, half-split as the model rotates. By 0
/// positions the bits stay. Construction throws std::bad_alloc; the rest does not. Not thread-safe.
class RopeTurn {
public:
    explicit RopeTurn(std::size_t headDim) : m_cosines(headDim / 2), m_sines(headDim / 2) {}
    /// Sets how far: negative is back. Cost: D/2 cosines and sines, none if it is as before.
    void set(std::span<const double> frequencies, std::int64_t positions);
    void apply(const float* x, float* to) const; ///< both [D]

private:
    std::int64_t m_positions = 0;
    std::vector<float> m_cosines, m_sines;
};

} // namespace fovea
