#include "core/model/KvCache.h"
#include <algorithm>
#include <cstring>

namespace fovea {

namespace {
constexpr std::size_t kGrowRows = 256;
constexpr std::size_t kSlackRows = 64; ///< dropped rows are overwritten this many at a time
} // namespace

std::size_t KeyRows::rowOf(std::size_t token) const {
    if (token >= tailFirst)
        return older.size() + token - tailFirst;
    const auto found = std::lower_bound(older.begin(), older.end(), static_cast<std::uint32_t>(token));
    FOVEA_ASSERT(found != older.end() && *found == token);
    return static_cast<std::size_t>(found - older.begin());
}

KvCache::KvCache(std::size_t width, KvRetention retention)
    : m_width(width), m_retention(std::move(retention)) {
    FOVEA_ASSERT(m_retention.reach > 0);
}

std::size_t KvCache::bytesFor(std::size_t width, const KvRetention& retention, std::size_t tokens) {
    std::size_t rows = tokens;
    if (retention.reach != KvRetention::kEverything)
        rows = std::min(tokens, retention.reach + retention.kept.size() + kSlackRows);
    return 2 * rows * width * sizeof(float);
}

void KvCache::reserve(std::size_t tokens) {
    const std::size_t rows = bytesFor(m_width, m_retention, tokens) / (2 * m_width * sizeof(float));
    if (rows > m_capacity)
        grow(rows);
}

void KvCache::grow(std::size_t rows) {
    AlignedBuffer<float> keys(rows * m_width);
    AlignedBuffer<float> values(rows * m_width);
    const std::size_t used = this->rows() * m_width * sizeof(float);
    if (used > 0) {
        std::memcpy(keys.data(), m_keys.data(), used);
        std::memcpy(values.data(), m_values.data(), used);
    }
    m_keys = std::move(keys);
    m_values = std::move(values);
    m_capacity = rows;
}

void KvCache::moveRow(std::size_t from, std::size_t to, std::size_t count) {
    if (from == to || count == 0)
        return;
    std::memmove(m_keys.data() + to * m_width, m_keys.data() + from * m_width,
                 count * m_width * sizeof(float));
    std::memmove(m_values.data() + to * m_width, m_values.data() + from * m_width,
                 count * m_width * sizeof(float));
}

/// Drops rows that the next query cannot read: moves the kept rows to the front and the newest rows after
/// them.
void KvCache::giveUp() {
    if (whole() || m_tokens < m_retention.reach)
        return;
    // The next query is m_tokens; it reads itself and the reach - 1 tokens before it.
    const std::size_t first = std::max(m_rows.tailFirst, m_tokens - (m_retention.reach - 1));
    const std::size_t oldFirst = m_rows.tailFirst;
    const std::size_t oldFront = m_rows.older.size();
    for (const std::uint32_t token : m_retention.kept)
        if (token >= oldFirst && token < first) {
            moveRow(oldFront + token - oldFirst, m_rows.older.size(), 1);
            m_rows.older.push_back(token);
        }
    moveRow(oldFront + first - oldFirst, m_rows.older.size(), m_tokens - first);
    m_rows.tailFirst = first;
}

void KvCache::append(const float* k, const float* v) {
    if (rows() == m_capacity) {
        giveUp();
        if (rows() + 1 > m_capacity) {
            const std::size_t most =
                whole() ? KvRetention::kEverything : m_retention.reach + m_retention.kept.size() + kSlackRows;
            grow(std::max(rows() + 1, std::min(most, m_capacity + std::max(kGrowRows, m_capacity / 2))));
        }
    }
    const std::size_t row = rows();
    std::memcpy(m_keys.data() + row * m_width, k, m_width * sizeof(float));
    std::memcpy(m_values.data() + row * m_width, v, m_width * sizeof(float));
    ++m_tokens;
}

} // namespace fovea
