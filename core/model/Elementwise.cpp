#include "core/model/Elementwise.h"
#include "core/base/Isa.h"
#define FOVEA_LOOPS elementwise_portable
#include "core/model/ElementwiseLoops.h"

namespace fovea {

const ElementwiseSet kElementwisePortable = FOVEA_LOOPS::kSet;

const ElementwiseSet& elementwiseSet(Isa isa) {
    switch (isa) {
    case Isa::Avx512:
        return kElementwiseAvx512;
    case Isa::Avx2:
        return kElementwiseAvx2;
    case Isa::Portable:
        break;
    }
    return kElementwisePortable;
}

} // namespace fovea
