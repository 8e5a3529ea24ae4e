#pragma once
#include "core/base/Result.h"

namespace fovea {

enum class Precision {
    F32,  ///< reference
    BF16, ///< dense layers and attention by bf16 multiply with f32 sums
};
[[nodiscard]] const char* precisionName(Precision precision); ///< "f32", "bf16"
/// False with a reason on a CPU without AVX-512 BF16 (or a build without oneDNN).
[[nodiscard]] Result<> precisionAvailable(Precision precision);

} // namespace fovea
