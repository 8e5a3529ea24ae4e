#pragma once
#include "app/Outcome.h"
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::app {

/// "; did you mean NAME?" for the closest of `names` when it is close enough (Damerau-Levenshtein), else
/// empty.
[[nodiscard]] std::string didYouMean(std::string_view word, const std::vector<std::string>& names);

/// Rewrites an error of CLI11 as a sentence in the form of the program's other messages: what, the value,
/// what would be accepted.
[[nodiscard]] std::string usageMessage(const CLI::App& app, const CLI::ParseError& error);

/// "512", "500M", "2 GB", "1.5GiB" (powers of 1024, any case) to bytes. BadInput for any other unit.
[[nodiscard]] Outcome<std::uint64_t> parseBytes(const std::string& option, const std::string& text);

/// A whole number in a range.
[[nodiscard]] Outcome<std::int64_t> parseWhole(const std::string& option, const std::string& text,
                                               std::int64_t minimum, std::int64_t maximum);

/// A finite number. An empty text is none: the option was not given.
[[nodiscard]] Outcome<std::optional<double>> parseReal(const std::string& option, const std::string& text);

/// "a:b" to [a, b), both ends optional, inside 0..`size`.
struct IndexRange {
    std::size_t first = 0;
    std::size_t last = 0;
};
[[nodiscard]] Outcome<IndexRange> parseRange(const std::string& option, const std::string& text,
                                             std::size_t size);

} // namespace fovea::app
