#include "core/route/Scorers.h"
#include <algorithm>
#include <limits>
#include <omp.h>

// query_peak: max_j s_ij - mean_j s_ij over all keys that the query may read. A query whose row has a peak
// needs to read far. Informer (Zhou et al., 2020, 2012.07436) estimates it from sampled keys; this is the
// whole row.
namespace fovea::scoring {

std::vector<float> queryPeak(const SignalInput& in) {
    const TrueLogits logits(in, in.unit, false);
    std::vector<float> peaks(in.keys);
    const NativeWindow native = in.native();
    constexpr std::size_t kRun = 256; // keys per tile
    const auto blocks = static_cast<std::int64_t>((in.keys + kGroupRows - 1) / kGroupRows);
#pragma omp parallel for schedule(dynamic, 8) num_threads(in.threads)
    for (std::int64_t b = 0; b < blocks; ++b) {
        const std::size_t first = static_cast<std::size_t>(b) * kGroupRows;
        const std::size_t rows = std::min(kGroupRows, in.keys - first);
        float tile[kGroupRows * kRun];
        double sums[kGroupRows] = {};
        float peak[kGroupRows];
        std::fill(peak, peak + kGroupRows, -std::numeric_limits<float>::infinity());
        for (std::size_t key = native.first(first) / kRun * kRun; key < first + rows; key += kRun) {
            const std::size_t keys = std::min(kRun, first + rows - key);
            logits.tile(first, rows, key, keys, tile, kRun);
            for (std::size_t r = 0; r < rows; ++r) {
                const std::size_t seen = std::min(keys, first + r + 1 > key ? first + r + 1 - key : 0);
                const std::size_t begin = std::min(seen, std::max(key, native.first(first + r)) - key);
                double sum = 0;
                for (std::size_t j = begin; j < seen; ++j)
                    sum += static_cast<double>(tile[r * kRun + j]);
                sums[r] += sum;
                peak[r] = std::max(peak[r], in.dots.greatest(tile + r * kRun + begin, seen - begin));
            }
        }
        for (std::size_t r = 0; r < rows; ++r) // a NaN logit makes the sum, and so the peak, NaN
            peaks[first + r] = static_cast<float>(static_cast<double>(peak[r]) -
                                                  sums[r] / static_cast<double>(native.keys(first + r)));
    }
    return peaks;
}

} // namespace fovea::scoring
