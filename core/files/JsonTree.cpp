#include "core/files/JsonTree.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

namespace fovea {

namespace {

constexpr std::size_t kDeepest = 64;
constexpr std::size_t kFewKeys = 16; // searched one by one

/// Text of the document for a message: one line of UTF-8, whatever the bytes are.
std::string shortened(std::string text) {
    if (text.size() > 60)
        text = text.substr(0, 57) + "...";
    return escapedText(text);
}

/// Builds the tree from the parser's events; returning false stops it.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
public:
    Builder(std::span<const JsonTake> takes, std::size_t most) : m_takes(takes), m_left(most) {}
    JsonTree root;
    std::string problem;
    std::optional<Error> refusedByTaker;

    bool null() override { return add({}); }
    bool boolean(bool value) override {
        JsonTree node;
        node.kind = JsonTree::Kind::Flag;
        node.flag = value;
        return add(std::move(node));
    }
    bool number_integer(number_integer_t value) override {
        JsonTree node;
        node.kind = JsonTree::Kind::Whole;
        node.whole = value;
        node.real = static_cast<double>(value);
        node.text = std::to_string(value);
        return add(std::move(node));
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (value <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))
            return number_integer(static_cast<number_integer_t>(value));
        return number_float(static_cast<double>(value), std::to_string(value));
    }
    bool number_float(number_float_t value, const string_t& written) override {
        if (!std::isfinite(value))
            return refuse(path() + " is " + shortened(written) + "; a finite number is accepted");
        JsonTree node;
        node.kind = JsonTree::Kind::Real;
        node.real = value;
        node.text = written;
        return add(std::move(node));
    }
    bool string(string_t& value) override {
        JsonTree node;
        node.kind = JsonTree::Kind::Text;
        node.text = std::move(value);
        return add(std::move(node));
    }
    bool binary(binary_t&) override { return refuse("binary data is not JSON text"); }
    bool start_object(std::size_t) override { return open(JsonTree::Kind::Object); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(JsonTree::Kind::List); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        JsonTree& object = *m_open.back();
        if (isThere(object, name))
            return refuse(child(name) + " is given twice; once is accepted");
        object.keys.push_back(std::move(name));
        object.list.emplace_back();
        return true;
    }
    bool parse_error(std::size_t position, const std::string& token,
                     const nlohmann::detail::exception& error) override {
        if (error.id == 406)
            return refuse(path() + " is " + shortened(token) + "; a finite number is accepted");
        return refuse("byte " + std::to_string(position) + " breaks the JSON, near \"" + shortened(token) +
                      "\"");
    }

private:
    bool refuse(std::string what) {
        if (problem.empty())
            problem = std::move(what);
        return false;
    }
    /// Whether the object that is open has the key, also of a child that a taker has. Objects of many keys
    /// have a set, or a vocabulary would take quadratic time.
    bool isThere(const JsonTree& object, const std::string& name) {
        if (object.keys.size() < kFewKeys)
            return std::find(object.keys.begin(), object.keys.end(), name) != object.keys.end();
        auto& set = m_sets[m_open.size() - 1];
        if (set.empty())
            set.insert(object.keys.begin(), object.keys.end());
        return !set.insert(name).second;
    }
    JsonTree* place(JsonTree node) {
        if (m_open.empty()) {
            root = std::move(node);
            return &root;
        }
        JsonTree& parent = *m_open.back();
        if (parent.kind == JsonTree::Kind::List) {
            parent.list.push_back(std::move(node));
            return &parent.list.back();
        }
        parent.list.back() = std::move(node);
        return &parent.list.back();
    }
    bool add(JsonTree node) {
        if (m_left-- == 0)
            return refuse("the document has more values than are read");
        place(std::move(node));
        return give();
    }
    /// Hands the newest child to its parent's taker, if there is one. Keys stay, to find a duplicate.
    bool give() {
        if (m_takers.empty() || m_takers.back() == nullptr)
            return true;
        JsonTree& parent = *m_open.back();
        const bool object = parent.kind == JsonTree::Kind::Object;
        JsonTree child = std::move(parent.list.back());
        parent.list.pop_back();
        auto taken = m_takers.back()->take(object ? parent.keys.back() : std::string(), std::move(child));
        if (!taken)
            refusedByTaker = std::move(taken).error();
        return taken.has_value();
    }
    /// What takes the children of the value that is about to be opened, or null.
    [[nodiscard]] const JsonTake* takerHere() const {
        if (m_takes.empty() || m_open.empty() || m_takers.back() != nullptr)
            return nullptr;
        const std::string here = path();
        for (const JsonTake& take : m_takes)
            if (take.path == here)
                return &take;
        return nullptr;
    }
    bool open(JsonTree::Kind kind) {
        if (m_open.size() >= kDeepest)
            return refuse("the document is nested deeper than " + std::to_string(kDeepest) + " levels");
        if (m_left-- == 0)
            return refuse("the document has more values than are read");
        JsonTree node;
        node.kind = kind;
        m_takers.push_back(takerHere());
        m_sets.emplace_back();
        m_open.push_back(place(std::move(node))); // only the newest child grows, so parents do not move
        return true;
    }
    bool close() {
        m_open.pop_back();
        m_sets.pop_back();
        m_takers.pop_back();
        return give();
    }
    /// Where the parser stands: "always.pinned[2].role".
    [[nodiscard]] std::string path() const {
        std::string text;
        for (const JsonTree* node : m_open) {
            if (node->kind == JsonTree::Kind::List)
                text += "[" + std::to_string(node->list.size() - (node == m_open.back() ? 0U : 1U)) + "]";
            else if (!node->keys.empty())
                text.append(text.empty() ? "" : ".").append(shortened(node->keys.back()));
        }
        return text.empty() ? "the document" : text;
    }
    [[nodiscard]] std::string child(const std::string& name) const {
        std::string parent;
        for (const JsonTree* node : m_open)
            if (node != m_open.back()) {
                if (node->kind == JsonTree::Kind::List)
                    parent += "[" + std::to_string(node->list.size() - 1) + "]";
                else
                    parent.append(parent.empty() ? "" : ".").append(shortened(node->keys.back()));
            }
        return parent.append(parent.empty() ? "" : ".").append(shortened(name));
    }

