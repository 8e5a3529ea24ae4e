#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Rotary position embedding (Su et al., RoFormer, 2021, 2104.09864). Returns the radians per position of
/// each pair m = 0 .. R/2-1: base^(-2m/R), divided by the linear scaling factor and by factors[m] (empty: 1).
[[nodiscard]] std::vector<double> ropeFrequencies(const LayerShape& layer, int rotary,
                                                  std::span<const float> factors);

/// Cosines and sines of consecutive positions, computed in f64 and stored in f32.
struct RopeTable {
    Matrix cosines; ///< [T x R/2]
    Matrix sines;   ///< [T x R/2]
};
/// `magnitude` multiplies all numbers. Throws std::bad_alloc. Opens an OpenMP region of `threads`.
[[nodiscard]] RopeTable makeRopeTable(std::span<const double> frequencies, std::size_t tokens, int threads,
                                      float magnitude = 1);
/// One row of such a table.
void ropeRow(std::span<const double> frequencies, std::size_t position, float magnitude, float* cosines,
             float* sines);

/// Moves vectors that already have RoPE applied (half-split) to another position. A move by 0 positions keeps
/// the bits. Only construction throws, std::bad_alloc. Not thread-safe.
class RopeTurn {
public:
    explicit RopeTurn(std::size_t headDim) : m_headDim(headDim) {}
    /// Sets the distance in positions; negative moves back. With fewer than D/2 frequencies the rest of a
    /// vector is copied. Cost: R/2 cosines and sines, or nothing when the distance has not changed; the
    /// frequencies of one object are always the same.
    void set(std::span<const double> frequencies, std::int64_t positions);
    void apply(const float* x, float* to) const; ///< both [D]

private:
    std::size_t m_headDim;
    std::int64_t m_positions = 0;
    std::vector<float> m_cosines, m_sines;
};

} // namespace fovea
