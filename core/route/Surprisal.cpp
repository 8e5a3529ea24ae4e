#include "core/route/Signal.h"

// surprisal: -ln P(token | tokens before) of a full run (its use as an event edge: Fountas et al., EM-LLM,
// 2024, 2407.09450). The first token has none; whatever stands there is ranked as it is, NaN last.
namespace fovea::scoring {

std::vector<float> surprisal(const SignalInput& in) {
    const std::vector<float>& all = in.input.facts->surprisal;
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(in.keys)};
}

} // namespace fovea::scoring
