#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

// How every JSON document is written.
namespace fovea::json {

/// A JSON value that is being built. Numbers and strings are kept as the text they are written as, and a list
/// of them as one text, so a long list of numbers costs its characters. Keys stay in the order in which they
/// are added. Nothing is allocated when a value is moved or destroyed, so a document can be given up at any
/// point when memory runs out. Building throws std::bad_alloc.
class Json {
public:
    struct Member;

    Json() = default; ///< null
    Json(std::nullptr_t) {}
    template <std::integral Number>
    Json(Number value);
    Json(double value);   ///< null unless finite
    Json(float) = delete; ///< number(float) writes the shortest decimal
    template <class Text>
    requires std::convertible_to<const Text&, std::string_view> Json(const Text& text)
        : m_text(quoted(text)) {} ///< loose bytes become U+FFFD
    template <class Value>
    Json(const std::vector<Value>& values); ///< a list; no elements that hold objects
    /// An object: {{"layer", 3}, {"head", 5}}.
    Json(std::initializer_list<Member> members);

    [[nodiscard]] static Json array(std::initializer_list<Json> items = {});
    [[nodiscard]] static Json object();
    /// A value that is JSON text already, written as it is.
    [[nodiscard]] static Json written(std::string text);

    /// Of a list.
    void push_back(Json item);
    /// The value of `key`, null if it is new. Of an object, or of null, which becomes an object.
    [[nodiscard]] Json& operator[](std::string_view key);

    /// A list of make(value) for each value; no elements that hold objects.
    template <class Values, class Make>
    [[nodiscard]] static Json row(const Values& values, const Make& make);

    /// The value on one line without spaces.
    [[nodiscard]] std::string compact() const;

private:
    enum class Kind : std::uint8_t {
        Plain,  ///< m_text
        Row,    ///< a list of plain values or of such lists: m_text
        List,   ///< m_items
        Object, ///< m_keys, quoted, and m_items
    };
    friend std::string write(const Json& json);

    [[nodiscard]] static std::string quoted(std::string_view text);
    void addToRow(const Json& item);
    [[nodiscard]] bool isStructured() const { return m_kind != Kind::Plain; }
    [[nodiscard]] bool holdsPlainValues() const;
    [[nodiscard]] std::size_t compactSize() const;
    void appendCompact(std::string& text) const;
    void appendLines(std::string& text, std::size_t indent, bool oneLine) const;

    Kind m_kind = Kind::Plain;
    std::string m_text = "null";
    std::vector<std::string> m_keys;
    std::vector<Json> m_items;
};

struct Json::Member {
    std::string_view key;
    mutable Json value; // the elements of an initializer list are constant; this one is moved out of it
};

/// null unless finite.
[[nodiscard]] Json number(double value);
/// null unless finite; the shortest decimal that parses to this float (that of the double would be longer).
[[nodiscard]] Json number(float value);
template <class Numbers>
[[nodiscard]] Json numbers(const Numbers& values);

/// `text` if it is UTF-8, else escapedText (core/text/Display.h).
[[nodiscard]] std::string utf8(std::string_view text);

/// Two-space indent and a line break at the end. A list of plain values, or of such lists, stands on one
/// line, and so does an object of plain values that is short.
[[nodiscard]] std::string write(const Json& json);

template <std::integral Number>
Json::Json(Number value) {
    if constexpr (std::same_as<Number, bool>)
        m_text = value ? "true" : "false";
    else
        m_text = std::to_string(value);
}

template <class Values, class Make>
Json Json::row(const Values& values, const Make& make) {
    Json list;
    list.m_kind = Kind::Row;
    list.m_text = "[";
    for (const auto& value : values)
        list.addToRow(make(value));
    list.m_text += ']';
    return list;
}

template <class Value>
Json::Json(const std::vector<Value>& values)
    : Json(row(values, [](const auto& value) { return Json(value); })) {}

template <class Numbers>
Json numbers(const Numbers& values) {
    return Json::row(values, [](const auto value) { return number(value); });
}

} // namespace fovea::json
