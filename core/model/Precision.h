#pragma once
#include "core/base/Result.h"

namespace fovea {

enum class Precision {
    F32,  ///< reference
    BF16, ///< dense layers and attention with bf16 products and f32 sums
};
[[nodiscard]] const char* precisionName(Precision precision); ///< "f32", "bf16"
/// Fails with the reason on a CPU without AVX-512 BF16 and in a build without oneDNN.
[[nodiscard]] Result<> precisionAvailable(Precision precision);

} // namespace fovea
