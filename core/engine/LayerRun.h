#pragma once
#include "core/engine/FarField.h"
#include "core/engine/RecastAttend.h"
#include "core/kernels/Attention.h"
#include "core/plan/AttentionPlan.h"
#include "core/plan/StoredKeys.h"
#include "core/route/RoundedKeys.h"
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// The state of a layer between calls while a text grows row by row (cached decoding).
struct LayerState {
    FarState far;
    StoredForm stored;
    RouterState router;
};

/// Which rows of which layer to run, and under what policy.
struct LayerTask {
    const ModelShape& shape;
    std::shared_ptr<const AttentionPolicy> policy;
    std::shared_ptr<const TokenFacts> facts;
    int layer = 0;
    int head = -1; ///< one query head, -1: all
    RowRange rows;
    Isa isa = Isa::Portable;
    Precision precision = Precision::F32; ///< of the kernel; the same for both arms
    /// Kept between calls for consecutive rows; null: nothing is kept.
    std::shared_ptr<LayerState> state = nullptr;
    std::span<const float> hiddenNorm = {}; ///< see RouteInput
    /// The stored tokens if k and v do not hold all (StoredKeys.h); null: row j is token j.
    const KeyRows* keyRows = nullptr;
};

struct Model;

/// An AttentionInput from q [Tq x H*D], k and v [T x G*D] of layer `layer` of `model`. Row 0 of q is query 0.
[[nodiscard]] AttentionInput attentionInputOf(const Model& model, int layer, ConstMatrixView q,
                                              ConstMatrixView k, ConstMatrixView v);

/// LayerTask::hiddenNorm for a layer's input x [T x M]; empty if the policy does not need it.
[[nodiscard]] std::vector<float> hiddenNormsFor(const AttentionPolicy& policy, ConstMatrixView x);

/// One layer's plan (with its routing), what its far field took, and the seconds of router, plan and
/// attention (kernel and far field).
struct HybridLayer {
    AttentionPlan plan;
    FarWork far;
    double routerSeconds = 0, planSeconds = 0, attentionSeconds = 0;
};

/// Runs router, plan, kernel and far field of one layer for `task.rows`, given q, k, v of all rows up to the
/// last. Whole texts, rectangles and single rows of cached decoding all use this function. `fullLse`: see
/// RouteInput; may be empty. Fills rows `task.rows` of `out`; lse is as returned by applyFarField. `exactLse`
/// receives the log-sum-exp over the exactly read keys, with the model's own logits even if keys are recast
/// (Recast.h), so that the kept mass is e^(exactLse - fullLse). Errors: those of layerPolicies and route,
/// Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<HybridLayer> runLayer(const LayerTask& task, const AttentionInput& input,
                                           std::span<const float> fullLse, AttentionOutput out,
                                           const WorkContext& work, std::span<float> exactLse = {});

/// Sees one range of rows after it has run.
using SeeRows = std::function<Result<>(RowRange rows, const HybridLayer& layer)>;

/// Runs rows that lie apart, as runLayer runs each range of `ranges` (ascending, without overlaps), for all
/// heads of a causal layer and without keeping a state. What does not depend on the rows is made once: the
/// sets of heads, rounded keys, the far field's state, and choices that take the whole text. Returns the
/// router's multiply-adds over the whole text. `task.rows` and `task.head` are ignored; the seconds that
/// `see` gets are 0. Errors: those of runLayer and of `see`. Throws std::bad_alloc.
[[nodiscard]] Result<std::uint64_t> runLayerRows(const LayerTask& task, const AttentionInput& input,
                                                 std::span<const float> fullLse,
                                                 std::span<const RowRange> ranges, AttentionOutput out,
                                                 std::span<float> exactLse, const SeeRows& see,
                                                 const WorkContext& work);

} // namespace fovea
