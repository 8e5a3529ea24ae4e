#include "core/probe/ProbeModel.h"
#include "core/engine/Decode.h"
#include "core/engine/Generate.h"
#include "core/engine/HybridArm.h"
#include "core/engine/TextStage.h"
#include "core/measure/NextToken.h"
#include <algorithm>

namespace fovea {

namespace {

constexpr std::size_t kMostSteps = 64; // of a continuation; no answer has so many tokens

} // namespace

Result<Tokens> ProbeModel::read(const ProbeCase& probe, const WorkContext& work) const {
    Request request = m_request;
    request.text = std::make_shared<const std::string>(probe.text);
    return tokenizeText(*m_model, request, work);
}

Result<std::size_t> ProbeModel::count(std::string_view text, const WorkContext& work) const {
    ProbeCase probe;
    probe.text = std::string(text);
    const Result<Tokens> tokens = read(probe, work);
    FOVEA_TRY(tokens);
    return tokens->size();
}

Result<double> ProbeModel::ask(ProbeKind kind, const ProbeCase& probe, ProbeArm arm,
                               const WorkContext& work) {
    const Result<Tokens> tokens = read(probe, work);
    FOVEA_TRY(tokens);
    const AttentionPolicy policy = arm == ProbeArm::Full ? AttentionPolicy() : m_request.policy;
    return probeInfo(kind).given ? given(kind, probe, *tokens, policy, work)
                                 : continued(kind, probe, *tokens, policy, work);
}

Result<double> ProbeModel::continued(ProbeKind kind, const ProbeCase& probe, const Tokens& tokens,
                                     const AttentionPolicy& policy, const WorkContext& work) {
    Result<TokenFacts> facts = factsForPolicy(*m_model, tokens, policy, m_request, work);
    FOVEA_TRY(facts);
    const DecodeOptions options{m_request.isa, tokens.size() + kMostSteps, m_request.maxMemory, false};
    Result<Decoder> decoder = Decoder::start(m_model, policy, tokens.ids, std::move(*facts), options, work);
    FOVEA_TRY(decoder);
    std::string text;
    for (std::size_t step = 0; step < kMostSteps && !answerIsDecided(probe, kind, text); ++step) {
        const std::int32_t id = scoreRow(decoder->logits()).top1;
        if (m_model->endOfText == id)
            break;
        text += m_model->tokenizer->piece(id);
        if (!answerIsDecided(probe, kind, text))
            FOVEA_TRY(decoder->step(id, {}, work));
    }
    return answers(probe, kind, text) ? 1.0 : 0.0;
}

Result<double> ProbeModel::given(ProbeKind kind, const ProbeCase& probe, const Tokens& tokens,
                                 const AttentionPolicy& policy, const WorkContext& work) {
    Result<TokenFacts> facts = factsForPolicy(*m_model, tokens, policy, m_request, work);
    FOVEA_TRY(facts);
    const auto begins = [&](std::size_t byte) { // the first token that ends after this byte
        const auto at = std::find_if(tokens.spans.begin(), tokens.spans.end(),
                                     [&](const Span& span) { return span.end > byte; });
        return static_cast<std::size_t>(at - tokens.spans.begin());
    };
    facts->prompt = begins(probe.promptBytes);
    const Result<Matrix> hidden =
        runHybridHidden(*m_model, tokens.ids, std::make_shared<const TokenFacts>(std::move(*facts)), policy,
                        m_request.isa, work);
    FOVEA_TRY(hidden);
    const Result<NextTokenScores> scores = scoreText(*m_model, tokens.ids, hidden->view(), work);
    FOVEA_TRY(scores);
    double right = 0, all = 0;
    for (const Span& target : probe.targets) {
        bool whole = true;
        for (std::size_t t = begins(target.begin); t < tokens.size() && tokens.spans[t].begin < target.end;
             ++t) {
            const bool hit = t > 0 && scores->top1[t - 1] == tokens.ids[t];
            whole = whole && hit;
            if (kind == ProbeKind::Copy) {
                right += hit ? 1 : 0;
                ++all;
            }
        }
        if (kind != ProbeKind::Copy) {
            right += whole ? 1 : 0;
            ++all;
        }
    }
    return all > 0 ? right / all : 0;
}

} // namespace fovea
