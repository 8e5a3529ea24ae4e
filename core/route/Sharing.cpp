#include "core/route/Sharing.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace fovea {

namespace {

std::size_t ownUnit(UnitKind kind, const ModelShape& shape, std::size_t head) {
    return kind == UnitKind::Head    ? head
           : kind == UnitKind::Group ? static_cast<std::size_t>(shape.kvHeadOf(static_cast<int>(head)))
                                     : 0;
}

/// The mean over several scorers of one signal.
class MeanPairs final : public PairScorer {
public:
    MeanPairs(const SignalInput& in, std::vector<std::unique_ptr<PairScorer>> parts)
        : PairScorer(in.dots), m_firstQuery(in.rows.first), m_rows(in.rows.last - in.rows.first),
          m_parts(std::move(parts)) {
        if (m_rows == 0)
            return;
        const RankUse use = m_parts[0]->use(m_firstQuery);
        m_probability = use.probability;
        m_mass = findSignal(in.routed.signal)->estimatesMass;
        if (!m_probability)
            return;
        const std::size_t stride = (in.rows.last + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
        std::vector<float> tile(stride);
        for (const auto& part : m_parts)
            for (std::size_t r = 0; r < m_rows; ++r) {
                const std::size_t query = m_firstQuery + r, first = in.native().first(query);
                const std::size_t begin = first / kGroupKeys * kGroupKeys, seen = query + 1 - first;
                part->tile(query, 1, begin, query + 1 - begin, tile.data() + begin, stride);
                const float factor = part->use(query).asLogits(tile.data() + first, seen);
                const float peak = factor * m_dots.greatest(tile.data() + first, seen);
                const double sum = m_dots.exponentials(tile.data() + first, seen, factor, peak);
                m_lse.push_back(peak + static_cast<float>(std::log(sum)));
            }
    }
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override {
        const std::size_t width = (keys + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
        std::vector<float> own(rows * width);
        for (std::size_t r = 0; r < rows; ++r)
            std::fill_n(out + r * stride, keys, 0.0F);
        const float share = 1.0F / static_cast<float>(m_parts.size());
        for (std::size_t n = 0; n < m_parts.size(); ++n) {
            m_parts[n]->tile(query, rows, key, keys, own.data(), width);
            for (std::size_t r = 0; r < rows; ++r) {
                const RankUse use = m_parts[n]->use(query + r);
                float* sum = out + r * stride;
                float* x = own.data() + r * width;
                const float factor = m_mass ? use.asLogits(x, keys) : use.scoreFactor;
                const float lse = m_probability ? m_lse[n * m_rows + query + r - m_firstQuery] : 0;
                for (std::size_t j = 0; j < keys; ++j)
                    sum[j] += share * (m_probability ? std::exp(factor * x[j] - lse) : factor * x[j]);
            }
        }
        if (m_probability)
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t j = 0; j < keys; ++j)
                    out[r * stride + j] = std::log(out[r * stride + j]);
    }
    [[nodiscard]] RankUse use(std::size_t) const override { return {1, m_mass ? 1.0F : 0.0F, m_probability}; }

private:
    std::size_t m_firstQuery;
    std::size_t m_rows;
    std::vector<std::unique_ptr<PairScorer>> m_parts;
    bool m_probability = false;
    bool m_mass = false;
    std::vector<float> m_lse; ///< [parts][rows], for probabilities
};

} // namespace

UnitKind unitKindOf(const RoutedPart& routed) {
    switch (routed.sharing) {
    case Sharing::Head:
        return UnitKind::Head;
    case Sharing::Group:
        return UnitKind::Group;
    case Sharing::Layer:
        return UnitKind::All;
    case Sharing::Signal:
        break;
    }
    const SignalSpec* signal = findSignal(routed.signal);
    return signal != nullptr ? signal->unit : UnitKind::Head;
}

std::vector<SignalInput> SharedSignal::parts(const SignalInput& in) const {
    const auto perGroup = static_cast<std::size_t>(in.shape.headsPerKv());
    const std::size_t first = m_kind == UnitKind::Head    ? in.unit
                              : m_kind == UnitKind::Group ? in.unit * perGroup
                                                          : 0;
    const std::size_t count = m_kind == UnitKind::Head    ? 1
                              : m_kind == UnitKind::Group ? perGroup
                                                          : static_cast<std::size_t>(in.shape.heads);
    std::vector<SignalInput> inputs;
    std::size_t last = std::numeric_limits<std::size_t>::max();
    for (std::size_t head = first; head < first + count; ++head) {
        const std::size_t unit = ownUnit(m_signal.unit, in.shape, head);
        if (unit == last)
            continue;
        inputs.push_back(
            {in.routed, in.shape, in.input, unit, in.keys, in.rows, in.threads, in.dots, in.candidates});
        last = unit;
    }
    return inputs;
}

std::unique_ptr<PairScorer> SharedSignal::pairs(const SignalInput& in) const {
    std::vector<std::unique_ptr<PairScorer>> made;
    for (const SignalInput& part : parts(in))
        made.push_back(m_signal.pairs(part));
    if (made.size() == 1)
        return std::move(made[0]);
    return std::make_unique<MeanPairs>(in, std::move(made));
}

std::vector<float> SharedSignal::mean(const SignalInput& in,
                                      std::vector<float> (*scores)(const SignalInput&)) const {
    const std::vector<SignalInput> inputs = parts(in);
    std::vector<float> sum = scores(inputs[0]);
    for (std::size_t n = 1; n < inputs.size(); ++n) {
        const std::vector<float> more = scores(inputs[n]);
        for (std::size_t j = 0; j < sum.size(); ++j)
            sum[j] += more[j];
    }
    if (inputs.size() > 1)
        for (float& x : sum)
            x /= static_cast<float>(inputs.size());
    return sum;
}

std::vector<float> SharedSignal::tokens(const SignalInput& in) const {
    return mean(in, m_signal.tokens);
}

std::vector<float> SharedSignal::queries(const SignalInput& in) const {
    return mean(in, m_signal.queries);
}

std::uint64_t SharedSignal::macs(const SignalInput& in) const {
    std::uint64_t sum = 0;
    for (const SignalInput& part : parts(in))
        sum += m_signal.macs(part);
    return sum;
}

} // namespace fovea
