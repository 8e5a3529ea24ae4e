#pragma once
#include "core/tune/Calibration.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// A text that budgets are shared out on.
struct BudgetText {
    std::shared_ptr<const Snapshot> snapshot; ///< with a complete full run
    RowSample sample;
    Calibration calibration; ///< of this text; must be ready
};

/// What one set of heads of one layer got: the heads of a key-value head, or the whole layer where the signal
/// chooses for all of its heads.
struct BudgetShare {
    int layer = 0;
    int firstHead = 0, lastHead = 0; ///< [firstHead, lastHead)
    std::int64_t window = 0;
    double routed = 0; ///< keys per query
    double pairs = 0;  ///< estimated, router included
};

struct LayerBudgets {
    AttentionPolicy policy; ///< an ordinary policy: head policies, named by layer and head
    std::vector<BudgetShare> shares;
    double pairs = 0, uniformPairs = 0; ///< estimated, router included, of the budgets and the uniform policy
    double loss = 0, uniformLoss = 0;   ///< what the layers add to the predicted loss, summed; one unit
};

/// Shares the pairs of a uniform policy out over layers and key-value heads so that the predicted loss is
/// least. Each share has its own window and number of routed keys, out of a quarter to four times those of
/// `uniform` and no routed keys at all (then the router is not run for it). Losses and costs come from
/// judgements of the uniform policy with each of these values; on the lower convex hull of each share the
/// steps of greatest loss per pair are taken until the pairs of `uniform` are spent (Shoham and Gersho,
/// "Efficient bit allocation for an arbitrary set of quantizers", 1988). The loss of a layer is divided among
/// its heads as their errors before the output projection are. The policy costs no more than `uniform` by
/// estimate. Errors: BadValue for a policy whose budget is not a count, that has head policies, full layers
/// or heads already, or routes queries; those of judgePolicies; OutOfMemory.
[[nodiscard]] Result<LayerBudgets> shareBudget(const std::vector<BudgetText>& texts,
                                               const AttentionPolicy& uniform, const WorkContext& work);

} // namespace fovea
