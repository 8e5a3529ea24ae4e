#pragma once
#include <cstddef>
#include <cstdint>

// The interface to the code of one instruction set for y = W x with a single row x. Raw pointers only, for
// the reason given in core/kernels/BlockKernel.h.
namespace fovea {

enum class Isa : std::uint8_t; // Isa.h, which a file of one instruction set must not include

/// Rows of W that are multiplied together, one per vector lane.
inline constexpr std::size_t kLaneRows = 16;

/// The storage formats of weights: codes and scales as in the file, interleaved for 16 rows, with as many
/// bytes as in the file.
enum class RowKind : std::uint8_t {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
    F16,
    F32
};

/// x in the forms that the loops need. A weight's code lies somewhere inside a 32-bit word. The loops mask it
/// out without shifting it, which makes it too large by a power of two; the matching entry of x is divided by
/// that power, which is exact.
struct RowInput {
    const float* x = nullptr;       ///< [in]
    const float* nibbles = nullptr; ///< [in] x / 16^(j mod 8); every eighth undivided (it is shifted)
    const float* bytes = nullptr;   ///< [in] x / 256^(j mod 4); every fourth is undivided
    const float* bits = nullptr;    ///< [in] 16 x / 2^(j mod 32); every 32nd is 16 x
    const float* pairs = nullptr;   ///< [in] 16 x / 4^(j mod 16); every 16th is 16 x
    const float* sums = nullptr;    ///< [in/16] sums of 16 consecutive entries of x
};

/// The products of the row groups [first, last), 16 rows each; group g goes to out[16 * (g - first) ..].
struct RowTask {
    RowKind kind = RowKind::F32;
    const unsigned char* data = nullptr; ///< of group 0
    std::size_t groupBytes = 0;
    std::size_t first = 0, last = 0;
    std::size_t in = 0; ///< columns: a multiple of 32, or of 256 for K kinds and IQ4_XS
    const RowInput* input = nullptr;
    float* out = nullptr;
};

/// The loops of one instruction set. The error of each product against exact arithmetic on the stored weights
/// is at most 2e-7 * 2 max|w| sum|x| over the row, plus the rounding of the result. x is not rounded; sums
/// are f32 in a fixed order.
using RowProductLoop = void (*)(const RowTask&);
void rowProductPortable(const RowTask& task);
void rowProductAvx2(const RowTask& task);
void rowProductAvx512(const RowTask& task);
/// That of an instruction set, which must be available.
[[nodiscard]] RowProductLoop rowProduct(Isa isa);

} // namespace fovea
