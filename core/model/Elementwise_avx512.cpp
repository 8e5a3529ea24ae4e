#include "core/model/Elementwise.h"
#define FOVEA_LOOPS elementwise_avx512
#include "core/model/ElementwiseLoops.h"

namespace fovea {

const ElementwiseSet kElementwiseAvx512 = FOVEA_LOOPS::kSet;

} // namespace fovea
