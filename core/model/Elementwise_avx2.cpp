#include "core/model/Elementwise.h"
#define FOVEA_LOOPS elementwise_avx2
#include "core/model/ElementwiseLoops.h"

namespace fovea {

const ElementwiseSet kElementwiseAvx2 = FOVEA_LOOPS::kSet;

} // namespace fovea
