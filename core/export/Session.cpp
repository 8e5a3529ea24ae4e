#include "core/export/Session.h"
#include "core/base/OutOfMemory.h"
#include "core/files/Base64.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include "core/files/Quote.h"
#include "core/policy/PolicyJson.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <vector>

namespace fovea {

namespace {

using json::Json;
using Kind = JsonTree::Kind;
constexpr std::size_t kLargest = std::size_t{64} << 20;

tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::BadValue, "session: " + what + ".");
}

/// Typed access to the members of one object.
class Reader {
public:
    Reader(const JsonTree& object, std::string path) : m_object(object), m_path(std::move(path)) {}

    [[nodiscard]] Result<> onlyKeys(std::initializer_list<std::string_view> known) const {
        if (m_object.kind != Kind::Object)
            return bad(m_path + " is " + m_object.quoted() + "; an object is accepted");
        for (const std::string& key : m_object.keys)
            if (std::find(known.begin(), known.end(), key) == known.end())
                return bad(m_path + " has the unknown key " + inQuotes(key));
        return {};
    }
    [[nodiscard]] bool has(std::string_view key) const { return m_object.find(key) != nullptr; }
    Result<> read(const char* key, std::string& into) const {
        return get(key, Kind::Text, "a string", [&](const JsonTree& v) { into = v.text; });
    }
    Result<> read(const char* key, bool& into) const {
        return get(key, Kind::Flag, "true or false", [&](const JsonTree& v) { into = v.flag; });
    }
    Result<> read(const char* key, std::size_t& into) const {
        const JsonTree* value = m_object.find(key);
        if (value != nullptr && !isCount(*value))
            return refused(key, *value, "an integer of 0 or more");
        if (value != nullptr)
            into = static_cast<std::size_t>(value->whole);
        return {};
    }
    Result<> read(const char* key, int& into) const {
        std::size_t value = 0;
        FOVEA_TRY(read(key, value));
        if (!has(key))
            return {};
        if (value > 1000000)
            return bad(m_path + "." + key + " is " + std::to_string(value) + "; at most 1000000 is accepted");
        into = static_cast<int>(value);
        return {};
    }
    Result<> read(const char* key, RowRange& into) const {
        const JsonTree* value = m_object.find(key);
        if (value == nullptr)
            return {};
        const std::vector<JsonTree>& ends = value->list;
        if (value->kind != Kind::List || ends.size() != 2 || !isCount(ends[0]) || !isCount(ends[1]) ||
            ends[0].whole > ends[1].whole)
            return refused(key, *value, "[first, last] with 0 <= first <= last");
        into = {static_cast<std::size_t>(ends[0].whole), static_cast<std::size_t>(ends[1].whole)};
        return {};
    }

private:
    static bool isCount(const JsonTree& value) { return value.kind == Kind::Whole && value.whole >= 0; }
    [[nodiscard]] tl::unexpected<Error> refused(const char* key, const JsonTree& value,
                                                const char* wanted) const {
        return bad(m_path + "." + key + " is " + value.quoted() + "; " + wanted + " is accepted");
    }
    template <class Take>
    Result<> get(const char* key, Kind kind, const char* wanted, const Take& take) const {
        const JsonTree* value = m_object.find(key);
        if (value != nullptr && value->kind != kind)
            return refused(key, *value, wanted);
        if (value != nullptr)
            take(*value);
        return {};
    }
    const JsonTree& m_object;
    std::string m_path;
};

/// A text's bytes: "content", or "base64" for what is not UTF-8.
Result<std::shared_ptr<const std::string>> readContent(const Reader& reader, const std::string& path) {
    std::string content, base64;
    FOVEA_TRY(reader.read("content", content));
    FOVEA_TRY(reader.read("base64", base64));
    if (reader.has("content") == reader.has("base64"))
        return bad(path + " needs either content or base64");
    if (reader.has("base64")) {
        Result<std::string> bytes = fromBase64(base64);
        if (!bytes)
            return bad(path + ".base64: " + bytes.error().message);
        content = std::move(*bytes);
    }
    return std::make_shared<const std::string>(std::move(content));
}

