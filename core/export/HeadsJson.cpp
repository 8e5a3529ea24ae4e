#include "core/export/HeadsJson.h"
#include "core/export/JsonParts.h"

namespace fovea {

std::string headsJson(const DocumentHead& head, const HeadMetricSpec& metric,
                      const std::vector<RankedHead>& heads) {
    json::Json out = json::document("heads", head);
    out["metric"] = metric.id;
    out["definition"] = metric.definition;
    out["of_policy"] = metric.ofPolicy;
    out["heads"] = json::Json::array();
    for (const RankedHead& one : heads)
        out["heads"].push_back(
            {{"layer", one.layer}, {"head", one.head}, {"value", json::number(one.value)}});
    return json::write(out);
}

} // namespace fovea
