#pragma once
#include "SourceDir.h"
#include "core/kernels/Attention.h"
#include "core/route/Router.h"
#include <QFile>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

// What tests of recast keys share: the layers of tests/golden/recast.json.
namespace fovea::test {

inline double real(float x) {
    return static_cast<double>(x);
}

inline std::shared_ptr<TokenFacts> factsOf(std::size_t tokens) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    facts->special.assign(tokens, 0);
    facts->punctuation.assign(tokens, 0);
    return facts;
}

inline AttentionPolicy streaming(std::int64_t window, std::int64_t sinks) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    policy.mix.positions = Positions::Cache;
    return policy;
}

inline Matrix matrixOf(const nlohmann::json& rows) {
    Matrix m(rows.size(), rows[0].size());
    for (std::size_t r = 0; r < m.rows(); ++r)
        for (std::size_t c = 0; c < m.cols(); ++c)
            m.view()(r, c) = rows[r][c].get<float>();
    return m;
}

/// The golden layer: two heads, each with its own window and sinks.
struct RecastCase {
    nlohmann::json doc;
    ModelShape shape;
    std::vector<double> frequencies;
    Matrix q, k, v;
    AttentionPolicy policy;
    AttentionInput input;
    std::size_t tokens = 0;

    RecastCase() {
        QFile file(FOVEA_SOURCE_DIR "/tests/golden/recast.json");
        if (!file.open(QIODevice::ReadOnly))
            qFatal("recast.json is missing");
        doc = nlohmann::json::parse(file.readAll().toStdString());
        tokens = doc["tokens"].get<std::size_t>();
        shape.layers = 1;
        shape.heads = doc["heads"].get<int>();
        shape.kvHeads = doc["kv_heads"].get<int>();
        shape.headDim = doc["head_dim"].get<int>();
        frequencies = doc["frequencies"].get<std::vector<double>>();
        q = matrixOf(doc["q_rotated"]);
        k = matrixOf(doc["k_rotated"]);
        v = matrixOf(doc["v"]);
        input = {q.view(),
                 k.view(),
                 v.view(),
                 shape.heads,
                 shape.kvHeads,
                 shape.headDim,
                 doc["scale"].get<float>(),
                 0,
                 frequencies};
        policy = streaming(doc["windows"][0].get<int>(), doc["sinks"][0].get<int>());
        policy.headPolicies = {
            {"other", streaming(doc["windows"][1].get<int>(), doc["sinks"][1].get<int>())}};
        policy.mix.heads = {{"", "other"}};
    }
    [[nodiscard]] const nlohmann::json& row(std::size_t head, std::size_t query) const {
        return doc["streaming"][head][query];
    }
};

} // namespace fovea::test
