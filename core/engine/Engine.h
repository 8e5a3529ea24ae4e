#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include "core/measure/NextToken.h"
#include <functional>
#include <memory>

namespace fovea {

/// Runs Requests, re-using every stage whose own inputs equal those of last time (model, tokens, full run,
/// visible layer). One thread at a time; results are immutable and may go anywhere.
class Engine {
public:
    Engine();
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Called with ever fuller snapshots, on the calling thread: tokens; each full layer (the visible first
    /// it can); visible rectangle; visible layer; isolated; propagated. The last one equals the returned
    /// value.
    using Deliver = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Errors: those of models, tokenizers and policies; TooLarge before anything big is allocated ("16384
    /// tokens need 4.1 GB; ..."); OutOfMemory; Cancelled. Exceptions end here.
    [[nodiscard]] Result<std::shared_ptr<const Snapshot>> run(const Request& request, const Deliver& deliver,
                                                              const WorkContext& work);

    /// Bytes a request of T tokens needs, all arms and views included.
    [[nodiscard]] static std::uint64_t memoryNeeded(const ModelShape& shape, Precision precision,
                                                    std::size_t tokens);

    /// Would stopping what runs now for `newer` only mean doing it again? True while a model is read, a text
    /// tokenised or a full run computed that `newer` needs too. Any thread.
    [[nodiscard]] bool worthFinishing(const Request& newer) const;

private:
    struct Stages;
    std::unique_ptr<Stages> m_stages;
};

/// Full attention's run over tokens of one model. `layerDone` is called after each layer, outside measured
/// time, with the run as far as it has got. Errors: those of `forward`; Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<std::shared_ptr<const FullRun>>
runFull(const Model& model, const Tokens& tokens, const Request& request,
        const std::function<void(const FullRun& soFar, int layer)>& layerDone, const WorkContext& work);

// The hybrid runs below need a snapshot with model, tokens, facts and a complete full run, and throw
// std::bad_alloc.

/// The hybrid run of `policy` over a text whose full run is known, propagated. Used by Engine, sweeps and
/// gates. `layerRouted`, if given, sees each layer's choices as they are made: the expanded routing record is
/// never held whole. Errors: those of routing and planning, Cancelled.
[[nodiscard]] Result<PropagatedResult>
runPropagated(const Snapshot& withFullRun, const AttentionPolicy& policy, const WorkContext& work,
              const std::function<void(const LayerRouting&)>& layerRouted = {});
/// The hidden states of that run alone, for gates: no comparison, no record.
[[nodiscard]] Result<Matrix> runHybridHidden(const Model& model, std::span<const std::int32_t> ids,
                                             std::shared_ptr<const TokenFacts> facts,
                                             const AttentionPolicy& policy, Isa isa, const WorkContext& work);

/// The isolated hybrid of one layer for rows and one head (or all: -1). The layer's activations must be
/// there; a complete full run is not needed. Measures fidelity when all rows and heads are asked.
[[nodiscard]] Result<VisibleLayer> runVisible(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                              int layer, int head, RowRange rows, const WorkContext& work,
                                              Matrix* output = nullptr);
/// Every layer isolated; `layerDone` after each. `known`, if it is the whole of its layer under the same
/// policy, is not computed again.
[[nodiscard]] Result<IsolatedResult> runIsolated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                 const VisibleLayer* known,
                                                 const std::function<void(const IsolatedResult&)>& layerDone,
                                                 const WorkContext& work);

} // namespace fovea
