#pragma once
#include "core/engine/Snapshot.h"
#include <optional>
#include <span>

namespace fovea {

/// The figures of one arm, all against full attention over the same text. Full attention itself has pairs
/// ratio 1, agreement and kept mass 1, and 0 elsewhere.
struct ArmFigures {
    double pairsRatio = 1;    ///< counted, router included (Cost::pairsRatio)
    double nextTokenKl = 0;   ///< nats, mean over positions, propagated
    double top1Agreement = 1; ///< propagated
    double meanNll = 0;       ///< nats a token, propagated
    double massRecall = 1;    ///< isolated, mean over layers
    double outputError = 0;   ///< isolated, mean over layers
    /// Of an encoder, in place of the next-token figures, which are NaN there: the cosine of its sentence
    /// vector and full attention's, propagated.
    std::optional<double> sentenceCosine;
    bool operator==(const ArmFigures&) const = default;
};

/// Arm B beside arm A. Each difference is B's figure minus A's.
struct ArmComparison {
    ArmFigures a, b;
    bool againstFull = true; ///< arm A is full attention
    double costRatio = 1;    ///< what B costs as a share of A, in counted pairs with the router
    double klDifference = 0;
    double top1Difference = 0;
    double lossDifference = 0; ///< mean over positions, nats a token
    double massDifference = 0;
    double errorDifference = 0;
    std::optional<double> sentenceDifference; ///< of an encoder
    /// Share of positions where the two arms find the same most likely next token. Not the difference of
    /// their agreements with full attention: both may miss it in the same way.
    double top1Between = 1;
    bool operator==(const ArmComparison&) const = default;
};

/// Of arm B. Empty until its isolated and propagated results are there.
[[nodiscard]] std::optional<ArmFigures> figuresOfB(const Snapshot& snapshot);

/// Empty until the isolated and propagated results of both arms are there. Any thread. Cost: O(T).
[[nodiscard]] std::optional<ArmComparison> compareArms(const Snapshot& snapshot);

/// The loss of each position under arm A [T], nats: the full run's, or that of arm A's propagated run. Empty
/// until it is there. Points into `snapshot`.
[[nodiscard]] std::span<const float> armALoss(const Snapshot& snapshot);

} // namespace fovea
