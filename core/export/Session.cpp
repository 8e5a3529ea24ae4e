#include "core/export/Session.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace fovea {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kDeepest = 64;
constexpr std::size_t kLargest = std::size_t{64} << 20;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::BadValue, "session: " + what + ".");
}

/// A key as it may stand in a message: short, no control characters.
std::string shown(const std::string& key) {
    std::string text = key.substr(0, 80);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F)
            c = '?';
    return "\"" + text + "\"";
}

/// Looks at the syntax alone: keys that repeat (the library would keep the last) and depth (it has no limit).
class Strict : public nlohmann::json_sax<Json> {
public:
    std::string problem;

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t value, const string_t& text) override {
        return std::isfinite(value) || stop("the number " + shown(text) + " is too large");
    }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return stop("binary values are not accepted"); }
    bool start_object(std::size_t) override {
        m_keys.emplace_back();
        return open();
    }
    bool key(string_t& name) override {
        return m_keys.back().insert(name).second || stop("the key " + shown(name) + " stands twice");
    }
    bool end_object() override {
        m_keys.pop_back();
        --m_depth;
        return true;
    }
    bool start_array(std::size_t) override { return open(); }
    bool end_array() override {
        --m_depth;
        return true;
    }
    bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
        return stop("not JSON at byte " + std::to_string(at));
    }

private:
    bool open() { return ++m_depth <= kDeepest || stop("nested deeper than " + std::to_string(kDeepest)); }
    bool stop(std::string why) {
        if (problem.empty())
            problem = std::move(why);
        return false;
    }
    std::vector<std::set<std::string>> m_keys;
    std::size_t m_depth = 0;
};

std::string encodeBase64(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t b = 0; b < 3; ++b)
            group = group << 8 | (b < count ? static_cast<unsigned char>(bytes[i + b]) : 0U);
        for (std::size_t c = 0; c < 4; ++c)
            text += c <= count ? kAlphabet[group >> (18 - 6 * c) & 63U] : '=';
    }
    return text;
}

Result<std::string> decodeBase64(const std::string& text) {
    std::string bytes;
    std::uint32_t group = 0;
    std::size_t bits = 0;
    std::size_t end = text.size();
    while (end > 0 && text[end - 1] == '=')
        --end;
    if (text.size() % 4 != 0 || text.size() - end > 2)
        return bad("text.base64 is " + std::to_string(text.size()) + " characters, which is no whole base64");
    for (std::size_t i = 0; i < end; ++i) {
        const std::size_t value = kAlphabet.find(text[i]);
        if (value == std::string_view::npos)
            return bad("text.base64 has a foreign character at " + std::to_string(i));
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(group >> bits & 0xFFU);
        }
    }
    return bytes;
}

bool isUtf8(const std::string& text) {
    try {
        return !Json(text).dump().empty();
    } catch (const Json::exception&) {
        return false;
    }
}

/// Typed access to the members of one object; every key must be asked for, or it is unknown.
class Reader {
public:
    Reader(const Json& object, std::string path) : m_object(object), m_path(std::move(path)) {}

    [[nodiscard]] Result<> onlyKeys(std::initializer_list<std::string_view> known) const {
        if (!m_object.is_object())
            return bad(m_path + " is no object");
        for (const auto& [key, value] : m_object.items())
            if (std::find(known.begin(), known.end(), key) == known.end())
                return bad(m_path + " has the unknown key " + shown(key));
        return {};
    }
    [[nodiscard]] bool has(const char* key) const { return m_object.contains(key); }
    Result<> read(const char* key, std::string& into) const {
        return get(key, &Json::is_string, "a string", [&](const Json& v) { into = v.get<std::string>(); });
    }
    Result<> read(const char* key, bool& into) const {
        return get(key, &Json::is_boolean, "true or false", [&](const Json& v) { into = v.get<bool>(); });
    }
    Result<> read(const char* key, std::size_t& into) const {
        return get(key, &Json::is_number_unsigned, "an integer of 0 or more",
                   [&](const Json& v) { into = v.get<std::size_t>(); });
    }
    Result<> read(const char* key, int& into) const {
        std::size_t value = 0;
        FOVEA_TRY(read(key, value));
        if (has(key) && value > 1000000)
            return bad(m_path + "." + key + " is " + std::to_string(value) + "; at most 1000000 is accepted");
        if (has(key))
            into = static_cast<int>(value);
        return {};
    }
    Result<> read(const char* key, RowRange& into) const {
        if (!has(key))
            return {};
        const Json& v = m_object.at(key);
        if (!v.is_array() || v.size() != 2 || !v[0].is_number_unsigned() || !v[1].is_number_unsigned() ||
            v[0] > v[1])
            return bad(m_path + "." + key + " must be [first, last] with first <= last");
        into = {v[0].get<std::size_t>(), v[1].get<std::size_t>()};
        return {};
    }

private:
    template <class Take>
    Result<> get(const char* key, bool (Json::*is)() const noexcept, const char* wanted,
                 const Take& take) const {
        if (!has(key))
            return {};
        const Json& value = m_object.at(key);
        if (!(value.*is)())
            return bad(m_path + "." + key + " is " + shown(value.dump()) + "; " + wanted + " is accepted");
        take(value);
        return {};
    }
    const Json& m_object;
    std::string m_path;
};

