#include "core/engine/StoredTier.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Remake.h"
#include "core/engine/Request.h"
#include "core/measure/Cost.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

/// Sum of squares of a - b, and of b.
struct Difference {
    double error = 0, norm = 0;
    void add(ConstMatrixView a, ConstMatrixView b) {
        for (std::size_t r = 0; r < b.rows; ++r)
            for (std::size_t c = 0; c < b.cols; ++c) {
                const double x = static_cast<double>(b(r, c)), d = static_cast<double>(a(r, c)) - x;
                error += d * d;
                norm += x * x;
            }
    }
    [[nodiscard]] double relative() const { return norm > 0 ? std::sqrt(error / norm) : 0; }
};

/// The policy with `change` applied to the routed part of all its heads.
template <class F>
std::shared_ptr<const AttentionPolicy> with(const AttentionPolicy& policy, const F& change) {
    auto changed = std::make_shared<AttentionPolicy>(policy);
    changed->eachParts([&](HeadParts& parts) { change(parts.routed); });
    return changed;
}

void rankByOracle(RoutedPart& routed) {
    if (routed.signal.empty())
        return;
    routed.signal = "oracle";
    routed.store = Store::All;
    if (routed.budgetKind == BudgetKind::Threshold && routed.newest > 0) {
        routed.budgetKind = BudgetKind::Count;
        routed.budget = static_cast<double>(routed.newest * routed.page);
    }
    routed.newest = 0;
}

/// Keys of `mine` that `theirs` chose too; both choose by heads.
std::uint64_t hits(const LayerRouting& mine, const LayerRouting& theirs, int heads, std::size_t tokens,
                   std::uint64_t& chosen) {
    std::uint64_t found = 0;
    for (int head = 0; head < heads; ++head) {
        const RoutedChoices* a = mine.choicesOf(head);
        const RoutedChoices* b = theirs.choicesOf(head);
        for (std::size_t query = 0; a != nullptr && b != nullptr && query < tokens; ++query) {
            const auto keys = a->row(query), oracle = b->row(query);
            chosen += keys.size();
            for (const std::uint32_t key : keys)
                found += std::binary_search(oracle.begin(), oracle.end(), key) ? 1U : 0U;
        }
    }
    return found;
}

} // namespace

Result<StoredTier> measureStoredTier(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                     const WorkContext& work) {
    const Model& model = *withFullRun.model;
    const std::size_t tokens = withFullRun.tokens->size();
    const auto asIs = std::make_shared<const AttentionPolicy>(policy);
    const auto exact = with(policy, [](RoutedPart& routed) { routed.store = Store::All; });
    const auto unpromoted = with(policy, [](RoutedPart& routed) { routed = {}; });
    const auto oracle = with(policy, rankByOracle);
    StoredTier tier;
    Difference keys, values, quantised, promoted, without;
    std::uint64_t found = 0;
    const auto one = [&](int layer, const std::shared_ptr<const LayerActivations>& activations) -> Result<> {
        work.report("cold tier", layer, model.shape.layers);
        const LayerActivations& full = *activations;
        const AttentionInput input =
            attentionInputOf(model, layer, full.q.view(), full.k.view(), full.v.view());
        const auto run = [&](std::shared_ptr<const AttentionPolicy> how, Matrix& o,
                             std::shared_ptr<LayerState> state = nullptr) {
            const LayerTask task{model.shape,
                                 std::move(how),
                                 withFullRun.facts,
                                 layer,
                                 -1,
                                 {0, tokens},
                                 withFullRun.request->isa,
                                 model.precision,
                                 std::move(state),
                                 full.hiddenNorm};
            return runLayer(task, input, full.lse, {o.view(), {}}, work);
        };
        Matrix o(tokens, full.o.cols()), other(tokens, full.o.cols());
        const auto state = std::make_shared<LayerState>();
        const Result<HybridLayer> mine = run(asIs, o, state);
        FOVEA_TRY(mine);
        promoted.add(o.view(), full.o.view());
        const Result<HybridLayer> best = run(oracle, other);
        FOVEA_TRY(best);
        if (mine->plan.routing && best->plan.routing)
            found +=
                hits(*mine->plan.routing, *best->plan.routing, model.shape.heads, tokens, tier.promotedKeys);
        FOVEA_TRY(run(unpromoted, other));
        without.add(other.view(), full.o.view());
        FOVEA_TRY(run(exact, other));
        quantised.add(o.view(), other.view());
        if (state->stored.keys().rows == tokens) { // not in a layer that is full
            keys.add(state->stored.keys(), input.k);
            values.add(state->stored.values(), input.v);
        }
        return {};
    };
    FOVEA_TRY(eachLayer(withFullRun, one, work));
    const TierBytes bytes = tierBytes(model.shape, policy, tokens);
    tier.exactBytes = bytes.exact;
    tier.coldBytes = bytes.cold;
    tier.f32Bytes = bytes.f32;
    tier.keyError = keys.relative();
    tier.valueError = values.relative();
    tier.quantisationError = quantised.relative();
    tier.promotedError = promoted.relative();
    tier.unpromotedError = without.relative();
    tier.promotionHits = tier.promotedKeys > 0
                             ? static_cast<double>(found) / static_cast<double>(tier.promotedKeys)
                             : std::numeric_limits<double>::quiet_NaN();
    return tier;
}

} // namespace fovea
