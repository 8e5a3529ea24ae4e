#pragma once
#include <cstddef>
#include <cstdint>

// The loops in which far fields spend their time, compiled once per instruction set. Raw pointers only, see
// BlockKernel.h.
namespace fovea {
enum class Isa : std::uint8_t;
}

namespace fovea::kernels {

struct FarLoops {
    /// c[i][n] += sum over k of a[i*aRow + k*aCol] * b[k*bRow + n], i < rows, n < columns, k < depth. Sums
    /// run over ascending k.
    void (*multiplyAdd)(const float* a, std::size_t aRow, std::size_t aCol, const float* b, std::size_t bRow,
                        float* c, std::size_t cRow, std::size_t rows, std::size_t columns,
                        std::size_t depth) = nullptr;
    float (*dot)(const float* a, const float* b, std::size_t n) = nullptr;
    /// y += factor * x
    void (*addScaled)(float factor, const float* x, float* y, std::size_t n) = nullptr;
    /// out += (plus - minus) * factor; minus may be null.
    void (*addDifference)(const float* plus, const float* minus, float factor, float* out,
                          std::size_t n) = nullptr;
};

[[nodiscard]] const FarLoops& portableFarLoops();
[[nodiscard]] const FarLoops& avx2FarLoops();
[[nodiscard]] const FarLoops& avx512FarLoops();
[[nodiscard]] const FarLoops& farLoopsOf(Isa isa);

} // namespace fovea::kernels
