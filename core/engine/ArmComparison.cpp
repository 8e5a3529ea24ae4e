#include "core/engine/ArmComparison.h"
#include <algorithm>
#include <limits>

namespace fovea {

namespace {

ArmFigures figuresOf(const IsolatedResult& isolated, const PropagatedResult& propagated) {
    const PropagatedFidelity& fidelity = propagated.fidelity;
    return {propagated.cost.pairsRatio,
            fidelity.nextTokenKl,
            fidelity.top1Agreement,
            fidelity.hybridMeanNll,
            isolated.massRecall,
            isolated.outputError,
            fidelity.sentence ? std::optional(fidelity.sentence->cosine) : std::nullopt};
}

template <class Results>
bool known(const Results& arm) {
    return arm.propagated && arm.isolated && arm.isolated->complete;
}

} // namespace

std::optional<ArmFigures> figuresOfB(const Snapshot& snapshot) {
    return known(snapshot) ? std::optional(figuresOf(*snapshot.isolated, *snapshot.propagated))
                           : std::nullopt;
}

std::optional<ArmComparison> compareArms(const Snapshot& snapshot) {
    if (!known(snapshot) || (snapshot.against && !known(*snapshot.against)))
        return {};
    const PropagatedFidelity& own = snapshot.propagated->fidelity;
    ArmComparison result;
    result.b = figuresOf(*snapshot.isolated, *snapshot.propagated);
    result.againstFull = !snapshot.against;
    if (snapshot.against) {
        result.a = figuresOf(*snapshot.against->isolated, *snapshot.against->propagated);
        const std::vector<std::int32_t>& other = snapshot.against->propagated->fidelity.hybridTop1;
        const std::size_t positions = std::min(own.hybridTop1.size(), other.size());
        std::size_t same = 0;
        for (std::size_t t = 0; t < positions; ++t)
            same += own.hybridTop1[t] == other[t] ? 1U : 0U;
        result.top1Between = own.sentence     ? std::numeric_limits<double>::quiet_NaN()
                             : positions == 0 ? 1
                                              : static_cast<double>(same) / static_cast<double>(positions);
    } else {
        result.a.meanNll = own.fullMeanNll;
        if (own.sentence)
            result.a.sentenceCosine = 1;
        result.top1Between = own.top1Agreement;
    }
    result.costRatio = result.a.pairsRatio > 0 ? result.b.pairsRatio / result.a.pairsRatio : 0;
    result.klDifference = result.b.nextTokenKl - result.a.nextTokenKl;
    result.top1Difference = result.b.top1Agreement - result.a.top1Agreement;
    if (result.a.sentenceCosine && result.b.sentenceCosine)
        result.sentenceDifference = *result.b.sentenceCosine - *result.a.sentenceCosine;
    result.lossDifference = result.b.meanNll - result.a.meanNll;
    result.massDifference = result.b.massRecall - result.a.massRecall;
    result.errorDifference = result.b.outputError - result.a.outputError;
    return result;
}

std::span<const float> armALoss(const Snapshot& snapshot) {
    if (!snapshot.against)
        return snapshot.full ? std::span<const float>(snapshot.full->nll) : std::span<const float>();
    if (!snapshot.against->propagated)
        return {};
    return snapshot.against->propagated->fidelity.hybridNll;
}

} // namespace fovea
