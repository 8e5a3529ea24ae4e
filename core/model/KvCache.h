#pragma once
#include "core/base/Matrix.h"
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fovea {

/// The tokens whose keys and values later queries of one layer may still read: the newest `reach` tokens and
/// those in `kept`.
struct KvRetention {
    static constexpr std::size_t kEverything = std::numeric_limits<std::size_t>::max();
    std::size_t reach = kEverything; ///< number of newest tokens, including the one just appended
    std::vector<std::uint32_t> kept; ///< never dropped (sinks, pinned), ascending; unused with kEverything
    bool operator==(const KvRetention&) const = default;
};

/// The row of each stored token when not all tokens are stored: rows 0.. hold the tokens in `older`, the rows
/// after them the tokens from `tailFirst` on.
struct KeyRows {
    std::vector<std::uint32_t> older; ///< ascending, all below tailFirst
    std::size_t tailFirst = 0;
    /// The row of a stored token.
    [[nodiscard]] std::size_t rowOf(std::size_t token) const;
};

/// Keys (with RoPE applied) and values of one layer in f32, one row of G*D per token. Rows of tokens that the
/// retention drops are overwritten, so a plain window needs memory for the window, not for the text. Grows by
/// 256 rows or by half, whichever is more. Not thread-safe. append throws std::bad_alloc.
class KvCache {
public:
    KvCache(std::size_t width, KvRetention retention);
    /// Reserves memory for a text of `tokens` tokens, as far as they would be stored.
    void reserve(std::size_t tokens);
    void append(const float* k, const float* v);

    [[nodiscard]] std::size_t tokens() const { return m_tokens; } ///< appended so far
    [[nodiscard]] bool whole() const { return m_retention.reach == KvRetention::kEverything; }
    [[nodiscard]] ConstMatrixView keys() const { return {m_keys.data(), rows(), m_width}; }
    [[nodiscard]] ConstMatrixView values() const { return {m_values.data(), rows(), m_width}; }
    [[nodiscard]] const KeyRows& keyRows() const { return m_rows; }
    [[nodiscard]] std::size_t bytes() const { return 2 * m_capacity * m_width * sizeof(float); }
    /// Bytes that a text of `tokens` tokens needs.
    [[nodiscard]] static std::size_t bytesFor(std::size_t width, const KvRetention& retention,
                                              std::size_t tokens);

private:
    [[nodiscard]] std::size_t rows() const { return m_rows.older.size() + m_tokens - m_rows.tailFirst; }
    void grow(std::size_t rows);
    void giveUp();
    void moveRow(std::size_t from, std::size_t to, std::size_t count);

    std::size_t m_width;
    KvRetention m_retention;
    std::size_t m_tokens = 0;
    std::size_t m_capacity = 0; ///< rows
    KeyRows m_rows;
    AlignedBuffer<float> m_keys;
    AlignedBuffer<float> m_values;
};

} // namespace fovea
