#pragma once
#include "core/kernels/BlockKernel.h"

namespace fovea::kernels {

/// Loops that do nothing but the operation to be measured. V as in FusedTile.h.
template <class V>
struct PeakLoops {
    static constexpr int kChains =
        V::kKeys * V::kQueryVectors; ///< as many sums as the attention kernel holds
    static constexpr double kFlopsPerRound = 2.0 * kChains * V::kLanes;

    static float multiplyAdds(std::size_t rounds) {
        typename V::F sum[kChains];
        for (int c = 0; c < kChains; ++c)
            sum[c] = V::set1(static_cast<float>(c));
        const typename V::F a = V::set1(0.999F);
        const typename V::F b = V::set1(0.001F);
        for (std::size_t r = 0; r < rounds; ++r)
            for (int c = 0; c < kChains; ++c)
                sum[c] = V::fma(sum[c], a, b);
        for (int c = 1; c < kChains; ++c)
            sum[0] = V::add(sum[0], sum[c]);
        return firstLane(sum[0]);
    }

    static float readAll(const float* data, std::size_t count) {
        constexpr int kStreams = 8;
        typename V::F sum[kStreams];
        for (int c = 0; c < kStreams; ++c)
            sum[c] = V::set1(0.0F);
        for (std::size_t i = 0; i + kStreams * V::kLanes <= count; i += kStreams * V::kLanes)
            for (int c = 0; c < kStreams; ++c)
                sum[c] = V::add(sum[c], V::load(data + i + static_cast<std::size_t>(c * V::kLanes)));
        for (int c = 1; c < kStreams; ++c)
            sum[0] = V::add(sum[0], sum[c]);
        return firstLane(sum[0]);
    }

private:
    static float firstLane(typename V::F a) {
        alignas(64) float lanes[V::kLanes];
        V::store(lanes, a);
        return lanes[0];
    }
};

} // namespace fovea::kernels
