#pragma once
#include <cstddef>
#include <cstdint>

// What the code of one instruction set gets for y = W x with one row x: raw pointers only, as for the
// attention kernels.
namespace fovea {

enum class Isa : std::uint8_t; // Isa.h, which a file of one instruction set must not include

/// Rows of W that are multiplied side by side, one per lane.
inline constexpr std::size_t kLaneRows = 16;

/// How weights are stored: the file's codes and scales of 16 rows side by side, as many bytes as in the file.
enum class RowKind : std::uint8_t { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, F16, F32 };

/// x as the loops want it. A code stands somewhere inside a 32-bit word: instead of shifting it down, its x
/// is divided by the power of two that it is too large by, which is exact.
struct RowInput {
    const float* x = nullptr;       ///< [in]
    const float* nibbles = nullptr; ///< [in] x / 16^(j mod 8), last of 8 undivided (it is shifted)
    const float* bytes = nullptr;   ///< [in] x / 256^(j mod 4), last of 4 undivided
    const float* bits = nullptr;    ///< [in] 16 x / 2^(j mod 32), last of 32 16 x
    const float* pairs = nullptr;   ///< [in] 16 x / 4^(j mod 16), last of 16 16 x
    const float* sums = nullptr;    ///< [in/16] sum of 16 neighbours of x
};

/// Groups [first, last) of 16 rows: out[16 * (g - first) ..] = their products.
struct RowTask {
    RowKind kind = RowKind::F32;
    const unsigned char* data = nullptr; ///< of group 0
    std::size_t groupBytes = 0;
    std::size_t first = 0, last = 0;
    std::size_t in = 0; ///< columns: a multiple of 32, or of 256 for K kinds
    const RowInput* input = nullptr;
    float* out = nullptr;
};

/// One instruction set's loops. Error of each product against exact arithmetic on the stored weights: at most
/// 2e-7 of 2 max|w| sum|x| over the row, plus rounding of the result (f32 sums in a fixed order, x not
/// rounded).
using RowProductLoop = void (*)(const RowTask&);
void rowProductPortable(const RowTask& task);
void rowProductAvx2(const RowTask& task);
void rowProductAvx512(const RowTask& task);
/// That of an instruction set, which must be available.
[[nodiscard]] RowProductLoop rowProduct(Isa isa);

} // namespace fovea
