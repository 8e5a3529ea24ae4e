#include "core/route/Scorers.h"

// head_dot: query . key, both rounded, per head.
namespace fovea::scoring {

std::unique_ptr<PairScorer> headDot(const SignalInput& in) {
    return std::make_unique<RoundedDots>(in, in.kvHeadOf(in.unit), in.unit, 1);
}

std::vector<float> headDotTokens(const SignalInput& in) {
    SignalInput all = in;
    all.rows = {0, in.keys};
    return receivedMass(all, *headDot(all), {});
}

} // namespace fovea::scoring
