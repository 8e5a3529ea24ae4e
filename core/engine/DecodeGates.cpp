#include "core/engine/DecodeGates.h"
#include "core/engine/Decode.h"
#include "core/engine/GateMeasure.h"
#include "core/engine/TextStage.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include "core/plan/StoredKeys.h"
#include "core/policy/SignalSpec.h"

namespace fovea {

namespace {

constexpr double kTieTolerance = 0.1;
constexpr std::size_t kDecodeSteps = 32;

class CachedGate {
public:
    CachedGate(const Snapshot& snapshot, const AttentionPolicy& policy, const WorkContext& work)
        : m_snapshot(snapshot), m_policy(policy), m_work(work) {}

    /// Two comparisons. With the same inputs: each row after the prompt on its own, with a cache of the full
    /// run's keys and values, against the same row of the whole layer. The choices must agree, so only the
    /// rounding of the kernel remains. Propagated: the tokens of the text decoded one by one, against the
    /// whole text at once. If a router ranks, rounding over 30 layers can decide between keys of equal score.
    Result<GateResult> run() {
        const bool ranks = m_policy.anyParts([](const HeadParts& parts) { return parts.routed.on(); });
        const double allowed = ranks ? kTieTolerance : kRoundingTolerance;
        GateResult gate{
            2, "cached decoding equals uncached", {}, {}, kernelTolerance(m_snapshot.model->precision), {}};
        if (looksAhead(m_policy)) {
            gate.detail = "not claimed: this policy looks ahead (" + m_policy.summary() + ")";
            return gate;
        }
        const std::size_t border = promptBorder(tokens());
        const std::size_t steps = std::min(kDecodeSteps, tokens() - border);
        if (steps == 0) {
            gate.detail = "does not apply: nothing is left to decode after the prompt";
            return gate;
        }
        const Result<double> alike = rowsAlone(border, steps);
        FOVEA_TRY(alike);
        gate.value = *alike;
        const Model& model = *m_snapshot.model;
        const std::vector<std::int32_t>& ids = m_snapshot.tokens->ids;
        const std::span<const float> surprisal = m_snapshot.facts->surprisal;
        const Result<Matrix> whole = runHybridHidden(*m_snapshot.model, ids, m_snapshot.facts, m_policy,
                                                     m_snapshot.request->isa, m_work);
        FOVEA_TRY(whole);
        const double scale = std::max(largest(whole->view()), 1e-30);
        Result<Decoder> decoder = Decoder::start(
            m_snapshot.model, m_policy, std::span(ids).first(border), firstFacts(*m_snapshot.facts, border),
            {m_snapshot.request->isa, border + steps, m_snapshot.request->maxMemory}, m_work);
        FOVEA_TRY(decoder);
        std::vector<float> logits(static_cast<std::size_t>(model.shape.vocabulary));
        std::size_t sameTop = 0;
        double worst = 0;
        std::size_t worstAt = border;
        for (std::size_t at = border; at < border + steps; ++at) {
            FOVEA_TRY(decoder->step(
                ids[at], at < surprisal.size() ? std::optional(surprisal[at]) : std::nullopt, m_work));
            const ConstMatrixView mine{decoder->hidden().data(), 1, decoder->hidden().size()};
            const double difference = largestDifference(whole->view().rowRange(at, 1), mine, 0, 1) / scale;
            if (!(difference <= worst)) {
                worst = difference;
                worstAt = at;
            }
            logitRows(model, whole->view(), at, {logits.data(), 1, logits.size()}, m_work.threads);
            sameTop += scoreRow(logits).top1 == scoreRow(decoder->logits()).top1 ? 1 : 0;
        }
        gate.ok = *alike <= kernelTolerance(m_snapshot.model->precision) &&
                  (magnifies() != nullptr || worst <= allowed);
        gate.detail =
            "largest |o - o^| / max |o| of " + std::to_string(steps) + " rows after the first " +
            std::to_string(border) +
            " in every layer, each alone over its cache against the whole text, same inputs; "
            "propagated, token by token, hidden states differ by at most " +
            digits(worst) + " of the largest (" +
            (magnifies() != nullptr ? magnifies()
             : ranks                ? "at most " + digits(allowed) +
                           ": rounding decides between keys of equal score, so a fault of that size "
                           "would pass here"
                     : "at most " + digits(allowed)) +
            "), worst at token " + std::to_string(worstAt) + ", same most likely token at " +
            std::to_string(sameTop) + " of " + std::to_string(steps);
        return gate;
    }

private:
    /// Why rounding grows from layer to layer under this policy, so that the propagated comparison says
    /// nothing about the cache. Null: it does not grow.
    [[nodiscard]] const char* magnifies() const {
        if (m_policy.anyParts([](const HeadParts& parts) {
                return parts.far.far == Far::Linear && parts.far.map == FeatureMap::Trig;
            }))
            return "not judged: trig's signed denominators come near zero and magnify rounding";
        if (m_policy.anyParts([](const HeadParts& parts) {
                return parts.far.far == Far::Recurrent && parts.combine.gate == 0;
            }))
            return "not judged: an untrained recurrence alone feeds the layers noise, which magnifies "
                   "rounding";
        return nullptr;
    }

