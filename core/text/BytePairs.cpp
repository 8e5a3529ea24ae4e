// Byte-pair encoding: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units",
// 2016, arXiv:1508.07909; over bytes: Radford et al., 2019. The pair of lowest rank is merged first, ties
// leftmost. Uses a heap over a linked list instead of rescanning the piece after each merge. Heap entries
// whose two symbols have been merged meanwhile are skipped. So even a piece of 1 MB costs n log n.
#include "core/text/BytePairs.h"
#include "core/base/Check.h"
#include "core/base/SplitMix64.h"
#include <algorithm>
#include <functional>

namespace fovea {

namespace {
constexpr std::size_t kPollMask = 0xFFFF;
}

BytePairs::BytePairs(const std::array<std::int32_t, 256>& idOfByte, std::vector<MergeRule> rules)
    : m_idOfByte(idOfByte), m_rules(std::move(rules)) {
    std::size_t slots = 16;
    while (slots < 2 * m_rules.size())
        slots *= 2;
    m_slots.assign(slots, kNone);
    for (std::size_t r = 0; r < m_rules.size(); ++r) {
        const std::size_t slot = slotOf(m_rules[r].left, m_rules[r].right);
        if (m_slots[slot] == kNone)
            m_slots[slot] = static_cast<std::uint32_t>(r);
    }
}

std::size_t BytePairs::slotOf(std::int32_t left, std::int32_t right) const {
    const std::uint64_t pair = static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
                               static_cast<std::uint32_t>(right);
    const std::size_t mask = m_slots.size() - 1;
    std::size_t slot = static_cast<std::size_t>(splitMix64(pair)) & mask;
    while (m_slots[slot] != kNone &&
           (m_rules[m_slots[slot]].left != left || m_rules[m_slots[slot]].right != right))
        slot = (slot + 1) & mask;
    return slot;
}

std::uint32_t BytePairs::rank(std::int32_t left, std::int32_t right) const {
    return m_slots.empty() ? kNone : m_slots[slotOf(left, right)];
}

Result<> BytePairs::merge(std::string_view piece, Scratch& scratch, std::vector<MergedToken>& out,
                          const WorkContext& work) const {
    FOVEA_ASSERT(piece.size() < (std::size_t{1} << 31));
    startSymbols(scratch);
    for (std::size_t at = 0; at < piece.size(); ++at) {
        const std::int32_t id = m_idOfByte[static_cast<unsigned char>(piece[at])];
        if (id >= 0)
            addSymbol(scratch, id, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at) + 1);
    }
    return mergeSymbols(scratch, out, work);
}

Result<> BytePairs::mergeSymbols(Scratch& scratch, std::vector<MergedToken>& out,
                                 const WorkContext& work) const {
    auto& symbols = scratch.symbols;
    auto& heap = scratch.heap;
    heap.clear();
    if (symbols.empty())
        return {};
    symbols.back().next = -1;
    const auto symbol = [&symbols](std::int32_t index) -> Scratch::Symbol& {
        return symbols[static_cast<std::size_t>(index)];
    };
    // An entry is rank, then position: the heap's order is the order of merging.
    const auto offer = [&](std::int32_t left) {
        if (left < 0 || symbol(left).next < 0)
            return;
        const std::uint32_t r = rank(symbol(left).id, symbol(symbol(left).next).id);
        if (r == kNone)
            return;
        heap.push_back(static_cast<std::uint64_t>(r) << 32 | static_cast<std::uint32_t>(left));
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    for (std::size_t s = 0; s + 1 < symbols.size(); ++s)
        offer(static_cast<std::int32_t>(s));
    for (std::size_t steps = 1; !heap.empty(); ++steps) {
        if ((steps & kPollMask) == 0)
            FOVEA_TRY(work.checkpoint());
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        const std::uint64_t entry = heap.back();
        heap.pop_back();
        const MergeRule& rule = m_rules[static_cast<std::size_t>(entry >> 32)];
        const auto at = static_cast<std::int32_t>(entry & 0xFFFFFFFFU);
        Scratch::Symbol& left = symbol(at);
        // A symbol that was merged into another has id -1; one that has grown has another id than the rule.
        if (left.id != rule.left || left.next < 0 || symbol(left.next).id != rule.right)
            continue;
        Scratch::Symbol& right = symbol(left.next);
        left.id = rule.result;
        left.end = right.end;
        left.next = right.next;
        right.id = -1;
        if (left.next >= 0)
            symbol(left.next).previous = at;
        offer(left.previous);
        offer(at);
    }
    for (std::int32_t at = 0; at >= 0; at = symbol(at).next)
        out.push_back({symbol(at).id, symbol(at).begin, symbol(at).end});
    return {};
}

} // namespace fovea
