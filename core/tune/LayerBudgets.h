#pragma once
#include "core/tune/Judge.h"
#include "core/tune/Measurement.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// A text that budgets are shared out on.
struct BudgetText {
    std::shared_ptr<const Snapshot> snapshot; ///< with a complete full run
    RowSample sample;
    std::vector<double> layerWeight; ///< [L] measureLayerWeights
};

/// Runs a policy over a text; measurePolicy, or the same with a store.
using MeasureRun = std::function<Result<Measurement>(const Snapshot&, const AttentionPolicy&)>;

/// What a layer's error costs: [L] the next-token KL of a propagated run in which only that layer reads less
/// (window 16, 4 sinks), over its LayerJudgement::streamError; 0 for a layer that has no error. Weights
/// fitted to a few runs of whole policies are no substitute: there are more layers than runs. Runs are over
/// the first `tokens` tokens. Cost: a full run and L propagated runs over them. Errors: those of `run` and of
/// judgePolicies. Throws std::bad_alloc.
[[nodiscard]] Result<std::vector<double>> measureLayerWeights(const Snapshot& withFullRun, std::size_t tokens,
                                                              const MeasureRun& run, const WorkContext& work);

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
    double loss = 0, uniformLoss = 0;   ///< KL to first order: the sum of weighted errors, nats
};

/// Shares the pairs of a uniform policy out over layers and key-value heads so that the predicted loss is
/// least. Each share has its own window and number of routed keys, out of a quarter to four times those of
/// `uniform` and no routed keys at all (then the router is not run for it). Losses and costs come from
/// judgements of the uniform policy with each of these values; on the lower convex hull of each share the
/// steps of greatest loss per pair are taken until the pairs of `uniform` are spent (Shoham and Gersho,
/// "Efficient bit allocation for an arbitrary set of quantizers", 1988). The loss of a layer is its weighted
/// streamError, and is divided among its heads as their errors before the output projection are. The policy
/// costs no more than `uniform` by estimate. Errors: BadValue for a policy whose budget is not a count, that
/// has head policies, full layers or heads already, or routes queries; those of judgePolicies; OutOfMemory.
[[nodiscard]] Result<LayerBudgets> shareBudget(const std::vector<BudgetText>& texts,
                                               const AttentionPolicy& uniform, const WorkContext& work);

} // namespace fovea
