#include "core/engine/Gates.h"
#include "core/engine/Build.h"
#include "core/engine/Sweep.h"
#include "core/engine/TextStage.h"
#include "core/files/AtomicFile.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/plan/StoredKeys.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <new>

namespace fovea {

namespace {

/// Two kernel runs of 5e-6 each, of max |o|; in bf16 of 5e-3 each.
double kernelTolerance(Precision precision) {
    return precision == Precision::BF16 ? 1e-2 : 1e-5;
}
constexpr double kBoundTolerance = 1e-4;
/// Of the largest hidden value: rounding that 30 layers carry on, and a near tie of the router that it tips
/// over. A token that is really seen too early moves its neighbours by a tenth and more.
constexpr double kRoundingTolerance = 1e-3;
constexpr double kTieTolerance = 0.1;
constexpr std::size_t kDecodeSteps = 32;
constexpr std::size_t kLadderSteps = 8;

std::string digits(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", value);
    return text.data();
}

/// The first tokens of a snapshot with their own full run.
Result<std::shared_ptr<const Snapshot>> cut(const Snapshot& whole, std::size_t maxTokens,
                                            const WorkContext& work) {
    if (maxTokens == 0 || whole.tokens->size() <= maxTokens)
        return std::make_shared<const Snapshot>(whole);
    auto part = std::make_shared<Snapshot>(whole);
    Request request = *whole.request;
    request.maxTokens = maxTokens;
    request.headStats = false;
    Tokens tokens = *whole.tokens;
    tokens.ids.resize(maxTokens);
    tokens.spans.resize(maxTokens);
    tokens.pieces.resize(maxTokens);
    part->request = std::make_shared<const Request>(request);
    part->tokens = std::make_shared<const Tokens>(std::move(tokens));
    Result<std::shared_ptr<const FullRun>> full = runFull(*part->model, *part->tokens, request, {}, work);
    FOVEA_TRY(full);
    part->full = std::move(*full);
    part->facts = std::make_shared<const TokenFacts>(
        makeFacts(*part->model->tokenizer, *part->tokens, part->full->nll));
    part->pastContext = maxTokens > static_cast<std::size_t>(part->model->shape.context);
    part->visible.reset();
    part->isolated.reset();
    part->propagated.reset();
    return std::shared_ptr<const Snapshot>(std::move(part));
}

double largest(ConstMatrixView x) {
    double most = 0;
    for (std::size_t r = 0; r < x.rows; ++r)
        for (std::size_t c = 0; c < x.cols; ++c)
            most = std::max(most, std::abs(static_cast<double>(x(r, c))));
    return most;
}

/// Over rows [first, last).
double largestDifference(ConstMatrixView a, ConstMatrixView b, std::size_t first, std::size_t last) {
    double most = 0;
    for (std::size_t r = first; r < last; ++r)
        for (std::size_t c = 0; c < a.cols; ++c)
            most = std::max(most, std::abs(static_cast<double>(a(r, c)) - static_cast<double>(b(r, c))));
    return most;
}

/// The policy with a budget that covers everything, three ways; the last two go through the router.
std::vector<AttentionPolicy> fullBudgets(const AttentionPolicy& policy, std::size_t tokens) {
    AttentionPolicy base = policy.withParts(policy.headPolicies.empty() ? policy : policy.partsOf(0, 0));
    base.mix.dynamic = Dynamic::None;
    base.always.sinkLogit.reset();
    base.routed.reach = Reach::Everything;
    base.routed.unrouted = Unrouted::Local;
    base.combine.gate = 1; // a gated sum is the exact part where nothing is far
    base.combine.windowFactor = 1;
    const auto all = static_cast<std::int64_t>(tokens);
    AttentionPolicy window = base;
    window.local.window = all;
    window.local.dilation = 1;
    window.name = "window T";
    if (base.far.on() && base.local.window == 0 && !base.routed.on())
        return {window}; // a pure far field has no budget to raise (mechanisms.md rule 5)

    AttentionPolicy count = base;
    if (count.routed.signal.empty())
        count.routed.signal = "group_dot";
    if (count.local.window >= all) // else nothing would be left to the router
        count.local.window = std::min<std::int64_t>(all, 16);
    const SignalSpec* signal = findSignal(count.routed.signal);
    if (signal && signal->role != Role::Both && count.routed.role != signal->role)
        count.routed.role = signal->role;
    count.routed.budgetKind = count.routed.queryBudgetKind = BudgetKind::Count;
    count.routed.budget = count.routed.queryBudget = static_cast<double>(tokens);
    count.name = "routed count T";

    AttentionPolicy fraction = count;
    fraction.routed.budgetKind = fraction.routed.queryBudgetKind = BudgetKind::Fraction;
    fraction.routed.budget = fraction.routed.queryBudget = 1;
    fraction.name = "routed fraction 1";
    return {window, count, fraction};
}

class GateRun {
public:
    GateRun(const Snapshot& snapshot, AttentionPolicy policy, const WorkContext& work, const Ladder* ladder,
            bool timeLadder)
        : m_snapshot(snapshot), m_policy(std::move(policy)), m_work(work), m_ladder(ladder),
          m_timeLadder(timeLadder) {}

