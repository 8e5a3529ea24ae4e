#pragma once
#include "core/route/ReadSets.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// The keys that the router may choose for each query: those inside the layer's native window that neither
/// local nor always read. A separator beyond its cap is one of them.
class Candidates {
public:
    Candidates(const LocalReads& local, const AlwaysReads& always, Scope scope, std::size_t tokens);

    /// Keys of one query: those in [begin, end) whose bit is not set in `blocked`. The bits of keys before
    /// `begin` are set.
    struct Row {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t count = 0;
        const std::uint64_t* blocked = nullptr;
    };
    /// The candidates of one query. `scratch` (T/64 + 1 words) is used when the set is not a prefix; the
    /// returned row points into it or into this object.
    [[nodiscard]] Row of(std::size_t query, std::vector<std::uint64_t>& scratch) const;
    /// Whether the set of each query is that of the previous query plus keys after its end.
    [[nodiscard]] bool growing() const {
        return m_scope == Scope::Prefix && !m_local.dilated() && m_always.until.empty() &&
               !native().limits(m_tokens);
    }
    /// Bit j % 64 of word j / 64: always reads key j. One word longer than the text. Where candidates grow,
    /// they are the other keys before the query's border.
    [[nodiscard]] const std::uint64_t* blocked() const { return m_blocked.data(); }
    [[nodiscard]] std::size_t tokens() const { return m_tokens; }
    [[nodiscard]] Scope scope() const { return m_scope; }
    [[nodiscard]] const LocalReads& local() const { return m_local; }
    [[nodiscard]] const AlwaysReads& always() const { return m_always; }
    [[nodiscard]] NativeWindow native() const { return m_local.native(); }

private:
    const LocalReads& m_local;
    const AlwaysReads& m_always;
    Scope m_scope;
    std::size_t m_tokens;
    std::vector<std::uint64_t> m_blocked;      ///< always keys, one word longer than the text
    std::vector<std::uint32_t> m_alwaysBefore; ///< [T+1]
};

} // namespace fovea
