#pragma once
#include "core/engine/LatestWorker.h"
#include <functional>
#include <memory>

namespace fovea::test {

/// Answers every request at once with an empty result. `heard` gets each request first, on the engine thread.
inline LatestWorker::Runner echo(std::function<void(const Request&)> heard = {}) {
    LatestWorker::Runner r;
    r.run = [heard = std::move(heard)](const Request& request, const Engine::Deliver& deliver,
                                       const WorkContext&) -> Result<std::shared_ptr<const Snapshot>> {
        if (heard)
            heard(request);
        auto snapshot = std::make_shared<Snapshot>();
        snapshot->request = std::make_shared<const Request>(request);
        snapshot->final = true;
        deliver(snapshot);
        return std::shared_ptr<const Snapshot>(snapshot);
    };
    return r;
}

} // namespace fovea::test
