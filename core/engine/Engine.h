#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <functional>
#include <memory>

namespace fovea {

/// Runs Requests, re-using every stage whose own inputs equal those of last time (model, tokens, full run, visible layer).
/// One thread at a time; results are immutable and may go anywhere.
class Engine {
public:
    Engine();
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Called with ever fuller snapshots, on the calling thread: tokens; each full layer (the visible first it can);
    /// visible rectangle; visible layer; isolated; propagated. The last one equals the returned value.
    using Deliver = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Errors: those of models, tokenizers and policies; TooLarge before anything big is allocated ("16384 tokens need
    /// 4.1 GB; ..."); OutOfMemory; Cancelled. Exceptions end here.
    [[nodiscard]] Result<std::shared_ptr<const Snapshot>> run(const Request& request, const Deliver& deliver,
                                                              const WorkContext& work);

    /// Bytes a request of T tokens needs, all arms and views included.
    [[nodiscard]] static std::uint64_t memoryNeeded(const ModelShape& shape, Precision precision, std::size_t tokens);

private:
    struct Stages;
    std::unique_ptr<Stages> m_stages;
};

/// The hybrid run of `policy` over a text whose full run is known, propagated. Used by Engine, sweeps and gates.
[[nodiscard]] Result<PropagatedResult> runPropagated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                     const WorkContext& work);
/// The isolated hybrid of one layer for rows and one head (or all: -1).
[[nodiscard]] Result<VisibleLayer> runVisible(const Snapshot& withFullRun, const AttentionPolicy& policy, int layer, int head,
                                              RowRange rows, const WorkContext& work);
[[nodiscard]] Result<IsolatedResult> runIsolated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                 const std::function<void(const IsolatedResult&)>& layerDone,
                                                 const WorkContext& work);

} // namespace fovea
