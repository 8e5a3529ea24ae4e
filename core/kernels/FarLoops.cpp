#include "core/kernels/FarLoops.h"
#include "core/kernels/Attention.h"

namespace fovea::kernels {

const FarLoops& farLoopsOf(Isa isa) {
    if (isa == Isa::Portable)
        return portableFarLoops();
    return isa == Isa::Avx2 ? avx2FarLoops() : avx512FarLoops();
}

} // namespace fovea::kernels