Result<> readText(const JsonTree& object, Request& request) {
    const Reader reader(object, "text");
    FOVEA_TRY(reader.onlyKeys({"content", "base64", "template", "special_tokens", "max_tokens"}));
    std::string name = "raw";
    Result<std::shared_ptr<const std::string>> content = readContent(reader, "text");
    FOVEA_TRY(content);
    FOVEA_TRY(reader.read("template", name));
    if (name != "raw" && name != "chat")
        return bad("text.template is " + inQuotes(name) + "; \"raw\" and \"chat\" are accepted");
    request.textTemplate = name == "chat" ? TextTemplate::Chat : TextTemplate::Raw;
    FOVEA_TRY(reader.read("special_tokens", request.encode.specialTokens));
    FOVEA_TRY(reader.read("max_tokens", request.maxTokens));
    request.text = std::move(*content);
    return {};
}

Json contentJson(const std::string& content) {
    return isUtf8(content) ? Json{{"content", content}} : Json{{"base64", toBase64(content)}};
}

Result<> readOther(const JsonTree& object, Session& session) {
    const Reader reader(object, "other");
    FOVEA_TRY(reader.onlyKeys({"name", "text", "model", "max_tokens"}));
    OtherRun other;
    FOVEA_TRY(reader.read("name", other.name));
    FOVEA_TRY(reader.read("model", other.modelPath));
    if (std::size_t limit = 0; reader.has("max_tokens")) {
        FOVEA_TRY(reader.read("max_tokens", limit));
        other.maxTokens = limit;
    }
    if (reader.has("text") == !other.modelPath.empty())
        return bad("other needs either text or model");
    if (const JsonTree* text = object.find("text")) {
        const Reader inner(*text, "other.text");
        FOVEA_TRY(inner.onlyKeys({"content", "base64"}));
        Result<std::shared_ptr<const std::string>> content = readContent(inner, "other.text");
        FOVEA_TRY(content);
        other.text = std::move(*content);
    }
    if (session.request.against)
        return bad("both against and other are given; arm A has one of them");
    session.request.other = std::move(other);
    return {};
}

Result<> readModel(const JsonTree& object, Session& session) {
    const Reader reader(object, "model");
    FOVEA_TRY(reader.onlyKeys({"path", "sha256", "precision", "native_windows"}));
    std::string precision = "f32";
    FOVEA_TRY(reader.read("path", session.request.modelPath));
    FOVEA_TRY(reader.read("sha256", session.modelSha256));
    FOVEA_TRY(reader.read("precision", precision));
    FOVEA_TRY(reader.read("native_windows", session.request.nativeWindows));
    if (precision != "f32" && precision != "bf16")
        return bad("model.precision is " + inQuotes(precision) + "; \"f32\" and \"bf16\" are accepted");
    session.request.precision = precision == "bf16" ? Precision::BF16 : Precision::F32;
    return {};
}

Result<> readView(const JsonTree& object, Session& session) {
    const Reader reader(object, "view");
    FOVEA_TRY(reader.onlyKeys({"layer", "head", "queries", "keys", "state"}));
    VisibleRect& visible = session.request.visible;
    FOVEA_TRY(reader.read("layer", visible.layer));
    FOVEA_TRY(reader.read("head", visible.head));
    FOVEA_TRY(reader.read("queries", visible.queries));
    FOVEA_TRY(reader.read("keys", visible.keys));
    if (!reader.has("state"))
        return {};
    const JsonTree& state = *object.find("state");
    if (state.kind != Kind::Object)
        return bad("view.state is " + state.quoted() + "; an object is accepted");
    for (std::size_t n = 0; n < state.keys.size(); ++n) {
        if (state.list[n].kind != Kind::Text)
            return bad("view.state." + inQuotes(state.keys[n]) + " is " + state.list[n].quoted() +
                       "; a string is accepted");
        session.view[state.keys[n]] = state.list[n].text;
    }
    return {};
}

