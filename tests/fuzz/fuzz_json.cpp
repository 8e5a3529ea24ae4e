// The strict JSON reader against the library's own: whatever the strict one takes, the library takes with the
// same content; base64 comes back; what a file is called by its first bytes does not depend on luck.
#include "core/files/Base64.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include "core/files/Sniff.h"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace {

using fovea::JsonTree;
using Json = nlohmann::ordered_json;

void require(bool holds) {
    if (!holds)
        std::abort();
}

bool same(const JsonTree& tree, const Json& json) {
    switch (tree.kind) {
    case JsonTree::Kind::Null:
        return json.is_null();
    case JsonTree::Kind::Flag:
        return json.is_boolean() && json.get<bool>() == tree.flag;
    case JsonTree::Kind::Whole:
        return json.is_number_integer() && json.get<std::int64_t>() == tree.whole;
    case JsonTree::Kind::Real:
        return json.is_number() && json.get<double>() == tree.real;
    case JsonTree::Kind::Text:
        return json.is_string() && json.get<std::string>() == tree.text;
    case JsonTree::Kind::List:
        if (!json.is_array() || json.size() != tree.list.size())
            return false;
        for (std::size_t n = 0; n < tree.list.size(); ++n)
            if (!same(tree.list[n], json[n]))
                return false;
        return true;
    case JsonTree::Kind::Object:
        break;
    }
    if (!json.is_object() || json.size() != tree.keys.size() || tree.keys.size() != tree.list.size())
        return false;
    for (std::size_t n = 0; n < tree.keys.size(); ++n)
        if (!json.contains(tree.keys[n]) || !same(tree.list[n], json[tree.keys[n]]))
            return false;
    return true;
}

fovea::json::Json toWrite(const JsonTree& tree) {
    switch (tree.kind) {
    case JsonTree::Kind::Null:
        return nullptr;
    case JsonTree::Kind::Flag:
        return tree.flag;
    case JsonTree::Kind::Whole:
        return tree.whole;
    case JsonTree::Kind::Real:
        return tree.real;
    case JsonTree::Kind::Text:
        return tree.text;
    case JsonTree::Kind::List:
    case JsonTree::Kind::Object:
        break;
    }
    const bool list = tree.kind == JsonTree::Kind::List;
    fovea::json::Json json = list ? fovea::json::Json::array() : fovea::json::Json::object();
    for (std::size_t n = 0; n < tree.list.size(); ++n)
        if (list)
            json.push_back(toWrite(tree.list[n]));
        else
            json[tree.keys[n]] = toWrite(tree.list[n]);
    return json;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fovea;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<JsonTree> tree = parseJson(text);
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (tree) {
        require(!json.is_discarded() && same(*tree, json));
        (void)tree->quoted();
        // Written and read again it is the same; loose bytes in a string do not get past the parser.
        const Result<JsonTree> again = parseJson(json::write(toWrite(*tree)));
        require(again.has_value() && same(*again, json));
    } else {
        require(!tree.error().message.empty());
        require(tree.error().message.find('\n') == std::string::npos);
    }
    require(fromBase64(toBase64(text)).value() == text);
    if (const Result<std::string> bytes = fromBase64(text))
        require(toBase64(*bytes).size() == text.size());
    (void)contentOf(text);
    (void)nameContradicts("a.json", contentOf(text));
    return 0;
}
