#include "core/route/Scorers.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <omp.h>

// received: the attention mass that all queries gave a token, sum_i p_ij. It looks ahead, so it is a
// diagnostic, and the form in which per-query signals rank tokens when one set is chosen for a whole text.
namespace fovea {

namespace {

constexpr std::size_t kRun = 256; // keys per tile
constexpr std::size_t kBlockRows = 64;

/// Log-sum-exp of every query's estimated logits over the keys that it may read.
std::vector<float> rowLse(const SignalInput& in, const PairScorer& scorer) {
    std::vector<float> lse(in.keys);
    const NativeWindow native = in.native();
    const auto blocks = static_cast<std::int64_t>((in.keys + kGroupRows - 1) / kGroupRows);
    const std::size_t stride = (in.keys + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
    AlignedBuffer<float> scratch(stride * kGroupRows * static_cast<std::size_t>(in.threads));
#pragma omp parallel for schedule(dynamic, 8) num_threads(in.threads)
    for (std::int64_t b = 0; b < blocks; ++b) {
        float* tile = scratch.data() + static_cast<std::size_t>(omp_get_thread_num()) * stride * kGroupRows;
        const std::size_t first = static_cast<std::size_t>(b) * kGroupRows;
        const std::size_t rows = std::min(kGroupRows, in.keys - first);
        const std::size_t begin = native.first(first) / kGroupKeys * kGroupKeys;
        scorer.tile(first, rows, begin, first + rows - begin, tile + begin, stride);
        for (std::size_t r = 0; r < rows; ++r) {
            float* row = tile + r * stride + native.first(first + r);
            const std::size_t seen = native.keys(first + r);
            const float factor = scorer.use(first + r).asLogits(row, seen);
            const float peak = factor * in.dots.greatest(row, seen);
            const double sum = in.dots.exponentials(row, seen, factor, peak);
            lse[first + r] = peak + static_cast<float>(std::log(sum));
        }
    }
    return lse;
}

} // namespace

std::vector<float> receivedMass(const SignalInput& in, const PairScorer& scorer,
                                const std::vector<float>& given) {
    const std::vector<float> lse = given.empty() ? rowLse(in, scorer) : given;
    std::vector<float> mass(in.keys);
    const NativeWindow native = in.native();
    // One task owns a run of keys and adds its queries in order, so the sums do not depend on the threads.
    const auto runs = static_cast<std::int64_t>((in.keys + kRun - 1) / kRun);
#pragma omp parallel for schedule(dynamic, 1) num_threads(in.threads)
    for (std::int64_t run = 0; run < runs; ++run) {
        const std::size_t key = static_cast<std::size_t>(run) * kRun;
        const std::size_t keys = std::min(kRun, in.keys - key);
        float tile[kGroupRows * kRun];
        double total[kRun] = {};
        float part[kRun] = {}; // of 64 queries, so that float sums stay short
        std::size_t inPart = 0;
        const auto endPart = [&] {
            for (std::size_t j = 0; j < keys; ++j) {
                total[j] += static_cast<double>(part[j]);
                part[j] = 0;
            }
            inPart = 0;
        };
        for (std::size_t first = key / kGroupRows * kGroupRows; first < in.keys; first += kGroupRows) {
            const std::size_t rows = std::min(kGroupRows, in.keys - first);
            if (native.first(first) >= key + keys) // the run lies outside the windows of all later queries
                break;
            scorer.tile(first, rows, key, keys, tile, kRun);
            for (std::size_t r = 0; r < rows; ++r) {
                const std::size_t query = first + r;
                const std::size_t begin = std::max(key, native.first(query)) - key;
                if (query < key || begin >= keys || std::isnan(lse[query]))
                    continue;
                float* row = tile + r * kRun + begin;
                const std::size_t count = std::min(keys, query + 1 - key) - begin;
                const float factor = scorer.use(query).asLogits(row, count);
                in.dots.addExponentials(row, count, factor, lse[query], part + begin);
            }
            inPart += rows;
            if (inPart >= kBlockRows || first + rows == in.keys)
                endPart();
        }
        endPart();
        for (std::size_t j = 0; j < keys; ++j)
            mass[key + j] = static_cast<float>(total[j]);
    }
    return mass;
}

namespace scoring {

std::vector<float> received(const SignalInput& in) {
    SignalInput all = in;
    all.rows = {0, in.keys};
    std::vector<float> lse;
    const auto heads = static_cast<std::size_t>(in.shape.heads);
    if (in.input.fullLse.size() == in.keys * heads)
        for (std::size_t query = 0; query < in.keys; ++query)
            lse.push_back(in.input.fullLse[query * heads + in.unit]);
    return receivedMass(all, TrueLogits(all, in.unit, false), lse);
}

std::uint64_t receivedMacs(const SignalInput& in) {
    const bool known = in.input.fullLse.size() == in.keys * static_cast<std::size_t>(in.shape.heads);
    return (known ? 1U : 2U) * scoreMacs(in, {0, in.keys});
}

} // namespace scoring

} // namespace fovea
