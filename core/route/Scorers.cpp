#include "core/route/Scorers.h"
#include <algorithm>
#include <vector>

namespace fovea {

namespace {

std::size_t groupsOf(std::size_t keys) {
    return (keys + kGroupKeys - 1) / kGroupKeys;
}

} // namespace

RoundedDots::RoundedDots(const SignalInput& in, std::size_t kvHead, std::size_t firstHead, std::size_t heads)
    : m_dots(in.dots), m_dim(in.headDim()), m_firstQuery(in.rows.first),
      m_logitFactor(in.shape.attentionScale() / static_cast<float>(heads)),
      m_keys(groupsOf(in.keys) * in.dots.groupBytes(in.headDim())),
      m_queries((in.rows.last - in.rows.first) * in.dots.queryBytes(in.headDim())),
      m_keySteps(groupsOf(in.keys) * kGroupKeys), m_querySteps(in.rows.last - in.rows.first) {
    const ConstMatrixView k = in.key(kvHead);
    const int bits = static_cast<int>(in.routed.bits);
    std::vector<std::int8_t> rounded(kGroupKeys * m_dim);
    for (std::size_t g = 0; g < groupsOf(in.keys); ++g) {
        const std::size_t first = g * kGroupKeys;
        const std::size_t count = std::min(kGroupKeys, in.keys - first);
        for (std::size_t j = 0; j < count; ++j)
            m_keySteps[first + j] = m_dots.round(k.row(first + j), m_dim, bits, rounded.data() + j * m_dim);
        m_dots.packKeys(rounded.data(), count, m_dim, m_keys.data() + g * m_dots.groupBytes(m_dim));
    }
    std::vector<float> sum(m_dim);
    for (std::size_t query = in.rows.first; query < in.rows.last; ++query) {
        std::fill(sum.begin(), sum.end(), 0.0F);
        for (std::size_t head = firstHead; head < firstHead + heads; ++head) {
            const float* q = in.query(head).row(query);
            for (std::size_t d = 0; d < m_dim; ++d)
                sum[d] += q[d];
        }
        const std::size_t row = query - m_firstQuery;
        m_querySteps[row] = m_dots.round(sum.data(), m_dim, bits, rounded.data());
        m_dots.packQuery(rounded.data(), m_dim, m_queries.data() + row * m_dots.queryBytes(m_dim));
    }
}

void RoundedDots::tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                       std::size_t stride) const {
    const std::size_t group = key / kGroupKeys;
    m_dots.intTile(m_keys.data() + group * m_dots.groupBytes(m_dim), groupsOf(keys), m_keySteps.data() + key,
                   m_queries.data() + (query - m_firstQuery) * m_dots.queryBytes(m_dim), rows, m_dim, out,
                   stride);
}

RankUse RoundedDots::use(std::size_t query) const {
    const float step = m_querySteps[query - m_firstQuery];
    return {step, step * m_logitFactor, false};
}

TrueLogits::TrueLogits(const SignalInput& in, std::size_t head, bool probability)
    : m_dots(in.dots), m_queries(in.query(head)), m_scale(in.shape.attentionScale()),
      m_probability(probability), m_keys(groupsOf(in.keys) * kGroupKeys * in.headDim()) {
    const ConstMatrixView k = in.key(in.kvHeadOf(head));
    for (std::size_t g = 0; g < groupsOf(in.keys); ++g) {
        const std::size_t first = g * kGroupKeys;
        packFloats(k.row(first), k.stride, std::min(kGroupKeys, in.keys - first), k.cols,
                   m_keys.data() + first * k.cols);
    }
}

void TrueLogits::tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                      std::size_t stride) const {
    m_dots.floatTile(m_keys.data() + key * m_queries.cols, groupsOf(keys), m_scale, m_queries.row(query),
                     m_queries.stride, rows, m_queries.cols, out, stride);
}

RankUse TrueLogits::use(std::size_t) const {
    return {1, 1, m_probability};
}

} // namespace fovea
