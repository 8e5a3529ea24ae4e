#pragma once
#include "core/measure/MapTile.h"
#include "core/route/ReadSets.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Why a query reads a key, or does not: a Reason with its cause. Several may hold for one pair; the first of
/// the planner's order (local, always, routed, far) is told, and within always the order below.
enum class ReadKind : std::uint8_t {
    AfterQuery,    ///< the key comes after the query
    NotRun,        ///< no plan covers the row yet: only full attention is known
    FullHead,      ///< the head reads every key that the model lets a query of this layer read
    Window,        ///< local: in the (dilated) window
    Chunk,         ///< local: in the query's chunk or the one before it
    Itself,        ///< local: a query that nothing else gives a key reads itself
    Sink,          ///< always: one of the first tokens
    PinnedKey,     ///< always: the key is pinned in key role
    Special,       ///< always: a special token
    Separator,     ///< always: a separator
    PinnedQuery,   ///< always: the query is pinned in query role and reads everything before it
    OutsidePhase,  ///< always: the row is outside the routed phase and reads everything before it
    RoutedKey,     ///< routed: the router chose the key
    RoutedQuery,   ///< routed: the router chose the query to read everything, or the routed keys
    Summary,       ///< far: a summary of its block stands for it
    LinearState,   ///< far: a linear state stands for it
    Recurrent,     ///< far: a recurrent state stands for it; it has no weight of its own
    MeanValue,     ///< far: the row reads nothing and gets the running mean of the values
    Skipped,       ///< not read
    OutsideNative, ///< the model itself does not let the query read it: it lies outside the native window
    GlobalBlock,   ///< always: the first or last block of BigBird, which reads and is read by everything
};
/// "sink", "pinned_key", ...: the words of JSON documents.
[[nodiscard]] std::string_view readKindName(ReadKind kind);

/// What the router says of one pair.
struct RouterFacts {
    std::optional<float> score, threshold;
    std::uint32_t rank = 0;   ///< 1: best; 0: it was not ranked
    std::uint32_t budget = 0; ///< keys the row was allowed; in query role: tokens. 0: not known
    bool operator==(const RouterFacts&) const = default;
};

/// One row of one head in both arms, with all that can be said of each of its pairs. Immutable and
/// thread-safe once made. Cost: a row of attention (query * D multiply-adds) and O(query).
class RowFacts {
public:
    /// `source.plan` and spans must outlive this value. A row that the plan does not cover has full attention
    /// only.
    RowFacts(const TileSource& source, int head, std::size_t query);

    [[nodiscard]] const AttentionRow& row() const { return m_row; }
    [[nodiscard]] std::size_t query() const { return m_query; }
    [[nodiscard]] bool covered() const { return m_source.plan != nullptr; }
    /// Whether the head reads every key, by whatever part of its policy: then no router ranks.
    [[nodiscard]] bool readsAll() const { return m_readsAll; }
    /// Whether its policy is full attention. A window that is longer than the text is a window all the same.
    [[nodiscard]] bool fullHead() const;
    /// Of the router that ranks for this head; empty: none does.
    [[nodiscard]] std::string_view signal() const { return m_signal; }
    /// Any key; those after the query too.
    [[nodiscard]] ReadKind kind(std::size_t key) const;
    /// 1 + how many keys have a greater p.
    [[nodiscard]] std::size_t rank(std::size_t key) const;
    /// Of a routed pair its choice; of another pair the row's bar and budget. `scores` (signalScores of this
    /// row, or empty) adds score and place of candidates that were not chosen; ties go to the later token.
    [[nodiscard]] RouterFacts router(std::size_t key, const std::vector<float>& scores = {}) const;
    /// Keys read exactly, without those that only a far field stands for, and full attention's mass on them.
    [[nodiscard]] std::size_t keptKeys() const { return m_keptKeys; }
    [[nodiscard]] double keptMass() const { return m_keptMass; }
    /// Full attention's mass on the keys [first, last); those after the query have none.
    [[nodiscard]] double mass(std::size_t first, std::size_t last) const;

private:
    [[nodiscard]] ReadKind alwaysKind(std::size_t key) const;
    [[nodiscard]] ReadKind farKind() const;
    [[nodiscard]] std::optional<ChosenKey> chosen(std::size_t key) const;

    TileSource m_source; ///< without a plan when the row is not covered
    int m_head;
    std::size_t m_query;
    AttentionRow m_row;
    bool m_readsAll = false;
    std::string m_signal;
    const RoutedChoices* m_choices = nullptr; ///< with this row among them
    std::vector<ChosenKey> m_chosen;          ///< of this row, ascending
    const AlwaysReads* m_always = nullptr;
    std::size_t m_keptKeys = 0;
    double m_keptMass = 0;
};

} // namespace fovea
