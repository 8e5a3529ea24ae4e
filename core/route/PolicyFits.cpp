#include "core/route/PolicyFits.h"
#include "core/model/Forward.h"
#include "core/route/LayerPolicy.h"
#include <cstdio>
#include <string>

namespace fovea {

namespace {

std::string counted(std::size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

Result<> pinsFit(const std::vector<PinnedRange>& pinned, const std::string& field, std::size_t tokens) {
    for (const PinnedRange& range : pinned) {
        const bool fits =
            range.first >= 0 && range.last >= range.first && static_cast<std::uint64_t>(range.last) < tokens;
        if (fits)
            continue;
        const std::int64_t wrong = range.first < 0 ? range.first : range.last;
        return fail(ErrorCode::BadValue, field + ": position " + std::to_string(wrong) +
                                             " is outside the text; its tokens are 0 to " +
                                             std::to_string(static_cast<std::int64_t>(tokens) - 1));
    }
    return {};
}

/// phi(q).phi(k) stands for e^(scale q.k). Nothing of this form stands for the exponential of a capped logit.
Result<> linearStateFits(const AttentionPolicy& policy, const ModelShape& shape) {
    const auto isLinear = [](const HeadParts& parts) { return parts.far.far == Far::Linear; };
    for (int layer = 0; policy.anyParts(isLinear) && layer < shape.layers; ++layer)
        for (int head = 0; head < shape.heads; ++head)
            if (shape.layer(layer).softCap > 0 && isLinear(partsOf(policy, shape, layer, head))) {
                char cap[32];
                std::snprintf(cap, sizeof cap, "%g", static_cast<double>(shape.layer(layer).softCap));
                return fail(ErrorCode::Unsupported,
                            "far.far is linear; layer " + std::to_string(layer) +
                                " of this model caps its attention logits at " + cap +
                                ", and a linear state has no capped form: summaries and none are accepted");
            }
    return {};
}

/// An encoder reads both directions, and so must whatever takes the place of its attention. What a
/// bidirectional plan or a projection cannot hold is refused.
Result<> encoderRuns(const AttentionPolicy& policy, const ModelShape& shape) {
    const auto refuse = [](const std::string& why) { return fail(ErrorCode::Unsupported, why); };
    if (policy.mixesHeads())
        return refuse(
            "mix.heads or mix.full_heads is given; this model reads the text in both directions, and "
            "there one policy for all heads of a layer is accepted");
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (policy.fullInLayer(layer))
            continue;
        const HeadParts& parts = policy.partsOf(layer, 0);
        const AlwaysPart& always = parts.always;
        if (!parts.readsLater())
            return refuse(policy.withParts(parts).summary() +
                          " reads earlier keys only; this model reads the text in both directions: full "
                          "attention, local.sides both, and the presets encoder, longformer-sym, "
                          "bigbird-parity and linformer are accepted");
        if (always.sinkLogit)
            return refuse("always.sink_logit is on; with both directions off is accepted");
        if (parts.far.far == Far::Projection &&
            (parts.local.window > 0 || parts.local.chunk > 0 || always.sinks > 0 || !always.pinned.empty() ||
             always.special || always.punctuation || parts.routed.on() || parts.routed.phase != Phase::All))
            return refuse(
                "far.far is projection, whose rows are all that a query reads; a window of 0 and no "
                "chunk, sinks, pinned, special, separator or routed tokens are accepted");
    }
    return {};
}

/// mix.positions cache rotates a query to another position, which needs a rotation.
Result<> positionsFit(const AttentionPolicy& policy, const ModelShape& shape) {
    if (policy.mix.positions != Positions::Cache)
        return {};
    if (shape.positions == PositionKind::Learned)
        return fail(
            ErrorCode::Unsupported,
            "mix.positions is cache; this model learned a vector for each position and adds it to the "
            "token before the first layer, so no key can be moved to another position: original is "
            "accepted");
    for (int layer = 0; layer < shape.layers; ++layer)
        if (!shape.layer(layer).rotated && !keptAsModel(policy, shape, layer))
            return fail(
                ErrorCode::Unsupported,
                "mix.positions is cache; layer " + std::to_string(layer) +
                    " of this model rotates no keys, so none can be moved to another position: original "
                    "is accepted, or mix.full_layers with the layers that do not rotate");
    return {};
}

} // namespace

Result<> policyFitsModel(const AttentionPolicy& policy, const ModelShape& shape) {
    if (shape.causal)
        FOVEA_TRY(requireCausal(policy));
    const MixPart& mix = policy.mix;
    const auto layers = static_cast<std::size_t>(shape.layers);
    const auto heads = static_cast<std::size_t>(shape.heads);
    if (!mix.layers.empty() && mix.layers.size() != layers)
        return fail(ErrorCode::BadValue, "mix.layers names " + counted(mix.layers.size(), "layer") +
                                             "; this model has " + std::to_string(layers) +
                                             ", and a name for each is accepted (\"\" for the policy's own)");
    if (mix.heads.size() > 1 && mix.heads.size() != layers)
        return fail(ErrorCode::BadValue, "mix.heads has lists for " + counted(mix.heads.size(), "layer") +
                                             "; one list for all layers is accepted, or one for each of " +
                                             std::to_string(layers));
    for (const std::vector<std::string>& row : mix.heads)
        if (row.size() > heads)
            return fail(ErrorCode::BadValue, "mix.heads names " + counted(row.size(), "head") +
                                                 "; this model has " + std::to_string(heads));
    for (const std::int64_t wanted : mix.fullLayers)
        if (wanted >= shape.layers)
            return fail(ErrorCode::BadValue, "mix.full_layers: layer " + std::to_string(wanted) +
                                                 " does not exist; this model's layers are 0 to " +
                                                 std::to_string(shape.layers - 1));
    if (!shape.causal)
        FOVEA_TRY(encoderRuns(policy, shape));
    FOVEA_TRY(linearStateFits(policy, shape));
    return positionsFit(policy, shape);
}

Result<> policyFits(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    FOVEA_TRY(requireLength(shape, tokens));
    FOVEA_TRY(policyFitsModel(policy, shape));
    FOVEA_TRY(pinsFit(policy.always.pinned, "always.pinned", tokens));
    for (const NamedHeadParts& named : policy.headPolicies)
        FOVEA_TRY(
            pinsFit(named.parts.always.pinned, "head_policies." + named.name + ".always.pinned", tokens));
    return {};
}

} // namespace fovea