    /// Largest difference of attention outputs, over the largest output of the layer; what decoding carries
    /// from row to row is carried here too.
    Result<double> rowsAlone(std::size_t border, std::size_t steps) {
        const ModelShape& shape = m_snapshot.model->shape;
        double worst = 0;
        std::vector<std::shared_ptr<TokenFacts>> facts;
        std::vector<std::shared_ptr<const AttentionPolicy>> policies;
        for (std::size_t at = border; at < border + steps; ++at) {
            policies.push_back(std::make_shared<const AttentionPolicy>(pinnedWithin(m_policy, at + 1)));
            facts.push_back(std::make_shared<TokenFacts>(firstFacts(*m_snapshot.facts, at + 1)));
            facts.back()->prompt = border;
        }
        for (int layer = 0; layer < shape.layers; ++layer) {
            FOVEA_TRY(m_work.checkpoint());
            const LayerActivations& full = *m_snapshot.full->layers[static_cast<std::size_t>(layer)];
            Matrix whole;
            FOVEA_TRY(runVisible(m_snapshot, m_policy, layer, -1, {0, tokens()}, m_work, &whole));
            const double scale = std::max(largest(whole.view()), 1e-30);
            KvCache cache(full.k.cols(), retentionOf(m_policy, shape, layer));
            for (std::size_t j = 0; j < border; ++j)
                cache.append(full.k.view().row(j), full.v.view().row(j));
            std::vector<float> o(full.o.cols());
            const auto state = std::make_shared<LayerState>();
            for (std::size_t at = border; at < border + steps; ++at) {
                cache.append(full.k.view().row(at), full.v.view().row(at));
                const LayerTask task{shape,
                                     policies[at - border],
                                     facts[at - border],
                                     layer,
                                     -1,
                                     {at, at + 1},
                                     m_snapshot.request->isa,
                                     m_snapshot.model->precision,
                                     state,
                                     std::span(full.hiddenNorm).first(at + 1),
                                     cache.whole() ? nullptr : &cache.keyRows()};
                const AttentionInput input =
                    attentionInputOf(*m_snapshot.model, layer, full.q.view().rowRange(0, at + 1),
                                     cache.keys(), cache.values());
                FOVEA_TRY(runLayer(task, input, {}, {{o.data(), at + 1, o.size(), 0}, {}}, m_work));
                const ConstMatrixView row{o.data(), 1, o.size()};
                worst = std::max(worst, largestDifference(whole.view().rowRange(at, 1), row, 0, 1) / scale);
            }
        }
        return worst;
    }

    [[nodiscard]] std::size_t tokens() const { return m_snapshot.tokens->size(); }

    const Snapshot& m_snapshot;
    const AttentionPolicy& m_policy;
    const WorkContext& m_work;
};

} // namespace

Result<GateResult> checkCached(const Snapshot& withFullRun, const AttentionPolicy& policy,
                               const WorkContext& work) {
    return CachedGate(withFullRun, policy, work).run();
}

GateResult ladderGate(const Ladder* timed) {
    GateResult gate{4, "full and hybrid, cached and uncached, reported together", {}, {}, {}, {}};
    if (timed == nullptr) {
        gate.detail = "not run: no ladder was timed; no speed-up against an uncached arm is shown";
        return gate;
    }
    const Ladder& ladder = *timed;
    gate.ok = true;
    gate.detail = "seconds per token after " + std::to_string(ladder.prompt) + ":";
    for (const Ladder::Named& named : ladder.rungs()) {
        const Seconds& seconds = named.rung->perToken;
        *gate.ok = *gate.ok && seconds.runs > 0 && seconds.median > 0;
        gate.detail += " " + std::string(named.name) + " " + digits(seconds.median) + " (" +
                       std::to_string(seconds.runs) + " of " + std::to_string(ladder.steps) + " steps timed)";
    }
    gate.value = ladder.fullCached.perToken.median / ladder.hybridCached.perToken.median;
    gate.detail += "; the number is full over hybrid, both cached";
    return gate;
}

} // namespace fovea
