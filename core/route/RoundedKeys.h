#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/Dots.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace fovea {

inline constexpr std::size_t kMostHeadDim = 256; ///< of Dots.h's loops

/// Number of groups for this many keys.
[[nodiscard]] constexpr std::size_t keyGroups(std::size_t keys) {
    return (keys + kGroupKeys - 1) / kGroupKeys;
}

/// Keys of one key-value head, rounded to `bits` and packed for the integer dots of the router. Each key is
/// rounded on its own, so a growing text only adds its new keys.
class RoundedKeys {
public:
    RoundedKeys(const DotKernels& dots, std::size_t dim, int bits)
        : m_dots(&dots), m_dim(dim), m_bits(bits) {}

    /// Grows to keys [0, keys). The keys of groups [firstNew(), groups()) must be rounded next.
    void grow(std::size_t keys);
    [[nodiscard]] std::size_t firstNew() const {
        return m_rounded >= m_keys ? groups() : m_rounded / kGroupKeys;
    }
    [[nodiscard]] std::size_t groups() const { return keyGroups(m_keys); }
    /// Rounds rows of `k` [T x dim], T >= the keys grown to, into groups [first, last). Different groups may
    /// be rounded by different threads.
    void round(ConstMatrixView k, std::size_t first, std::size_t last);
    /// Call when every new group has been rounded.
    void finish() { m_rounded = m_keys; }

    [[nodiscard]] const unsigned char* groupAt(std::size_t key) const {
        return m_groups.data() + key / kGroupKeys * m_dots->groupBytes(m_dim);
    }
    [[nodiscard]] const float* stepsAt(std::size_t key) const { return m_steps.data() + key; }

private:
    const DotKernels* m_dots;
    std::size_t m_dim;
    int m_bits;
    std::size_t m_keys = 0, m_rounded = 0;
    std::vector<unsigned char> m_groups;
    std::vector<float> m_steps; ///< whole groups
};

/// What the router keeps of one layer while a text grows token by token. Rows that it has seen must not
/// change. Not thread-safe.
class RouterState {
public:
    /// The rounded keys of `kvHead`. `stored`: those of keys that were stored as 8-bit directions.
    [[nodiscard]] RoundedKeys& keys(const DotKernels& dots, std::size_t kvHead, std::size_t dim, int bits,
                                    bool stored);

private:
    struct Kept {
        std::size_t kvHead;
        int bits;
        bool stored;
        std::unique_ptr<RoundedKeys> keys;
    };
    std::vector<Kept> m_kept;
};

/// Upper bound in bytes of a layer's RouterState for `tokens` keys under `policy`; 0 if nothing is kept.
[[nodiscard]] std::uint64_t routerStateBytes(const AttentionPolicy& policy, const ModelShape& shape,
                                             std::size_t tokens);

} // namespace fovea
