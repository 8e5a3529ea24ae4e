#include "core/engine/Generate.h"
#include "core/base/Memory.h"
#include "core/base/Stopwatch.h"
#include "core/engine/Engine.h"
#include "core/engine/OpenedModel.h"
#include "core/engine/RetrievalHeads.h"
#include "core/engine/TextStage.h"
#include "core/measure/NextToken.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea {

namespace {

/// One arm under way.
class Arm {
public:
    Arm(Decoder decoder, const GenerateOptions& options, std::int64_t endOfText)
        : m_decoder(std::move(decoder)), m_options(options), m_endOfText(endOfText) {}

    [[nodiscard]] bool done() const { return m_result.ended || m_result.ids.size() >= m_options.tokens; }
    [[nodiscard]] std::span<const float> logits() { return m_decoder.logits(); }
    [[nodiscard]] const std::vector<std::shared_ptr<const Matrix>>& promptKeys() const {
        return m_decoder.promptKeys();
    }
    void keepNoMoreRows() { m_decoder.keepNoMoreRows(); }

    /// The next token, which is not read yet. Not after done().
    std::shared_ptr<const GeneratedToken> choose() {
        auto chosen = std::make_shared<GeneratedToken>();
        const std::span<const float> logits = m_decoder.logits();
        chosen->id = sampleToken(logits, m_options.sampling, m_result.ids.size());
        const double normaliser = scoreRow(logits).logNormaliser;
        const float own = logits[static_cast<std::size_t>(chosen->id)];
        const auto probability = [&](float logit) {
            return std::exp(static_cast<double>(logit) - normaliser);
        };
        chosen->probability = probability(own);
        chosen->rank = 1 + static_cast<std::size_t>(std::count_if(logits.begin(), logits.end(),
                                                                  [&](float logit) { return logit > own; }));
        for (const std::int32_t id : mostLikely(logits))
            chosen->candidates.push_back({id, probability(logits[static_cast<std::size_t>(id)])});
        chosen->kvBytes = m_decoder.kvBytes();
        chosen->row = m_decoder.newestRow();
        m_result.ids.push_back(chosen->id);
        m_result.ended = chosen->id == m_endOfText;
        return chosen;
    }

