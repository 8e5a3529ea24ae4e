#include "core/kernels/FarTile.h"

namespace fovea::kernels {

namespace {

struct Float4 {
    typedef float F __attribute__((vector_size(16)));
    static constexpr int kLanes = 4;
};

} // namespace

const FarLoops& portableFarLoops() {
    return FarTile<Float4>::kTable;
}

} // namespace fovea::kernels
