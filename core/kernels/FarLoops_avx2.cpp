#include "core/kernels/FarTile.h"

namespace fovea::kernels {

namespace {

struct Float8 {
    typedef float F __attribute__((vector_size(32)));
    static constexpr int kLanes = 8;
};

} // namespace

const FarLoops& avx2FarLoops() {
    return FarTile<Float8>::kTable;
}

} // namespace fovea::kernels
