#include "core/model/Elementwise.h"
#include "core/base/Isa.h"
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
