#include "core/engine/Ladder.h"
#include "core/base/Stopwatch.h"
#include "core/engine/Engine.h"
#include "core/engine/TextStage.h"
#include "core/model/Forward.h"
#include "core/plan/StoredKeys.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <set>

namespace fovea {

Result<Ladder> runLadder(const Snapshot& s, const AttentionPolicy& policy, std::size_t steps,
                         const WorkContext& work) {
    const std::vector<std::int32_t>& ids = s.tokens->ids;
    if (!s.model->shape.predictsTokens())
        return fail(ErrorCode::Unsupported,
                    s.model->shape.family + ": the ladder times decoding, and " + kNoNextToken);
    Ladder ladder;
    ladder.prompt = promptBorder(ids.size());
    ladder.steps = std::min(steps, ids.size() - ladder.prompt);
    if (ladder.steps == 0)
        return fail(ErrorCode::BadValue, "the ladder needs at least 4 tokens and one step; this text has " +
                                             std::to_string(ids.size()) + " tokens");
    FOVEA_TRY(policyFitsModel(policy, s.model->shape)); // pins beyond a step are left out of it
    const AttentionPolicy full;
    const std::span<const std::int32_t> prompt = std::span(ids).first(ladder.prompt);
    const std::span<const float> surprisal = s.facts->surprisal;
    const DecodeOptions options{s.request->isa, ladder.prompt + ladder.steps, s.request->maxMemory};
    const TokenFacts known = firstFacts(*s.facts, ladder.prompt);
    Result<Decoder> fullArm = Decoder::start(s.model, full, prompt, known, options, work);
    FOVEA_TRY(fullArm);
    Result<Decoder> hybridArm = Decoder::start(s.model, policy, prompt, known, options, work);
    FOVEA_TRY(hybridArm);
    std::vector<double> times[2];
    for (std::size_t n = 0; n < ladder.steps; ++n) {
        const std::size_t at = ladder.prompt + n;
        work.report("ladder, cached", static_cast<double>(n), static_cast<double>(ladder.steps));
        for (int arm = 0; arm < 2; ++arm) {
            Decoder& decoder = arm == 0 ? *fullArm : *hybridArm;
            double seconds = 0;
            {
                const Stopwatch watch(seconds, work);
                FOVEA_TRY(decoder.step(
                    ids[at], at < surprisal.size() ? std::optional(surprisal[at]) : std::nullopt, work));
                static_cast<void>(decoder.logits());
            }
            times[arm].push_back(seconds);
        }
    }
    ladder.fullCached = {medianOf(times[0]), fullArm->promptSeconds(), fullArm->kvBytes()};
    ladder.hybridCached = {medianOf(times[1]), hybridArm->promptSeconds(), hybridArm->kvBytes()};

    std::vector<double> uncached[2];
    std::vector<float> logits(static_cast<std::size_t>(s.model->shape.vocabulary));
    const std::set<std::size_t> timed{0, ladder.steps / 2, ladder.steps - 1};
    for (const std::size_t n : timed) {
        const std::size_t tokens = ladder.prompt + n + 1;
        work.report("ladder, uncached", static_cast<double>(n), static_cast<double>(ladder.steps));
        for (int arm = 0; arm < 2; ++arm) {
            double seconds = 0;
            {
                const Stopwatch watch(seconds, work);
                auto facts = std::make_shared<TokenFacts>(firstFacts(*s.facts, tokens));
                facts->prompt = ladder.prompt;
                const Result<Matrix> hidden =
                    runHybridHidden(*s.model, std::span(ids).first(tokens), std::move(facts),
                                    arm == 0 ? full : pinnedWithin(policy, tokens), s.request->isa, work);
                FOVEA_TRY(hidden);
                logitRows(*s.model, hidden->view(), tokens - 1, {logits.data(), 1, logits.size()},
                          work.threads);
            }
            uncached[arm].push_back(seconds);
        }
    }
    // Without a cache the keys and values of one layer are held at a time, for the whole prefix.
    const ModelShape& shape = s.model->shape;
    const std::uint64_t held = 2 * static_cast<std::uint64_t>(shape.kvHeads * shape.headDim) *
                               (ladder.prompt + ladder.steps) * sizeof(float);
    ladder.fullUncached = {medianOf(uncached[0]), 0, held};
    ladder.hybridUncached = {medianOf(uncached[1]), 0, held};
    return ladder;
}

} // namespace fovea
