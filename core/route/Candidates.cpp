#include "core/route/Candidates.h"
#include <algorithm>
#include <bit>

namespace fovea {

Candidates::Candidates(const LocalReads& local, const AlwaysReads& always, Scope scope, std::size_t tokens)
    : m_local(local), m_always(always), m_scope(scope), m_tokens(tokens), m_blocked(always.bits),
      m_alwaysBefore(tokens + 1, 0) {
    m_blocked.push_back(0);
    for (std::size_t key = 0; key < tokens; ++key)
        m_alwaysBefore[key + 1] = m_alwaysBefore[key] + (always.contains(key) ? 1U : 0U);
}

Candidates::Row Candidates::of(std::size_t query, std::vector<std::uint64_t>& scratch) const {
    Row row;
    row.blocked = m_blocked.data();
    if (m_always.queryRole[query] != 0)
        return row; // reads everything already
    const std::size_t band = m_local.bandFirst(query);
    if (growing()) {
        row.end = band;
        row.count = band - m_alwaysBefore[band];
        return row;
    }
    scratch = m_blocked;
    row.blocked = scratch.data();
    row.end = m_scope == Scope::Prefix ? band : m_tokens;
    row.count = row.end - m_alwaysBefore[row.end];
    for (std::size_t n = 0; n < m_always.until.size(); ++n)
        if (const std::uint32_t key = m_always.keys[n]; m_always.until[n] <= query) {
            scratch[key / 64] &= ~(std::uint64_t{1} << (key % 64));
            row.count += key < row.end ? 1U : 0U;
        }
    const auto block = [&](std::size_t key) {
        const std::uint64_t bit = std::uint64_t{1} << (key % 64);
        row.count -= (scratch[key / 64] & bit) == 0 ? 1U : 0U;
        scratch[key / 64] |= bit;
    };
    m_local.forEachBelowBand(query, block);
    if (m_scope == Scope::Sequence)
        for (std::size_t key = band; key <= query; ++key)
            block(key);
    // What lies outside the native window is no candidate.
    row.begin = std::min(native().first(query), row.end);
    for (std::size_t word = 0; word * 64 < row.begin; ++word) {
        const std::size_t below = row.begin - word * 64;
        const std::uint64_t outside = below >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << below) - 1;
        row.count -= static_cast<std::size_t>(std::popcount(~scratch[word] & outside));
        scratch[word] |= outside;
    }
    return row;
}

} // namespace fovea
