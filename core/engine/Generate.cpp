#include "core/engine/Generate.h"
#include "core/base/Stopwatch.h"
#include "core/engine/Engine.h"
#include "core/engine/RetrievalHeads.h"
#include "core/engine/TextStage.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>

namespace fovea {

namespace {

/// One arm under way.
class Arm {
public:
    Arm(Decoder decoder, const GenerateOptions& options, std::int64_t endOfText)
        : m_decoder(std::move(decoder)), m_options(options), m_endOfText(endOfText) {}

    [[nodiscard]] bool done() const { return m_result.ended || m_result.ids.size() >= m_options.tokens; }

    Result<> next(const WorkContext& work) {
        if (done())
            return {};
        const std::int32_t id = sampleToken(m_decoder.logits(), m_options.sampling, m_result.ids.size());
        m_result.ids.push_back(id);
        m_result.ended = id == m_endOfText;
        if (done())
            return {};
        double seconds = 0;
        {
            const Stopwatch watch(seconds, work);
            FOVEA_TRY(m_decoder.step(id, {}, work));
            static_cast<void>(m_decoder.logits());
        }
        m_times.push_back(seconds);
        return {};
    }

    GeneratedArm finish() {
        m_result.promptSeconds = m_decoder.promptSeconds();
        m_result.kvBytes = m_decoder.kvBytes();
        m_result.perToken = medianOf(m_times);
        return std::move(m_result);
    }

private:
    Decoder m_decoder;
    const GenerateOptions& m_options;
    std::int64_t m_endOfText;
    GeneratedArm m_result;
    std::vector<double> m_times;
};

} // namespace

std::string GeneratedArm::text(const Model& model) const {
    std::string text;
    for (std::size_t i = 0; i + (ended ? 1 : 0) < ids.size(); ++i)
        text += model.tokenizer->piece(ids[i]);
    return text;
}

Result<Generation> generate(std::shared_ptr<const Model> model, const Tokens& prompt, const Request& request,
                            const GenerateOptions& options, const WorkContext& work) {
    FOVEA_TRY(policyFitsModel(request.policy, model->shape)); // pins may lie in what is still to come
    std::vector<float> surprisal;
    if (needs(request.policy, Needs::Surprisal)) {
        const Result<std::shared_ptr<const FullRun>> full = runFull(*model, prompt, request, {}, work);
        FOVEA_TRY(full);
        surprisal = (*full)->nll;
    }
    TokenFacts facts = makeFacts(*model->tokenizer, prompt, surprisal);
    if (request.policy.mix.fullHeads > 0) {
        Result<std::vector<float>> scores = retrievalScores(*model, request.isa, work);
        FOVEA_TRY(scores);
        facts.retrieval = std::move(*scores);
    }
    const DecodeOptions decode{request.isa, prompt.size() + options.tokens, request.maxMemory};
    Result<Decoder> fullDecoder = Decoder::start(model, {}, prompt.ids, facts, decode, work);
    FOVEA_TRY(fullDecoder);
    Result<Decoder> hybridDecoder = Decoder::start(model, request.policy, prompt.ids, facts, decode, work);
    FOVEA_TRY(hybridDecoder);
    Arm full(std::move(*fullDecoder), options, model->endOfText);
    Arm hybrid(std::move(*hybridDecoder), options, model->endOfText);
    for (std::size_t n = 0; !full.done() || !hybrid.done(); ++n) {
        work.report("generating", static_cast<double>(n), static_cast<double>(options.tokens));
        FOVEA_TRY(full.next(work));
        FOVEA_TRY(hybrid.next(work));
    }
    Generation result{full.finish(), hybrid.finish(), {}, false};
    const auto& a = result.full.ids;
    const auto& b = result.hybrid.ids;
    const auto [differs, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (differs != a.end() || other != b.end())
        result.divergence = static_cast<std::size_t>(differs - a.begin());
    result.pastContext =
        prompt.size() + std::max(a.size(), b.size()) > static_cast<std::size_t>(model->shape.context);
    return result;
}

} // namespace fovea
