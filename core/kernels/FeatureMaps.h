#pragma once
#include "core/kernels/FarLoops.h"
#include "core/policy/AttentionPolicy.h"
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// The feature maps of linear attention. With x' = x sqrt(scale), phi(q).phi(k)
/// stands for e^(x'.y'). Random features are SplitMix64 of (seed, layer, key-value head, row, column): no
/// state, so cached decoding draws what prefill drew. Immutable, thread-safe.
class Features {
public:
    /// `randomFeatures`: number of random features of performer and trig; 0: 256. trig draws half as many
    /// frequencies. `dim`: D.
    Features(FeatureMap map, std::size_t dim, std::size_t randomFeatures, std::uint64_t seed, int layer,
             std::size_t kvHead);
    [[nodiscard]] FeatureMap map() const { return m_map; }
    [[nodiscard]] std::size_t count() const { return m_count; } ///< r
    /// Computes the features of `rows` vectors of D numbers at x, `stride` floats apart: phi = e^exponent[i]
    /// * out[i*count() ...]. The exponent prevents overflow and depends on the vector itself only: its
    /// largest feature for performer, |x'|^2/2 for trig, otherwise 0.
    void of(const float* x, std::size_t stride, std::size_t rows, float scale, const kernels::FarLoops& loops,
            float* out, float* exponent) const;
    /// Multiply-adds that the features of one vector cost.
    [[nodiscard]] std::uint64_t macs() const;
    /// Whether phi(q).phi(k) can be negative.
    [[nodiscard]] bool isSigned() const { return m_map == FeatureMap::Trig; }
    /// The [r x D] random directions, row by row; empty when the map has none. For tests.
    [[nodiscard]] std::vector<float> directions() const;

private:
    FeatureMap m_map;
    std::size_t m_dim, m_count, m_rows = 0;
    std::vector<float> m_transposed; ///< [D x m_rows]
};

/// The number r of features of a map; `randomFeatures` as above.
[[nodiscard]] std::size_t featureCount(FeatureMap map, std::size_t dim, std::size_t randomFeatures);

/// phi(q).phi(k) by the definition of the map, in double. For views, tests, and rows where f32 sums would
/// cancel. q and k have D numbers.
[[nodiscard]] double featureProduct(const Features& features, const float* q, const float* k, std::size_t dim,
                                    float scale);

} // namespace fovea
