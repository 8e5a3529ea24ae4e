#include "core/route/Scorers.h"
#include "core/base/Check.h"
#include "core/route/Selection.h"
#include <algorithm>
#include <cstring>

namespace fovea {

namespace {

constexpr std::size_t kTaskGroups = 32; ///< key groups, and queries, that one task rounds
constexpr std::size_t kTaskQueries = 256;

} // namespace

void siftScores(const DotKernels& dots, const float* scores, std::size_t key, std::size_t keys,
                SiftRow& row) {
    row.found = 0;
    if (key < row.end)
        row.found = dots.filter(scores, std::min(keys, row.end - key), row.blocked + key / 64, row.bar,
                                static_cast<std::uint32_t>(key), row.values, row.keys);
}

void PairScorer::sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys,
                      SiftRow* sift) const {
    float scores[kGroupRows * TopK::kFeed];
    for (std::size_t first = 0; first < rows; first += kGroupRows) {
        const std::size_t count = std::min(kGroupRows, rows - first);
        tile(query + first, count, key, keys, scores, TopK::kFeed);
        for (std::size_t r = 0; r < count; ++r)
            siftScores(m_dots, scores + r * TopK::kFeed, key, keys, sift[first + r]);
    }
}

void PairScorer::keyScores(std::size_t, std::size_t, std::span<const std::uint32_t>, float*,
                           std::size_t) const {
    FOVEA_ASSERT(false); // asked of those that say scoresKeys() only
}

RoundedDots::RoundedDots(const SignalInput& in, std::size_t kvHead, std::size_t firstHead, std::size_t heads)
    : PairScorer(in.dots), m_dim(in.headDim()),
      m_firstQuery(in.rows.first), m_form{in.form().scale / static_cast<float>(heads), in.form().softCap},
      m_own(in.dots, m_dim, static_cast<int>(in.routed.bits)),
      m_keys(in.input.kept == nullptr
                 ? m_own
                 : in.input.kept->keys(in.dots, kvHead, m_dim, static_cast<int>(in.routed.bits),
                                       in.routed.storesDirections())),
      m_queries((in.rows.last - in.rows.first) * in.dots.queryBytes(in.headDim())),
      m_querySteps(in.rows.last - in.rows.first) {
    FOVEA_ASSERT(m_dim <= kMostHeadDim);
    m_keys.grow(in.keys);
    const ConstMatrixView k = in.key(kvHead);
    const std::size_t firstGroup = m_keys.firstNew();
    const std::size_t lastGroup = std::max(firstGroup, m_keys.groups());
    const std::size_t keyTasks = (lastGroup - firstGroup + kTaskGroups - 1) / kTaskGroups;
    const std::size_t queries = in.rows.last - in.rows.first;
    const std::size_t queryTasks = (queries + kTaskQueries - 1) / kTaskQueries;
    const auto tasks = static_cast<std::int64_t>(keyTasks + queryTasks);
#pragma omp parallel for schedule(dynamic, 1) num_threads(in.threads) if (tasks > 2)
    for (std::int64_t task = 0; task < tasks; ++task) {
        const auto n = static_cast<std::size_t>(task);
        if (n < keyTasks) {
            const std::size_t group = firstGroup + n * kTaskGroups;
            m_keys.round(k, group, std::min(lastGroup, group + kTaskGroups));
        } else {
            const std::size_t first = in.rows.first + (n - keyTasks) * kTaskQueries;
            roundQueries(in, {first, std::min(in.rows.last, first + kTaskQueries)}, firstHead, heads);
        }
    }
    m_keys.finish();
}

void RoundedDots::roundQueries(const SignalInput& in, RowRange rows, std::size_t firstHead,
                               std::size_t heads) {
    const int bits = static_cast<int>(in.routed.bits);
    std::int8_t rounded[kMostHeadDim];
    float sum[kMostHeadDim];
    for (std::size_t query = rows.first; query < rows.last; ++query) {
        std::fill(sum, sum + m_dim, 0.0F);
        for (std::size_t head = firstHead; head < firstHead + heads; ++head) {
            const float* q = in.query(head).row(query);
            for (std::size_t d = 0; d < m_dim; ++d)
                sum[d] += q[d];
        }
        const std::size_t row = query - m_firstQuery;
        m_querySteps[row] = m_dots.round(sum, m_dim, bits, rounded);
        m_dots.packQuery(rounded, m_dim, m_queries.data() + row * m_dots.queryBytes(m_dim));
    }
}

void RoundedDots::tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                       std::size_t stride) const {
    m_dots.intTile(m_keys.groupAt(key), keyGroups(keys), m_keys.stepsAt(key), queryAt(query), rows, m_dim,
                   out, stride);
}

void RoundedDots::sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys,
                       SiftRow* sift) const {
    m_dots.intSift(m_keys.groupAt(key), keyGroups(keys), m_keys.stepsAt(key), queryAt(query), rows, m_dim,
                   static_cast<std::uint32_t>(key), sift);
}

void RoundedDots::keyScores(std::size_t query, std::size_t rows, std::span<const std::uint32_t> keys,
                            float* out, std::size_t stride) const {
    const std::size_t bytes = m_dots.groupBytes(m_dim);
    unsigned char group[kGroupKeys * 4 * kMostHeadDim / 2] = {};
    float steps[kGroupKeys] = {};
    FOVEA_ASSERT(bytes <= sizeof group);
    for (std::size_t first = 0; first < keys.size(); first += kGroupKeys) {
        const std::size_t count = std::min(kGroupKeys, keys.size() - first);
        for (std::size_t n = 0; n < count; ++n) {
            const std::size_t key = keys[first + n];
            const unsigned char* from = m_keys.groupAt(key) + key % kGroupKeys * 4;
            for (std::size_t at = 0; at < bytes; at += kGroupKeys * 4)
                std::memcpy(group + at + n * 4, from + at, 4);
            steps[n] = *m_keys.stepsAt(key);
        }
        for (std::size_t r = 0; r < rows; r += kGroupRows)
            m_dots.intTile(group, 1, steps, queryAt(query + r), std::min(kGroupRows, rows - r), m_dim,
                           out + r * stride + first, stride);
    }
}

RankUse RoundedDots::use(std::size_t query) const {
    const float step = m_querySteps[query - m_firstQuery];
    return {step, step * m_form.scale, false, m_form.softCap};
}

TrueLogits::TrueLogits(const SignalInput& in, std::size_t head, bool probability)
    : PairScorer(in.dots), m_queries(in.query(head)), m_form(in.form()), m_probability(probability),
      m_keys(keyGroups(in.keys) * kGroupKeys * in.headDim()) {
    const ConstMatrixView k = in.key(in.kvHeadOf(head));
    for (std::size_t g = 0; g < keyGroups(in.keys); ++g) {
        const std::size_t first = g * kGroupKeys;
        packFloats(k.row(first), k.stride, std::min(kGroupKeys, in.keys - first), k.cols,
                   m_keys.data() + first * k.cols);
    }
}

void TrueLogits::tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                      std::size_t stride) const {
    m_dots.floatTile(m_keys.data() + key * m_queries.cols, keyGroups(keys), m_form.scale,
                     m_queries.row(query), m_queries.stride, rows, m_queries.cols, out, stride);
    for (std::size_t r = 0; r < rows; ++r)
        m_form.capAll(out + r * stride, keys);
}

RankUse TrueLogits::use(std::size_t) const {
    return {1, 1, m_probability};
}

} // namespace fovea
