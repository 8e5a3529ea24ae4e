#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/measure/Fidelity.h"
#include "core/model/Model.h"
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Number of positions whose logits are held at a time. A T x V matrix is never stored.
inline constexpr std::size_t kLogitRows = 64;

/// The numbers kept of each position's next-token distribution.
struct NextTokenScores {
    std::vector<float> nll;           ///< [T] -ln P(token i | before), nats; NaN at 0
    std::vector<float> logNormaliser; ///< [T] log-sum-exp of the logits
    std::vector<std::int32_t> top1;   ///< [T] most likely token; ties: lower id
    double seconds = 0;               ///< measured: computing the logits and these numbers
};

/// Log-sum-exp of one row of logits and its largest entry (ties: the lower id). Every caller gets the same
/// bits.
struct RowScore {
    double logNormaliser = 0;
    std::int32_t top1 = 0;
};
[[nodiscard]] RowScore scoreRow(std::span<const float> logits);

/// KL(p || q) in nats of the softmaxes of two rows, given their log-sum-exps. Summed as p ln(p/q) + q - p,
/// whose terms are all >= 0, so a small divergence is not lost in rounding.
[[nodiscard]] double rowKl(std::span<const float> p, double logNormaliserP, std::span<const float> q,
                           double logNormaliserQ);

/// Scores every position from the hidden states [T x M], 64 at a time. Errors: Cancelled.
[[nodiscard]] Result<NextTokenScores> scoreText(const Model& model, std::span<const std::int32_t> ids,
                                                ConstMatrixView hidden, const WorkContext& work);

/// Fidelity of a hybrid run against the full run of the same text. `depthError` stays empty; the caller fills
/// it from the residual streams. `hybridSeconds`: for the logits and scores of the hybrid run only. Errors:
/// Cancelled.
struct NextTokenComparison {
    PropagatedFidelity fidelity;
    double hybridSeconds = 0;
};
[[nodiscard]] Result<NextTokenComparison>
compareNextToken(const Model& model, std::span<const std::int32_t> ids, ConstMatrixView fullHidden,
                 const NextTokenScores& full, ConstMatrixView hybridHidden, const WorkContext& work);

} // namespace fovea
