#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include <nlohmann/json.hpp>

namespace fovea {

std::string presetsJson() {
    nlohmann::ordered_json doc;
    doc["fovea"] = "policies";
    doc["version"] = 1;
    doc["policies"] = nlohmann::ordered_json::array();
    for (const PolicyPreset& preset : policyPresets())
        doc["policies"].push_back({{"name", preset.name},
                                   {"family", preset.family},
                                   {"help", preset.help},
                                   {"published_weights", preset.weights},
                                   {"source", preset.source},
                                   {"looks_ahead", looksAhead(preset.policy)},
                                   {"bidirectional", preset.policy.bidirectional()},
                                   {"summary", preset.policy.summary()}});
    return doc.dump(2) + "\n";
}

} // namespace fovea
