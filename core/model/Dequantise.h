#pragma once
#include "core/files/TensorType.h"
#include <cstddef>
#include <cstdint>

namespace fovea {

/// Unpacks `values` numbers (a multiple of the type's block) from their stored bytes to f32. Bit-exact: f32
/// arithmetic in the order of `models.md` section 3, no fused multiply-add; halves widened exactly,
/// subnormals included. Formats: ggml-org/ggml src/ggml-quants.c. Thread-safe.
void dequantise(TensorType type, const std::byte* bytes, std::size_t values, float* out);

/// An IEEE half as f32, exactly.
[[nodiscard]] float widenHalf(std::uint16_t half);

} // namespace fovea
