#include "core/model/Elementwise.h"
#define FOVEA_LOOPS elementwise_avx512
#include "core/model/ElementwiseLoops.h"

namespace fovea {

namespace loops = FOVEA_LOOPS;

const ElementwiseSet kElementwiseAvx512{loops::norm<loops::Float>,
                                        loops::norm<loops::Bf16>,
                                        loops::gate<loops::Float>,
                                        loops::gate<loops::Bf16>,
                                        loops::rotate,
                                        loops::toBf16,
                                        loops::allFinite};

} // namespace fovea