Result<> readText(const Json& object, Request& request) {
    const Reader reader(object, "text");
    FOVEA_TRY(reader.onlyKeys({"content", "base64", "template", "special_tokens", "max_tokens"}));
    std::string content, base64, name = "raw";
    FOVEA_TRY(reader.read("content", content));
    FOVEA_TRY(reader.read("base64", base64));
    if (reader.has("content") == reader.has("base64"))
        return bad("text needs either content or base64");
    if (reader.has("base64")) {
        Result<std::string> bytes = decodeBase64(base64);
        FOVEA_TRY(bytes);
        content = std::move(*bytes);
    }
    FOVEA_TRY(reader.read("template", name));
    if (name != "raw" && name != "chat")
        return bad("text.template is " + shown(name) + "; \"raw\" and \"chat\" are accepted");
    request.textTemplate = name == "chat" ? TextTemplate::Chat : TextTemplate::Raw;
    FOVEA_TRY(reader.read("special_tokens", request.encode.specialTokens));
    FOVEA_TRY(reader.read("max_tokens", request.maxTokens));
    request.text = std::make_shared<const std::string>(std::move(content));
    return {};
}

Result<> readModel(const Json& object, Session& session) {
    const Reader reader(object, "model");
    FOVEA_TRY(reader.onlyKeys({"path", "sha256", "precision"}));
    std::string precision = "f32";
    FOVEA_TRY(reader.read("path", session.request.modelPath));
    FOVEA_TRY(reader.read("sha256", session.modelSha256));
    FOVEA_TRY(reader.read("precision", precision));
    if (precision != "f32" && precision != "bf16")
        return bad("model.precision is " + shown(precision) + "; \"f32\" and \"bf16\" are accepted");
    session.request.precision = precision == "bf16" ? Precision::BF16 : Precision::F32;
    return {};
}

Result<> readView(const Json& object, Session& session) {
    const Reader reader(object, "view");
    FOVEA_TRY(reader.onlyKeys({"layer", "head", "queries", "keys", "state"}));
    VisibleRect& visible = session.request.visible;
    FOVEA_TRY(reader.read("layer", visible.layer));
    FOVEA_TRY(reader.read("head", visible.head));
    FOVEA_TRY(reader.read("queries", visible.queries));
    FOVEA_TRY(reader.read("keys", visible.keys));
    if (!reader.has("state"))
        return {};
    const Json& state = object.at("state");
    if (!state.is_object())
        return bad("view.state is no object");
    for (const auto& [key, value] : state.items()) {
        if (!value.is_string())
            return bad("view.state." + shown(key) + " is no string");
        session.view[key] = value.get<std::string>();
    }
    return {};
}

Result<Session> readSession(std::string_view text) {
    if (text.size() > kLargest)
        return fail(ErrorCode::TooLarge, "session: " + std::to_string(text.size()) + " bytes; at most " +
                                             std::to_string(kLargest) + " are read.");
    Strict strict;
    if (!Json::sax_parse(text.begin(), text.end(), &strict))
        return bad(strict.problem.empty() ? "not JSON" : strict.problem);
    Json doc = Json::parse(text.begin(), text.end());
    if (!doc.is_object() || !doc.contains("fovea") || doc["fovea"] != "session")
        return fail(ErrorCode::NotThisFormat,
                    "session: not a session document; \"fovea\": \"session\" is missing.");
    Session session;
    for (const char* part : {"text", "model", "view"}) {
        if (!doc.contains(part))
            return bad(std::string(part) + " is missing");
    }
    FOVEA_TRY(readText(doc["text"], session.request));
    FOVEA_TRY(readModel(doc["model"], session));
    FOVEA_TRY(readView(doc["view"], session));
    for (const char* part : {"text", "model", "view"})
        doc.erase(part);
    doc["fovea"] = "policy"; // what is left is a policy document, read by its own reader
    Result<AttentionPolicy> policy = policyFromJson(doc.dump());
    FOVEA_TRY(policy);
    session.request.policy = std::move(*policy);
    return session;
}

} // namespace

std::string sessionToJson(const Session& session) {
    const Request& request = session.request;
    Json doc = Json::parse(policyToJson(request.policy));
    doc["fovea"] = "session";
    const std::string content = request.text ? *request.text : std::string();
    Json text;
    if (isUtf8(content))
        text["content"] = content;
    else
        text["base64"] = encodeBase64(content);
    text["template"] = request.textTemplate == TextTemplate::Chat ? "chat" : "raw";
    text["special_tokens"] = request.encode.specialTokens;
    text["max_tokens"] = request.maxTokens;
    doc["text"] = std::move(text);
    doc["model"] = {{"path", request.modelPath},
                    {"sha256", session.modelSha256},
                    {"precision", precisionName(request.precision)}};
    const VisibleRect& v = request.visible;
    doc["view"] = {{"layer", v.layer},
                   {"head", v.head},
                   {"queries", {v.queries.first, v.queries.last}},
                   {"keys", {v.keys.first, v.keys.last}},
                   {"state", Json::object()}};
    for (const auto& [key, value] : session.view)
        doc["view"]["state"][key] = value;
    return doc.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Session> sessionFromJson(std::string_view text) {
    try {
        return readSession(text);
    } catch (const Json::exception&) {
        return bad("not JSON");
    }
}

} // namespace fovea
