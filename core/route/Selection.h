#pragma once
#include "core/route/Dots.h"
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

namespace fovea {

/// A score and its token packed into one number that sorts by rank: the higher score first, in a tie the
/// later token first, NaN last.
using Ranked = std::uint64_t;

[[nodiscard]] inline Ranked rankedOf(float score, std::uint32_t token) {
    if (score != score)
        return token;                                             // below the smallest number
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F); // -0 and 0 tie
    const std::uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
    return std::uint64_t{ordered} << 32 | token;
}
[[nodiscard]] inline std::uint32_t tokenOf(Ranked ranked) {
    return static_cast<std::uint32_t>(ranked);
}
[[nodiscard]] inline float scoreOf(Ranked ranked) {
    const auto ordered = static_cast<std::uint32_t>(ranked >> 32);
    if (ordered == 0)
        return std::numeric_limits<float>::quiet_NaN();
    return std::bit_cast<float>((ordered >> 31) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
}

/// Finds the k best of a stream of scores. It keeps a threshold that rises with the stream, so most scores
/// are discarded by one vector comparison. The threshold is found by bisection on counts, which has no
/// unpredictable branches. It need not be exact: the scores at or above it always include the k best and
/// their ties. Reusable; allocates only when k grows.
class TopK {
public:
    explicit TopK(const DotKernels& dots) : m_dots(dots) {}

    /// Largest number of scores per call of feed.
    static constexpr std::size_t kFeed = 256;

    /// `bar`: a threshold that at least k of the following scores reach. A good guess discards most of the
    /// others.
    void start(std::size_t k, float bar = -std::numeric_limits<float>::infinity()) {
        m_k = k;
        m_size = 0;
        m_bar = bar;
        m_nans = 0;
        const std::size_t room = limit() + kFeed + 16;
        if (m_values.size() < room) {
            m_values.resize(room);
            m_tokens.resize(room);
        }
    }
    /// Adds the scores of tokens [base, base + count), count <= kFeed. Bit j of `blocked` excludes token base
    /// + j. Tokens must ascend from call to call.
    void feed(const float* scores, std::size_t count, const std::uint64_t* blocked, std::uint32_t base) {
        take(m_dots.filter(scores, count, blocked, m_bar, base, m_values.data() + m_size,
                           m_tokens.data() + m_size));
    }
    /// Prepares `row` as the output of a sift of at most kFeed keys; call take() afterwards.
    void open(SiftRow& row) {
        row.bar = m_bar;
        row.values = m_values.data() + m_size;
        row.keys = m_tokens.data() + m_size;
        row.found = 0;
    }
    void take(std::size_t found) {
        for (std::size_t n = m_size; n < m_size + found; ++n)
            m_nans += m_values[n] != m_values[n] ? 1U : 0U;
        m_size += found;
        if (m_size >= limit())
            shrink();
    }

    /// The chosen tokens in ascending order, among some that are not chosen. Valid until the next start.
    struct Places {
        std::size_t held = 0;   ///< sizes of the arrays below
        std::size_t chosen = 0; ///< those with places[n] < chosen
        const float* values = nullptr;
        const std::uint32_t* tokens = nullptr;
        const std::uint32_t* places = nullptr; ///< 0: best
    };
    [[nodiscard]] Places finish() {
        // Ranking n scores costs n^2 / 8 comparisons, reducing them about 2 n.
        const std::size_t target = m_k + slack();
        if (2 * m_size > 3 * target || m_size > std::max(target, kCounted))
            shrink();
        m_places.resize(m_size + 16);
        if (m_size <= kCounted && m_nans == 0)
            m_dots.places(m_values.data(), m_size, m_places.data());
        else
            placeBySorting();
        return {m_size, std::min(m_size, m_k), m_values.data(), m_tokens.data(), m_places.data()};
    }
    /// The chosen tokens alone, in ascending order, without their places. Valid until the next start.
    struct Best {
        std::size_t count = 0;
        const float* values = nullptr;
        const std::uint32_t* tokens = nullptr;
        float worst = 0; ///< value of the last chosen; NaN if there is none
    };
    [[nodiscard]] Best finishUnranked() {
        if (m_size > m_k && !(m_nans == 0 && m_k > 0 && keepByBisection(0)))
            keepExactly();
        Best best{m_size, m_values.data(), m_tokens.data(), std::numeric_limits<float>::quiet_NaN()};
        const auto isNan = [](float value) { return value != value; };
        const auto end = m_values.begin() + static_cast<std::ptrdiff_t>(m_size);
        if (m_size > 0 && (m_nans == 0 || std::find_if(m_values.begin(), end, isNan) == end))
            best.worst = m_dots.least(m_values.data(), m_size) + 0.0F;
        return best;
    }
    [[nodiscard]] std::uint64_t nans() const { return m_nans; }

    /// A threshold for start(): the k-th best of `count` scores or slightly less; -inf when there are fewer
    /// than k. Does not modify x.
    [[nodiscard]] static float barUnder(const DotKernels& dots, const float* x, std::size_t count,
                                        std::size_t k) {
        float low = -std::numeric_limits<float>::infinity();
        if (k == 0 || count < k)
            return low;
        float high = dots.greatest(x, count);
        const float least = dots.least(x, count);
        if (dots.atLeast(x, count, least) < k || !(high - least < std::numeric_limits<float>::max()))
            return low;
        low = least;
        for (int step = 0; step < 12; ++step) {
            const float middle = low + (high - low) / 2;
            const std::size_t above = dots.atLeast(x, count, middle);
            (above < k ? high : low) = middle;
            if (above == k)
                break;
        }
        return low;
    }

private:
    /// Up to this many scores are ranked by counting the better ones, more by sorting.
    static constexpr std::size_t kCounted = 128;

    [[nodiscard]] std::size_t slack() const { return m_k / 4 + 8; }
    [[nodiscard]] std::size_t limit() const { return 2 * m_k + 64; }

    /// Reduces the scores to between k and k + slack, keeping their order.
    void shrink() {
        if (m_k == 0) {
            m_size = 0;
            m_bar = std::numeric_limits<float>::infinity();
            return;
        }
        if (!keepByBisection(slack()))
            keepExactly();
    }
    /// Keeps those at or above a number that m_k to m_k + `more` reach. Returns false, and changes nothing,
    /// if it finds none.
    bool keepByBisection(std::size_t more) {
        float low = m_dots.least(m_values.data(), m_size);
        float high = m_dots.greatest(m_values.data(), m_size);
        if (m_dots.atLeast(m_values.data(), m_size, low) < m_k ||
            !(high - low < std::numeric_limits<float>::max()))
            return false;
        for (int step = 0; step < 32; ++step) {
            const float middle = low + (high - low) / 2;
            const std::size_t above = m_dots.atLeast(m_values.data(), m_size, middle);
            if (above < m_k)
                high = middle;
            else if (above > m_k + more)
                low = middle;
            else {
                m_bar = middle;
                keep([middle](float value, std::uint32_t) { return value >= middle; });
                return true;
            }
        }
        return false;
    }
    template <class F>
    void keep(const F& stays) {
        std::size_t kept = 0;
        for (std::size_t n = 0; n < m_size; ++n) {
            const float value = m_values[n];
            const std::uint32_t token = m_tokens[n];
            m_values[kept] = value;
            m_tokens[kept] = token;
            kept += stays(value, token) ? 1U : 0U;
        }
        m_size = kept;
    }
    /// Used when bisection does not converge: many equal scores, NaNs or infinities.
    void keepExactly() {
        if (m_size <= m_k)
            return;
        if (m_k == 0) {
            m_size = 0;
            return;
        }
        m_ranked.clear();
        for (std::size_t n = 0; n < m_size; ++n)
            m_ranked.push_back(rankedOf(m_values[n], m_tokens[n]));
        const auto last = m_ranked.begin() + static_cast<std::ptrdiff_t>(m_k - 1);
        std::nth_element(m_ranked.begin(), last, m_ranked.end(), std::greater<>());
        keep([worst = *last](float value, std::uint32_t token) { return rankedOf(value, token) >= worst; });
        if (const float bar = scoreOf(*last); bar == bar)
            m_bar = bar;
    }
    void placeBySorting() {
        m_ranked.clear();
        for (std::size_t n = 0; n < m_size; ++n)
            m_ranked.push_back(rankedOf(m_values[n], m_tokens[n]));
        m_order.resize(m_size);
        std::iota(m_order.begin(), m_order.end(), 0U);
        std::sort(m_order.begin(), m_order.end(),
                  [&](std::uint32_t a, std::uint32_t b) { return m_ranked[a] > m_ranked[b]; });
        for (std::size_t place = 0; place < m_size; ++place)
            m_places[m_order[place]] = static_cast<std::uint32_t>(place);
    }

    const DotKernels& m_dots;
    std::size_t m_k = 0;
    std::size_t m_size = 0;
    float m_bar = 0;
    std::uint64_t m_nans = 0;
    std::vector<float> m_values;
    std::vector<std::uint32_t> m_tokens;
    std::vector<std::uint32_t> m_places;
    std::vector<std::uint32_t> m_order;
    std::vector<Ranked> m_ranked;
};

} // namespace fovea
