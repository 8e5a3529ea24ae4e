#pragma once
#include "core/plan/AttentionPlan.h"
#include "core/route/ReadSets.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// Builds the HeadPlan of one pattern, 64 queries at a time: the band as trimmed Full and Bound tiles, every
/// other key as a lane mask over the block, which becomes a tile where it is dense and part of a Gather item
/// where it is not. Masks are sets, so a key that two parts name is read once. Queries in query role get
/// blocks of their own. Cost: one step per planned key outside the band, plus T/64 steps per block.
class PlanBuilder {
public:
    /// What becomes of a query that no part gives a key: it reads itself, or nothing (a state stands there).
    enum class Unread : std::uint8_t { Self, Nothing };
    /// `routed` may be null; its rows must cover `rows`. The referenced values must outlive the builder.
    PlanBuilder(const LocalReads& local, const AlwaysReads& always, const RoutedChoices* routed,
                std::size_t tokens, RowRange rows, Unread unread = Unread::Self);
    [[nodiscard]] HeadPlan build();

private:
    struct Lanes; // one block's queries: active lanes and each lane's band

    void addRows(std::size_t first, std::size_t count);
    [[nodiscard]] bool byPhases() const;
    void addPhase(std::size_t phase);
    void addPhaseRows(const std::vector<std::uint32_t>& queries);
    void emitStrided(const Lanes& lanes);
    void collectMasks(Lanes& lanes);
    void collectSparse(const Lanes& lanes);
    [[nodiscard]] bool keysMissing() const;
    void addMask(std::size_t key, std::uint64_t lanesReading, Reason reason);
    void emitTiles(const Lanes& lanes);
    bool emitMixedTile(const Lanes& lanes, std::size_t tile);
    void emitBitmask(std::size_t keyFirst, std::size_t keyLast, const std::uint64_t* lanesOfKeys);
    void emitBounds(const Lanes& lanes, std::size_t keyFirst, std::size_t keyLast, const LaneBound* bounds);
    void emitGathers(const Lanes& lanes);
    void addQueryRows(const std::vector<std::uint32_t>& queries);
    [[nodiscard]] bool inQueryRole(std::size_t query) const;
    void countPairs(Reason reason, std::uint64_t pairs);
    void countComputed(const PlanItem& item, std::uint32_t lanes);

    const LocalReads& m_local;
    const AlwaysReads& m_always;
    const RoutedChoices* m_routed;
    std::size_t m_tokens;
    RowRange m_rows;
    Unread m_unread;
    HeadPlan m_plan;
    std::vector<std::uint64_t> m_masks;   ///< [T] lanes of the block that read the key, outside the band
    std::vector<std::uint64_t> m_touched; ///< [T/64] keys whose mask is not empty
};

} // namespace fovea
