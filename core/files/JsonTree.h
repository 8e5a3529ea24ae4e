#pragma once
#include "core/base/Result.h"
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// A parsed JSON value. It keeps the text of numbers so that an error message can quote them.
struct JsonTree {
    enum class Kind : std::uint8_t { Null, Flag, Whole, Real, Text, List, Object };
    Kind kind = Kind::Null;
    bool flag = false;
    std::int64_t whole = 0;        ///< Whole: fits 64 bits with sign; larger ones are Real
    double real = 0;               ///< Whole and Real
    std::string text;              ///< Text: the string; Whole and Real: the number as written
    std::vector<JsonTree> list;    ///< List: the elements; Object: the values
    std::vector<std::string> keys; ///< Object: the name of each value

    [[nodiscard]] const JsonTree* find(std::string_view key) const;
    /// The value as JSON, shortened for a message.
    [[nodiscard]] std::string quoted() const;
};

/// Whether there is no value, or null.
[[nodiscard]] inline bool isAbsent(const JsonTree* value) {
    return value == nullptr || value->kind == JsonTree::Kind::Null;
}

/// Parses one document. Errors: BadValue with the path or the byte offset, for invalid syntax, bytes after
/// the end, a duplicate key, a number that is not finite, nesting deeper than 64, more than `most` values.
/// Memory: some 150 bytes for each value.
[[nodiscard]] Result<JsonTree> parseJson(std::string_view text, std::size_t most = std::size_t{1} << 24);

/// Takes the children of one large object or list one by one, so that they are not kept in the tree.
struct JsonTake {
    std::string path; ///< "model.vocab"
    /// `key` is empty for an element of a list. An error ends the parsing and is returned.
    std::function<Result<>(const std::string& key, JsonTree value)> take;
};

/// The same; the lists named by `takes` are empty in the tree, and so are the values of the objects.
[[nodiscard]] Result<JsonTree> parseJson(std::string_view text, std::span<const JsonTake> takes,
                                         std::size_t most = std::size_t{1} << 24);

} // namespace fovea
