#pragma once
#include <cstddef>
#include <cstdint>

namespace fovea {

enum class Isa : std::uint8_t; // Isa.h, which a file of one instruction set must not include

/// The loops of the forward pass over single rows, compiled once per instruction set. Sums run in a fixed
/// order, so the resulting bits depend only on the row and the instruction set. The `Bf16` forms round their
/// result to bf16, to nearest even, as input of a bf16 product.
struct ElementwiseSet {
    /// out = x / sqrt(mean(x^2) + eps) * w (RMS norm: Zhang and Sennrich, 2019, 1910.07467). Returns the mean
    /// square. It is not finite when some x is not finite or the square overflows, so callers need no extra
    /// check.
    float (*norm)(const float* x, const float* w, std::size_t n, float eps, float* out);
    float (*normBf16)(const float* x, const float* w, std::size_t n, float eps, std::uint16_t* out);
    /// out = (x - mean) / sqrt(var + eps) * w + b (layer norm: Ba et al., 2016, 1607.06450), the variance
    /// with divisor n. Returns the variance, which is not finite when some x is not.
    float (*layerNorm)(const float* x, const float* w, const float* b, std::size_t n, float eps, float* out);
    /// By Activation (ModelShape.h): out = f(gate) * up, and out = f(gate) where `up` is null. Relative error
    /// 3e-7, for GeluErf absolute, as a share of the input.
    void (*activate[3])(const float* gate, const float* up, std::size_t n, float* out);
    void (*activateBf16[3])(const float* gate, const float* up, std::size_t n, std::uint16_t* out);
    /// x = c * tanh(x / c) in place; absolute error 3e-7 c.
    void (*softCap)(float* x, std::size_t n, float c);
    /// RoPE of one head, half-split: (a, b) = (x[m], x[m + half]) becomes (a cos - b sin, a sin + b cos).
    void (*rotate)(const float* x, const float* cosines, const float* sines, std::size_t half, float* out);
    void (*toBf16)(const float* x, std::size_t n, std::uint16_t* out);
    bool (*allFinite)(const float* x, std::size_t n);
};

extern const ElementwiseSet kElementwisePortable;
extern const ElementwiseSet kElementwiseAvx2;
extern const ElementwiseSet kElementwiseAvx512;

/// That of an instruction set, which must be available.
[[nodiscard]] const ElementwiseSet& elementwiseSet(Isa isa);

} // namespace fovea
