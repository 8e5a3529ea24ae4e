#include "core/route/Norms.h"
#include "core/route/Signal.h"

// key_norm: minus the key's length, since keys of low norm draw attention (Devoto et al., 2024, 2406.11430).
namespace fovea::scoring {

std::vector<float> keyNorm(const SignalInput& in) {
    return rowNorms(in.key(in.unit), in.keys, -1.0F);
}

} // namespace fovea::scoring
