#include "core/kernels/FarTile.h"

namespace fovea::kernels {

namespace {

struct Float16 {
    typedef float F __attribute__((vector_size(64)));
    static constexpr int kLanes = 16;
};

} // namespace

const FarLoops& avx512FarLoops() {
    return FarTile<Float16>::kTable;
}

} // namespace fovea::kernels
