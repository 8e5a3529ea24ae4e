#include "core/route/Norms.h"
#include "core/route/Signal.h"

// value_norm: the value's length; what a key can bring into the output at most.
namespace fovea::scoring {

std::vector<float> valueNorm(const SignalInput& in) {
    return rowNorms(in.value(in.unit), in.keys, 1.0F);
}

} // namespace fovea::scoring
