#pragma once
#include "core/plan/ItemWriter.h"
#include "core/route/ReadSets.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// Builds the HeadPlan of one causal pattern, 64 queries at a time. It decides the band of each lane and
/// which lanes read each other key; ItemWriter turns this into items. Queries in query role get blocks of
/// their own. Cost: one step per planned key outside the bands, plus T/64 steps per block.
class PlanBuilder {
public:
    /// What a query reads if no part gives it a key: itself, or nothing (when a state takes its place).
    enum class Unread : std::uint8_t { Self, Nothing };
    /// `routed` may be null, otherwise its rows must cover `rows`. The referenced values must outlive the
    /// builder.
    PlanBuilder(const LocalReads& local, const AlwaysReads& always, const RoutedChoices* routed,
                std::size_t tokens, RowRange rows, Unread unread = Unread::Self);
    [[nodiscard]] HeadPlan build();

private:
    void addRows(std::size_t first, std::size_t count);
    [[nodiscard]] bool byPhases() const;
    void addPhase(std::size_t phase);
    void addPhaseRows(const std::vector<std::uint32_t>& queries);
    void collectMasks(Lanes& lanes);
    void collectSparse(const Lanes& lanes);
    [[nodiscard]] bool keysMissing() const;
    void addQueryRows(const std::vector<std::uint32_t>& queries);
    [[nodiscard]] bool inQueryRole(std::size_t query) const;

    const LocalReads& m_local;
    const AlwaysReads& m_always;
    const RoutedChoices* m_routed;
    std::size_t m_tokens;
    RowRange m_rows;
    Unread m_unread;
    ItemWriter m_writer;
};

} // namespace fovea
