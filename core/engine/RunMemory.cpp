#include "core/engine/RunMemory.h"
#include "core/base/Memory.h"
#include "core/engine/FarField.h"
#include "core/engine/RecastAttend.h"
#include "core/engine/Snapshot.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/route/Router.h"
#include <algorithm>
#include <string>

namespace fovea {

namespace {

/// What arm A holds beside arm B: its visible layer with the choices, hidden states, routing record, and the
/// working memory of one layer.
std::uint64_t againstBytes(const Request& request, const ModelShape& shape, std::size_t tokens) {
    if (!request.against)
        return 0;
    const auto of = [](int x) { return static_cast<std::uint64_t>(x); };
    const LayerMemory far = farFieldMemory(*request.against, shape, tokens);
    const LayerMemory recast = recastMemory(*request.against, shape, tokens);
    const std::uint64_t layer = of(shape.heads) * (sizeof(float) + 96) + of(shape.width) * sizeof(float);
    const std::uint64_t record = of(shape.layers) * of(shape.heads) * 48;
    return std::uint64_t{tokens} * (layer + record) + 2 * choiceBytes(*request.against, shape, tokens) +
           far.state + far.working + recast.state + recast.working;
}

} // namespace

std::uint64_t memoryNeeded(const ModelShape& shape, Precision precision, std::size_t tokens,
                           std::optional<std::uint64_t> weights, std::optional<int> kept) {
    const auto t = static_cast<std::uint64_t>(tokens);
    const auto of = [](int x) { return static_cast<std::uint64_t>(x); };
    constexpr std::uint64_t kFloat = sizeof(float);
    const std::uint64_t queries = of(shape.heads) * of(shape.headDim);
    const std::uint64_t keys = of(shape.kvHeads) * of(shape.headDim);
    const std::uint64_t layer = t * (2 * queries + 2 * keys + of(shape.heads)) * kFloat;
    const std::uint64_t streams =
        t * (3 * of(shape.width) + queries + 2 * keys + of(shape.feedForward)) * kFloat;
    const std::uint64_t hidden = 2 * t * of(shape.width) * kFloat;
    const std::uint64_t logits = 2 * kLogitRows * of(shape.vocabulary) * kFloat;
    // A hybrid layer's output and log-sum-exp, its choices (32 keys of 12 bytes a row and head), its plan.
    const std::uint64_t hybrid =
        t * (queries + of(shape.heads)) * kFloat + t * of(shape.heads) * (32 * 12 + 96);
    // While one layer's kernel runs, the copy of its keys and the cells it pools; logits come after the last
    // layer.
    const std::uint64_t kernel =
        packedKeyBytes(shape, tokens) + cellBytes(shape.heads, tokens, cellFor(tokens, kPictureCells));
    const std::uint64_t pictures = of(shape.layers) * cellBytes(shape.heads, kPictureCells, 1);
    const std::uint64_t record = t * of(shape.layers) * of(shape.heads) * 48;
    const int held = std::min(shape.layers, kept.value_or(shape.layers) + 1);
    return weights.value_or(weightBytes(shape, precision)) + of(held) * layer + streams + hidden + pictures +
           std::max(logits, kernel) + hybrid + record + (std::uint64_t{64} << 20); // map tiles
}

std::uint64_t runBytes(const Request& request, const Model& model, std::size_t tokens, int kept) {
    const ModelShape& shape = model.shape;
    // Choices: of the visible layer, and of another while its blocks are joined. Far field and recast keys:
    // one layer's.
    const LayerMemory far = farFieldMemory(request.policy, shape, tokens);
    const LayerMemory recast = recastMemory(request.policy, shape, tokens);
    return memoryNeeded(shape, request.precision, tokens, 0, kept) +
           3 * choiceBytes(request.policy, shape, tokens) + far.state + far.working + recast.state +
           recast.working + againstBytes(request, shape, tokens);
}

Result<int> layersThatFit(const Request& request, const Model& model, std::size_t tokens,
                          const RunBeside& beside) {
    const ModelShape& shape = model.shape;
    const std::uint64_t fixed = heldWeightBytes(model, request.precision) + beside.bytes;
    const auto need = [&](std::size_t t, int kept) { return fixed + runBytes(request, model, t, kept); };
    // Memory that this process already holds (weights, an earlier run) is not free, but available to it.
    const std::uint64_t ours = memoryLimit(0) + std::min(residentBytes(), ~memoryLimit(0));
    const std::uint64_t limit = request.maxMemory > 0 ? std::min(ours, request.maxMemory) : ours;
    int kept = shape.layers;
    while (kept > 1 && need(tokens, kept) > limit)
        --kept;
    if (need(tokens, kept) <= limit)
        return kept;
    std::size_t low = 0;
    for (std::size_t high = tokens; low < high;) {
        const std::size_t middle = low + (high - low + 1) / 2;
        if (need(middle, 1) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    const std::string what =
        std::to_string(tokens) + " tokens" +
        (beside.tokens > 0 ? " beside another run of " + std::to_string(beside.tokens) : "");
    FOVEA_TRY(requireMemory(what, need(tokens, 1), limit,
                            low > 0 ? std::to_string(low) + " tokens would fit"
                                    : "no text would fit with this model"));
    return kept;
}

} // namespace fovea
