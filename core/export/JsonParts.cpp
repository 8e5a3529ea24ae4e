#include "core/export/JsonParts.h"
#include "core/engine/Build.h"
#include "core/policy/PolicyJson.h"

namespace fovea::json {

namespace {

Json modelCard(const Model& model) {
    const ModelShape& shape = model.shape;
    Json card{{"name", utf8(model.info.name)}, {"sha256", model.info.sha256},
              {"family", shape.family},        {"layers", shape.layers},
              {"heads", shape.heads},          {"kv_heads", shape.kvHeads},
              {"head_dim", shape.headDim},     {"context", shape.context},
              {"vocab", shape.vocabulary},     {"precision", precisionName(model.precision)}};
    if (!model.info.change.empty())
        card["change"] = model.info.change;
    return card;
}

} // namespace

Json seconds(const Seconds& value) {
    const bool known = value.runs > 0;
    return {{"median", known ? number(value.median) : Json()},
            {"spread", known && value.spread ? number(*value.spread) : Json()},
            {"runs", value.runs}};
}

Json document(std::string_view kind, const DocumentHead& head) {
    Json json{{"fovea", kind}, {"version", 1}};
    json["program"] = std::string(buildVersion()) + " " + std::string(buildCommit());
    json["model"] = head.model != nullptr ? modelCard(*head.model) : Json(nullptr);
    json["policy"] = head.policy != nullptr ? policyDocument(*head.policy) : Json(nullptr);
    if (head.against != nullptr)
        json["against_policy"] = policyDocument(*head.against);
    json["threads"] = head.threads;
    if (!head.textHash.empty()) {
        json["text_sha256"] = head.textHash;
        json["past_context"] = head.pastContext;
    }
    return json;
}

} // namespace fovea::json
