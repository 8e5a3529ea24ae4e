#include "core/route/LayerPolicy.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea {

namespace {

const HeadParts kFullParts;

/// Whether the window alone reads all that the model lets a query of such a text read.
bool windowReadsAll(const LocalPart& local, NativeWindow native, std::size_t tokens) {
    return local.dilation == 1 && local.window >= static_cast<std::int64_t>(native.readers(tokens));
}

bool isRunningState(Far far) {
    return far == Far::Linear || far == Far::Recurrent;
}

} // namespace

const HeadParts& partsOf(const AttentionPolicy& policy, const ModelShape& shape, int layer, int head) {
    const HeadParts& parts = policy.partsOf(layer, head);
    return isRunningState(parts.far.far) && shape.layer(layer).window > 0 ? kFullParts : parts;
}

bool keptAsModel(const AttentionPolicy& policy, const ModelShape& shape, int layer) {
    if (policy.fullInLayer(layer))
        return true;
    const NativeWindow native = nativeWindow(shape, layer);
    for (int head = 0; native.window > 0 && head < shape.heads; ++head) {
        const HeadParts& parts = partsOf(policy, shape, layer, head);
        const bool byWindow =
            !parts.always.sinkLogit && !parts.far.on() && windowReadsAll(parts.local, native, native.window);
        if (!parts.readsAll() && !byWindow)
            return false;
    }
    return native.window > 0;
}

bool LayerPolicy::has(int head) const {
    return std::binary_search(heads.begin(), heads.end(), head);
}

Result<std::vector<LayerPolicy>> layerPolicies(std::shared_ptr<const AttentionPolicy> policy,
                                               const ModelShape& shape, int layer, const TokenFacts& facts) {
    const AttentionPolicy& whole = *policy;
    FOVEA_TRY(policyFits(whole, shape, facts.tokens));
    const NativeWindow native = nativeWindow(shape, layer);
    std::vector<std::uint8_t> fullHeads;
    if (whole.mix.fullHeads > 0) {
        if (facts.retrieval.size() != static_cast<std::size_t>(shape.layers * shape.heads))
            return fail(ErrorCode::BadValue,
                        "mix.full_heads needs the model's retrieval scores first; none are at hand");
        fullHeads = topHeads(facts.retrieval, whole.mix.fullHeads);
    }
    std::vector<LayerPolicy> sets;
    std::vector<const HeadParts*> known;
    for (int head = 0; head < shape.heads; ++head) {
        const HeadParts* parts = &partsOf(whole, shape, layer, head);
        if (!fullHeads.empty() && fullHeads[static_cast<std::size_t>(layer * shape.heads + head)] != 0)
            parts = &kFullParts;
        const auto same = std::find_if(known.begin(), known.end(),
                                       [&](const HeadParts* other) { return *other == *parts; });
        if (same != known.end()) {
            sets[static_cast<std::size_t>(same - known.begin())].heads.push_back(head);
            continue;
        }
        known.push_back(parts);
        sets.push_back({{head}, std::make_shared<const AttentionPolicy>(whole.withParts(*parts))});
    }
    for (LayerPolicy& set : sets) {
        set.native = native;
        set.asModel =
            set.policy->fullInLayer(layer) || windowReadsAll(set.policy->local, native, facts.tokens);
        Result<AlwaysReads> always = alwaysReads(*set.policy, facts, native);
        FOVEA_TRY(always);
        set.always = std::make_shared<const AlwaysReads>(std::move(*always));
    }
    return sets;
}

std::vector<std::uint8_t> topHeads(const std::vector<float>& scores, double share) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    const auto count = static_cast<std::size_t>(std::ceil(share * static_cast<double>(scores.size())));
    std::vector<std::uint8_t> chosen(scores.size(), 0);
    for (std::size_t n = 0; n < std::min(count, order.size()); ++n)
        chosen[order[n]] = 1;
    return chosen;
}

} // namespace fovea
