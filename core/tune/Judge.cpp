#include "core/tune/Judge.h"
#include "core/base/Parallel.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Remake.h"
#include "core/model/Forward.h"
#include "core/model/Model.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

namespace fovea {

namespace {

/// Where one thread computes a layer: only the sampled rows are written and read.
struct Desk {
    Matrix o;
    std::vector<float> lse, exactLse;
};

/// What the sampled rows of one policy and layer gave, with pairs and states scaled to the whole text.
struct LayerSums {
    std::vector<double> head, headPairs;
    double mass = 0;
    double pairs = 0, farEntries = 0, farMacs = 0;
    std::uint64_t routerMacs = 0;
};

double squaredNorm(const float* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
}

/// Everything that judging one layer shares.
class LayerJudge {
public:
    LayerJudge(const Snapshot& snapshot, int layer, const RowSample& sample, const WorkContext& work)
        : m_snapshot(snapshot), m_layer(layer), m_sample(sample), m_work(work),
          m_full(*snapshot.full->layers[static_cast<std::size_t>(layer)]) {}

    /// Runs the sampled rows under one policy; row r of `difference` is o - o^ of the r-th sampled row.
    Result<> run(const std::shared_ptr<const AttentionPolicy>& policy, Desk& desk, MatrixView difference,
                 LayerSums& sums) const {
        const Model& model = *m_snapshot.model;
        const auto heads = static_cast<std::size_t>(model.shape.heads);
        const auto dim = static_cast<std::size_t>(model.shape.headDim);
        const LayerTask task{
            model.shape,     policy,  m_snapshot.facts, m_layer, -1, {}, m_snapshot.request->isa,
            model.precision, nullptr, m_full.hiddenNorm};
        sums.head.assign(heads, 0);
        sums.headPairs.assign(heads, 0);
        std::size_t range = 0, at = 0;
        const auto see = [&](RowRange rows, const HybridLayer& layer) -> Result<> {
            const double weight = m_sample.weight[range++];
            sums.pairs += weight * static_cast<double>(layer.plan.pairs() + layer.far.entries);
            sums.farEntries += weight * static_cast<double>(layer.far.entries);
            sums.farMacs += weight * static_cast<double>(layer.far.macs);
            for (std::size_t h = 0; h < heads; ++h)
                sums.headPairs[h] += weight * static_cast<double>(layer.plan.heads[h]->pairs);
            for (std::size_t row = rows.first; row < rows.last; ++row, ++at) {
                const double stream = weight / streamSquare(row);
                for (std::size_t h = 0; h < heads; ++h) {
                    const float* full = m_full.o.view().row(row) + h * dim;
                    const float* mine = desk.o.view().row(row) + h * dim;
                    float* out = difference.row(at) + h * dim;
                    for (std::size_t d = 0; d < dim; ++d)
                        out[d] = full[d] - mine[d];
                    sums.head[h] += stream * squaredNorm(out, dim);
                    const double kept = std::exp(static_cast<double>(desk.exactLse[row * heads + h]) -
                                                 static_cast<double>(m_full.lse[row * heads + h]));
                    sums.mass += weight * std::clamp(kept, 0.0, 1.0);
                }
            }
            return {};
        };
        for (const RowRange& rows : m_sample.ranges)
            for (std::size_t row = rows.first; row < rows.last; ++row)
                std::fill_n(desk.o.view().row(row), desk.o.cols(), 0.0F);
        const Result<std::uint64_t> macs =
            runLayerRows(task, m_snapshot.attentionInput(m_layer), m_full.lse, m_sample.ranges,
                         {desk.o.view(), desk.lse}, desk.exactLse, see, m_work);
        FOVEA_TRY(macs);
        sums.routerMacs = *macs;
        return {};
    }

