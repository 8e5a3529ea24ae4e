#include "core/export/JsonParts.h"
#include "core/engine/Build.h"
#include "core/policy/PolicyJson.h"
#include "core/text/Display.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace fovea::json {

namespace {

/// Length of the UTF-8 character that `text` starts with; 0: none (Unicode 15, table 3-7).
std::size_t characterBytes(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
    };
    const auto within = [&](std::size_t i, unsigned low, unsigned high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return within(1, 0x80, 0xBF) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool second = within(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
        return second && within(2, 0x80, 0xBF) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool second = within(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
        return second && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
    }
    return 0;
}

/// Rows of plain values stand on one line, so that a table reads as a table.
bool fitsOneLine(const Json& json) {
    if (!json.is_structured())
        return true;
    return std::all_of(json.begin(), json.end(), [&](const Json& item) {
        return !item.is_structured() || (json.is_array() && item.is_array() && fitsOneLine(item));
    });
}

void append(std::string& text, const Json& json, std::size_t indent, bool oneLine) {
    if (!json.is_structured() || json.empty()) {
        text += json.dump(-1, ' ', false, Json::error_handler_t::replace);
        return;
    }
    const bool flat = oneLine || (json.is_array() ? fitsOneLine(json) : indent > 0 && fitsOneLine(json));
    const std::string gap = flat ? std::string() : "\n" + std::string(indent + 2, ' ');
    text += json.is_array() ? '[' : '{';
    bool first = true;
    for (auto item = json.begin(); item != json.end(); ++item) {
        if (!first)
            text += flat && json.is_object() ? ", " : ",";
        first = false;
        text += gap;
        if (json.is_object())
            text += Json(item.key()).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
        append(text, item.value(), indent + 2, flat);
    }
    if (!flat)
        text += "\n" + std::string(indent, ' ');
    text += json.is_array() ? ']' : '}';
}

Json modelCard(const Model& model) {
    const ModelShape& shape = model.shape;
    return {{"name", utf8(model.info.name)}, {"sha256", model.info.sha256},
            {"family", shape.family},        {"layers", shape.layers},
            {"heads", shape.heads},          {"kv_heads", shape.kvHeads},
            {"head_dim", shape.headDim},     {"context", shape.context},
            {"vocab", shape.vocabulary},     {"precision", precisionName(model.precision)}};
}

} // namespace

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json number(float value) {
    if (!std::isfinite(value))
        return nullptr;
    char text[32];
    *std::to_chars(text, text + sizeof text - 1, value).ptr = '\0';
    return std::strtod(text, nullptr);
}

Json seconds(const Seconds& value) {
    return {{"median", number(value.median)},
            {"spread", value.spread ? number(*value.spread) : Json(nullptr)}};
}

bool isUtf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t bytes = characterBytes(text);
        if (bytes == 0)
            return false;
        text.remove_prefix(bytes);
    }
    return true;
}

std::string utf8(std::string_view text) {
    return isUtf8(text) ? std::string(text) : escapedText(text);
}

Json document(std::string_view kind, const DocumentHead& head) {
    Json json{{"fovea", kind}, {"version", 1}};
    json["program"] = std::string(buildVersion()) + " " + std::string(buildCommit());
    json["model"] = head.model != nullptr ? modelCard(*head.model) : Json(nullptr);
    json["policy"] = head.policy != nullptr ? Json::parse(policyToJson(*head.policy)) : Json(nullptr);
    json["threads"] = head.threads;
    if (!head.textHash.empty()) {
        json["text_sha256"] = head.textHash;
        json["past_context"] = head.pastContext;
    }
    return json;
}

std::string write(const Json& json) {
    std::string text;
    append(text, json, 0, false);
    text += '\n';
    return text;
}

} // namespace fovea::json
