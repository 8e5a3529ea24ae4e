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
/// by one vector compare. Re-usable; allocates only when k grows.
class TopK {
public:
    explicit TopK(const DotKernels& dots) : m_dots(dots), m_values(kFeed + 16), m_tokens(kFeed + 16) {}

    /// Most scores that one feed takes.
    static constexpr std::size_t kFeed = 256;

    void start(std::size_t k) {
        m_k = k;
        m_size = 0;
        m_bar = -std::numeric_limits<float>::infinity();
        m_nans = 0;
        const std::size_t room = 2 * k + 64 + kFeed;
        if (m_best.size() < room)
            m_best.resize(room);
    }
    /// Scores of tokens base .. base + count, count <= kFeed; bit j of `blocked` says that base + j is no
    /// candidate.
    void feed(const float* scores, std::size_t count, const std::uint64_t* blocked, std::uint32_t base) {
        const std::size_t found =
            m_dots.filter(scores, count, blocked, m_bar, base, m_values.data(), m_tokens.data());
        for (std::size_t n = 0; n < found; ++n) {
            m_nans += m_values[n] != m_values[n] ? 1U : 0U;
            m_best[m_size + n] = rankedOf(m_values[n], m_tokens[n]);
        }
        m_size += found;
        if (m_size >= 2 * m_k + 64)
            shrink();
    }
    /// The chosen, best first. Valid until the next start.
    [[nodiscard]] const Ranked* finish() {
        shrink();
        std::sort(begin(), begin() + static_cast<std::ptrdiff_t>(m_size), std::greater<>());
        return m_best.data();
    }
    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] std::uint64_t nans() const { return m_nans; }

private:
    [[nodiscard]] std::vector<Ranked>::iterator begin() { return m_best.begin(); }
    void shrink() {
        if (m_size <= m_k)
            return;
        if (m_k == 0) {
            m_size = 0;
            return;
        }
        const auto last = begin() + static_cast<std::ptrdiff_t>(m_k - 1);
        std::nth_element(begin(), last, begin() + static_cast<std::ptrdiff_t>(m_size), std::greater<>());
        m_size = m_k;
        if (const float bar = scoreOf(*last); bar == bar)
            m_bar = bar;
    }

    const DotKernels& m_dots;
    std::size_t m_k = 0;
    std::size_t m_size = 0;
    float m_bar = 0;
    std::uint64_t m_nans = 0;
    std::vector<Ranked> m_best;
    std::vector<float> m_values;
    std::vector<std::uint32_t> m_tokens;
};

} // namespace fovea
