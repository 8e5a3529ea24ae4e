#pragma once
#include "core/route/Dots.h"
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace fovea {

/// A score and its token as one number that orders as rule 3 asks: higher score first, ties to the later
/// token, NaN last.
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

/// The k best of a stream of scores. Keeps a bar that rises as the stream goes on: most scores are dismissed
/// by one vector compare. The bar is found by bisection on counts, which has no branch to mispredict, and
/// need not be exact: what stands at or above it holds the k best, ties included. Re-usable; allocates only
/// when k grows.
class TopK {
public:
    explicit TopK(const DotKernels& dots) : m_dots(dots) {}

    /// Most scores that one feed takes.
    static constexpr std::size_t kFeed = 256;

    void start(std::size_t k) {
        m_k = k;
        m_size = 0;
        m_bar = -std::numeric_limits<float>::infinity();
        m_nans = 0;
        const std::size_t room = limit() + kFeed + 16;
        if (m_values.size() < room) {
            m_values.resize(room);
            m_tokens.resize(room);
        }
    }
    /// Scores of tokens base .. base + count, count <= kFeed; bit j of `blocked` says that base + j is no
    /// candidate.
    void feed(const float* scores, std::size_t count, const std::uint64_t* blocked, std::uint32_t base) {
        const std::size_t found = m_dots.filter(scores, count, blocked, m_bar, base, m_values.data() + m_size,
                                                m_tokens.data() + m_size);
        for (std::size_t n = m_size; n < m_size + found; ++n)
            m_nans += m_values[n] != m_values[n] ? 1U : 0U;
        m_size += found;
        if (m_size >= limit())
            shrink();
    }
    /// The chosen, best first. Valid until the next start.
    [[nodiscard]] const Ranked* finish() {
        if (m_size > m_k + slack())
            shrink();
        m_best.clear();
        for (std::size_t n = 0; n < m_size; ++n)
            m_best.push_back(rankedOf(m_values[n], m_tokens[n]));
        std::sort(m_best.begin(), m_best.end(), std::greater<>());
        m_size = std::min(m_size, m_k);
        return m_best.data();
    }
    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] std::uint64_t nans() const { return m_nans; }

private:
    [[nodiscard]] std::size_t slack() const { return m_k / 4 + 8; }
    [[nodiscard]] std::size_t limit() const { return 2 * m_k + 64; }

    /// Leaves k to k + slack of them.
    void shrink() {
        if (m_k == 0) {
            m_size = 0;
            m_bar = std::numeric_limits<float>::infinity();
            return;
        }
        float low = m_dots.least(m_values.data(), m_size);
        float high = m_dots.greatest(m_values.data(), m_size);
        if (m_dots.atLeast(m_values.data(), m_size, low) >= m_k &&
            high - low < std::numeric_limits<float>::max())
            for (int step = 0; step < 32; ++step) {
                const float middle = low + (high - low) / 2;
                const std::size_t above = m_dots.atLeast(m_values.data(), m_size, middle);
                if (above < m_k)
                    high = middle;
                else if (above > m_k + slack())
                    low = middle;
                else {
                    keepAtLeast(middle);
                    return;
                }
            }
        keepExactly();
    }
    void keepAtLeast(float bar) {
        std::size_t kept = 0;
        for (std::size_t n = 0; n < m_size; ++n) {
            const float value = m_values[n];
            m_values[kept] = value;
            m_tokens[kept] = m_tokens[n];
            kept += value >= bar ? 1U : 0U;
        }
        m_size = kept;
        m_bar = bar;
    }
    /// Where bisection does not end: many equal scores, NaNs or infinities.
    void keepExactly() {
        m_best.clear();
        for (std::size_t n = 0; n < m_size; ++n)
            m_best.push_back(rankedOf(m_values[n], m_tokens[n]));
        const auto last = m_best.begin() + static_cast<std::ptrdiff_t>(m_k - 1);
        std::nth_element(m_best.begin(), last, m_best.end(), std::greater<>());
        m_size = m_k;
        for (std::size_t n = 0; n < m_k; ++n) {
            m_values[n] = scoreOf(m_best[n]);
            m_tokens[n] = tokenOf(m_best[n]);
        }
        if (const float bar = scoreOf(*last); bar == bar)
            m_bar = bar;
    }

    const DotKernels& m_dots;
    std::size_t m_k = 0;
    std::size_t m_size = 0;
    float m_bar = 0;
    std::uint64_t m_nans = 0;
    std::vector<float> m_values;
    std::vector<std::uint32_t> m_tokens;
    std::vector<Ranked> m_best;
};

} // namespace fovea
