#include "core/engine/Gates.h"
#include "core/engine/Build.h"
#include "core/engine/DecodeGates.h"
#include "core/engine/GateMeasure.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Sweep.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "core/plan/PlanDifference.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <new>

namespace fovea {

namespace {

using HeadPlans = std::vector<std::shared_ptr<const HeadPlan>>; // [H] of one layer

constexpr double kBoundTolerance = 1e-4;
constexpr std::size_t kLadderSteps = 8;

/// The first tokens of a snapshot with their own full run.
Result<std::shared_ptr<const Snapshot>> cut(const Snapshot& whole, std::size_t maxTokens,
                                            const WorkContext& work) {
    if (maxTokens == 0 || whole.tokens->size() <= maxTokens) {
        if (!whole.full->keepsAll())
            return fail(ErrorCode::TooLarge,
                        "the activations of all layers, which the gates compare again and again, exceed the "
                        "memory limit; fewer tokens or a higher limit would fit");
        return std::make_shared<const Snapshot>(whole);
    }
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
    part->facts = std::make_shared<const TokenFacts>(firstFacts(*whole.facts, maxTokens));
    part->pastContext = maxTokens > static_cast<std::size_t>(part->model->shape.context);
    part->visible.reset();
    part->isolated.reset();
    part->propagated.reset();
    part->against.reset();
    part->other.reset();
    return std::shared_ptr<const Snapshot>(std::move(part));
}

/// The same for an encoder, whose parts have no router: rows of a projection that each stand for one token;
/// the window, or keys or queries that are global, until they cover the text.
std::vector<AttentionPolicy> fullBudgetsOfEncoder(AttentionPolicy base, std::size_t tokens) {
    if (base.far.far == Far::Projection) {
        base.far.m = 1;
        base.name = "a projection with a row for each token";
        return {base};
    }
    const auto last = static_cast<std::int64_t>(tokens) - 1;
    base.local.sides = Sides::Both;
    base.mix.parity = Parity::None;
    base.routed = {};
    AttentionPolicy window = base;
    window.local.window = 2 * (last + 1);
    window.name = "window 2 T to both sides";
    if (base.local.window > last)
        base.local.window = 0;
    AttentionPolicy keys = base, queries = base;
    keys.always.pinned = {{0, last, Role::Keys}};
    keys.name = "every key global";
    queries.always.pinned = {{0, last, Role::Queries}};
    queries.name = "every query global";
    return {window, keys, queries};
}

/// The parts of one kind of head with a full budget, in three ways; the last two use the router.
std::vector<AttentionPolicy> fullBudgets(const AttentionPolicy& policy, const HeadParts& parts, bool causal,
                                         std::size_t tokens) {
    AttentionPolicy base = policy.withParts(parts);
    if (!causal)
        return fullBudgetsOfEncoder(std::move(base), tokens);
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
        return {window}; // a pure far field has no budget to raise
    if (base.mix.positions == Positions::Cache || base.routed.store == Store::Direction8)
        return {
            window}; // nothing is routed beside positions of the cache; what is read in 8 bits is not exact

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
    GateRun(const Snapshot& snapshot, AttentionPolicy policy, const WorkContext& work, const Ladder* ladder)
        : m_snapshot(snapshot), m_policy(std::move(policy)), m_work(work), m_ladder(ladder) {}

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
        const ModelShape& shape = m_snapshot.model->shape;
        std::string worst;
        std::vector<AttentionPolicy> budgets = fullBudgets(m_policy, m_policy, shape.causal, tokens());
        for (const NamedHeadParts& named : m_policy.headPolicies)
            for (AttentionPolicy& more : fullBudgets(m_policy, named.parts, shape.causal, tokens())) {
                more.name += " of " + named.name;
                budgets.push_back(std::move(more));
            }
        for (const AttentionPolicy& asked : budgets) {
            // A projection of single tokens is no policy of anyone: far.m begins at 2.
            const Result<AttentionPolicy> policy =
                asked.far.m == 1 ? Result<AttentionPolicy>(asked) : validated(asked);
            FOVEA_TRY(policy);
            for (int layer = 0; layer < shape.layers; ++layer) {
                FOVEA_TRY(m_work.checkpoint());
                Matrix output;
                const Result<VisibleLayer> done =
                    runVisible(m_snapshot, *policy, layer, -1, {0, tokens()}, m_work, &output);
                FOVEA_TRY(done);
                const ConstMatrixView full =
                    m_snapshot.full->layers[static_cast<std::size_t>(layer)]->o.view();
                const double scale = std::max(largest(full), 1e-30);
                const double difference = largestDifference(full, output.view(), 0, tokens()) / scale;
                // A missing pair could cause only a small difference, so the number of planned pairs is
                // checked too.
                const std::uint64_t missing = static_cast<std::uint64_t>(shape.heads) *
                                                  modelPairs(shape, layer, {0, tokens()}, tokens()) -
                                              done->plan->pairs() - (shape.causal ? 0 : done->far.entries);
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
        gate.detail = "largest |o - o^| / max |o| in every layer under ";
        for (std::size_t n = 0; n < budgets.size(); ++n)
            gate.detail += (n > 0 ? ", " : "") + budgets[n].name;
        gate.detail += "; worst: " + worst;
        if (hasNativeWindows(shape))
            gate.detail += "; full attention keeps to the model's native windows, and so does every policy";
        return gate;
    }

    /// Before the changed token's block of 64 queries nothing may move by a bit, except in queries that the
    /// plan computes in another block or with other items than before: a query that is routed to everything
    /// shares a block with others like it, also with earlier ones, and masked lanes change the order in which
    /// their sums are rounded. Those queries and what may follow from them are held to the rounding.
    Result<GateResult> causality() {
        GateResult gate{3, "no future token moves an earlier output", {}, {}, kRoundingTolerance, {}};
        if (!m_snapshot.model->shape.causal) {
            gate.detail =
                "does not apply: this model reads the text in both directions, so a later token may "
                "move every output";
            return gate;
        }
        if (looksAhead(m_policy)) {
            gate.detail = "not claimed: this policy looks ahead (" + m_policy.summary() + ")";
            return gate;
        }
        if (tokens() < 2) {
            gate.detail = "does not apply: one token has no future";
            return gate;
        }
        std::vector<HeadPlans> plans;
        const auto keepPlans = [&](const WatchedLayer& layer) -> Result<> {
            plans.push_back(layer.plan.heads);
            return {};
        };
        const Result<Matrix> before = hybridHidden(m_snapshot.tokens->ids, m_snapshot.facts, keepPlans);
        FOVEA_TRY(before);
        const double scale = std::max(largest(before->view()), 1e-30);
        double untouched = 0, replanned = 0;
        std::size_t otherKeys = 0;
        std::string positions;
        for (const std::size_t at : changedPositions()) {
            FOVEA_TRY(m_work.checkpoint());
            std::size_t end = at / kBlock * kBlock; // queries before it must not move
            std::size_t next = 0;
            const auto findReplanned = [&](const WatchedLayer& layer) -> Result<> {
                const HeadPlans &old = plans[next], &now = layer.plan.heads;
                for (std::size_t head = 0; head < old.size(); ++head) {
                    if (head > 0 && old[head] == old[head - 1] && now[head] == now[head - 1])
                        continue;
                    end = firstReplanned(*old[head], *now[head], end);
                    // The first layer's activations before `at` are the same in both runs to the bit, so that
                    // the same keys must be chosen there, in whatever blocks they are computed.
                    for (std::size_t query = next == 0 ? end : at; query < at; ++query)
                        otherKeys += old[head]->keysOf(query) != now[head]->keysOf(query) ? 1 : 0;
                }
                ++next;
                return {};
            };
            const Result<Matrix> after = hiddenWithAnother(at, findReplanned);
            FOVEA_TRY(after);
            untouched = std::max(untouched, largestDifference(before->view(), after->view(), 0, end));
            replanned = std::max(replanned, largestDifference(before->view(), after->view(), end, at));
            positions += (positions.empty() ? "" : ", ") + std::to_string(at);
        }
        gate.value = std::max(untouched, replanned) / scale;
        gate.ok = untouched <= 0 && otherKeys == 0 && *gate.value <= kRoundingTolerance;
        gate.detail =
            "largest change of an earlier hidden state over the largest one, propagated, with "
            "another token at " +
            positions + "; in blocks of 64 before it that are planned as before " +
            digits(untouched / scale) + " (must be 0), in its own block and in others it replans " +
            digits(replanned / scale) +
            "; earlier queries that read other keys in the first layer: " + std::to_string(otherKeys) +
            " (must be 0)";
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
    Result<Matrix> hiddenWithAnother(std::size_t at, const WatchLayer& watch) {
        const Model& model = *m_snapshot.model;
        Tokens changed = *m_snapshot.tokens;
        changed.ids[at] = (changed.ids[at] + 97) % model.shape.vocabulary;
        changed.pieces[at] = model.tokenizer->piece(changed.ids[at]);
        std::vector<float> nll;
        if (needs(m_policy, Needs::Surprisal)) {
            const Result<std::shared_ptr<const FullRun>> full = // the request asks for no statistics
                runFull(model, changed, *m_snapshot.request, {}, m_work, keepsNoLayer);
            FOVEA_TRY(full);
            nll = (*full)->nll;
        }
        auto facts = std::make_shared<TokenFacts>(makeFacts(*model.tokenizer, changed, nll));
        facts->retrieval = m_snapshot.facts->retrieval; // the model's, whatever the text
        return hybridHidden(changed.ids, std::move(facts), watch);
    }

    Result<Matrix> hybridHidden(std::span<const std::int32_t> ids, std::shared_ptr<const TokenFacts> facts,
                                const WatchLayer& watch) {
        return runHybridHidden(*m_snapshot.model, ids, std::move(facts), m_policy, m_snapshot.request->isa,
                               m_work, watch);
    }

    Result<GateResult> cachedEqualsUncached() {
        if (m_snapshot.model->shape.causal)
            return checkCached(m_snapshot, m_policy, m_work);
        GateResult gate{2, "cached decoding equals uncached", {}, {}, {}, {}};
        gate.detail = std::string("does not apply: ") + kNoNextToken;
        return gate;
    }

    Result<GateResult> ladder() {
        if (m_snapshot.model->shape.causal)
            return ladderGate(m_ladder);
        GateResult gate{4, "full and hybrid, cached and uncached, reported together", {}, {}, {}, {}};
        gate.detail = std::string("does not apply: ") + kNoNextToken;
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
        const bool routerWorks = signal && !signal->free;
        const Result<std::string> counted = countByKeys();
        FOVEA_TRY(counted);
        std::string wrong = *counted;
        if (arm.pairsComputed < arm.pairs)
            wrong = "fewer pairs computed than planned";
        else if (cost.pairsRatio < cost.density)
            wrong = "the ratio with the router is below the one without";
        // If every key is read, the router may have had nothing to do.
        else if (routerWorks && cost.density < 1 && arm.routerMacs + arm.extraPassMacs == 0)
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

    /// Compares the planned pairs of the first layer of each native window with a count of the keys that its
    /// queries read; empty when they agree.
    Result<std::string> countByKeys() {
        const ModelShape& shape = m_snapshot.model->shape;
        std::vector<NativeWindow> counted;
        for (int at = 0; at < shape.layers; ++at) {
            const NativeWindow native = nativeWindow(shape, at);
            if (std::find(counted.begin(), counted.end(), native) != counted.end())
                continue;
            counted.push_back(native);
            const Result<VisibleLayer> layer =
                runVisible(m_snapshot, m_policy, at, -1, {0, tokens()}, m_work);
            FOVEA_TRY(layer);
            std::uint64_t keys = 0;
            for (int head = 0; head < shape.heads; ++head)
                for (std::size_t query = 0; query < tokens(); ++query)
                    for (const KeptKey& kept : layer->plan->keptKeys(head, query))
                        keys += native.lets(query, kept.key) ? 1U : 0U;
            if (keys != layer->plan->pairs())
                return "layer " + std::to_string(at) + " plans " + std::to_string(layer->plan->pairs()) +
                       " pairs, its queries read " + std::to_string(keys);
        }
        return std::string();
    }

    Result<GateResult> controls() {
        GateResult gate{6, "random and oracle stand beside the router", {}, {}, {}, {}};
        if (!m_snapshot.model->shape.causal) { // BigBird's random blocks are drawn, not ranked
            gate.detail = "does not apply: no router runs in a model that reads the text in both directions";
            return gate;
        }
        if (!m_policy.anyParts([](const HeadParts& parts) { return parts.routed.chooses(); })) {
            gate.detail = "does not apply: nothing is routed";
            return gate;
        }
        FOVEA_TRY(runHybrid());
        gate.value = m_propagated->fidelity.nextTokenKl;
        gate.detail = "next-token KL at the same budget: " +
                      (m_policy.routed.signal.empty() ? std::string("this policy") : m_policy.routed.signal) +
                      " " + digits(*gate.value);
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
        const bool finite =
            std::isfinite(isolated->massRecall) && std::isfinite(isolated->outputError) &&
            (f.sentence ? std::isfinite(f.sentence->cosine) && std::isfinite(f.sentence->tokenCosine)
                        : std::isfinite(f.nextTokenKl) && std::isfinite(f.top1Agreement));
        if (bounded)
            gate.value = bound;
        gate.ok = finite && bound <= *gate.tolerance;
        gate.detail =
            std::string(bounded ? "largest |o - o^| over its bound, every layer, head and query"
                                : "no bound is claimed: more than one softmax over the read keys") +
            "; kept mass " + digits(isolated->massRecall) + ", output error " +
            digits(isolated->outputError) +
            (f.sentence ? ", cosine of the sentence vector " + digits(f.sentence->cosine) + ", of tokens " +
                              digits(f.sentence->tokenCosine)
                        : ", next-token KL " + digits(f.nextTokenKl) + ", top-1 " + digits(f.top1Agreement));
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
    std::shared_ptr<const PropagatedResult> m_propagated;
};

} // namespace

Result<std::vector<GateResult>> checkGates(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                           std::size_t maxTokens, const WorkContext& work,
                                           const Ladder* ladder, bool timeLadder) {
    try {
        const Result<AttentionPolicy> legal = validated(policy);
        FOVEA_TRY(legal);
        FOVEA_TRY(policyFits(*legal, withFullRun.model->shape, withFullRun.tokens->size()));
        const Result<std::shared_ptr<const Snapshot>> snapshot = cut(withFullRun, maxTokens, work);
        FOVEA_TRY(snapshot);
        std::optional<Ladder> own;
        if (timeLadder && ladder == nullptr && (*snapshot)->model->shape.causal &&
            (*snapshot)->tokens->size() >= 4) {
            Result<Ladder> timed = runLadder(**snapshot, *legal, kLadderSteps, work);
            FOVEA_TRY(timed);
            own = std::move(*timed);
        }
        return GateRun(**snapshot, *legal, work, own ? &*own : ladder).all();
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "check: not enough memory; fewer tokens need less.");
    }
}

} // namespace fovea
