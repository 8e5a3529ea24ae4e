#pragma once
#include "core/base/Cancel.h"
#include "core/engine/FullArm.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
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

    /// Errors: those of models, tokenizers and policies (`policyFits` before the full run is started);
    /// TooLarge before anything big is allocated ("16384 tokens need 4.1 GB; ..."); OutOfMemory; Cancelled.
    /// Exceptions end here.
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

} // namespace fovea