    /// The squared length of the residual stream of a row.
    [[nodiscard]] double streamSquare(std::size_t row) const {
        const double norm = static_cast<double>(m_full.hiddenNorm[row]);
        return std::max(norm * norm, 1e-30);
    }
    [[nodiscard]] const LayerActivations& full() const { return m_full; }

private:
    const Snapshot& m_snapshot;
    int m_layer;
    const RowSample& m_sample;
    const WorkContext& m_work;
    const LayerActivations& m_full;
};

/// All policies on one layer, then one projection of all their differences.
Result<> judgeLayer(const Snapshot& snapshot, int layer, const RowSample& sample,
                    std::span<const std::shared_ptr<const AttentionPolicy>> policies, std::span<Desk> desks,
                    std::span<Judgement> judged, std::span<LayerSums> totals, const WorkContext& work) {
    const Model& model = *snapshot.model;
    const auto heads = static_cast<double>(model.shape.heads);
    const std::size_t rows = sample.rows();
    WorkContext alone = work; // inside a parallel region nobody else is served
    alone.threads = 1;
    alone.progress = {};
    alone.between = {};
    const LayerJudge judge(snapshot, layer, sample, alone);
    const std::size_t columns = judge.full().o.cols();
    // After those of the policies come the rows of full attention itself.
    Matrix differences((policies.size() + 1) * rows, columns);
    std::vector<LayerSums> sums(policies.size());
    std::mutex mutex;
    std::optional<Error> failed;
    parallelFor(policies.size(), static_cast<int>(desks.size()), [&](std::size_t p) {
        const Result<> done = judge.run(policies[p], desks[static_cast<std::size_t>(omp_get_thread_num())],
                                        differences.view().rowRange(p * rows, rows), sums[p]);
        if (!done) {
            const std::lock_guard lock(mutex);
            failed = done.error();
        }
    });
    if (failed)
        return tl::make_unexpected(*failed);
    std::vector<double> weight, stream;
    for (std::size_t n = 0; n < sample.ranges.size(); ++n)
        for (std::size_t row = sample.ranges[n].first; row < sample.ranges[n].last; ++row) {
            std::copy_n(judge.full().o.view().row(row), columns,
                        differences.view().row(policies.size() * rows + weight.size()));
            weight.push_back(sample.weight[n]);
            stream.push_back(judge.streamSquare(row));
        }
    Matrix projected(differences.rows(), static_cast<std::size_t>(model.shape.width));
    projectOutput(model, layer, differences.view(), projected.view(),
                  work.threads > 0 ? work.threads : omp_get_max_threads());
    double norm = 0, all = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        norm += weight[r] * squaredNorm(projected.view().row(policies.size() * rows + r), projected.cols());
        all += weight[r];
    }
    for (std::size_t p = 0; p < policies.size(); ++p) {
        LayerJudgement& one = judged[p].layers.emplace_back();
        double error = 0;
        for (std::size_t r = 0; r < rows; ++r) {
            const double square = squaredNorm(projected.view().row(p * rows + r), projected.cols());
            error += weight[r] * square;
            one.streamError += weight[r] * square / stream[r] / all;
        }
        one.outputError = norm > 0 ? std::sqrt(error / norm) : 0;
        one.mass = sums[p].mass / all / heads;
        for (const double head : sums[p].head)
            one.headError.push_back(head / all);
        one.headPairs = std::move(sums[p].headPairs);
        one.routerPairs = static_cast<double>(sums[p].routerMacs) / (2.0 * model.shape.headDim);
        totals[p].pairs += sums[p].pairs;
        totals[p].farEntries += sums[p].farEntries;
        totals[p].farMacs += sums[p].farMacs;
        totals[p].routerMacs += sums[p].routerMacs;
    }
    return {};
}

std::uint64_t whole(double count) {
    return count > 0 ? static_cast<std::uint64_t>(std::llround(count)) : 0;
}

} // namespace

Result<std::vector<Judgement>> judgePolicies(const Snapshot& withFullRun,
                                             std::span<const AttentionPolicy> policies,
                                             const RowSample& sample, const WorkContext& work) {
    const Model& model = *withFullRun.model;
    const std::size_t tokens = withFullRun.tokens->size();
    if (!model.shape.causal)
        return fail(ErrorCode::Unsupported, "policies are judged on models that predict the next token; this "
                                            "one is an encoder.");
    std::vector<std::shared_ptr<const AttentionPolicy>> shared;
    for (const AttentionPolicy& policy : policies) {
        FOVEA_TRY(policyFits(policy, model.shape, tokens));
        shared.push_back(std::make_shared<const AttentionPolicy>(policy));
    }
    std::vector<Judgement> judged(policies.size());
    std::vector<LayerSums> totals(policies.size());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    std::vector<Desk> desks(std::min(static_cast<std::size_t>(threads), policies.size()));
    for (Desk& desk : desks) {
        desk.o = Matrix(tokens, static_cast<std::size_t>(model.shape.heads * model.shape.headDim));
        desk.lse.resize(tokens * static_cast<std::size_t>(model.shape.heads));
        desk.exactLse.resize(desk.lse.size());
    }
    const auto one = [&](int layer, std::shared_ptr<const LayerActivations> activations) -> Result<> {
        if (withFullRun.full->has(layer))
            return judgeLayer(withFullRun, layer, sample, shared, desks, judged, totals, work);
        return judgeLayer(withLayer(withFullRun, layer, std::move(activations)), layer, sample, shared, desks,
                          judged, totals, work);
    };
    if (!policies.empty())
        FOVEA_TRY(eachLayer(withFullRun, one, work));
    for (std::size_t p = 0; p < policies.size(); ++p) {
        Cost& cost = judged[p].cost;
        cost.full = withFullRun.full->cost;
        ArmCost& arm = cost.hybrid;
        arm.pairs = whole(totals[p].pairs);
        arm.farEntries = whole(totals[p].farEntries);
        arm.farMacs = whole(totals[p].farMacs);
        arm.routerMacs = totals[p].routerMacs;
        arm.extraPassMacs = extraPassMacs(model.shape, policies[p], tokens);
        countArm(arm, model.shape, policies[p], tokens);
        finishCost(cost, model.shape, policies[p], tokens);
    }
    return judged;
}

} // namespace fovea
