#include "core/engine/RetrievalHeads.h"
#include "core/base/SplitMix64.h"
#include "core/engine/LayerRun.h"
#include "core/model/Forward.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

constexpr std::size_t kNeedle = 128;
constexpr std::uint64_t kSeed = 2404'15574;

/// The same random tokens twice; special tokens, which lie at the ends of vocabularies, are left out.
std::vector<std::int32_t> copyText(int vocabulary) {
    const auto size = static_cast<std::uint64_t>(vocabulary);
    const std::uint64_t margin = std::min<std::uint64_t>(size / 8, 512);
    std::vector<std::int32_t> ids;
    for (std::size_t t = 0; t < kNeedle; ++t)
        ids.push_back(static_cast<std::int32_t>(margin + splitMix64(kSeed + t) % (size - 2 * margin)));
    ids.insert(ids.end(), ids.begin(), ids.begin() + kNeedle);
    return ids;
}

} // namespace

Result<std::vector<float>> retrievalScores(const Model& model, Isa isa, const WorkContext& work) {
    const ModelShape& shape = model.shape;
    const auto heads = static_cast<std::size_t>(shape.heads);
    const std::vector<std::int32_t> ids = copyText(shape.vocabulary);
    // Row t of the second run should attend to what followed its first occurrence, and predict it.
    std::vector<std::uint8_t> onTarget(static_cast<std::size_t>(shape.layers) * heads * kNeedle, 0);
    const Attend attendFull = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const AttentionPlan plan = modelPlan(shape, in.layer, ids.size());
        const AttentionInput input = attentionInputOf(model, in.layer, in.q, in.k, in.v);
        FOVEA_TRY(attend(plan, input, {o, {}}, {isa, -1, model.precision}, work));
        Matrix logits(kNeedle, ids.size());
        for (std::size_t h = 0; h < heads; ++h) {
            logitTile(input, static_cast<int>(h), kNeedle, 0, logits.view(), isa);
            for (std::size_t r = 0; r + 1 < kNeedle; ++r) {
                const float* row = logits.view().row(r);
                const std::size_t first = input.native().first(kNeedle + r);
                const auto peak =
                    static_cast<std::size_t>(std::max_element(row + first, row + kNeedle + r + 1) - row);
                onTarget[(static_cast<std::size_t>(in.layer) * heads + h) * kNeedle + r] = peak == r + 1;
            }
        }
        return work.checkpoint();
    };
    const Result<Matrix> hidden = forward(model, ids, attendFull, work.on(isa));
    FOVEA_TRY(hidden);
    Matrix next(kNeedle, static_cast<std::size_t>(shape.vocabulary));
    logitRows(model, hidden->view(), kNeedle, next.view(), work.threads);
    std::vector<float> scores(static_cast<std::size_t>(shape.layers) * heads, 0.0F);
    for (std::size_t r = 0; r + 1 < kNeedle; ++r) {
        const float* row = next.view().row(r);
        const auto best = std::max_element(row, row + shape.vocabulary) - row;
        if (best != ids[r + 1])
            continue;
        for (std::size_t n = 0; n < scores.size(); ++n)
            scores[n] += static_cast<float>(onTarget[n * kNeedle + r]);
    }
    for (float& score : scores)
        score /= static_cast<float>(std::max<std::size_t>(kNeedle - 1, 1));
    return scores;
}

Result<Snapshot> withRetrievalScores(const Snapshot& snapshot, const WorkContext& work) {
    Snapshot with = snapshot;
    if (!snapshot.facts->retrieval.empty())
        return with;
    Result<std::vector<float>> scores = retrievalScores(*snapshot.model, snapshot.request->isa, work);
    FOVEA_TRY(scores);
    auto facts = std::make_shared<TokenFacts>(*snapshot.facts);
    facts->retrieval = std::move(*scores);
    with.facts = std::move(facts);
    return with;
}

} // namespace fovea
