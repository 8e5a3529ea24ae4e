#include "core/export/GenerateJson.h"
#include "core/export/JsonParts.h"

namespace fovea {

using json::Json;

namespace {

Json armJson(const GeneratedArm& arm, const Model& model) {
    return {{"text", json::utf8(arm.text(model))},
            {"ids", arm.ids},
            {"pieces",
             Json::row(arm.ids, [&](std::int32_t id) { return json::utf8(model.tokenizer->piece(id)); })},
            {"stopped", arm.ended ? "end of text" : "length"},
            {"seconds_per_token", json::seconds(arm.perToken)},
            {"prompt_seconds", json::number(arm.promptSeconds)},
            {"kv_bytes", arm.kvBytes}};
}

} // namespace

std::string generateJson(const DocumentHead& head, std::size_t promptTokens, const GenerateOptions& options,
                         const Generation& generation) {
    Json out = json::document("generate", head);
    out["tokens"] = promptTokens;
    const Sampling& sampling = options.sampling;
    out["sampling"] = {{"tokens", options.tokens}, {"temperature", json::number(sampling.temperature)},
                       {"top_k", sampling.topK},   {"top_p", json::number(sampling.topP)},
                       {"seed", sampling.seed},    {"greedy", sampling.temperature <= 0}};
    out["full"] = armJson(generation.full, *head.model);
    out["hybrid"] = armJson(generation.hybrid, *head.model);
    out["divergence_step"] = generation.divergence ? Json(*generation.divergence) : Json();
    out["trained_for_policy"] = "drop-in";
    return json::write(out);
}

} // namespace fovea
