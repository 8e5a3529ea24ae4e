#pragma once
#include "core/engine/FarField.h"
#include "core/engine/Request.h"
#include "core/measure/Cost.h"
#include "core/measure/Fidelity.h"
#include "core/measure/MapTile.h"
#include "core/plan/AttentionPlan.h"
#include "core/route/RouteInput.h"
#include "core/route/RoutingRecord.h"
#include "core/text/TokenAlignment.h"
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
    Matrix o;                      ///< [T x H*D] output of full attention
    std::vector<float> lse;        ///< [T*H]
    std::vector<float> hiddenNorm; ///< [T] norm of the residual stream that enters the layer
    AttentionCells picture; ///< coarse attention maps, at most kPictureCells per side; empty unless requested
    double projected = 0;   ///< Frobenius norm of o * Wo; output errors are relative to it
};

/// The run with full attention over one text. Depends on text, model and precision, not on the policy.
struct FullRun {
    /// [L]; grows during the run (partial snapshots). Null: dropped, because all layers together exceed the
    /// memory limit; remakeLayers computes them again.
    std::vector<std::shared_ptr<const LayerActivations>> layers;
    std::vector<std::shared_ptr<const AttentionCells>> droppedPictures; ///< [L] of dropped layers, or empty
    std::vector<std::vector<HeadStats>> headStats;                      ///< [L][H], empty unless asked
    std::shared_ptr<const Matrix> hidden;     ///< [T x M] after the last norm; null until done
    std::vector<float> nll;                   ///< [T], NaN at 0; empty, as the next two: an encoder
    std::vector<float> logNormaliser;         ///< [T] log-sum-exp of the logits
    std::vector<std::int32_t> top1;           ///< [T]
    std::vector<std::uint32_t> sampledTokens; ///< up to 256 tokens, evenly spaced, including the last
    /// [L] residual stream of the sampled tokens that enters each layer, for the depth error. The whole
    /// streams would need 0.6 GB at 8,192 tokens.
    std::vector<std::shared_ptr<const Matrix>> residual;
    ArmCost cost;
    bool complete = false;

    /// Whether the activations of a layer are there.
    [[nodiscard]] bool has(int layer) const;
    /// Whether no layer so far has been dropped.
    [[nodiscard]] bool keepsAll() const;
    /// Drops the activations of a layer and keeps its picture.
    void drop(int layer);
    /// The picture of a finished layer, dropped or not; null: none was asked for.
    [[nodiscard]] std::shared_ptr<const AttentionCells> picture(int layer) const;
};

/// The visible layer under the policy, in the isolated regime. While a slider moves it may cover only the
/// visible rows and head.
struct VisibleLayer {
    int layer = 0;
    int head = -1;                             ///< >= 0: only this head is valid
    std::shared_ptr<const AttentionPlan> plan; ///< plan->heads[h]->rows are the covered rows
    /// [T*H] log-sum-exp of the hybrid rows as returned by applyFarField; NaN for rows that are not computed.
    std::vector<float> lse;
    /// Log-sum-exp over the exactly read keys only, without the far field. Empty when there is no far field:
    /// then it equals `lse`.
    std::vector<float> exactLse;
    FarWork far;
    std::optional<LayerFidelity> fidelity;                           ///< when the whole layer is done
    double attentionSeconds = 0, routerSeconds = 0, planSeconds = 0; ///< measured, this call
    double overlapSum = 0; ///< sum of topKOverlapOfRow over this layer's share of the 256 sampled rows
    std::uint32_t overlapRows = 0;
    /// Sum of divergenceOfRow over the same rows if the layer has a far field; NaN: undefined.
    double divergenceSum = 0;

    /// The queries of `head` that were computed under this policy; none of a head that was not asked for. A
    /// picture shows one policy: rows outside are not known yet, and rows of an earlier policy must not stand
    /// beside these.
    [[nodiscard]] RowRange coveredRows(int head) const;
    [[nodiscard]] bool coversText(int head) const; ///< every query
};

/// All layers isolated.
struct IsolatedResult {
    std::vector<LayerFidelity> layers; ///< [L] as far as finished
    TopKOverlap overlap;
    double massRecall = 0, outputError = 0, rowDivergence = 0; ///< means over layers
    /// Rows that `rowDivergence` is an estimate from, over layers; 0: it is exact, from all rows.
    std::uint32_t divergenceRows = 0;
    std::array<std::uint64_t, 4> pairsByReason{}; ///< local, always, routed, far; over layers and heads
    Cost cost;                                    ///< counted; seconds are those of the isolated hybrid run
    bool complete = false;
};

struct PropagatedResult {
    PropagatedFidelity fidelity;
    std::shared_ptr<const Matrix> hidden;         ///< [T x M] of the hybrid run
    Cost cost;                                    ///< counted and measured
    std::shared_ptr<const RoutingRecord> routing; ///< of the propagated run
};

/// Arm A of a request whose `against` is set: the parts of arm B, of another policy over the same full run. A
/// part is null until it is ready.
struct AgainstResult {
    AttentionPolicy policy;
    std::string policyHash;
    std::shared_ptr<const VisibleLayer> visible;
    std::shared_ptr<const IsolatedResult> isolated;
    std::shared_ptr<const PropagatedResult> propagated;
};

/// The result of a Request so far. An immutable value of shared parts; views compare the pointers and redraw
/// only what has changed. It never contains a part of an older policy; a part is null until it is ready.
struct Snapshot {
    std::uint64_t generation = 0;
    std::shared_ptr<const Request> request;
    std::shared_ptr<const Model> model;
    std::shared_ptr<const Tokens> tokens;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const FullRun> full; ///< null until the first layer is finished
    std::shared_ptr<const VisibleLayer> visible;
    std::shared_ptr<const IsolatedResult> isolated;
    std::shared_ptr<const PropagatedResult> propagated;
    std::shared_ptr<const AgainstResult> against; ///< null: arm A is full attention
    /// Arm A where it has a text or a model of its own: a whole run, with its own tokens, model and counts.
    /// Null: it has not, or its tokens are not known yet.
    std::shared_ptr<const Snapshot> other;
    std::shared_ptr<const TokenAlignment> alignment; ///< of the tokens of `other` (A) and of this (B)
    std::string textHash;                            ///< SHA-256 of the text's bytes
    std::string policyHash;
    bool pastContext = false; ///< T > C: label every result
    bool final = false;       ///< the last snapshot of this request

    /// The TileSource of the visible layer, or of any layer for MapQuantity::Full. Empty if the layer is not
    /// ready or dropped. The spans point into this snapshot, which must outlive the result.
    [[nodiscard]] std::optional<TileSource> tileSource(int layer) const;
    /// The attention input of a layer of the full run. The layer must be there (FullRun::has).
    [[nodiscard]] AttentionInput attentionInput(int layer) const;
    /// The router input of a layer of the full run. The layer must be there.
    [[nodiscard]] RouteInput routeInput(int layer) const;
    /// Arm A as a snapshot of its own: its request's policy and the results are those of `against`. Null: arm
    /// A is no other policy. Shares all parts; any thread.
    [[nodiscard]] std::shared_ptr<const Snapshot> armA() const;
    /// One provenance line for exports: program, model, text, policy (of both arms when arm A has one), cell,
    /// regime, trained-ness, instruction set.
    [[nodiscard]] std::string provenance() const;
};

} // namespace fovea
