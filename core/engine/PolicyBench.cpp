#include "core/engine/PolicyBench.h"
#include "core/base/Stopwatch.h"
#include "core/engine/HybridArm.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Remake.h"
#include "core/engine/RetrievalHeads.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <set>

namespace fovea {

namespace {

/// Sums over the layers so far, per round.
struct Readings {
    std::vector<double> full, kernel, router, plan;
    ArmCost cost; ///< of the policy, counted once per layer
    std::uint64_t fullPairs = 0;

    explicit Readings(std::size_t rounds) : full(rounds), kernel(rounds), router(rounds), plan(rounds) {}
};

double median(const std::vector<double>& part, const std::vector<double>& whole) {
    std::vector<double> shares;
    for (std::size_t round = 0; round < part.size(); ++round)
        shares.push_back(part[round] / whole[round]);
    return medianOf(std::move(shares)).median;
}

std::set<int> timedLayers(int layers, int asked) {
    std::set<int> chosen;
    const int count = asked <= 0 ? layers : std::min(asked, layers);
    for (int n = 0; n < count; ++n)
        chosen.insert((2 * n + 1) * layers / (2 * count));
    return chosen;
}

/// One layer of one policy, with full attention before it in each round.
Result<> timeLayer(const Snapshot& known, std::shared_ptr<const AttentionPolicy> policy, int layer,
                   Readings& readings, const WorkContext& work) {
    const Model& model = *known.model;
    const std::size_t tokens = known.tokens->size();
    const LayerActivations& full = *known.full->layers[static_cast<std::size_t>(layer)];
    const AttentionInput input = known.attentionInput(layer);
    const AttentionPlan whole = modelPlan(model.shape, layer, tokens);
    const Isa isa = known.request->isa;
    const LayerTask task{model.shape, std::move(policy), known.facts, layer,          -1, {0, tokens},
                         isa,         model.precision,   nullptr,     full.hiddenNorm};
    Matrix o(tokens, full.o.cols());
    std::vector<float> lse(full.lse.size());
    const auto rounds = static_cast<int>(readings.full.size());
    for (int round = -1; round < rounds; ++round) { // the first one warms up
        const auto at = static_cast<std::size_t>(std::max(round, 0));
        const WorkClock clock(work);
        FOVEA_TRY(attend(whole, input, {o.view(), lse}, {isa, -1, model.precision}, work));
        const double seconds = clock.seconds();
        const Result<HybridLayer> done = runLayer(task, input, full.lse, {o.view(), lse}, work);
        FOVEA_TRY(done);
        if (round < 0) {
            addLayer(readings.cost, *done);
            readings.fullPairs += whole.pairs();
            continue;
        }
        readings.full[at] += seconds;
        readings.kernel[at] += done->attentionSeconds;
        readings.router[at] += done->routerSeconds;
        readings.plan[at] += done->planSeconds;
    }
    return {};
}

} // namespace

Result<std::vector<PolicyTiming>> benchPolicies(const Snapshot& withFullRun, const PolicyBenchSpec& spec,
                                                const WorkContext& work) {
    Snapshot known = withFullRun;
    const ModelShape& shape = known.model->shape;
    if (std::any_of(spec.policies.begin(), spec.policies.end(), ranksHeads)) {
        Result<Snapshot> ranked = withRetrievalScores(known, work);
        FOVEA_TRY(ranked);
        known = std::move(*ranked);
    }
    const auto rounds = static_cast<std::size_t>(std::max(spec.rounds, 1));
    std::vector<PolicyTiming> timings(spec.policies.size());
    std::vector<Readings> readings(spec.policies.size(), Readings(rounds));
    for (std::size_t p = 0; p < spec.policies.size(); ++p) {
        timings[p].name = spec.policies[p].name;
        if (const Result<> fits = policyFits(spec.policies[p], shape, known.tokens->size()); !fits)
            timings[p].refused = fits.error().message;
    }
    const std::set<int> layers = timedLayers(shape.layers, spec.layers);
    WorkContext quiet = work.on(known.request->isa);
    quiet.progress = {};
    std::size_t done = 0;
    const auto one = [&](int layer, std::shared_ptr<const LayerActivations> activations) -> Result<> {
        if (!layers.contains(layer))
            return {};
        const Snapshot here =
            known.full->has(layer) ? known : withLayer(known, layer, std::move(activations));
        for (std::size_t p = 0; p < timings.size(); ++p) {
            work.report("timing policies", static_cast<double>(done++),
                        static_cast<double>(layers.size() * timings.size()));
            if (timings[p].refused.empty())
                FOVEA_TRY(timeLayer(here, std::make_shared<const AttentionPolicy>(spec.policies[p]), layer,
                                    readings[p], quiet));
        }
        return {};
    };
    FOVEA_TRY(eachLayer(known, one, quiet));
    for (std::size_t p = 0; p < timings.size(); ++p) {
        PolicyTiming& timing = timings[p];
        Readings& r = readings[p];
        if (!timing.refused.empty())
            continue;
        const double macs = static_cast<double>(r.cost.routerMacs + r.cost.farMacs) / (2.0 * shape.headDim);
        timing.pairsRatio = (static_cast<double>(r.cost.pairs) + macs) /
                            static_cast<double>(std::max<std::uint64_t>(r.fullPairs, 1));
        std::vector<double> shares;
        for (std::size_t n = 0; n < rounds; ++n)
            shares.push_back((r.kernel[n] + r.router[n] + r.plan[n]) / r.full[n]);
        timing.ratio = medianOf(std::move(shares));
        timing.kernel = median(r.kernel, r.full);
        timing.router = median(r.router, r.full);
        timing.plan = median(r.plan, r.full);
        timing.full = medianOf(r.full);
    }
    return timings;
}

} // namespace fovea
