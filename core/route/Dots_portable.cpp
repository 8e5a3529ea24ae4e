#include "core/route/DotLoops.h"

namespace fovea {

namespace {

/// The scores of one query and one group.
inline void intScores(const unsigned char* group, const float* step, const unsigned char* query,
                      std::size_t dim, float* out) {
    std::int32_t sums[kGroupKeys] = {};
    for (std::size_t pair = 0; pair < (dim + 1) / 2; ++pair) {
        std::int16_t q[2];
        std::int16_t k[2 * kGroupKeys];
        __builtin_memcpy(q, query + 4 * pair, sizeof q);
        __builtin_memcpy(k, group + pair * sizeof k, sizeof k);
        for (std::size_t j = 0; j < kGroupKeys; ++j)
            sums[j] += q[0] * k[2 * j] + q[1] * k[2 * j + 1];
    }
    for (std::size_t j = 0; j < kGroupKeys; ++j)
        out[j] = static_cast<float>(sums[j]) * step[j];
}

void intTile(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
             std::size_t outStride) {
    for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t r = 0; r < rows; ++r)
            intScores(keyGroups + g * pairGroupBytes(dim), step + g * kGroupKeys,
                      queries + r * pairQueryBytes(dim), dim, out + r * outStride + g * kGroupKeys);
}

void intSift(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, std::uint32_t key,
             SiftRow* sift) {
    for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t r = 0; r < rows; ++r) {
            float scores[kGroupKeys];
            intScores(keyGroups + g * pairGroupBytes(dim), step + g * kGroupKeys,
                      queries + r * pairQueryBytes(dim), dim, scores);
            const std::uint32_t at = key + static_cast<std::uint32_t>(g * kGroupKeys);
            std::uint32_t kept = openKeys(sift[r], at);
            for (std::size_t j = 0; j < kGroupKeys; ++j)
                kept &= ~((scores[j] < sift[r].bar ? 1U : 0U) << j);
            keepScores(sift[r], kept, scores, at);
        }
}

void floatTile(const float* keyGroups, std::size_t groups, float scale, const float* queries,
               std::size_t queryStride, std::size_t rows, std::size_t dim, float* out,
               std::size_t outStride) {
    for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t r = 0; r < rows; ++r) {
            float sums[kGroupKeys] = {};
            for (std::size_t d = 0; d < dim; ++d)
                for (std::size_t j = 0; j < kGroupKeys; ++j)
                    sums[j] += queries[r * queryStride + d] * keyGroups[(g * dim + d) * kGroupKeys + j];
            for (std::size_t j = 0; j < kGroupKeys; ++j)
                out[r * outStride + g * kGroupKeys + j] = scale * sums[j];
        }
}

std::size_t filter(const float* scores, std::size_t count, const std::uint64_t* blocked, float bar,
                   std::uint32_t base, float* values, std::uint32_t* keys) {
    std::size_t found = 0;
    for (std::size_t j = 0; j < count; ++j) {
        if (scores[j] < bar || (blocked[j / 64] >> (j % 64) & 1U) != 0)
            continue;
        values[found] = scores[j];
        keys[found] = base + static_cast<std::uint32_t>(j);
        ++found;
    }
    return found;
}

} // namespace

extern const DotKernels kPortableDots;
const DotKernels kPortableDots = {
    "portable",   loopRound, pairGroupBytes, pairQueryBytes,   packPairs,        packPairQuery,
    intTile,      intSift,   floatTile,      loopExactColumns, loopDraws,        filter,
    loopGreatest, loopLeast, loopAtLeast,    loopPlaces,       loopExponentials, loopAddExponentials};

} // namespace fovea
