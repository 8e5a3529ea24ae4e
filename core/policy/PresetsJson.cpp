#include "core/files/JsonWriter.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PresetTitle.h"
#include "core/policy/SignalSpec.h"

namespace fovea {

std::string presetsJson() {
    json::Json doc;
    doc["fovea"] = "policies";
    doc["version"] = 1;
    doc["policies"] = json::Json::array();
    for (const PolicyPreset& preset : policyPresets())
        doc["policies"].push_back({{"name", preset.name},
                                   {"title", presetTitle(preset)},
                                   {"family", preset.family},
                                   {"help", preset.help},
                                   {"published_weights", preset.weights},
                                   {"source", preset.source},
                                   {"looks_ahead", looksAhead(preset.policy)},
                                   {"bidirectional", preset.policy.bidirectional()},
                                   {"summary", preset.policy.summary()}});
    return json::write(doc);
}

} // namespace fovea
