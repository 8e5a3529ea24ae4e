#include "core/engine/RunComparison.h"
#include <cmath>
#include <limits>
#include <span>

namespace fovea {

namespace {

/// NaN where a token has no loss.
double lossOfTokens(std::span<const float> nll, RowRange tokens) {
    double sum = 0;
    for (std::size_t t = tokens.first; t < tokens.last; ++t)
        sum += t < nll.size() ? static_cast<double>(nll[t]) : std::numeric_limits<double>::quiet_NaN();
    return sum;
}

} // namespace

std::optional<RunComparison> compareRuns(const Snapshot& snapshot) {
    if (!snapshot.other || !snapshot.alignment)
        return {};
    const std::optional<ArmFigures> a = figuresOfB(*snapshot.other);
    const std::optional<ArmFigures> b = figuresOfB(snapshot);
    if (!a || !b)
        return {};
    RunComparison result{
        *a, *b, snapshot.other->propagated->cost.hybrid.pairs, snapshot.propagated->cost.hybrid.pairs, 0, {}};
    const PropagatedFidelity& ofA = snapshot.other->propagated->fidelity;
    const PropagatedFidelity& ofB = snapshot.propagated->fidelity;
    RunComparison::Losses sum;
    for (const AlignedPart& part : snapshot.alignment->parts) {
        const RunComparison::Losses one{lossOfTokens(ofA.fullNll, part.a), lossOfTokens(ofB.fullNll, part.b),
                                        lossOfTokens(ofA.hybridNll, part.a),
                                        lossOfTokens(ofB.hybridNll, part.b)};
        if (!std::isfinite(one.fullA + one.fullB + one.hybridA + one.hybridB))
            continue;
        ++result.parts;
        sum.fullA += one.fullA;
        sum.fullB += one.fullB;
        sum.hybridA += one.hybridA;
        sum.hybridB += one.hybridB;
    }
    if (result.parts > 0) {
        const auto count = static_cast<double>(result.parts);
        result.losses = {sum.fullA / count, sum.fullB / count, sum.hybridA / count, sum.hybridB / count};
    }
    return result;
}

} // namespace fovea
