#include "core/probe/FurthestPair.h"
#include "core/base/Isa.h"
#include "core/base/SplitMix64.h"
#include "core/engine/LayerRun.h"
#include "core/route/PolicyFits.h"
#include <cmath>
#include <limits>
#include <vector>

namespace fovea {

namespace {

constexpr float kScale = 1e7F; // c times the layer's factor: a difference of 1e-5 decides
constexpr double kTie = 1e-5;  // keys that are nearly as far count as the furthest

/// The layer alone, with the heads of the model.
ModelShape plainShape(const ModelShape& model) {
    ModelShape shape;
    shape.family = model.family;
    shape.layers = model.layers;
    shape.width = model.heads * model.headDim;
    shape.heads = model.heads;
    shape.kvHeads = model.kvHeads;
    shape.headDim = model.headDim;
    shape.context = model.context;
    shape.vocabulary = model.vocabulary;
    return shape;
}

/// Everything of one task.
class Task {
public:
    Task(const ModelShape& shape, std::size_t tokens, std::uint64_t seed)
        : m_shape(shape), m_tokens(tokens), m_dim(static_cast<std::size_t>(shape.headDim)),
          m_q(tokens, static_cast<std::size_t>(shape.heads) * m_dim),
          m_k(tokens, static_cast<std::size_t>(shape.kvHeads) * m_dim), m_v(tokens, m_k.cols()) {
        for (std::size_t g = 0; g < static_cast<std::size_t>(shape.kvHeads); ++g)
            for (std::size_t t = 0; t < tokens; ++t)
                fill(g, t, seed);
        for (std::size_t h = 0; h < static_cast<std::size_t>(shape.heads); ++h) {
            const auto g = static_cast<std::size_t>(shape.kvHeadOf(static_cast<int>(h)));
            for (std::size_t t = 0; t < tokens; ++t)
                for (std::size_t d = 0; d < m_dim; ++d)
                    m_q.view()(t, h * m_dim + d) =
                        -kScale * std::sqrt(static_cast<float>(m_dim)) * m_k.view()(t, g * m_dim + d);
        }
    }

    /// Which keys are furthest, for `run`.
    Result<> findFurthest(const WorkContext& work) {
        for (std::size_t g = 0; g < static_cast<std::size_t>(m_shape.kvHeads); ++g)
            for (std::size_t t = 0; t < m_tokens; ++t) {
                FOVEA_TRY(work.checkpoint());
                double least = std::numeric_limits<double>::infinity();
                for (std::size_t j = 0; j <= t; ++j)
                    least = std::min(least, product(g, t, j));
                m_least.push_back(least);
            }
        return {};
    }

    Result<ProbeScore> run(const AttentionPolicy& policy, const WorkContext& work) const {
        TokenFacts facts;
        facts.tokens = m_tokens;
        facts.special.assign(m_tokens, 0);
        facts.punctuation.assign(m_tokens, 0);
        facts.surprisal.assign(m_tokens, 1);
        facts.ids.resize(m_tokens);
        for (std::size_t t = 0; t < m_tokens; ++t)
            facts.ids[t] =
                static_cast<std::int32_t>(t % static_cast<std::size_t>(std::max(m_shape.vocabulary, 1)));
        facts.retrieval.assign(static_cast<std::size_t>(m_shape.layers * m_shape.heads), 0);
        const std::vector<float> norms(m_tokens, 1);
        LayerTask task{m_shape,
                       std::make_shared<const AttentionPolicy>(policy),
                       std::make_shared<const TokenFacts>(std::move(facts)),
                       0,
                       -1,
                       {0, m_tokens},
                       defaultIsa(),
                       Precision::F32,
                       nullptr,
                       norms};
        AttentionInput input{m_q.view(),
                             m_k.view(),
                             m_v.view(),
                             m_shape.heads,
                             m_shape.kvHeads,
                             m_shape.headDim,
                             1 / std::sqrt(static_cast<float>(m_dim))};
        Matrix o(m_tokens, m_q.cols());
        std::vector<float> lse(m_tokens * static_cast<std::size_t>(m_shape.heads));
        const Result<HybridLayer> ran = runLayer(task, input, {}, {o.view(), lse}, work);
        FOVEA_TRY(ran);
        ProbeScore score;
        for (std::size_t h = 0; h < static_cast<std::size_t>(m_shape.heads); ++h)
            for (std::size_t t = 0; t < m_tokens; ++t)
                score.add(isFurthest(o.view().row(t) + h * m_dim, h, t) ? 1 : 0);
        return score;
    }

private:
    void fill(std::size_t g, std::size_t t, std::uint64_t seed) {
        double norm = 0;
        for (std::size_t d = 0; d < m_dim; ++d) {
            // The sum of four draws is near enough to a normal one: all directions are about as likely.
            double x = -2;
            for (std::uint64_t n = 0; n < 4; ++n)
                x += static_cast<double>(unitFloat(splitMix64(seed, g, t, d, n)));
            m_k.view()(t, g * m_dim + d) = static_cast<float>(x);
            norm += x * x;
            m_v.view()(t, g * m_dim + d) = d < 32 && (t >> d & 1U) == 0 ? -1.0F : 1.0F;
        }
        for (std::size_t d = 0; d < m_dim; ++d)
            m_k.view()(t, g * m_dim + d) /= static_cast<float>(std::sqrt(std::max(norm, 1e-30)));
    }

    [[nodiscard]] double product(std::size_t g, std::size_t a, std::size_t b) const {
        double sum = 0;
        for (std::size_t d = 0; d < m_dim; ++d)
            sum += static_cast<double>(m_k.view()(a, g * m_dim + d)) *
                   static_cast<double>(m_k.view()(b, g * m_dim + d));
        return sum;
    }

    /// Whether the output names a key that no other one up to the query is further away than.
    [[nodiscard]] bool isFurthest(const float* o, std::size_t head, std::size_t query) const {
        std::size_t named = 0;
        for (std::size_t d = 0; d < std::min<std::size_t>(m_dim, 32); ++d)
            named |= o[d] > 0 ? std::size_t{1} << d : 0;
        if (named > query)
            return false;
        const auto g = static_cast<std::size_t>(m_shape.kvHeadOf(static_cast<int>(head)));
        return product(g, query, named) <= m_least[g * m_tokens + query] + kTie;
    }

    const ModelShape& m_shape;
    std::size_t m_tokens, m_dim;
    Matrix m_q, m_k, m_v;
    std::vector<double> m_least; ///< [G*T] the least product of a query's vector with one up to it
};

} // namespace

Result<FurthestPair> furthestPair(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens,
                                  std::uint64_t seed, const WorkContext& work) {
    const ModelShape plain = plainShape(shape);
    FOVEA_TRY(policyFits(policy, plain, tokens));
    Task task(plain, tokens, seed);
    FOVEA_TRY(task.findFurthest(work));
    FurthestPair pair;
    pair.tokens = tokens;
    const Result<ProbeScore> full = task.run(AttentionPolicy(), work);
    FOVEA_TRY(full);
    pair.full = *full;
    const Result<ProbeScore> hybrid = task.run(policy, work);
    FOVEA_TRY(hybrid);
    pair.hybrid = *hybrid;
    return pair;
}

} // namespace fovea
