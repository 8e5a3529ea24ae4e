#pragma once
#include "core/files/TensorType.h"
#include <cstddef>
#include <cstdint>

namespace fovea {

/// Unpacks `values` numbers (a multiple of the type's block size) from their stored bytes to f32. Bit-exact
/// with the reference code in src/ggml-quants.c of ggml-org/ggml: the same f32 operations in the same order,
/// without fused multiply-add; f16 scales are widened exactly, subnormals included. Thread-safe.
void dequantise(TensorType type, const std::byte* bytes, std::size_t values, float* out);

/// Converts an IEEE f16 to f32, exactly.
[[nodiscard]] float widenHalf(std::uint16_t half);

} // namespace fovea
