#include "core/engine/HeadPolicy.h"
#include "core/route/LayerPolicy.h"
#include <algorithm>

namespace fovea {

std::optional<AttentionPolicy> headPolicy(const Snapshot& snapshot, int layer, int head) {
    const AttentionPolicy& whole = snapshot.request->policy;
    if (snapshot.visible && snapshot.visible->plan && snapshot.visible->layer == layer)
        return whole.withParts(snapshot.visible->plan->partsOf(head));
    const auto sets = layerPolicies(std::make_shared<const AttentionPolicy>(whole), snapshot.model->shape,
                                    layer, *snapshot.facts);
    if (!sets)
        return {};
    const auto own =
        std::find_if(sets->begin(), sets->end(), [head](const LayerPolicy& set) { return set.has(head); });
    return own != sets->end() ? std::optional(whole.withParts(*own->policy)) : std::nullopt;
}

} // namespace fovea
