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

Json pieceOf(std::int32_t id, const Model& model) {
    return json::utf8(model.tokenizer->piece(id));
}

Json tokenJson(const GeneratedToken* token, const Model& model) {
    if (token == nullptr)
        return nullptr;
    Json candidates = Json::array();
    for (const TokenCandidate& candidate : token->candidates)
        candidates.push_back({{"id", candidate.id},
                              {"piece", pieceOf(candidate.id, model)},
                              {"probability", json::number(candidate.probability)}});
    return {{"id", token->id},
            {"piece", pieceOf(token->id, model)},
            {"probability", json::number(token->probability)},
            {"rank", token->rank},
            {"candidates", std::move(candidates)},
            {"kv_bytes", token->kvBytes}};
}

Json stepsJson(const std::vector<GenerationStep>& steps, const Model& model) {
    Json list = Json::array();
    for (const GenerationStep& step : steps)
        list.push_back({{"step", step.step},
                        {"kl", step.kl ? json::number(*step.kl) : Json()},
                        {"full", tokenJson(step.full.get(), model)},
                        {"hybrid", tokenJson(step.hybrid.get(), model)}});
    return list;
}

Json rowJson(const DecodedRows& rows, const Model& model, const GenerateRowPlace& place, Isa isa) {
    if (!rows.has(place.step))
        return nullptr;
    const ReadRow row = readRow(model, rows, place.step, place.layer, place.head, isa);
    std::vector<std::string_view> why;
    for (const ReadKind kind : row.kind)
        why.push_back(readKindName(kind));
    return {
        {"query", row.query}, {"keys_read", row.read}, {"weight", json::numbers(row.weight)}, {"why", why}};
}

Json cachesJson(const DecodedRows& rows, const Model& model, std::size_t step) {
    if (!rows.has(step))
        return nullptr;
    Json list = Json::array();
    for (int layer = 0; layer < model.shape.layers; ++layer) {
        const DecodedRow& row = *rows.rows[step];
        const CacheCount count = countCache(row, layer);
        const std::vector<CacheState> states = cacheStates(row, layer);
        Json runs = Json::array();
        for (std::size_t first = 0, last = 0; first < states.size(); first = last) {
            const bool stored = states[first] != CacheState::Dropped;
            for (last = first + 1; last < states.size() && (states[last] != CacheState::Dropped) == stored;)
                ++last;
            if (stored)
                runs.push_back(Json::array({first, last}));
        }
        list.push_back({{"layer", layer},
                        {"stored", count.stored},
                        {"dropped", count.dropped},
                        {"read", count.read},
                        {"far_field", count.farField},
                        {"stored_ranges", std::move(runs)}});
    }
    return list;
}

} // namespace

std::string generateJson(const DocumentHead& head, std::size_t promptTokens, const GenerateOptions& options,
                         const Generation& generation, const std::optional<GenerateRowPlace>& place,
                         Isa isa) {
    Json out = json::document("generate", head);
    out["tokens"] = promptTokens;
    const Sampling& sampling = options.sampling;
    out["sampling"] = {{"tokens", options.tokens}, {"temperature", json::number(sampling.temperature)},
                       {"top_k", sampling.topK},   {"top_p", json::number(sampling.topP)},
                       {"seed", sampling.seed},    {"greedy", sampling.temperature <= 0}};
    out["full"] = armJson(generation.full, *head.model);
    out["hybrid"] = armJson(generation.hybrid, *head.model);
    out["divergence_step"] = generation.divergence ? Json(*generation.divergence) : Json();
    out["steps"] = stepsJson(generation.steps, *head.model);
    if (place) {
        const DecodedRows full = rowsOf(generation.prompt, generation.steps, GenerationArm::Full);
        const DecodedRows hybrid = rowsOf(generation.prompt, generation.steps, GenerationArm::Hybrid);
        out["read"] = {{"step", place->step},
                       {"layer", place->layer},
                       {"head", place->head},
                       {"full", rowJson(full, *head.model, *place, isa)},
                       {"hybrid", rowJson(hybrid, *head.model, *place, isa)}};
        out["caches"] = {{"full", cachesJson(full, *head.model, place->step)},
                         {"hybrid", cachesJson(hybrid, *head.model, place->step)}};
    }
    out["trained_for_policy"] = "drop-in";
    return json::write(out);
}

} // namespace fovea
