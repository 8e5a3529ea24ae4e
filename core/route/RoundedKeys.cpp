#include "core/route/RoundedKeys.h"
#include "core/base/Check.h"
#include "core/policy/SignalSpec.h"
#include "core/route/SetChoice.h"
#include <algorithm>
#include <set>

namespace fovea {

void RoundedKeys::grow(std::size_t keys) {
    FOVEA_ASSERT(m_dim <= kMostHeadDim);
    if (keys <= m_keys)
        return;
    const std::size_t groups = keyGroups(keys);
    m_groups.resize(groups * m_dots->groupBytes(m_dim));
    m_steps.resize(groups * kGroupKeys);
    m_keys = keys;
}

void RoundedKeys::round(ConstMatrixView k, std::size_t first, std::size_t last) {
    std::int8_t rounded[kGroupKeys * kMostHeadDim];
    for (std::size_t g = first; g < last; ++g) {
        const std::size_t key = g * kGroupKeys;
        const std::size_t count = std::min(kGroupKeys, m_keys - key);
        for (std::size_t j = 0; j < count; ++j)
            m_steps[key + j] = m_dots->round(k.row(key + j), m_dim, m_bits, rounded + j * m_dim);
        m_dots->packKeys(rounded, count, m_dim, m_groups.data() + g * m_dots->groupBytes(m_dim));
    }
}

RoundedKeys& RouterState::keys(const DotKernels& dots, std::size_t kvHead, std::size_t dim, int bits,
                               bool stored) {
    const auto found = std::find_if(m_kept.begin(), m_kept.end(), [&](const Kept& kept) {
        return kept.kvHead == kvHead && kept.bits == bits && kept.stored == stored;
    });
    if (found != m_kept.end())
        return *found->keys;
    m_kept.push_back({kvHead, bits, stored, std::make_unique<RoundedKeys>(dots, dim, bits)});
    return *m_kept.back().keys;
}

std::uint64_t routerStateBytes(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    std::set<std::pair<std::int64_t, bool>> roundings;
    policy.eachParts([&](const HeadParts& parts) {
        const RoutedPart& routed = parts.routed;
        if (signalUses(routed.signal, "routed.bits") && !choosesSets(routed)) // sets keep nothing
            roundings.insert({routed.bits, routed.storesDirections()});
    });
    // Packed keys are pairs of 16 bits at most; a vector that grows has room for as much again.
    const std::uint64_t key = static_cast<std::uint64_t>(shape.headDim) * 2 + sizeof(float);
    return 2 * roundings.size() * key * static_cast<std::uint64_t>(shape.kvHeads) * tokens;
}

} // namespace fovea