Result<Session> readSession(std::string_view text) {
    if (text.size() > kLargest)
        return fail(ErrorCode::TooLarge, "session: " + std::to_string(text.size()) + " bytes; at most " +
                                             std::to_string(kLargest) + " are read.");
    Result<JsonTree> parsed = parseJson(text);
    if (!parsed)
        return bad(parsed.error().message);
    JsonTree& doc = *parsed;
    const JsonTree* format = doc.find("fovea");
    if (doc.kind != Kind::Object || format == nullptr || format->kind != Kind::Text ||
        format->text != "session")
        return fail(ErrorCode::NotThisFormat,
                    "session: fovea is " + (format == nullptr ? std::string("missing") : format->quoted()) +
                        "; a session document has \"fovea\": \"session\".");
    for (const char* part : {"text", "model", "view"})
        if (doc.find(part) == nullptr)
            return bad(std::string(part) + " is missing");
    Session session;
    FOVEA_TRY(readText(*doc.find("text"), session.request));
    FOVEA_TRY(readModel(*doc.find("model"), session));
    FOVEA_TRY(readView(*doc.find("view"), session));
    // What is left is a policy document.
    JsonTree rest;
    rest.kind = Kind::Object;
    for (std::size_t n = 0; n < doc.keys.size(); ++n) {
        const std::string& key = doc.keys[n];
        if (key == "text" || key == "model" || key == "view" || key == "against" || key == "other")
            continue;
        rest.keys.push_back(key);
        rest.list.push_back(std::move(doc.list[n]));
        if (key == "fovea")
            rest.list.back().text = "policy";
    }
    Result<AttentionPolicy> policy = policyFromTree(rest);
    FOVEA_TRY(policy);
    session.request.policy = std::move(*policy);
    if (const JsonTree* against = doc.find("against")) {
        Result<AttentionPolicy> other = policyFromTree(*against);
        if (!other)
            return bad("against: " + other.error().message);
        session.request.against = std::move(*other);
    }
    if (const JsonTree* other = doc.find("other"))
        FOVEA_TRY(readOther(*other, session));
    return session;
}

} // namespace

std::string sessionToJson(const Session& session) {
    const Request& request = session.request;
    Json doc = policyDocument(request.policy);
    doc["fovea"] = "session";
    Json text = contentJson(request.text ? *request.text : std::string());
    text["template"] = request.textTemplate == TextTemplate::Chat ? "chat" : "raw";
    text["special_tokens"] = request.encode.specialTokens;
    text["max_tokens"] = request.maxTokens;
    doc["text"] = std::move(text);
    doc["model"] = {{"path", request.modelPath},
                    {"sha256", session.modelSha256},
                    {"precision", precisionName(request.precision)}};
    if (!request.nativeWindows)
        doc["model"]["native_windows"] = false;
    if (request.against)
        doc["against"] = policyDocument(*request.against);
    if (request.other) {
        doc["other"] = {{"name", json::utf8(request.other->name)}};
        if (request.other->text)
            doc["other"]["text"] = contentJson(*request.other->text);
        else
            doc["other"]["model"] = request.other->modelPath;
        if (request.other->maxTokens)
            doc["other"]["max_tokens"] = *request.other->maxTokens;
    }
    const VisibleRect& v = request.visible;
    doc["view"] = {{"layer", v.layer},
                   {"head", v.head},
                   {"queries", Json::array({v.queries.first, v.queries.last})},
                   {"keys", Json::array({v.keys.first, v.keys.last})},
                   {"state", Json::object()}};
    for (const auto& [key, value] : session.view)
        doc["view"]["state"][key] = value;
    return json::write(doc);
}

Result<Session> sessionFromJson(std::string_view text) {
    return orOutOfMemory("there is not enough memory to read the session.",
                         [&] { return readSession(text); });
}

} // namespace fovea
