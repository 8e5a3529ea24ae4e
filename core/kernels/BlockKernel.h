#pragma once
#include "core/plan/PlanItem.h"
#include <cstddef>
#include <cstdint>

// What the dispatcher hands to the code of one instruction set: raw pointers only. A container or an inline
// STL function in such a file could be emitted with wide instructions, kept by the linker for the whole
// program, and crash an older CPU.
namespace fovea {
enum class Isa : std::uint8_t;
}

namespace fovea::kernels {

/// One query block of `heads` neighbouring heads that read the same key-value head by the same plan.
struct BlockTask {
    const QueryBlock* block = nullptr;
    const PlanItem* items = nullptr; ///< HeadPlan's arrays, whole
    const LaneBound* bounds = nullptr;
    const std::uint64_t* masks = nullptr;
    const std::uint32_t* gatherKeys = nullptr;
    const std::uint64_t* gatherLanes = nullptr;
    const std::uint32_t* queryLists = nullptr;
    std::uint32_t itemBegin = 0; ///< this task's share of the block's items
    std::uint32_t itemEnd = 0;
    const float* q = nullptr;   ///< query 0 of the first head; the next head is headDim floats further
    std::size_t firstQuery = 0; ///< position of query 0; o and lse likewise
    std::size_t qStride = 0;    ///< floats from token to token, as below
    const float* k = nullptr;   ///< token 0 of the key-value head
    std::size_t kStride = 0;
    const float* v = nullptr;
    std::size_t vStride = 0;
    const float* packedK = nullptr; ///< bf16 only: words of this key-value head, as PackTask lays them
    const float* packedV = nullptr;
    float* o = nullptr; ///< as q
    std::size_t oStride = 0;
    float* lse = nullptr; ///< query 0 of the first head, heads side by side; null: not wanted
    std::size_t lseStride = 0;
    /// Not null: nothing goes to o and lse, but [heads][kShortRows][partFloats] here: minus the kept maximum
    /// (log2), the sum, and O before division, for a part of the items.
    float* part = nullptr;
    /// Cells of a full plan's blocks (AttentionCells.h); 0: not wanted, also for blocks that listsPairs
    /// takes.
    std::size_t cell = 0;
    std::size_t cellCount = 0;
    float* cellMass = nullptr; ///< of the first head, [cellCount][cellCount]; the next head follows
    float* cellTop = nullptr;
    float* cellScratch = nullptr; ///< cellScratchFloats, 64-byte aligned
    int heads = 0;
    int headDim = 0; ///< 1..256
    float scale = 0;
    float* scratch = nullptr; ///< scratchFloats(headDim), 64-byte aligned, zeroed before the first task
};

/// Keys [first, last) of one key-value head into bf16 words: two halves in a float's place.
struct PackTask {
    const float* k = nullptr; ///< token 0 of the key-value head
    std::size_t kStride = 0;
    const float* v = nullptr;
    std::size_t vStride = 0;
    std::size_t keys = 0;            ///< T: rows from here on are zero
    std::size_t first = 0, last = 0; ///< even
    int headDim = 0;
    float* packedK = nullptr; ///< [T even][wordPitch]: word i holds dims 2i and 2i+1
    float* packedV = nullptr; ///< [T / 2][paddedDim]: word d of row j holds dim d of keys 2j and 2j+1
};

/// Logits of `rows` x `keys` pairs of one head.
struct LogitTask {
    const float* q = nullptr; ///< first query
    std::size_t qStride = 0;
    const float* k = nullptr; ///< first key
    std::size_t kStride = 0;
    std::size_t rows = 0;
    std::size_t keys = 0;
    int headDim = 0;
    float scale = 0;
    float* s = nullptr;
    std::size_t sStride = 0;
};

inline constexpr int kMaxHeadDim = 256;

/// Row pitch of the output and packed values in scratch: a multiple of the widest vector.
[[nodiscard]] constexpr std::size_t paddedDim(int headDim) {
    return (static_cast<std::size_t>(headDim) + 15) / 16 * 16;
}
/// Plans of so few rows are split along the keys, or one thread would do all the work of a decoded token.
inline constexpr std::size_t kShortRows = 8;
[[nodiscard]] constexpr std::size_t partFloats(int headDim) {
    return 16 + paddedDim(headDim);
}
/// Words from key to key of packed keys, likewise.
[[nodiscard]] constexpr std::size_t wordPitch(int headDim) {
    return (static_cast<std::size_t>(headDim) + 31) / 32 * 16;
}
/// Seven rows of per-lane numbers, P, Q transposed, O, packed V, and one row of zeros.
[[nodiscard]] constexpr std::size_t scratchFloats(int headDim) {
    return kBlock * 7 + kBlock * kBlock + kBlock * 3 * paddedDim(headDim) + paddedDim(headDim);
}

/// A tile computes a whole vector of queries; blocks of so few are cheaper pair by pair (decoding).
[[nodiscard]] constexpr bool listsPairs(std::size_t queries) {
    return queries <= 2;
}
/// Sum and maximum of every lane in each of `cells`, and minus the maximum that was kept in each of `tiles`.
[[nodiscard]] constexpr std::size_t cellScratchFloats(std::size_t cells, std::size_t tiles) {
    return (2 * cells + tiles) * kBlock;
}

/// The code of one instruction set.
struct KernelTable {
    void (*attendBlock)(const BlockTask&) = nullptr;
    void (*logitTile)(const LogitTask&) = nullptr;
    float (*multiplyAdds)(std::size_t rounds) =
        nullptr; ///< independent multiply-adds, nothing else (PeakLoops.h)
    double flopsPerRound = 0;
    float (*readAll)(const float* data, std::size_t count) = nullptr;
};

[[nodiscard]] const KernelTable& portableKernels();
[[nodiscard]] const KernelTable& avx2Kernels();   ///< only where the CPU has AVX2 and FMA
[[nodiscard]] const KernelTable& avx512Kernels(); ///< only where the CPU has AVX-512 F, BW, DQ, VL

/// bf16 attention: the words are packed once, then read by every block.
struct Bf16Table {
    void (*packKeys)(const PackTask&) = nullptr;
    void (*attendBlock)(const BlockTask&) = nullptr;
};
[[nodiscard]] const Bf16Table& avx512Bf16();   ///< only where the CPU has AVX-512 BF16 too
[[nodiscard]] const Bf16Table& emulatedBf16(); ///< plain code, slow, everywhere

/// The instructions, only after bf16AttentionAvailable, or the twin in plain code.
[[nodiscard]] const Bf16Table& bf16Of(bool emulate);

/// The code for `isa`, one of availableIsas().
[[nodiscard]] const KernelTable& kernelsOf(Isa isa);

/// As multiplyAdds, with bf16 dot products; only where the CPU has AVX-512 BF16.
float bf16Dots(std::size_t rounds);
inline constexpr double kBf16FlopsPerRound = 2.0 * 16 * 32;

} // namespace fovea::kernels
