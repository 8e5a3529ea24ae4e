#include "core/model/Elementwise.h"
#define FOVEA_LOOPS elementwise_portable
#include "core/model/ElementwiseLoops.h"

namespace fovea {

namespace loops = FOVEA_LOOPS;

const ElementwiseSet kElementwisePortable{loops::norm<loops::Float>,
                                          loops::norm<loops::Bf16>,
                                          loops::gate<loops::Float>,
                                          loops::gate<loops::Bf16>,
                                          loops::rotate,
                                          loops::toBf16,
                                          loops::allFinite};

const ElementwiseSet& elementwiseSet() {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return kElementwiseAvx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return kElementwiseAvx2;
    return kElementwisePortable;
}

} // namespace fovea
