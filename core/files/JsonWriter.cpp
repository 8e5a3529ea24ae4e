#include "core/files/JsonWriter.h"
#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace fovea::json {

namespace {

constexpr std::size_t kShortObject = 110; // columns

std::string plain(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Plain values only; in a list also lists of them, so that a table reads as a table.
bool holdsPlainValues(const Json& json) {
    return std::all_of(json.begin(), json.end(), [&](const Json& item) {
        return !item.is_structured() || (json.is_array() && item.is_array() && holdsPlainValues(item));
    });
}

void append(std::string& text, const Json& json, std::size_t indent, bool oneLine) {
    if (!json.is_structured() || json.empty()) {
        text += plain(json);
        return;
    }
    const bool flat =
        oneLine || (holdsPlainValues(json) &&
                    (json.is_array() || (indent > 0 && plain(json).size() + json.size() <= kShortObject)));
    const std::string gap = flat ? std::string() : "\n" + std::string(indent + 2, ' ');
    text += json.is_array() ? '[' : '{';
    bool first = true;
    for (auto item = json.begin(); item != json.end(); ++item) {
        if (!first)
            text += flat && json.is_object() ? ", " : ",";
        first = false;
        text += gap;
        if (json.is_object())
            text += plain(item.key()) + ": ";
        append(text, item.value(), indent + 2, flat);
    }
    if (!flat)
        text += "\n" + std::string(indent, ' ');
    text += json.is_array() ? ']' : '}';
}

} // namespace

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json number(float value) {
    if (!std::isfinite(value))
        return nullptr;
    std::array<char, 32> text{};
    const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    double shortest = 0;
    std::from_chars(text.data(), end, shortest);
    return shortest;
}

std::string utf8(std::string_view text) {
    return isUtf8(text) ? std::string(text) : escapedText(text);
}

std::string write(const Json& json) {
    std::string text;
    append(text, json, 0, false);
    text += '\n';
    return text;
}

} // namespace fovea::json
