#include "core/export/Documents.h"
#include "core/export/JsonParts.h"
#include "core/model/NativeAttention.h"
#include "core/policy/AttentionPolicy.h"
#include "core/text/Utf8.h"
#include <algorithm>

namespace fovea {

using json::Json;

namespace {

/// What a tensor is for, from its name in GGUF or on Hugging Face.
std::string_view tensorFamily(std::string_view name) {
    const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
    if (has("norm") || has("LayerNorm") || has(".ln_") || name.starts_with("ln_f"))
        return "norms";
    if (has("attn") || has("attention."))
        return "attention";
    if (has("ffn_") || has("mlp.") || has("intermediate.") || (has("encoder.layer.") && has(".output.")))
        return "feed_forward";
    if (has("embd") || has("embed") || has("token_types") || has("wte.") || has("wpe."))
        return "embedding";
    if (name.starts_with("output") || name.starts_with("lm_head"))
        return "output";
    return "other";
}

struct FamilyCount {
    std::string_view family;
    std::uint64_t tensors = 0, parameters = 0, bytes = 0;
    std::vector<std::pair<std::string_view, std::uint64_t>> types;
};

std::vector<FamilyCount> countFamilies(const std::vector<StoredTensor>& tensors) {
    std::vector<FamilyCount> families;
    for (const StoredTensor& tensor : tensors) {
        const std::string_view family = tensorFamily(tensor.name);
        auto row = std::find_if(families.begin(), families.end(),
                                [&](const FamilyCount& f) { return f.family == family; });
        if (row == families.end())
            row = families.insert(families.end(), FamilyCount{family, 0, 0, 0, {}});
        ++row->tensors;
        const TensorTypeInfo& info = tensorTypeInfo(tensor.type);
        row->parameters += tensor.bytes / info.bytes * info.values;
        row->bytes += tensor.bytes;
        const std::string_view type = info.name;
        auto count = std::find_if(row->types.begin(), row->types.end(),
                                  [&](const auto& pair) { return pair.first == type; });
        if (count == row->types.end())
            count = row->types.insert(row->types.end(), {type, 0});
        ++count->second;
    }
    return families;
}

template <class Pairs>
Json counts(const Pairs& pairs) {
    Json object = Json::object();
    for (const auto& [name, count] : pairs)
        object[std::string(name)] = count;
    return object;
}

Json optionalNumber(const std::optional<double>& value) {
    return value ? json::number(*value) : Json(nullptr);
}

} // namespace

std::string inspectJson(const DocumentHead& head, const Inspection& inspection,
                        const std::vector<MemoryNeed>& memory) {
    const Model& model = *head.model;
    const ModelShape& shape = model.shape;
    Json out = json::document("inspect", head);
    out["path"] = json::utf8(model.info.path);
    out["file_bytes"] = model.info.fileBytes;
    out["files"] = inspection.files->count();
    out["format"] = model.info.container();
    out["parameters"] = model.info.parameters;
    out["shape"] = {{"width", shape.width},
                    {"feed_forward", shape.feedForward},
                    {"norm_epsilon", json::number(shape.normEpsilon)},
                    {"rope_base", json::number(shape.everyLayer.ropeBase)},
                    {"rope_factor", json::number(shape.everyLayer.ropeFactor)}};
    out["quantisation"] = counts(model.info.tensorTypes);
    Json families = Json::array();
    for (const FamilyCount& row : countFamilies(inspection.tensors))
        families.push_back({{"family", row.family},
                            {"tensors", row.tensors},
                            {"parameters", row.parameters},
                            {"bytes", row.bytes},
                            {"types", counts(row.types)}});
    out["tensor_families"] = std::move(families);
    Json kinds = Json::array(), caps = Json::array();
    for (int layer = 0; layer < shape.layers; ++layer) {
        kinds.push_back(layerKind(shape, layer));
        const LogitForm form = logitForm(shape, layer);
        caps.push_back(form.capped() ? json::number(form.softCap) : Json(nullptr));
    }
    out["native_attention"] = std::move(kinds);
    if (capsLogits(shape))
        out["attention_soft_cap"] = std::move(caps);
    const Tokenizer& tokenizer = *model.tokenizer;
    std::uint64_t control = 0;
    for (std::int32_t id = 0; id < tokenizer.vocabularySize(); ++id)
        control += tokenizer.kind(id) == TokenKind::Control ? 1 : 0;
    out["tokenizer"] = {{"tokens", tokenizer.vocabularySize()}, {"control_tokens", control}};
    Json needs = Json::array();
    for (const MemoryNeed& need : memory)
        needs.push_back({{"tokens", need.tokens}, {"bytes", need.bytes}});
    out["weight_bytes"] = weightBytes(shape, model.precision);
    out["memory_needed"] = std::move(needs);
    std::vector<std::string> warnings;
    for (const std::string& warning : model.info.warnings)
        warnings.push_back(json::utf8(warning));
    out["warnings"] = warnings;
    return json::write(out);
}

std::string tokenizeJson(const DocumentHead& head, const Tokens& tokens) {
    Json out = json::document("tokenize", head);
    out["tokens"] = tokens.size();
    out["ids"] = tokens.ids;
    out["pieces"] = Json::row(tokens.pieces, [](const auto& piece) { return json::utf8(piece); });
    std::vector<std::size_t> escaped;
    for (std::size_t i = 0; i < tokens.size(); ++i)
        if (!isUtf8(tokens.pieces[i]))
            escaped.push_back(i);
    out["escaped_pieces"] = escaped;
    out["spans"] = Json::row(tokens.spans, [](const Span& span) {
        return Json::array({span.begin, span.end});
    });
    out["unknown_bytes"] = tokens.unknownBytes;
    out["first_unknown_byte"] = tokens.firstUnknownByte ? Json(*tokens.firstUnknownByte) : Json(nullptr);
    out["invalid_bytes"] = tokens.invalidBytes;
    out["first_invalid_byte"] = tokens.firstInvalidByte ? Json(*tokens.firstInvalidByte) : Json(nullptr);
    return json::write(out);
}

std::string logitsJson(const DocumentHead& head, const Tokens& tokens, std::span<const float> nll,
                       const std::vector<PositionScores>& positions) {
    Json out = json::document("logits", head);
    out["tokens"] = tokens.size();
    double sum = 0;
    for (std::size_t i = 1; i < nll.size(); ++i)
        sum += static_cast<double>(nll[i]);
    out["mean_nll"] =
        nll.size() > 1 ? json::number(sum / static_cast<double>(nll.size() - 1)) : Json(nullptr);
    out["nll"] = json::numbers(nll);
    const Tokenizer& tokenizer = *head.model->tokenizer;
    Json rows = Json::array();
    for (const PositionScores& position : positions) {
        Json top = Json::array();
        for (const TokenScore& score : position.top)
            top.push_back({{"id", score.id},
                           {"piece", json::utf8(tokenizer.piece(score.id))},
                           {"logit", json::number(score.logit)},
                           {"logprob", json::number(score.logprob)}});
        rows.push_back(
            {{"index", position.index}, {"id", tokens.ids[position.index]}, {"top", std::move(top)}});
    }
    out["positions"] = std::move(rows);
    return json::write(out);
}

std::string attentionJson(const DocumentHead& head, const AttentionRowPlace& place, const Tokens& tokens,
                          const AttentionRow& row, std::span<const ReadKind> why,
                          std::span<const float> against) {
    Json out = json::document("attention", head);
    out["tokens"] = tokens.size();
    out["layer"] = place.layer;
    out["head"] = place.head;
    out["query"] = place.query;
    out["regime"] = place.regime;
    out["full"] = json::numbers(row.full);
    out["hybrid"] = json::numbers(row.hybrid);
    std::vector<bool> kept;
    std::vector<std::string_view> reasons;
    for (const Reason reason : row.reason) {
        kept.push_back(reason < Reason::Far); // a far field stands for the key, none reads it
        reasons.push_back(reasonName(reason));
    }
    out["kept"] = kept;
    out["reason"] = reasons;
    std::vector<std::string_view> words;
    for (const ReadKind kind : why)
        words.push_back(readKindName(kind));
    out["why"] = words;
    if (!against.empty())
        out["against"] = json::numbers(against);
    return json::write(out);
}

std::string benchJson(const DocumentHead& head, const BenchMachine& machine,
                      const std::vector<BenchCase>& cases, const std::vector<BenchPolicy>& policies) {
    Json out = json::document("bench", head);
    out["machine"] = {{"cpu", json::utf8(machine.cpu)},
                      {"isa", machine.isa},
                      {"threads", head.threads},
                      {"peak_gflops_f32", json::number(machine.peakGflopsF32)},
                      {"peak_gflops_bf16", optionalNumber(machine.peakGflopsBf16)},
                      {"peak_spread", json::number(machine.peakSpread)},
                      {"read_gb_s", json::number(machine.readGbPerSecond)}};
    Json rows = Json::array();
    for (const BenchCase& row : cases) {
        Json item{{"name", row.name}};
        if (!row.refused.empty()) {
            item["refused"] = row.refused;
            item["seconds"] = nullptr;
        } else {
            item["seconds"] = json::seconds(row.seconds);
        }
        item["useful_gflops"] = optionalNumber(row.usefulGflops);
        item["share_of_peak"] = optionalNumber(row.shareOfPeak);
        item["max_error"] = optionalNumber(row.maxError);
        item["tokens_per_second"] = optionalNumber(row.tokensPerSecond);
        item["read_gb_s"] = optionalNumber(row.readGbPerSecond);
        item["share_of_bandwidth"] = optionalNumber(row.shareOfBandwidth);
        rows.push_back(std::move(item));
    }
    out["cases"] = std::move(rows);
    rows = Json::array();
    for (const BenchPolicy& row : policies) {
        if (!row.refused.empty()) {
            rows.push_back({{"name", json::utf8(row.name)}, {"refused", json::utf8(row.refused)}});
            continue;
        }
        rows.push_back({{"name", json::utf8(row.name)},
                        {"pairs_ratio", json::number(row.pairsRatio)},
                        {"time_ratio", json::seconds(row.share)},
                        {"kernel", json::number(row.kernel)},
                        {"router", json::number(row.router)},
                        {"plan", json::number(row.plan)},
                        {"full_seconds", json::seconds(row.full)},
                        {"follows", row.follows}});
    }
    out["policies"] = std::move(rows);
    return json::write(out);
}

} // namespace fovea
