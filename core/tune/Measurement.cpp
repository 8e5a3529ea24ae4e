#include "core/tune/Measurement.h"
#include "core/base/Isa.h"
#include "core/base/OutOfMemory.h"
#include "core/base/Stopwatch.h"
#include "core/engine/Build.h"
#include "core/engine/FullArm.h"
#include "core/engine/HybridArm.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "core/route/PolicyFits.h"
#include <new>
#include <string_view>

namespace fovea {

Measurement measurementOf(const Cost& cost, const PropagatedFidelity& fidelity) {
    Measurement m;
    m.cost = cost;
    m.kl = fidelity.nextTokenKl;
    m.klP95 = fidelity.klP95;
    m.klWorst = fidelity.klWorst;
    m.klWorstPosition = fidelity.klWorstPosition;
    m.top1 = fidelity.top1Agreement;
    m.deltaNll = fidelity.deltaNll;
    return m;
}

Result<Measurement> measurePolicy(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                  const WorkContext& work) {
    FOVEA_TRY(policyFits(policy, withFullRun.model->shape, withFullRun.tokens->size()));
    try {
        const WorkClock clock(work);
        Result<PropagatedResult> run = runPropagated(withFullRun, policy, work);
        FOVEA_TRY(run);
        if (clock.interrupted())
            forgetSeconds(run->cost);
        return measurementOf(run->cost, run->fidelity);
    } catch (const std::bad_alloc&) {
        return tl::make_unexpected(outOfMemory("not enough memory for another run."));
    }
}

std::string measurementKey(const Snapshot& snapshot) {
    const Request& request = *snapshot.request;
    const std::vector<std::int32_t>& ids = snapshot.tokens->ids;
    const std::string_view bytes(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
    std::string key = std::string(buildVersion()) + ' ' + std::string(buildCommit()) + ' ' +
                      snapshot.model->info.sha256 + ' ' + sha256Hex(bytes) + ' ' +
                      std::string(isaName(request.isa));
    key += request.precision == Precision::BF16 ? " bf16" : " f32";
    return key + (request.nativeWindows ? "" : " native-windows-off");
}

Result<std::shared_ptr<const Snapshot>> prefixOf(const Snapshot& snapshot, std::size_t tokens,
                                                 const WorkContext& work) {
    auto prefix = std::make_shared<Snapshot>(snapshot);
    auto request = std::make_shared<Request>(*snapshot.request);
    request->headStats = false;
    request->maxTokens = tokens;
    auto cut = std::make_shared<Tokens>();
    const auto end = static_cast<std::ptrdiff_t>(std::min(tokens, snapshot.tokens->size()));
    cut->ids.assign(snapshot.tokens->ids.begin(), snapshot.tokens->ids.begin() + end);
    cut->spans.assign(snapshot.tokens->spans.begin(), snapshot.tokens->spans.begin() + end);
    cut->pieces.assign(snapshot.tokens->pieces.begin(), snapshot.tokens->pieces.begin() + end);
    prefix->facts = std::make_shared<const TokenFacts>(firstFacts(*snapshot.facts, cut->size()));
    Result<std::shared_ptr<const FullRun>> full = runFull(*snapshot.model, *cut, *request, {}, work);
    FOVEA_TRY(full);
    prefix->request = std::move(request);
    prefix->tokens = std::move(cut);
    prefix->full = std::move(*full);
    prefix->visible = nullptr;
    prefix->isolated = nullptr;
    prefix->propagated = nullptr;
    prefix->against = nullptr;
    prefix->other = nullptr;
    return std::shared_ptr<const Snapshot>(std::move(prefix));
}

} // namespace fovea