    Result<std::vector<GateResult>> all() {
        std::vector<GateResult> gates;
        const std::array<Result<GateResult> (GateRun::*)(), 8> checks{
            &GateRun::fullBudget,  &GateRun::cachedEqualsUncached,
            &GateRun::causality,   &GateRun::ladder,
            &GateRun::costNamed,   &GateRun::controls,
            &GateRun::fidelitySet, &GateRun::provenance};
        for (const auto check : checks) {
            FOVEA_TRY(m_work.checkpoint());
            m_work.report("checking gates", static_cast<double>(gates.size()), 8);
            Result<GateResult> gate = (this->*check)();
            FOVEA_TRY(gate);
            gates.push_back(std::move(*gate));
        }
        return gates;
    }

private:
    [[nodiscard]] std::size_t tokens() const { return m_snapshot.tokens->size(); }

    Result<GateResult> fullBudget() {
        GateResult gate{1,   "full budget equals full attention",          {},
                        0.0, kernelTolerance(m_snapshot.model->precision), {}};
        std::string worst;
        for (const AttentionPolicy& asked : fullBudgets(m_policy, tokens())) {
            const Result<AttentionPolicy> policy = validated(asked);
            FOVEA_TRY(policy);
            for (int layer = 0; layer < m_snapshot.model->shape.layers; ++layer) {
                FOVEA_TRY(m_work.checkpoint());
                Matrix output;
                const Result<VisibleLayer> done =
                    runVisible(m_snapshot, *policy, layer, -1, {0, tokens()}, m_work, &output);
                FOVEA_TRY(done);
                const ConstMatrixView full =
                    m_snapshot.full->layers[static_cast<std::size_t>(layer)]->o.view();
                const double scale = std::max(largest(full), 1e-30);
                const double difference = largestDifference(full, output.view(), 0, tokens()) / scale;
                // A pair that is missing would hide in a small difference: all must be planned.
                const std::uint64_t missing =
                    static_cast<std::uint64_t>(m_snapshot.model->shape.heads) * causalPairs(tokens()) -
                    done->plan->pairs();
                if (missing > 0 || difference > *gate.value || worst.empty()) {
                    gate.value = std::max(*gate.value, difference);
                    worst = policy->name + ", layer " + std::to_string(layer);
                }
                if (missing > 0) {
                    gate.ok = false;
                    gate.detail = worst + ": " + std::to_string(missing) + " pairs are not planned";
                    return gate;
                }
            }
        }
        gate.ok = *gate.value <= *gate.tolerance;
        gate.detail = "largest |o - o^| / max |o|, window T, routed count T and routed fraction 1 in every "
                      "layer; worst: " +
                      worst;
        return gate;
    }

