#include "core/route/Scorers.h"

// group_dot: (sum of the group's queries) . key, both rounded. Kin: Double Sparsity (2408.07092), Loki
// (2406.02542), SparQ (2312.04985) and the DSA indexer (2512.02556); they choose channels or train an
// indexer, this rounds all channels.
namespace fovea::scoring {

std::unique_ptr<PairScorer> groupDot(const SignalInput& in) {
    const auto heads = static_cast<std::size_t>(in.shape.headsPerKv());
    return std::make_unique<RoundedDots>(in, in.unit, in.unit * heads, heads);
}

std::vector<float> groupDotTokens(const SignalInput& in) {
    SignalInput all = in;
    all.rows = {0, in.keys};
    return receivedMass(all, *groupDot(all), {});
}

} // namespace fovea::scoring