    std::span<const JsonTake> m_takes;
    std::vector<JsonTree*> m_open;
    std::vector<const JsonTake*> m_takers;               ///< of each open value, or null
    std::vector<std::unordered_set<std::string>> m_sets; ///< keys of each open object, once they are many
    std::size_t m_left;
};

} // namespace

const JsonTree* JsonTree::find(std::string_view key) const {
    // An object whose values went to a taker has keys alone.
    for (std::size_t n = 0; n < std::min(keys.size(), list.size()); ++n)
        if (keys[n] == key)
            return &list[n];
    return nullptr;
}

std::string JsonTree::quoted() const {
    switch (kind) {
    case Kind::Null:
        return "null";
    case Kind::Flag:
        return flag ? "true" : "false";
    case Kind::Whole:
    case Kind::Real:
        return shortened(text);
    case Kind::Text:
        return std::string("\"").append(shortened(text)) + "\"";
    case Kind::List:
        return list.empty() ? "[]" : "a list";
    case Kind::Object:
        break;
    }
    return keys.empty() ? "{}" : "an object";
}

Result<JsonTree> parseJson(std::string_view text, std::size_t most) {
    return parseJson(text, {}, most);
}

Result<JsonTree> parseJson(std::string_view text, std::span<const JsonTake> takes, std::size_t most) {
    Builder builder(takes, most);
    const bool whole = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    if (builder.refusedByTaker)
        return tl::make_unexpected(std::move(*builder.refusedByTaker));
    if (!whole || !builder.problem.empty())
        return fail(ErrorCode::BadValue, builder.problem.empty()
                                             ? std::string("the text is not one JSON document")
                                             : builder.problem);
    return std::move(builder.root);
}

} // namespace fovea