    /// Reads the token that was chosen.
    Result<> read(const WorkContext& work) {
        if (done())
            return {};
        double seconds = 0;
        {
            const Stopwatch watch(seconds, work);
            FOVEA_TRY(m_decoder.step(m_result.ids.back(), {}, work));
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
    [[nodiscard]] std::vector<std::int32_t> mostLikely(std::span<const float> logits) const {
        std::vector<std::int32_t> ids(logits.size());
        std::iota(ids.begin(), ids.end(), 0);
        const std::size_t count = std::min(m_options.candidates, ids.size());
        std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                          [&](std::int32_t a, std::int32_t b) {
                              const float x = logits[static_cast<std::size_t>(a)];
                              const float y = logits[static_cast<std::size_t>(b)];
                              return x > y || (x == y && a < b);
                          });
        ids.resize(count);
        return ids;
    }

    Decoder m_decoder;
    const GenerateOptions& m_options;
    std::int64_t m_endOfText;
    GeneratedArm m_result;
    std::vector<double> m_times;
};

/// Why the rows of a generation cannot be kept; empty: they can.
std::string whyNoRows(const ModelShape& shape, std::size_t prompt, std::uint64_t bytes) {
    const std::uint64_t need = 2 * static_cast<std::uint64_t>(shape.layers) * prompt *
                               static_cast<std::uint64_t>(shape.kvHeads * shape.headDim) * sizeof(float);
    if (need <= bytes)
        return {};
    return "What each token read is not kept: the keys of " + std::to_string(prompt) + " tokens need " +
           formatBytes(need) + ", and " + formatBytes(bytes) + " may be used.";
}

} // namespace

std::string GeneratedArm::text(const Model& model) const {
    std::string text;
    for (std::size_t i = 0; i + (ended ? 1 : 0) < ids.size(); ++i)
        text += model.tokenizer->piece(ids[i]);
    return text;
}

Result<std::shared_ptr<const Model>> loadForDecoding(const Request& request, bool lean,
                                                     const WorkContext& work) {
    LoadOptions options{request.precision, request.maxMemory, request.precision == Precision::F32};
    if (lean && options.stored)
        options.unpacked = false;
    Result<std::shared_ptr<const Model>> model = loadModel(request.modelPath, options, work);
    FOVEA_TRY(model);
    return modelToRun(std::move(*model), request.nativeWindows);
}

Result<TokenFacts> factsForPolicy(const Model& model, const Tokens& prompt, const AttentionPolicy& policy,
                                  const Request& request, const WorkContext& work) {
    std::vector<float> surprisal;
    if (needs(policy, Needs::Surprisal)) {
        Request scored = request;
        scored.headStats = false;
        const Result<std::shared_ptr<const FullRun>> full =
            runFull(model, prompt, scored, {}, work, keepsNoLayer);
        FOVEA_TRY(full);
        surprisal = (*full)->nll;
    }
    TokenFacts facts = makeFacts(*model.tokenizer, prompt, surprisal);
    if (ranksHeads(policy)) {
        Result<std::vector<float>> scores = retrievalScores(model, request.isa, work);
        FOVEA_TRY(scores);
        facts.retrieval = std::move(*scores);
    }
    return facts;
}

Result<Generation> generate(std::shared_ptr<const Model> model, const Tokens& prompt, const Request& request,
                            const GenerateOptions& options, const WorkContext& work,
                            const GenerationWatch& watch) {
    if (!model->shape.predictsTokens())
        return fail(ErrorCode::Unsupported,
                    model->shape.family + ": " + kNoNextToken + ", so it writes no text");
    FOVEA_TRY(policyFitsModel(request.policy, model->shape)); // pins may lie in what is still to come
    const Result<TokenFacts> known = factsForPolicy(*model, prompt, request.policy, request, work);
    FOVEA_TRY(known);
    const TokenFacts& facts = *known;
    Generation result;
    result.prompt.tokens = prompt.size();
    if (options.rowBytes > 0)
        result.prompt.noRows = whyNoRows(model->shape, prompt.size(), options.rowBytes);
    const bool keepsRows = options.rowBytes > 0 && result.prompt.noRows.empty();
    const DecodeOptions decode{request.isa, prompt.size() + options.tokens, request.maxMemory, keepsRows};
    Result<Decoder> fullDecoder = Decoder::start(model, {}, prompt.ids, facts, decode, work);
    FOVEA_TRY(fullDecoder);
    Result<Decoder> hybridDecoder = Decoder::start(model, request.policy, prompt.ids, facts, decode, work);
    FOVEA_TRY(hybridDecoder);
    Arm full(std::move(*fullDecoder), options, model->endOfText);
    Arm hybrid(std::move(*hybridDecoder), options, model->endOfText);
    result.prompt.fullKeys = full.promptKeys();
    result.prompt.hybridKeys = hybrid.promptKeys();
    std::uint64_t rowBytes = 0;
    for (const auto* keys : {&result.prompt.fullKeys, &result.prompt.hybridKeys})
        for (const auto& layer : *keys)
            rowBytes += layer->rows() * layer->cols() * sizeof(float);
    if (watch.prompt)
        watch.prompt(result.prompt);
    bool sameText = true;
    for (std::size_t n = 0; !full.done() || !hybrid.done(); ++n) {
        GenerationStep step;
        step.step = n;
        if (sameText)
            step.kl = rowKl(full.logits(), scoreRow(full.logits()).logNormaliser, hybrid.logits(),
                            scoreRow(hybrid.logits()).logNormaliser);
        if (!full.done())
            step.full = full.choose();
        if (!hybrid.done())
            step.hybrid = hybrid.choose();
        if (step.differs() && !result.divergence)
            result.divergence = n;
        sameText = sameText && !step.differs();
        for (const auto& token : {step.full, step.hybrid})
            rowBytes += token && token->row ? token->row->bytes : 0;
        if (keepsRows && rowBytes > options.rowBytes) {
            full.keepNoMoreRows();
            hybrid.keepNoMoreRows();
        }
        result.steps.push_back(step);
        if (watch.step)
            watch.step(step);
        work.report("generating", static_cast<double>(n + 1), static_cast<double>(options.tokens));
        FOVEA_TRY(full.read(work));
        FOVEA_TRY(hybrid.read(work));
    }
    result.full = full.finish();
    result.hybrid = hybrid.finish();
    result.pastContext = prompt.size() + std::max(result.full.ids.size(), result.hybrid.ids.size()) >
                         static_cast<std::size_t>(model->shape.context);
    return result;
}

DecodedRows rowsOf(const GenerationPrompt& prompt, const std::vector<GenerationStep>& steps,
                   GenerationArm arm) {
    const bool full = arm == GenerationArm::Full;
    DecodedRows rows;
    rows.prompt = prompt.tokens;
    rows.promptKeys = full ? prompt.fullKeys : prompt.hybridKeys;
    for (const GenerationStep& step : steps) {
        const auto& token = full ? step.full : step.hybrid;
        if (!token || !token->row)
            break;
        rows.rows.push_back(token->row);
    }
    return rows;
}

} // namespace fovea
