#pragma once
#include "core/base/Cancel.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Snapshot.h"
#include "core/model/Forward.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace fovea {

/// What one layer of a hybrid run read: its own inputs, its plan (with routing), log-sum-exp [T*H] if the
/// walk keeps it, and what it took. Views live for the call only.
struct WatchedLayer {
    const LayerInput& input;
    const AttentionPlan& plan;
    std::span<const float> lse;
    const HybridLayer& run;
};
/// Called once per layer, in order, on the calling thread; an error ends the run with it.
using WatchLayer = std::function<Result<>(const WatchedLayer&)>;

/// A hybrid run over a whole text, propagated: each layer's attention is planned and computed from the
/// activations that the layers before it left.
struct HybridWalk {
    const Model& model;
    std::span<const std::int32_t> ids;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const AttentionPolicy> policy;
    Isa isa = defaultIsa();
    bool keepLse = false;           ///< show the rows' log-sum-exp to the watcher
    std::string_view progress = {}; ///< reported after each layer; empty: nothing is
    /// [L] what layers keep for the rows after this text (cached decoding); empty: nothing.
    std::span<const std::shared_ptr<LayerState>> states = {};
    std::size_t textTokens = 0; ///< as in `forward`
};

/// Runs it and returns the hidden states [T x M] after the last norm. Every hybrid run over a text is this
/// one, whoever watches: comparison, records, gates, the prompt of cached decoding. Errors: those of runLayer
/// and `forward`, of `watch`, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<Matrix> walkHybrid(const HybridWalk& walk, const WatchLayer& watch,
                                        const WorkContext& work);

/// Adds what one layer took to an arm's counts and seconds.
void addLayer(ArmCost& arm, const HybridLayer& layer);

// The functions below need a snapshot with model, tokens, facts and a complete full run.

/// The hybrid run of `policy` over a text whose full run is known, compared with it and recorded.
/// `layerRouted`, if given, sees each layer's choices as they are made: the expanded routing record is never
/// held whole. Errors: those of walkHybrid. Throws std::bad_alloc.
[[nodiscard]] Result<PropagatedResult>
runPropagated(const Snapshot& withFullRun, const AttentionPolicy& policy, const WorkContext& work,
              const std::function<void(const LayerRouting&)>& layerRouted = {});

/// Repeats that run and shows each layer to `watch`: for attention rows in the propagated regime and the
/// expanded routing record, which nobody keeps in memory. Same choices as runPropagated. Cost: one hybrid run
/// without logits. Errors: those of walkHybrid. Throws std::bad_alloc.
[[nodiscard]] Result<> watchHybrid(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                   const WatchLayer& watch, const WorkContext& work);

/// The hidden states of a hybrid run alone, for gates: no comparison, no record. `watch` sees each layer.
/// Errors: those of walkHybrid. Throws std::bad_alloc.
[[nodiscard]] Result<Matrix> runHybridHidden(const Model& model, std::span<const std::int32_t> ids,
                                             std::shared_ptr<const TokenFacts> facts,
                                             const AttentionPolicy& policy, Isa isa, const WorkContext& work,
                                             const WatchLayer& watch = {});

} // namespace fovea
