#pragma once
#include "core/base/Cancel.h"
#include "core/engine/FullArm.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/Snapshot.h"
#include "core/measure/NextToken.h"
#include <functional>
#include <memory>
#include <optional>

namespace fovea {

/// Runs Requests. A stage (model, tokens, full run, visible layer) is reused if its inputs equal those of the
/// previous run. Not thread-safe; results are immutable and can be shared.
class Engine {
public:
    Engine();
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Called on the calling thread with more and more complete snapshots: tokens, each layer of the full
    /// run, visible rectangle, visible layer, isolated results, propagated result. The last one equals the
    /// returned value.
    using Deliver = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Errors: those of models, tokenizers and policies (`policyFits` before the full run is started);
    /// TooLarge before anything big is allocated ("16384 tokens need 4.1 GB; ..."); OutOfMemory; Cancelled.
    /// Catches all exceptions. When the activations of all layers exceed the memory limit, those of some are
    /// dropped and computed again when they are needed (Remake.h): the same numbers, later.
    [[nodiscard]] Result<std::shared_ptr<const Snapshot>> run(const Request& request, const Deliver& deliver,
                                                              const WorkContext& work);

    /// Whether the current work should be finished before `newer` starts. True while a model is read, a text
    /// tokenised or a full run computed that `newer` also needs. Callable from any thread.
    [[nodiscard]] bool worthFinishing(const Request& newer) const;

private:
    struct Stages;
    std::unique_ptr<Stages> m_stages;
};

} // namespace fovea
