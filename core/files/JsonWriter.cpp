#include "core/files/JsonWriter.h"
#include "core/base/Check.h"
#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace fovea::json {

namespace {

constexpr std::size_t kShortObject = 110; // columns

} // namespace

// The library writes numbers and strings, one by one. Its lists and objects are not used: their destructors
// allocate memory and end the process when there is none.

Json::Json(double value) : m_text(nlohmann::json(value).dump()) {}

std::string Json::quoted(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json::Json(std::initializer_list<Member> members) : m_kind(Kind::Object), m_text() {
    m_keys.reserve(members.size());
    m_items.reserve(members.size());
    for (const Member& member : members) {
        m_keys.push_back(quoted(member.key));
        m_items.push_back(std::move(member.value));
    }
}

Json Json::array(std::initializer_list<Json> items) {
    Json list;
    list.m_kind = Kind::List;
    list.m_text.clear();
    list.m_items = items;
    return list;
}

Json Json::object() {
    Json json;
    json.m_kind = Kind::Object;
    json.m_text.clear();
    return json;
}

Json Json::written(std::string text) {
    Json json;
    json.m_text = std::move(text);
    return json;
}

void Json::push_back(Json item) {
    FOVEA_ASSERT(m_kind == Kind::List);
    m_items.push_back(std::move(item));
}

Json& Json::operator[](std::string_view key) {
    if (m_kind == Kind::Plain && m_text == "null")
        *this = object();
    FOVEA_ASSERT(m_kind == Kind::Object);
    std::string name = quoted(key);
    const auto found = std::find(m_keys.begin(), m_keys.end(), name);
    if (found != m_keys.end())
        return m_items[static_cast<std::size_t>(found - m_keys.begin())];
    m_keys.push_back(std::move(name));
    return m_items.emplace_back();
}

void Json::addToRow(const Json& item) {
    FOVEA_ASSERT(item.m_kind != Kind::Object);
    if (m_text.size() > 1)
        m_text += ',';
    item.appendCompact(m_text);
}

/// Plain values only; in a list also lists of them, so that a table reads as a table.
bool Json::holdsPlainValues() const {
    return std::all_of(m_items.begin(), m_items.end(), [this](const Json& item) {
        return !item.isStructured() ||
               (m_kind == Kind::List && item.m_kind != Kind::Object && item.holdsPlainValues());
    });
}

std::size_t Json::compactSize() const {
    if (m_kind <= Kind::Row)
        return m_text.size();
    std::size_t size = 2 + (m_items.empty() ? 0 : m_items.size() - 1) + m_keys.size();
    for (const std::string& key : m_keys)
        size += key.size();
    for (const Json& item : m_items)
        size += item.compactSize();
    return size;
}

void Json::appendCompact(std::string& text) const {
    text += m_text;
    if (m_kind <= Kind::Row)
        return;
    text += m_kind == Kind::List ? '[' : '{';
    for (std::size_t n = 0; n < m_items.size(); ++n) {
        if (n > 0)
            text += ',';
        if (m_kind == Kind::Object)
            text.append(m_keys[n]).append(":");
        m_items[n].appendCompact(text);
    }
    text += m_kind == Kind::List ? ']' : '}';
}

std::string Json::compact() const {
    std::string text;
    appendCompact(text);
    return text;
}

void Json::appendLines(std::string& text, std::size_t indent, bool oneLine) const {
    if (m_items.empty())
        return appendCompact(text);
    const bool list = m_kind == Kind::List;
    const bool flat = oneLine || (holdsPlainValues() &&
                                  (list || (indent > 0 && compactSize() + m_items.size() <= kShortObject)));
    const std::string gap = flat ? std::string() : "\n" + std::string(indent + 2, ' ');
    text += list ? '[' : '{';
    for (std::size_t n = 0; n < m_items.size(); ++n) {
        if (n > 0)
            text += flat && !list ? ", " : ",";
        text += gap;
        if (!list)
            text.append(m_keys[n]).append(": ");
        m_items[n].appendLines(text, indent + 2, flat);
    }
    if (!flat)
        text += "\n" + std::string(indent, ' ');
    text += list ? ']' : '}';
}

Json number(double value) {
    return value;
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
    json.appendLines(text, 0, false);
    text += '\n';
    return text;
}

} // namespace fovea::json
