#pragma once
#include "core/engine/FarField.h"
#include "core/engine/RecastAttend.h"
#include "core/kernels/Attention.h"
#include "core/plan/AttentionPlan.h"
#include "core/plan/StoredKeys.h"
#include "core/route/RoundedKeys.h"
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// What a layer keeps from one call to the next while a text grows row by row (cached decoding).
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
    Precision precision = Precision::F32; ///< of the kernel: the model's, the same for every arm and regime
    /// Carried between calls for rows that follow each other; null: nothing is.
    std::shared_ptr<LayerState> state = nullptr;
    std::span<const float> hiddenNorm = {}; ///< see RouteInput
    /// Set when k and v hold stored tokens only (StoredKeys.h); null: row j is token j.
    const KeyRows* keyRows = nullptr;
};

struct Model;

/// q [Tq x H*D], k and v [T x G*D] of one layer of `model`, row 0 of q being query 0.
[[nodiscard]] AttentionInput attentionInputOf(const Model& model, ConstMatrixView q, ConstMatrixView k,
                                              ConstMatrixView v);

/// What LayerTask::hiddenNorm wants of a layer's input x [T x M]; empty where the policy does not ask for it.
[[nodiscard]] std::vector<float> hiddenNormsFor(const AttentionPolicy& policy, ConstMatrixView x);

/// One layer's plan (with its routing), what its far field took, and the seconds of router, plan and
/// attention (kernel and far field).
struct HybridLayer {
    AttentionPlan plan;
    FarWork far;
    double routerSeconds = 0, planSeconds = 0, attentionSeconds = 0;
};

/// Router -> plan -> kernel -> far field of one layer for `task.rows`, given q, k, v of all rows up to the
/// last: the one place where a policy becomes attention, for whole texts, rectangles and single rows of
/// cached decoding. `fullLse`: see RouteInput; may be empty. Fills rows `task.rows` of `out`, lse as
/// applyFarField says; `exactLse`: there too, but by the model's own logits where keys are recast (Recast.h),
/// so that kept mass = e^(exactLse - fullLse). Errors: those of layerPolicies and route, Cancelled. Throws
/// std::bad_alloc.
[[nodiscard]] Result<HybridLayer> runLayer(const LayerTask& task, const AttentionInput& input,
                                           std::span<const float> fullLse, AttentionOutput out,
                                           const WorkContext& work, std::span<float> exactLse = {});

} // namespace fovea
