#pragma once
#include "core/export/Documents.h"
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// Shared by the documents' .cpp files in this folder and by nobody else.
namespace fovea::json {

/// Keys stay in the order they are written.
using Json = nlohmann::ordered_json;

/// null unless finite.
[[nodiscard]] Json number(double value);
/// null unless finite; the shortest decimal that reads back as this float, not as its double.
[[nodiscard]] Json number(float value);
template <class Numbers>
[[nodiscard]] Json numbers(const Numbers& values) {
    Json list = Json::array();
    for (const auto value : values)
        list.push_back(number(value));
    return list;
}
[[nodiscard]] Json seconds(const Seconds& value);

/// `text` if it is UTF-8, else escapedText.
[[nodiscard]] std::string utf8(std::string_view text);
[[nodiscard]] bool isUtf8(std::string_view text);

/// "fovea", "version", "model", "policy", "threads" and, with a text, "text_sha256" and "past_context".
[[nodiscard]] Json document(std::string_view kind, const DocumentHead& head);
/// Two-space indent, short arrays of numbers on one line, trailing newline.
[[nodiscard]] std::string write(const Json& json);

} // namespace fovea::json
