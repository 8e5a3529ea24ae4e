#include "core/engine/RunComparison.h"
#include "core/policy/PolicyTitle.h"
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

std::string whyNoPairs(const Snapshot& snapshot) {
    if (snapshot.request && snapshot.request->other && snapshot.request->other->modelPath.empty())
        return "There is no difference of two texts: their pairs are of other words.";
    const Snapshot* const other = snapshot.other.get();
    if (other == nullptr || !other->model || !snapshot.model || !snapshot.alignment)
        return "There is no difference yet: the tokens of A are not known.";
    if (snapshot.alignment->by != AlignedBy::Tokens)
        return "There is no difference: the tokens of the two models do not agree.";
    const ModelShape &a = other->model->shape, &b = snapshot.model->shape;
    if (a.heads != b.heads)
        return "There is no difference: the models have " + std::to_string(a.heads) + " and " +
               std::to_string(b.heads) + " heads in a layer.";
    if (a.causal != b.causal)
        return "There is no difference: only one of the models reads in both directions.";
    return {};
}

std::string armATitle(const Request& request) {
    if (!request.other)
        return armTitle(request.against);
    const std::string& name = request.other->name;
    return (request.other->modelPath.empty() ? "text " : "model ") + name.substr(name.find_last_of('/') + 1);
}

} // namespace fovea
