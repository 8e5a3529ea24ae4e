#include "core/base/SplitMix64.h"
#include "core/route/RowChoice.h"
#include "core/route/Scorers.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <omp.h>

// Signals that rank queries by their row of attention.
// query_sparsity: Zhou et al., Informer, 2020, 2012.07436: max_j s_ij - mean_j s_ij over 5 ceil(ln(i + 1))
// keys drawn from j <= i. Differs: the published code divides the sampled sum by the number of all keys, this
// by that of the samples, and samples from the prefix. row_entropy: -sum_j p_ij ln p_ij. local_deficit: 1 -
// sum of p_ij over local and always (SimLayerKV, Zhang et al., 2024, 2410.13846, asks the same of layers).
namespace fovea::scoring {

namespace {

/// Of a query that may read `keys` keys.
std::size_t samplesOf(std::size_t keys) {
    return std::min(keys, static_cast<std::size_t>(5 * std::ceil(std::log(static_cast<double>(keys)))) +
                              (keys == 1));
}

/// Calls f(query, logits, weights, peak, total) for every query below in.keys. Logits and weights are those
/// of the keys that the query may read, [native.keys(query)] from native.first(query) on; weights are
/// exp(logit - peak), their sum is `total`. One task owns a row.
template <class F>
void forEachRow(const SignalInput& in, const F& f) {
    const TrueLogits logits(in, in.unit, false);
    const NativeWindow native = in.native();
    const std::size_t stride = (in.keys + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
    const auto blocks = static_cast<std::int64_t>((in.keys + kGroupRows - 1) / kGroupRows);
    AlignedBuffer<float> scratch(2 * stride * kGroupRows * static_cast<std::size_t>(in.threads));
#pragma omp parallel for schedule(dynamic, 8) num_threads(in.threads)
    for (std::int64_t b = 0; b < blocks; ++b) {
        float* tile =
            scratch.data() + static_cast<std::size_t>(omp_get_thread_num()) * 2 * stride * kGroupRows;
        float* weights = tile + stride * kGroupRows;
        const std::size_t first = static_cast<std::size_t>(b) * kGroupRows;
        const std::size_t rows = std::min(kGroupRows, in.keys - first);
        const std::size_t begin = native.first(first) / kGroupKeys * kGroupKeys;
        logits.tile(first, rows, begin, first + rows - begin, tile + begin, stride);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t seen = native.keys(first + r);
            const float* row = tile + r * stride + native.first(first + r);
            std::copy_n(row, seen, weights);
            const float peak = in.dots.greatest(row, seen);
            const double total = in.dots.exponentials(weights, seen, 1, peak);
            f(first + r, row, weights, peak, total);
        }
    }
}

} // namespace

std::vector<float> querySparsity(const SignalInput& in) {
    const ConstMatrixView q = in.query(in.unit);
    const ConstMatrixView k = in.key(in.kvHeadOf(in.unit));
    const LogitForm form = in.form();
    const NativeWindow native = in.native();
    std::vector<float> scores(in.keys);
    const auto last = static_cast<std::int64_t>(in.keys);
#pragma omp parallel for schedule(static, 64) num_threads(in.threads)
    for (std::int64_t i = 0; i < last; ++i) {
        const auto query = static_cast<std::size_t>(i);
        const std::size_t first = native.first(query), keys = native.keys(query);
        const std::size_t samples = samplesOf(keys);
        const std::uint64_t state = splitMix64(in.routed.seed, in.input.layer, in.unit, query);
        double sum = 0;
        float peak = -std::numeric_limits<float>::infinity();
        for (std::size_t n = 0; n < samples; ++n) {
            const float* key = k.row(first + splitMix64(state ^ n) % keys);
            const float* row = q.row(query);
            float dot = 0;
            for (std::size_t d = 0; d < k.cols; ++d)
                dot += row[d] * key[d];
            const float logit = form(dot);
            sum += static_cast<double>(logit);
            peak = std::max(peak, logit);
        }
        scores[query] = static_cast<float>(static_cast<double>(peak) - sum / static_cast<double>(samples));
    }
    return scores;
}

std::uint64_t querySparsityMacs(const SignalInput& in) {
    std::uint64_t samples = 0;
    const NativeWindow native = in.native();
    for (std::size_t query = 0; query < in.keys; ++query)
        samples += samplesOf(native.keys(query));
    return samples * in.headDim();
}

std::vector<float> rowEntropy(const SignalInput& in) {
    std::vector<float> entropy(in.keys);
    const NativeWindow native = in.native();
    forEachRow(in, [&](std::size_t query, const float* row, const float* weights, float peak, double total) {
        double mean = 0;
        for (std::size_t j = 0; j < native.keys(query); ++j)
            mean +=
                weights[j] > 0 ? static_cast<double>(weights[j]) * static_cast<double>(row[j] - peak) : 0.0;
        entropy[query] = static_cast<float>(std::log(total) - mean / total);
    });
    return entropy;
}

std::vector<float> localDeficit(const SignalInput& in) {
    std::vector<float> deficit(in.keys);
    forEachRow(in, [&](std::size_t query, const float*, const float* weights, float, double total) {
        double open = 0;
        if (in.candidates != nullptr) {
            const LocalReads& local = in.candidates->local();
            const AlwaysReads& always = in.candidates->always();
            const std::size_t first = local.native().first(query);
            for (std::size_t j = first; j <= query; ++j)
                if (!local.contains(query, j) && !always.reads(query, j))
                    open += static_cast<double>(weights[j - first]);
        }
        deficit[query] = static_cast<float>(open / total);
    });
    return deficit;
}

} // namespace fovea::scoring
