#pragma once
#include "core/engine/FarField.h"
#include "core/engine/Request.h"
#include "core/measure/Cost.h"
#include "core/measure/Fidelity.h"
#include "core/measure/MapTile.h"
#include "core/plan/AttentionPlan.h"
#include "core/route/RouteInput.h"
#include "core/route/RoutingRecord.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// Most cells per side of a head's picture: what a small map of it can show.
inline constexpr std::size_t kPictureCells = 64;

/// One layer of the full run: enough to recompute any tile, row or hybrid of it exactly.
struct LayerActivations {
    Matrix q;                      ///< [T x H*D] rotated
    Matrix k;                      ///< [T x G*D] rotated
    Matrix v;                      ///< [T x G*D]
    Matrix o;                      ///< [T x H*D] full attention's output
    std::vector<float> lse;        ///< [T*H]
    std::vector<float> hiddenNorm; ///< [T] length of the residual stream entering the layer
    AttentionCells
        picture; ///< every head's attention at a glance, at most kPictureCells per side; empty unless asked
    double projected = 0; ///< |o Wo|, Frobenius: what output errors are relative to
};

/// Full attention's run over one text by one model. Depends on text, model, precision; not on the policy.
struct FullRun {
    std::vector<std::shared_ptr<const LayerActivations>>
        layers;                                    ///< [L]; grows while running (partial snapshots)
    std::vector<std::vector<HeadStats>> headStats; ///< [L][H], empty unless asked
    std::shared_ptr<const Matrix> hidden;          ///< [T x M] after the last norm; null until done
    std::vector<float> nll;                        ///< [T], NaN at 0
    std::vector<float> logNormaliser;              ///< [T] log-sum-exp of the logits
    std::vector<std::int32_t> top1;                ///< [T]
    std::vector<std::uint32_t> sampledTokens;      ///< up to 256, evenly spaced, the last included
    /// [L] residual stream of the sampled tokens entering each layer: what depth error compares with. Whole
    /// streams would take 0.6 GB at 8,192 tokens.
    std::vector<std::shared_ptr<const Matrix>> residual;
    ArmCost cost;
    bool complete = false;
};

/// The visible layer under the policy, isolated. While a slider moves it may cover only the visible rows and
/// head.
struct VisibleLayer {
    int layer = 0;
    int head = -1;                             ///< >= 0: only this head is valid
    std::shared_ptr<const AttentionPlan> plan; ///< plan->heads[h]->rows tells the rows covered
    /// [T*H] of the hybrid rows, as applyFarField leaves it; NaN where not computed.
    std::vector<float> lse;
    /// Log-sum-exp over the exactly read keys only, without the far field. Empty when there is no far field:
    /// then it equals `lse`.
    std::vector<float> exactLse;
    FarWork far;
    std::optional<LayerFidelity> fidelity;                           ///< once the whole layer is done
    double attentionSeconds = 0, routerSeconds = 0, planSeconds = 0; ///< measured, this call
    double overlapSum = 0; ///< of topKOverlapOfRow over this layer's share of the 256 sampled rows
    std::uint32_t overlapRows = 0;
    /// Sum of divergenceOfRow over the same rows, where the layer has a far field; NaN: undefined.
    double divergenceSum = 0;

    /// The queries of `head` that were computed under this policy; none of a head that was not asked for. A
    /// picture shows one policy: rows outside are not known yet, and rows of an earlier policy must not stand
    /// beside these.
    [[nodiscard]] RowRange coveredRows(int head) const;
    [[nodiscard]] bool coversText(int head) const; ///< every query
};

/// All layers isolated.
struct IsolatedResult {
    std::vector<LayerFidelity> layers; ///< [L] as far as done
    TopKOverlap overlap;
    double massRecall = 0, outputError = 0, rowDivergence = 0; ///< means over layers
    /// Rows that `rowDivergence` is an estimate from, over layers; 0: it is exact, from all rows.
    std::uint32_t divergenceRows = 0;
    std::array<std::uint64_t, 4> pairsByReason{}; ///< local, always, routed, far over layers and heads
    Cost cost;                                    ///< counted; seconds are those of the isolated hybrid
    bool complete = false;
};

struct PropagatedResult {
    PropagatedFidelity fidelity;
    std::shared_ptr<const Matrix> hidden;         ///< [T x M] of the hybrid run
    Cost cost;                                    ///< counted and measured
    std::shared_ptr<const RoutingRecord> routing; ///< of the propagated run
};

/// The result of a Request as far as it has got. An immutable value of shared parts; views compare the
/// pointers and redraw only what changed. A part that belongs to an older policy is never in here: it is null
/// until ready.
struct Snapshot {
    std::uint64_t generation = 0;
    std::shared_ptr<const Request> request;
    std::shared_ptr<const Model> model;
    std::shared_ptr<const Tokens> tokens;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const FullRun> full; ///< null until the first layer is done
    std::shared_ptr<const VisibleLayer> visible;
    std::shared_ptr<const IsolatedResult> isolated;
    std::shared_ptr<const PropagatedResult> propagated;
    std::string textHash; ///< SHA-256 of the text's bytes
    std::string policyHash;
    bool pastContext = false; ///< T > C: label every result
    bool final = false;       ///< nothing more will come for this request

    /// TileSource of the visible layer, or of any layer for MapQuantity::Full; empty if that layer is not
    /// there yet. The spans point into this snapshot: keep it alive.
    [[nodiscard]] std::optional<TileSource> tileSource(int layer) const;
    /// The attention input of a layer of the full run, which must be there.
    [[nodiscard]] AttentionInput attentionInput(int layer) const;
    /// What a router may see of a layer of the full run, which must be there.
    [[nodiscard]] RouteInput routeInput(int layer) const;
    /// One provenance line for exports: program, model, text, policy, cell, regime, trained-ness, instruction
    /// set.
    [[nodiscard]] std::string provenance() const;
};

} // namespace fovea
