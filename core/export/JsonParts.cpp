#include "core/export/JsonParts.h"
#include "core/engine/Build.h"
#include "core/model/Dense.h"
#include "core/policy/PolicyJson.h"

namespace fovea::json {

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

Json runHead(std::string_view kind, const Snapshot& snapshot, int threads, bool ofText) {
    DocumentHead common;
    common.model = snapshot.model.get();
    common.policy = &snapshot.request->policy;
    common.threads = threads;
    if (ofText)
        common.textHash = snapshot.textHash;
    common.pastContext = snapshot.pastContext;
    Json doc = document(kind, common);
    if (ofText)
        doc["provenance"] = snapshot.provenance();
    doc["policy_sha256"] = snapshot.policyHash;
    doc["precision"] = precisionName(snapshot.request->precision);
    doc["isa"] = isaName(snapshot.request->isa); // of all inner loops but the multiplying library's
    doc["dense_library"] = denseLibrary();
    if (ofText)
        doc["tokens"] = snapshot.tokens->size();
    return doc;
}

Json arm(const ArmCost& cost, const Json& meanNll) {
    return {{"mean_nll", meanNll},
            {"seconds", seconds(cost.total)},
            {"pairs", cost.pairs},
            {"pairs_computed", cost.pairsComputed},
            {"kv_bytes", cost.kvBytes},
            {"attention_seconds", seconds(cost.attention)},
            {"attention_flops", cost.attentionFlops},
            {"dense_flops", cost.denseFlops}};
}

Json cost(const Cost& cost) {
    return {{"density", number(cost.density)},
            {"pairs_ratio", number(cost.pairsRatio)},
            {"flops_ratio", number(cost.flopsRatio)},
            {"kv_bytes_ratio", number(cost.kvBytesRatio)},
            {"seconds_ratio", number(cost.secondsRatio)},
            {"break_even_tokens", number(cost.breakEvenTokens)}};
}

Json number(const std::optional<double>& value) {
    return value ? number(*value) : Json();
}

Json paramValue(const ParamValue& value) {
    return std::visit(
        [](const auto& x) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::int64_t>)
                return x == kAll ? Json("all") : Json(x);
            else if constexpr (std::is_same_v<std::decay_t<decltype(x)>, double>)
                return number(x);
            else
                return Json(x);
        },
        value);
}

std::string_view pointKind(PointKind kind) {
    return kind == PointKind::Policy ? "policy" : kind == PointKind::RandomControl ? "random" : "oracle";
}

Json fromTree(const JsonTree& tree) {
    switch (tree.kind) {
    case JsonTree::Kind::Null:
        return {};
    case JsonTree::Kind::Flag:
        return tree.flag;
    case JsonTree::Kind::Whole:
    case JsonTree::Kind::Real:
        return Json::written(tree.text);
    case JsonTree::Kind::Text:
        return tree.text;
    case JsonTree::Kind::List: {
        Json list = Json::array();
        for (const JsonTree& item : tree.list)
            list.push_back(fromTree(item));
        return list;
    }
    case JsonTree::Kind::Object:
        break;
    }
    Json object = Json::object();
    for (std::size_t n = 0; n < tree.keys.size(); ++n)
        object[tree.keys[n]] = fromTree(tree.list[n]);
    return object;
}

} // namespace fovea::json
