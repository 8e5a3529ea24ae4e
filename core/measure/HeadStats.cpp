#include "core/measure/Exponential.h"
#include "core/measure/Fidelity.h"
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <omp.h>

namespace fovea {

namespace {

constexpr std::size_t kSinks = 4;
constexpr std::size_t kNear = 64;

/// The smallest number of keys whose weights sum to `share`. Keys are put into buckets by their leading bits,
/// and only the bucket in which the sum is reached is sorted, so the cost is linear in the number of keys.
std::size_t keysForMass(std::span<const float> p, double share, std::vector<float>& scratch) {
    constexpr std::size_t kBuckets = 4096; // sign and exponent and 3 bits of the mantissa
    std::array<double, kBuckets> mass{};
    std::array<std::uint32_t, kBuckets> count{};
    const auto bucketOf = [](float x) { return std::bit_cast<std::uint32_t>(x) >> 20; };
    for (const float x : p) {
        mass[bucketOf(x)] += static_cast<double>(x);
        ++count[bucketOf(x)];
    }
    double sum = 0;
    std::size_t keys = 0;
    std::size_t bucket = kBuckets;
    while (bucket > 0) {
        --bucket;
        if (sum + mass[bucket] >= share)
            break;
        sum += mass[bucket];
        keys += count[bucket];
    }
    scratch.clear();
    for (const float x : p)
        if (bucketOf(x) == bucket)
            scratch.push_back(x);
    std::sort(scratch.begin(), scratch.end(), std::greater<>());
    for (const float x : scratch) {
        if (sum >= share)
            break;
        sum += static_cast<double>(x);
        ++keys;
    }
    return std::min(keys, p.size());
}

struct RowStats {
    double entropy = 0, sink = 0, local = 0, keys = 0, distance = 0, previous = 0;
};

/// `logits`: of the keys from `first` on. `later`: some of them come after the query.
RowStats statsOfRow(std::span<const float> logits, std::size_t first, std::size_t query, bool later,
                    std::span<float> p, float lse, std::vector<float>& scratch) {
    const std::size_t before = later ? kNear / 2 : kNear - 1; // of the nearest keys
    const std::size_t n = logits.size();
    RowStats stats;
    for (std::size_t j = 0; j < n; ++j)
        p[j] = fastExp(logits[j] - lse);
    for (std::size_t j = 0; j < n; ++j) {
        const double x = static_cast<double>(p[j]);
        stats.entropy -= x * static_cast<double>(logits[j] - lse);
        const std::size_t key = first + j;
        stats.distance += x * static_cast<double>(key > query ? key - query : query - key);
        if (key < kSinks)
            stats.sink += x;
        if (key + before >= query && key < query + kNear - before)
            stats.local += x;
    }
    stats.previous = query > first ? static_cast<double>(p[query - 1 - first]) : 0;
    stats.keys = static_cast<double>(keysForMass(p, 0.9, scratch));
    return stats;
}

} // namespace

std::vector<HeadStats> measureHeads(const AttentionInput& input, std::span<const float> lse, std::size_t rows,
                                    Isa isa, int threads) {
    const std::size_t tokens = input.q.rows;
    const auto heads = static_cast<std::size_t>(input.heads);
    rows = std::min(rows, tokens);
    FOVEA_ASSERT(lse.size() == tokens * heads);
    const int team = threads > 0 ? threads : omp_get_max_threads();
    std::vector<Matrix> logits;
    std::vector<std::vector<float>> p, scratch;
    for (int t = 0; t < team; ++t) { // before the region: an exception must not cross it
        logits.emplace_back(1, tokens);
        p.emplace_back(tokens);
        scratch.emplace_back();
        scratch.back().reserve(tokens);
    }
    std::vector<RowStats> stats(rows * heads);
#pragma omp parallel for schedule(dynamic, 8) num_threads(team)
    for (std::size_t task = 0; task < stats.size(); ++task) {
        const auto me = static_cast<std::size_t>(omp_get_thread_num());
        const std::size_t h = task % heads;
        // Evenly spaced, the last token included.
        const std::size_t query = (task / heads + 1) * tokens / rows - 1;
        const NativeWindow native = input.native();
        const std::size_t first = native.first(query), keys = native.end(query, tokens) - first;
        const MatrixView s(logits[me].view().data, 1, keys);
        logitTile(input, static_cast<int>(h), query, first, s, isa);
        stats[task] = statsOfRow({s.row(0), keys}, first, query, native.later, std::span(p[me]).first(keys),
                                 lse[query * heads + h], scratch[me]);
    }
    std::vector<HeadStats> result(heads);
    for (std::size_t h = 0; h < heads; ++h) {
        RowStats sum;
        for (std::size_t r = 0; r < rows; ++r) {
            const RowStats& s = stats[r * heads + h];
            sum.entropy += s.entropy;
            sum.sink += s.sink;
            sum.local += s.local;
            sum.keys += s.keys;
            sum.distance += s.distance;
            sum.previous += s.previous;
        }
        const auto mean = [rows](double x) { return static_cast<float>(x / static_cast<double>(rows)); };
        result[h] = {mean(sum.entropy), mean(sum.sink),     mean(sum.local),
                     mean(sum.keys),    mean(sum.distance), mean(sum.previous)};
    }
    return result;
}

} // namespace fovea