    /// Two measures. Same inputs: each row after the border alone, over a cache of the full run's keys and
    /// values, against the same row of the whole layer: choices must agree, so only the kernel's rounding is
    /// left. Propagated: the text's own tokens decoded one by one against the whole text run at once; where a
    /// router ranks, rounding of 30 layers may decide between keys of equal score.
    Result<GateResult> cachedEqualsUncached() {
        const bool ranks = m_policy.routed.on() || !m_policy.headPolicies.empty();
        const double allowed = ranks ? kTieTolerance : kRoundingTolerance;
        GateResult gate{2, "cached decoding equals uncached", {}, {}, kernelTolerance(m_snapshot.model->precision), {}};
        if (looksAhead(m_policy)) {
            gate.detail = "not claimed: this policy looks ahead (" + m_policy.routed.signal + ")";
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
        const Result<Matrix> whole = hybridHidden(ids, m_snapshot.facts);
        FOVEA_TRY(whole);
        const double scale = std::max(largest(whole->view()), 1e-30);
        Result<Decoder> decoder = Decoder::start(
            m_snapshot.model, m_policy, std::span(ids).first(border),
            firstFacts(*m_snapshot.facts, border),
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
            const double difference =
                largestDifference(whole->view().rowRange(at, 1), mine, 0, 1) / scale;
            if (!(difference <= worst)) {
                worst = difference;
                worstAt = at;
            }
            logitRows(model, whole->view(), at, {logits.data(), 1, logits.size()}, m_work.threads);
            sameTop += scoreRow(logits).top1 == scoreRow(decoder->logits()).top1 ? 1 : 0;
        }
        gate.ok = *alike <= kernelTolerance(m_snapshot.model->precision) && worst <= allowed;
        gate.detail = "largest |o - o^| / max |o| of " + std::to_string(steps) + " rows after the first " +
                      std::to_string(border) +
                      " in every layer, each alone over its cache against the whole text, same inputs; "
                      "propagated, token by token, hidden states differ by at most " +
                      digits(worst) + " of the largest (at most " + digits(allowed) +
                      (ranks ? ": rounding decides between keys of equal score" : "") + "), worst at token " +
                      std::to_string(worstAt) + ", same most likely token at " + std::to_string(sameTop) +
                      " of " + std::to_string(steps);
        return gate;
    }

    /// Largest difference of attention outputs, over the largest output of the layer.
    Result<double> rowsAlone(std::size_t border, std::size_t steps) {
        const ModelShape& shape = m_snapshot.model->shape;
        double worst = 0;
        std::vector<std::shared_ptr<TokenFacts>> facts;
        for (std::size_t at = border; at < border + steps; ++at) {
            facts.push_back(std::make_shared<TokenFacts>(firstFacts(*m_snapshot.facts, at + 1)));
            facts.back()->prompt = border;
        }
        for (int layer = 0; layer < shape.layers; ++layer) {
            FOVEA_TRY(m_work.checkpoint());
            const LayerActivations& full = *m_snapshot.full->layers[static_cast<std::size_t>(layer)];
            Matrix whole;
            FOVEA_TRY(runVisible(m_snapshot, m_policy, layer, -1, {0, tokens()}, m_work, &whole));
            const double scale = std::max(largest(whole.view()), 1e-30);
            KvCache cache(full.k.cols(), retentionOf(m_policy, layer));
            for (std::size_t j = 0; j < border; ++j)
                cache.append(full.k.view().row(j), full.v.view().row(j));
            std::vector<float> o(full.o.cols());
            for (std::size_t at = border; at < border + steps; ++at) {
                cache.append(full.k.view().row(at), full.v.view().row(at));
                const LayerTask task{shape,
                                     std::make_shared<const AttentionPolicy>(pinnedWithin(m_policy, at + 1)),
                                     facts[at - border],
                                     layer,
                                     -1,
                                     {at, at + 1},
                                     m_snapshot.request->isa,
                                     m_snapshot.model->precision,
                                     nullptr,
                                     {},
                                     cache.whole() ? nullptr : &cache.keyRows()};
                const AttentionInput input{full.q.view().rowRange(0, at + 1), cache.keys(),  cache.values(),
                                           shape.heads,                       shape.kvHeads, shape.headDim,
                                           shape.attentionScale()};
                FOVEA_TRY(runLayer(task, input, {}, {{o.data(), at + 1, o.size(), 0}, {}}, m_work));
                const ConstMatrixView row{o.data(), 1, o.size()};
                worst = std::max(worst, largestDifference(whole.view().rowRange(at, 1), row, 0, 1) / scale);
            }
        }
        return worst;
    }

    /// A token's own block of 64 queries shares tiles with it: where its keys join them, masked lanes change
    /// the order in which the others' sums are rounded. Blocks before it must not move by a bit.
    Result<GateResult> causality() {
        GateResult gate{3, "no future token moves an earlier output", {}, {}, kRoundingTolerance, {}};
        if (looksAhead(m_policy)) {
            gate.detail = "not claimed: this policy looks ahead (" + m_policy.routed.signal + ")";
            return gate;
        }
        if (tokens() < 2) {
            gate.detail = "does not apply: one token has no future";
            return gate;
        }
        const Result<Matrix> before = hybridHidden(m_snapshot.tokens->ids, m_snapshot.facts);
        FOVEA_TRY(before);
        const double scale = std::max(largest(before->view()), 1e-30);
        double earlierBlocks = 0, ownBlock = 0;
        std::string positions;
        for (const std::size_t at : changedPositions()) {
            FOVEA_TRY(m_work.checkpoint());
            const Result<Matrix> after = hiddenWithAnother(at);
            FOVEA_TRY(after);
            const std::size_t block = at / kBlock * kBlock;
            earlierBlocks =
                std::max(earlierBlocks, largestDifference(before->view(), after->view(), 0, block));
            ownBlock = std::max(ownBlock, largestDifference(before->view(), after->view(), block, at));
            positions += (positions.empty() ? "" : ", ") + std::to_string(at);
        }
        gate.value = std::max(earlierBlocks, ownBlock) / scale;
        gate.ok = earlierBlocks <= 0 && *gate.value <= kRoundingTolerance;
        gate.detail = "largest change of an earlier hidden state over the largest one, propagated, with "
                      "another token at " +
                      positions + "; in blocks of 64 before it " + digits(earlierBlocks / scale) +
                      " (must be 0), in its own block, where it joins the others' tiles, " +
                      digits(ownBlock / scale);
        return gate;
    }

    /// A block's first token, whose predecessors all stand in earlier blocks, tokens inside blocks, and the
    /// last one.
    [[nodiscard]] std::vector<std::size_t> changedPositions() const {
        std::vector<std::size_t> positions{tokens() / 2 / kBlock * kBlock, tokens() / 4, tokens() / 2 + 1,
                                           tokens() - 1};
        std::sort(positions.begin(), positions.end());
        positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
        std::erase_if(positions, [this](std::size_t at) { return at == 0 || at >= tokens(); });
        return positions;
    }

    /// The hybrid's hidden states with another token at `at`; what is known of the text is made anew.
    Result<Matrix> hiddenWithAnother(std::size_t at) {
        const Model& model = *m_snapshot.model;
        Tokens changed = *m_snapshot.tokens;
        changed.ids[at] = (changed.ids[at] + 97) % model.shape.vocabulary;
        changed.pieces[at] = model.tokenizer->piece(changed.ids[at]);
        std::vector<float> nll;
        if (m_policy.routed.signal == "surprisal") {
            const Result<std::shared_ptr<const FullRun>> full =
                runFull(model, changed, *m_snapshot.request, {}, m_work);
            FOVEA_TRY(full);
            nll = (*full)->nll;
        }
        auto facts = std::make_shared<TokenFacts>(makeFacts(*model.tokenizer, changed, nll));
        facts->retrieval = m_snapshot.facts->retrieval; // the model's, whatever the text
        return hybridHidden(changed.ids, std::move(facts));
    }

    Result<Matrix> hybridHidden(std::span<const std::int32_t> ids, std::shared_ptr<const TokenFacts> facts) {
        return runHybridHidden(*m_snapshot.model, ids, std::move(facts), m_policy, m_snapshot.request->isa,
                               m_work);
    }

    Result<GateResult> ladder() {
        GateResult gate{4, "full and hybrid, cached and uncached, reported together", {}, {}, {}, {}};
        if (!m_timeLadder && m_ladder == nullptr) {
            gate.detail = "not run: no ladder was asked for; no speed-up against an uncached arm is shown";
            return gate;
        }
        Result<Ladder> own;
        if (m_ladder == nullptr) {
            if (tokens() < 4) {
                gate.detail = "does not apply: nothing is left to decode after the prompt";
                return gate;
            }
            own = runLadder(m_snapshot, m_policy, kLadderSteps, m_work);
            FOVEA_TRY(own);
        }
        const Ladder& ladder = m_ladder != nullptr ? *m_ladder : *own;
        gate.ok = true;
        gate.detail = "seconds per token after " + std::to_string(ladder.prompt) + ":";
        for (const Ladder::Named& named : ladder.rungs()) {
            const Seconds& seconds = named.rung->perToken;
            *gate.ok = *gate.ok && seconds.runs > 0 && seconds.median > 0;
            gate.detail += " " + std::string(named.name) + " " + digits(seconds.median) + " (" +
                           std::to_string(seconds.runs) + " of " + std::to_string(ladder.steps) +
                           " steps timed)";
        }
        gate.value = ladder.fullCached.perToken.median / ladder.hybridCached.perToken.median;
        gate.detail += "; the number is full over hybrid, both cached";
        return gate;
    }

    Result<> runHybrid() {
        if (m_propagated)
            return {};
        Result<PropagatedResult> run = runPropagated(m_snapshot, m_policy, m_work);
        FOVEA_TRY(run);
        m_propagated = std::make_shared<const PropagatedResult>(std::move(*run));
        return {};
    }

    Result<GateResult> costNamed() {
        GateResult gate{5, "cost is named and holds the router's own work", {}, {}, {}, {}};
        FOVEA_TRY(runHybrid());
        const Cost& cost = m_propagated->cost;
        const ArmCost& arm = cost.hybrid;
        const SignalSpec* signal = m_policy.routed.on() ? findSignal(m_policy.routed.signal) : nullptr;
        const bool routerWorks = signal && !signal->cost.starts_with("0");
        const Result<bool> candidates = leavesCandidates();
        FOVEA_TRY(candidates);
        const Result<std::string> counted = countByKeys();
        FOVEA_TRY(counted);
        std::string wrong = *counted;
        if (arm.pairsComputed < arm.pairs)
            wrong = "fewer pairs computed than planned";
        else if (cost.pairsRatio < cost.density)
            wrong = "the ratio with the router is below the one without";
        else if (routerWorks && *candidates && arm.routerMacs + arm.extraPassMacs == 0)
            wrong = "the router's work is not counted";
        else if (arm.total.runs == 0 || arm.router.runs == 0)
            wrong = "the router's seconds are not measured";
        gate.value = cost.pairsRatio;
        gate.ok = wrong.empty();
        gate.detail = !wrong.empty()
                          ? wrong
                          : "pairs with router over full pairs; counted: density " + digits(cost.density) +
                                ", router " + digits(static_cast<double>(arm.routerMacs)) +
                                " multiply-adds, " + std::to_string(arm.pairs) + " pairs planned, " +
                                std::to_string(arm.pairsComputed) + " computed; measured: router " +
                                digits(arm.router.median) + " s of " + digits(arm.total.median) + " s";
        return gate;
    }

    /// Is any key outside local and always, in any layer? In a short text a wide window leaves nothing to
    /// rank.
    Result<bool> leavesCandidates() {
        auto unrouted = std::make_shared<AttentionPolicy>(m_policy);
        unrouted->routed = {};
        const ModelShape& shape = m_snapshot.model->shape;
        for (int layer = 0; layer < shape.layers; ++layer) {
            if (m_policy.fullInLayer(layer))
                continue;
            const Result<AttentionPlan> plan =
                makePlan(unrouted, shape, layer, m_snapshot.facts, nullptr, {0, tokens()});
            FOVEA_TRY(plan);
            return plan->pairs() < static_cast<std::uint64_t>(shape.heads) * causalPairs(tokens());
        }
        return false;
    }

    /// Compares one layer's planned pairs with a count of the keys that each query reads; empty when they
    /// agree.
    Result<std::string> countByKeys() {
        const Result<VisibleLayer> layer = runVisible(m_snapshot, m_policy, 0, -1, {0, tokens()}, m_work);
        FOVEA_TRY(layer);
        std::uint64_t keys = 0;
        for (int head = 0; head < m_snapshot.model->shape.heads; ++head)
            for (std::size_t query = 0; query < tokens(); ++query)
                keys += layer->plan->keptKeys(head, query).size();
        if (keys == layer->plan->pairs())
            return std::string();
        return "layer 0 plans " + std::to_string(layer->plan->pairs()) + " pairs, its queries read " +
               std::to_string(keys);
    }

    Result<GateResult> controls() {
        GateResult gate{6, "random and oracle stand beside the router", {}, {}, {}, {}};
        if (!m_policy.routed.on()) {
            gate.detail = "does not apply: nothing is routed";
            return gate;
        }
        FOVEA_TRY(runHybrid());
        gate.value = m_propagated->fidelity.nextTokenKl;
        gate.detail =
            "next-token KL at the same budget: " + m_policy.routed.signal + " " + digits(*gate.value);
        bool both = true;
        for (const PointKind kind : {PointKind::RandomControl, PointKind::OracleControl}) {
            const std::string name = kind == PointKind::RandomControl ? "random" : "oracle";
            if (m_policy.routed.signal == name)
                continue;
            const std::optional<AttentionPolicy> control = controlPolicy(m_policy, kind);
            if (!control) {
                both = false;
                gate.detail += ", " + name + " cannot take this role or budget";
                continue;
            }
            const Result<PropagatedResult> run = runPropagated(m_snapshot, *control, m_work);
            FOVEA_TRY(run);
            both = both && std::isfinite(run->fidelity.nextTokenKl);
            gate.detail += ", " + name + " " + digits(run->fidelity.nextTokenKl);
        }
        if (both)
            gate.ok = std::isfinite(*gate.value);
        return gate;
    }

    Result<GateResult> fidelitySet() {
        GateResult gate{7, "kept mass never alone, its bound never violated", {}, {}, 1 + kBoundTolerance,
                        {}};
        FOVEA_TRY(runHybrid());
        const Result<IsolatedResult> isolated = runIsolated(m_snapshot, m_policy, nullptr, {}, m_work);
        FOVEA_TRY(isolated);
        double bound = 0;
        bool bounded = false; // a far field, a sink logit or other positions have no such bound
        for (const LayerFidelity& layer : isolated->layers)
            if (!std::isnan(layer.boundRatio)) {
                bound = std::max(bound, layer.boundRatio);
                bounded = true;
            }
        const PropagatedFidelity& f = m_propagated->fidelity;
        const bool finite = std::isfinite(isolated->massRecall) && std::isfinite(isolated->outputError) &&
                            std::isfinite(f.nextTokenKl) && std::isfinite(f.top1Agreement);
        if (bounded)
            gate.value = bound;
        gate.ok = finite && bound <= *gate.tolerance;
        gate.detail = std::string(bounded ? "largest |o - o^| over its bound, every layer, head and query"
                                          : "no bound is claimed: more than one softmax over the read keys") +
                      "; kept mass " +
                      digits(isolated->massRecall) + ", output error " + digits(isolated->outputError) +
                      ", next-token KL " + digits(f.nextTokenKl) + ", top-1 " + digits(f.top1Agreement);
        return gate;
    }

    Result<GateResult> provenance() {
        GateResult gate{8, "every number carries model, text, policy and build", {}, {}, {}, {}};
        const std::string& model = m_snapshot.model->info.sha256;
        std::string wrong;
        if (model.size() != 64)
            wrong = "the model has no hash";
        else if (m_snapshot.textHash != sha256Hex(*m_snapshot.request->text))
            wrong = "the text's hash is not that of the text";
        else if (policyHash(m_policy).size() != 64)
            wrong = "the policy has no hash";
        else if (buildVersion().empty() || buildCommit().empty())
            wrong = "the build has no name";
        else if (m_snapshot.full->hidden->rows() != tokens() || m_snapshot.facts->tokens != tokens())
            wrong = "the parts belong to texts of different length";
        else if (m_snapshot.provenance().find(model.substr(0, 8)) == std::string::npos)
            wrong = "the provenance line does not name the model";
        gate.ok = wrong.empty();
        gate.detail = !wrong.empty()
                          ? wrong
                          : "model " + model.substr(0, 8) + ", text " + m_snapshot.textHash.substr(0, 8) +
                                ", policy " + policyHash(m_policy).substr(0, 8) + ", build " +
                                std::string(buildVersion()) + " " + std::string(buildCommit());
        return gate;
    }

    const Snapshot& m_snapshot;
    AttentionPolicy m_policy;
    const WorkContext& m_work;
    const Ladder* m_ladder;
    bool m_timeLadder;
    std::shared_ptr<const PropagatedResult> m_propagated;
};

} // namespace

Result<std::vector<GateResult>> checkGates(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                           std::size_t maxTokens, const WorkContext& work,
                                           const Ladder* ladder, bool timeLadder) {
    try {
        const Result<AttentionPolicy> legal = validated(policy);
        FOVEA_TRY(legal);
        const Result<std::shared_ptr<const Snapshot>> snapshot = cut(withFullRun, maxTokens, work);
        FOVEA_TRY(snapshot);
        return GateRun(**snapshot, *legal, work, ladder, timeLadder).all();
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "check: not enough memory; fewer tokens need less.");
    }
}

} // namespace fovea
