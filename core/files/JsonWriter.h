#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// How every JSON document is written. For .cpp files only: the library's header is long.
namespace fovea::json {

/// Keys stay in the order they are written.
using Json = nlohmann::ordered_json;

/// null unless finite.
[[nodiscard]] Json number(double value);
/// null unless finite; the shortest decimal that parses to this float (that of the double would be longer).
[[nodiscard]] Json number(float value);
template <class Numbers>
[[nodiscard]] Json numbers(const Numbers& values) {
    Json list = Json::array();
    for (const auto value : values)
        list.push_back(number(value));
    return list;
}

/// `text` if it is UTF-8, else escapedText (core/text/Display.h).
[[nodiscard]] std::string utf8(std::string_view text);

/// Two-space indent and a line break at the end. A list of plain values, or of such lists, stands on one
/// line, and so does an object of plain values that is short. Loose bytes become U+FFFD.
[[nodiscard]] std::string write(const Json& json);

} // namespace fovea::json
