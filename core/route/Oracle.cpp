#include "core/route/Scorers.h"

// oracle: the true p_ij of the row, ranked by its logit. Costs what full attention's scores cost: a control,
// not a router.
namespace fovea::scoring {

std::unique_ptr<PairScorer> oracle(const SignalInput& in) {
    return std::make_unique<TrueLogits>(in, in.unit, true);
}

std::vector<float> oracleTokens(const SignalInput& in) {
    return received(in);
}

} // namespace fovea::scoring
