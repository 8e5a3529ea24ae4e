#pragma once
#include "core/base/Result.h"
#include "core/model/NativeAttention.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/TokenFacts.h"
#include <algorithm>
#include <cstdint>
#include <vector>

namespace fovea {

/// The local keys of a query inside the layer's native window: a band that ends at the query and, with a
/// dilated window, single keys before the band. Does not consider full layers. Cheap to copy; every function
/// is O(1).
class LocalReads {
public:
    LocalReads(const LocalPart& part, NativeWindow native)
        : m_native(native), m_window(static_cast<std::size_t>(part.window)),
          m_dilation(static_cast<std::size_t>(part.dilation)), m_chunk(static_cast<std::size_t>(part.chunk)),
          m_previous(part.chunkPrevious != 0) {
        if (m_window <= 1)
            m_dilation = 1;
    }

    /// The first key of the band [bandFirst, query]; query + 1 when the band is empty. Never decreases as the
    /// query increases.
    [[nodiscard]] std::size_t bandFirst(std::size_t query) const {
        std::size_t first = query + 1;
        if (m_dilation > 1)
            first = query;
        else if (m_window > 0)
            first = query >= m_window ? query - m_window + 1 : 0;
        if (m_chunk > 0) {
            const std::size_t begin = query / m_chunk * m_chunk;
            first = std::min(first, m_previous && begin > 0 ? begin - m_chunk : begin);
        }
        return std::max(first, m_native.first(query));
    }
    [[nodiscard]] NativeWindow native() const { return m_native; }
    [[nodiscard]] bool dilated() const { return m_dilation > 1; }
    [[nodiscard]] std::size_t window() const { return m_window; }
    [[nodiscard]] std::size_t dilation() const { return m_dilation; }
    [[nodiscard]] bool chunked() const { return m_chunk > 0; }
    /// Calls f(key) for every key of the dilated window before the band, nearest first.
    template <class F>
    void forEachBelowBand(std::size_t query, F&& f) const {
        if (m_dilation == 1)
            return;
        const std::size_t first = bandFirst(query);
        const std::size_t steps = std::min(m_window - 1, (query - m_native.first(query)) / m_dilation);
        for (std::size_t t = 1; t <= steps; ++t)
            if (const std::size_t key = query - m_dilation * t; key < first)
                f(key);
    }
    [[nodiscard]] bool contains(std::size_t query, std::size_t key) const {
        if (key > query)
            return false;
        if (key >= bandFirst(query))
            return true;
        const std::size_t gap = query - key;
        return m_native.lets(query, key) && m_dilation > 1 && gap % m_dilation == 0 &&
               gap / m_dilation < m_window;
    }

private:
    NativeWindow m_native;
    std::size_t m_window;
    std::size_t m_dilation;
    std::size_t m_chunk;
    bool m_previous;
};

/// The always part of a policy over one text: sinks, pinned, special and separator tokens.
struct AlwaysReads {
    std::vector<std::uint64_t>
        bits; ///< [ceil(T/64)], bit j % 64 of word j / 64: later queries may read key j
    std::vector<std::uint32_t> keys; ///< the same keys, ascending
    /// For each of `keys` the first query that may no longer read it, because of a cap on special or
    /// separator tokens or because it leaves the layer's native window. Empty: no key ends. From then on the
    /// key is an ordinary candidate of the router, as far as the native window lets it.
    std::vector<std::uint32_t> until;
    /// Like `bits`, for keys that no router ranks, because only a native window ends them: sinks, pinned
    /// keys, kinds of tokens without a cap.
    std::vector<std::uint64_t> lastingBits;
    /// [T] 1: reads everything before it that the model lets it read (pinned, or outside the phase).
    std::vector<std::uint8_t> queryRole;
    /// Whether `query` may read `key`, which must be <= query.
    [[nodiscard]] bool reads(std::size_t query, std::size_t key) const {
        if (!contains(key))
            return false;
        if (until.empty())
            return true;
        const auto at = std::lower_bound(keys.begin(), keys.end(), static_cast<std::uint32_t>(key));
        return query < until[static_cast<std::size_t>(at - keys.begin())];
    }
    [[nodiscard]] bool contains(std::size_t key) const { return (bits[key / 64] >> (key % 64) & 1U) != 0; }
    [[nodiscard]] bool lasts(std::size_t key) const {
        return (lastingBits[key / 64] >> (key % 64) & 1U) != 0;
    }
};

/// Rows outside the phase of the routed part read everything, so they have the query role.
/// Errors: BadValue (a pinned position at or beyond T, named).
[[nodiscard]] Result<AlwaysReads> alwaysReads(const HeadParts& parts, const TokenFacts& facts,
                                              NativeWindow native);

} // namespace fovea
