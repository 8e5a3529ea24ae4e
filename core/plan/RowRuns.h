#pragma once
#include "core/plan/AttentionPlan.h"
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Keys [lo, hi).
struct KeyRun {
    std::uint32_t lo = 0;
    std::uint32_t hi = 0;
    bool operator==(const KeyRun&) const = default;
};

/// What each lane of one query block reads, as ascending runs that do not touch, and its complement: what a
/// far field stands for. Straight from the plan's items, so that nothing can be read twice. Re-used from
/// block to block.
class BlockRuns {
public:
    /// Cost: the block's items and gathered pairs, and a sort per lane.
    void load(const HeadPlan& plan, const QueryBlock& block);
    /// Empty for a lane that is not active.
    [[nodiscard]] std::span<const KeyRun> read(std::size_t lane) const { return m_read[lane]; }
    [[nodiscard]] std::size_t query(std::size_t lane) const { return m_query[lane]; }
    /// Keys up to the lane's query that it does not read.
    void unread(std::size_t lane, std::vector<KeyRun>& runs) const;

private:
    std::array<std::vector<KeyRun>, kBlock> m_read;
    std::array<std::size_t, kBlock> m_query{};
};

/// The gaps between ascending `read` runs in [0, end).
void gapsBetween(std::span<const KeyRun> read, std::uint32_t end, std::vector<KeyRun>& gaps);

} // namespace fovea
