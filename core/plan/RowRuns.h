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

/// The keys that each lane of one query block reads, as ascending runs that do not touch, and the unread
/// keys, which a far field stands for. Computed from the items of the plan, so no key can count twice.
/// Reusable for the next block.
class BlockRuns {
public:
    /// Cost: the items and gathered pairs of the block, and one sort per lane.
    void load(const HeadPlan& plan, const QueryBlock& block);
    /// Empty for a lane that is not active.
    [[nodiscard]] std::span<const KeyRun> read(std::size_t lane) const { return m_read[lane]; }
    [[nodiscard]] std::size_t query(std::size_t lane) const { return m_query[lane]; }
    /// The keys that the model lets the lane's query read and that it does not read.
    void unread(std::size_t lane, std::vector<KeyRun>& runs) const;

private:
    std::array<std::vector<KeyRun>, kBlock> m_read;
    std::array<std::size_t, kBlock> m_query{};
    NativeWindow m_native;
};

/// The gaps between the ascending runs `read` inside [begin, end).
void gapsBetween(std::span<const KeyRun> read, std::uint32_t begin, std::uint32_t end,
                 std::vector<KeyRun>& gaps);

} // namespace fovea
