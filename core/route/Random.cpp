#include "core/base/SplitMix64.h"
#include "core/route/Signal.h"

// random: a uniform draw from (seed, layer, head, query, key), without state, so that cached equals uncached.
// A draw for a whole text has query -1, a draw for a query's role has key -1.
namespace fovea {

namespace {

constexpr std::uint64_t kNone = ~std::uint64_t{0};

std::uint64_t rowState(const SignalInput& in, std::uint64_t query) {
    return splitMix64(in.routed.seed, in.input.layer, in.unit, query);
}

class RandomPairs final : public PairScorer {
public:
    explicit RandomPairs(const SignalInput& in)
        : PairScorer(in.dots), m_firstQuery(in.rows.first), m_states(in.rows.last - in.rows.first) {
        for (std::size_t row = 0; row < m_states.size(); ++row)
            m_states[row] = rowState(in, m_firstQuery + row);
    }
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override {
        for (std::size_t r = 0; r < rows; ++r) {
            const std::uint64_t state = m_states[query - m_firstQuery + r];
            m_dots.draws(state, key, keys, out + r * stride);
        }
    }
    [[nodiscard]] RankUse use(std::size_t) const override { return {}; }

private:
    std::size_t m_firstQuery;
    std::vector<std::uint64_t> m_states;
};

} // namespace

namespace scoring {

std::unique_ptr<PairScorer> randomPairs(const SignalInput& in) {
    return std::make_unique<RandomPairs>(in);
}

std::vector<float> randomTokens(const SignalInput& in) {
    std::vector<float> draws(in.keys);
    for (std::size_t j = 0; j < in.keys; ++j)
        draws[j] = unitFloat(splitMix64(rowState(in, kNone) ^ j));
    return draws;
}

std::vector<float> randomQueries(const SignalInput& in) {
    std::vector<float> draws(in.keys);
    for (std::size_t i = 0; i < in.keys; ++i)
        draws[i] = unitFloat(splitMix64(rowState(in, i) ^ kNone));
    return draws;
}

} // namespace scoring

} // namespace fovea
