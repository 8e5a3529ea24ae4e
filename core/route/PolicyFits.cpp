#include "core/route/PolicyFits.h"
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

} // namespace

Result<> policyFitsModel(const AttentionPolicy& policy, const ModelShape& shape) {
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
    return {};
}

Result<> policyFits(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    FOVEA_TRY(policyFitsModel(policy, shape));
    FOVEA_TRY(pinsFit(policy.always.pinned, "always.pinned", tokens));
    for (const NamedHeadParts& named : policy.headPolicies)
        FOVEA_TRY(
            pinsFit(named.parts.always.pinned, "head_policies." + named.name + ".always.pinned", tokens));
    return {};
}

} // namespace fovea
