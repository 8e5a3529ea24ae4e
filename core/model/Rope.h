#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Rotary position embedding (Su et al., RoFormer, 2021, 2104.09864). Returns the radians per position of
/// each pair m = 0 .. D/2-1: base^(-2m/D), divided by the linear scaling factor and by factors[m]
/// (`rope_freqs` of the file; empty: 1).
[[nodiscard]] std::vector<double> ropeFrequencies(const ModelShape& shape, std::span<const float> factors);

/// Cosines and sines of every position, computed in f64 and stored in f32.
struct RopeTable {
    Matrix cosines; ///< [T x D/2]
    Matrix sines;   ///< [T x D/2]
};
/// Throws std::bad_alloc. Opens an OpenMP region of `threads`.
[[nodiscard]] RopeTable makeRopeTable(std::span<const double> frequencies, std::size_t tokens, int threads);

/// Moves vectors that already have RoPE applied (half-split) to another position. A move by 0 positions keeps
/// the bits. Only construction throws, std::bad_alloc. Not thread-safe.
class RopeTurn {
public:
    explicit RopeTurn(std::size_t headDim) : m_cosines(headDim / 2), m_sines(headDim / 2) {}
    /// Sets the distance in positions; negative moves back. Cost: D/2 cosines and sines, or nothing when the
    /// distance has not changed.
    void set(std::span<const double> frequencies, std::int64_t positions);
    void apply(const float* x, float* to) const; ///< both [D]

private:
    std::int64_t m_positions = 0;
    std::vector<float> m_cosines, m_sines;
};

} // namespace fovea
