#pragma once
#include "core/base/SplitMix64.h"
#include "core/kernels/Attention.h"
#include "core/measure/MapTile.h"
#include "core/plan/AttentionPlan.h"
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace fovea::test {

/// A layer of random q, k, v (2 heads, 1 key-value head of 16) under window and sinks, with both arms
/// computed in double by the definition. Rows outside the plan have no hybrid: their log-sum-exp is NaN.
struct RandomLayer {
    static constexpr std::size_t kHeads = 2;
    static constexpr std::size_t kDim = 16;
    struct Pair {
        double full = 0, hybrid = 0;
        Reason reason = Reason::Skipped;
    };

    ModelShape shape;
    Matrix q, k, v, fullO, hybridO;
    std::vector<float> fullLse, hybridLse;
    AttentionPlan plan;
    AttentionInput input;
    std::size_t tokens = 0;
    std::vector<std::vector<Pair>> pairs; ///< [T*H] rows of i + 1 pairs

    RandomLayer(std::size_t t, std::int64_t window, std::int64_t sinks, RowRange rows = {}, float spread = 2)
        : q(t, kHeads * kDim), k(t, kDim), v(t, kDim), fullO(t, kHeads * kDim), hybridO(t, kHeads * kDim),
          tokens(t) {
        shape.layers = 1;
        shape.heads = kHeads;
        shape.kvHeads = 1;
        shape.headDim = kDim;
        std::uint64_t n = 0;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t r = 0; r < m->rows(); ++r)
                for (std::size_t c = 0; c < m->cols(); ++c)
                    m->view()(r, c) = spread * (2 * unitFloat(splitMix64(++n)) - 1);
        input = {q.view(), k.view(), v.view(), kHeads, 1, kDim, 0.25F};
        auto policy = std::make_shared<AttentionPolicy>();
        policy->local.window = window;
        policy->always.sinks = sinks;
        auto facts = std::make_shared<TokenFacts>();
        facts->tokens = t;
        facts->special.resize(t);
        facts->punctuation.resize(t);
        if (rows == RowRange{})
            rows = {0, t};
        plan = makePlan(policy, shape, 0, facts, nullptr, rows).value();
        fullLse.resize(kHeads * t);
        hybridLse.assign(kHeads * t, std::numeric_limits<float>::quiet_NaN());
        pairs.resize(kHeads * t);
        for (std::size_t i = 0; i < t; ++i)
            for (std::size_t h = 0; h < kHeads; ++h)
                fillRow(i, h, i >= rows.first && i < rows.last);
    }
    [[nodiscard]] const std::vector<Pair>& row(int head, std::size_t i) const {
        return pairs[i * kHeads + static_cast<std::size_t>(head)];
    }
    [[nodiscard]] TileSource source() const { return {input, fullLse, hybridLse, &plan, Isa::Portable}; }
    /// Kept mass of a row, from the pairs.
    [[nodiscard]] double mass(int head, std::size_t i) const {
        double sum = 0;
        for (const Pair& p : row(head, i))
            sum += p.reason == Reason::Skipped ? 0 : p.full;
        return sum;
    }

private:
    void fillRow(std::size_t i, std::size_t h, bool planned) {
        std::vector<Pair>& out = pairs[i * kHeads + h];
        out.resize(i + 1);
        std::vector<double> weight(i + 1);
        double full = 0, hybrid = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            double logit = 0;
            for (std::size_t d = 0; d < kDim; ++d)
                logit += static_cast<double>(q.view()(i, h * kDim + d)) * static_cast<double>(k.view()(j, d));
            weight[j] = std::exp(0.25 * logit);
            full += weight[j];
        }
        if (planned)
            for (const KeptKey& kept : plan.keptKeys(static_cast<int>(h), i)) {
                out[kept.key].reason = kept.reason;
                hybrid += weight[kept.key];
            }
        fullLse[i * kHeads + h] = static_cast<float>(std::log(full));
        if (planned)
            hybridLse[i * kHeads + h] = static_cast<float>(std::log(hybrid));
        std::vector<double> o(kDim), oHat(kDim);
        for (std::size_t j = 0; j <= i; ++j) {
            out[j].full = weight[j] / full;
            out[j].hybrid = out[j].reason == Reason::Skipped ? 0 : weight[j] / hybrid;
            for (std::size_t d = 0; d < kDim; ++d) {
                o[d] += out[j].full * static_cast<double>(v.view()(j, d));
                oHat[d] += out[j].hybrid * static_cast<double>(v.view()(j, d));
            }
        }
        for (std::size_t d = 0; d < kDim; ++d) {
            fullO.view()(i, h * kDim + d) = static_cast<float>(o[d]);
            hybridO.view()(i, h * kDim + d) = static_cast<float>(oHat[d]);
        }
    }
};

} // namespace fovea::test
