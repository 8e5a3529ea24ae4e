#pragma once
#include "core/plan/PlanItem.h"
#include <cstddef>
#include <cstdint>

// The interface between the dispatcher and the code of one instruction set. Raw pointers only: an inline
// function of the standard library in such a file would be compiled with wide instructions, the linker could
// keep that copy for the whole program, and it would crash an older CPU.
namespace fovea {
enum class Isa : std::uint8_t;
}

namespace fovea::kernels {

/// One query block of `heads` adjacent heads that read the same key-value head with the same plan.
struct BlockTask {
    const QueryBlock* block = nullptr;
    const PlanItem* items = nullptr; ///< the complete arrays of the HeadPlan
    const LaneBound* bounds = nullptr;
    const std::uint64_t* masks = nullptr;
    const std::uint32_t* gatherKeys = nullptr;
    const std::uint64_t* gatherLanes = nullptr;
    const std::uint32_t* queryLists = nullptr;
    std::uint32_t itemBegin = 0; ///< this task's share of the block's items
    std::uint32_t itemEnd = 0;
    const float* q = nullptr;   ///< query 0 of the first head; the next head follows headDim floats later
    std::size_t firstQuery = 0; ///< position of query 0, also in o and lse
    std::size_t qStride = 0;    ///< floats between two tokens, as in all strides below
    const float* k = nullptr;   ///< token 0 of the key-value head
    std::size_t kStride = 0;
    const float* v = nullptr;
    std::size_t vStride = 0;
    const float* packedK = nullptr; ///< bf16 only: words of this key-value head, in the layout of PackTask
    const float* packedV = nullptr;
    float* o = nullptr; ///< laid out as q
    std::size_t oStride = 0;
    float* lse = nullptr; ///< query 0 of the first head, heads adjacent; null: not wanted
    std::size_t lseStride = 0;
    /// If not null, the result of a part of the items is written here instead of to o and lse:
    /// [heads][kShortRows][partFloats], each the negated kept maximum (in log2 units), the sum, and O before
    /// the division.
    float* part = nullptr;
    /// Cell size of the coarse picture (AttentionCells.h) of a full plan. 0: not wanted; always 0 for blocks
    /// where listsPairs is true.
    std::size_t cell = 0;
    std::size_t cellCount = 0;
    float* cellMass = nullptr; ///< [cellCount][cellCount] of the first head; the next head follows
    float* cellTop = nullptr;
    float* cellScratch = nullptr; ///< cellScratchFloats, 64-byte aligned
    int heads = 0;
    int headDim = 0; ///< 1..256
    float scale = 0;
    float softCap = 0;        ///< of the logits; 0: none
    float* scratch = nullptr; ///< scratchFloats(headDim), 64-byte aligned, zeroed before the first task
};

/// Packs keys [first, last) of one key-value head into bf16 words. A word is two bf16 numbers in the place of
/// a float.
struct PackTask {
    const float* k = nullptr; ///< token 0 of the key-value head
    std::size_t kStride = 0;
    const float* v = nullptr;
    std::size_t vStride = 0;
    std::size_t keys = 0;            ///< T; rows from here on are packed as zero
    std::size_t first = 0, last = 0; ///< even
    int headDim = 0;
    float* packedK = nullptr; ///< [T even][wordPitch]: word i holds dimensions 2i and 2i+1
    float* packedV = nullptr; ///< [T / 2][paddedDim]: word d of row j holds dimension d of keys 2j and 2j+1
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
    float softCap = 0;
    float* s = nullptr;
    std::size_t sStride = 0;
};

inline constexpr int kMaxHeadDim = 256;

/// Row length of the output and of packed values in scratch, in floats: a multiple of the widest vector.
[[nodiscard]] constexpr std::size_t paddedDim(int headDim) {
    return (static_cast<std::size_t>(headDim) + 15) / 16 * 16;
}
/// Plans of at most this many rows are split along the keys; otherwise one thread would do all the work of a
/// decoded token.
inline constexpr std::size_t kShortRows = 8;
[[nodiscard]] constexpr std::size_t partFloats(int headDim) {
    return 16 + paddedDim(headDim);
}
/// Row length of packed keys, in words.
[[nodiscard]] constexpr std::size_t wordPitch(int headDim) {
    return (static_cast<std::size_t>(headDim) + 31) / 32 * 16;
}
/// Size of scratch in floats: seven rows of per-lane numbers, P, transposed Q, O, packed V, and one row of
/// zeros.
[[nodiscard]] constexpr std::size_t scratchFloats(int headDim) {
    return kBlock * 7 + kBlock * kBlock + kBlock * 3 * paddedDim(headDim) + paddedDim(headDim);
}

/// Whether a block is computed pair by pair. A tile always computes a whole vector of queries, which is
/// wasteful for the few queries of a decoding step.
[[nodiscard]] constexpr bool listsPairs(std::size_t queries) {
    return queries <= 2;
}
/// Size of cellScratch in floats: sum and maximum of every lane in each of `cells`, and the negated kept
/// maximum of every lane in each of `tiles`.
[[nodiscard]] constexpr std::size_t cellScratchFloats(std::size_t cells, std::size_t tiles) {
    return (2 * cells + tiles) * kBlock;
}

/// The code of one instruction set.
struct KernelTable {
    void (*attendBlock)(const BlockTask&) = nullptr;
    void (*logitTile)(const LogitTask&) = nullptr;
    float (*multiplyAdds)(std::size_t rounds) =
        nullptr; ///< independent multiply-adds and nothing else (PeakLoops.h)
    double flopsPerRound = 0;
    float (*readAll)(const float* data, std::size_t count) = nullptr;
};

[[nodiscard]] const KernelTable& portableKernels();
[[nodiscard]] const KernelTable& avx2Kernels();   ///< only where the CPU has AVX2 and FMA
[[nodiscard]] const KernelTable& avx512Kernels(); ///< only where the CPU has AVX-512 F, BW, DQ, VL

/// bf16 attention. The words are packed once and then read by every block.
struct Bf16Table {
    void (*packKeys)(const PackTask&) = nullptr;
    void (*attendBlock)(const BlockTask&) = nullptr;
};
[[nodiscard]] const Bf16Table& avx512Bf16();   ///< only where the CPU has AVX-512 BF16 too
[[nodiscard]] const Bf16Table& emulatedBf16(); ///< plain code, slow, everywhere

/// The code with bf16 instructions (call only if bf16AttentionAvailable succeeds), or its emulation in plain
/// code.
[[nodiscard]] const Bf16Table& bf16Of(bool emulate);

/// The code for `isa`, one of availableIsas().
[[nodiscard]] const KernelTable& kernelsOf(Isa isa);

/// Like multiplyAdds, with bf16 dot products. Only on a CPU with AVX-512 BF16.
float bf16Dots(std::size_t rounds);
inline constexpr double kBf16FlopsPerRound = 2.0 * 16 * 32;

} // namespace fovea::kernels
