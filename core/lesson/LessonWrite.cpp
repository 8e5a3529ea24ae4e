#include "core/lesson/LessonWrite.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include "core/files/Quote.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/Refusal.h"
#include "core/policy/PolicyJson.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>

namespace fovea::lesson {

namespace {

using json::Json;
using Kind = JsonTree::Kind;

Json toJson(const JsonTree& tree) {
    switch (tree.kind) {
    case Kind::Null:
        return nullptr;
    case Kind::Flag:
        return tree.flag;
    case Kind::Whole:
    case Kind::Real:
        return Json::written(tree.text);
    case Kind::Text:
        return tree.text;
    case Kind::List: {
        Json list = Json::array();
        for (const JsonTree& item : tree.list)
            list.push_back(toJson(item));
        return list;
    }
    case Kind::Object:
        break;
    }
    Json object = Json::object();
    for (std::size_t i = 0; i < tree.keys.size(); ++i)
        object[tree.keys[i]] = toJson(tree.list[i]);
    return object;
}

/// "{" and "[" begin something in a lesson's text; of a person's words they are the signs themselves.
std::string escaped(std::string_view words) {
    std::string text;
    for (const char c : words)
        text.append(c == '{' || c == '[' ? 2 : 1, c);
    return text;
}

std::string idOf(const std::string& title) {
    std::string id;
    for (const char c : title)
        if (std::isalnum(static_cast<unsigned char>(c)) != 0)
            id += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        else if (!id.empty() && id.back() != '-')
            id += '-';
    return id.empty() ? "lesson" : id.substr(0, 40);
}

/// What the map of a session shows, as a lesson names it.
std::string_view mapOf(const Session& session) {
    const auto mode = session.view.find("map.mode");
    for (const MapWish wish : {MapWish::Full, MapWish::Difference, MapWish::Kept})
        if (mode != session.view.end() && mode->second == mapWishName(wish))
            return mapWishName(wish);
    return mapWishName(MapWish::Hybrid);
}

/// The pinned token; -1: none.
int pinOf(const Session& session) {
    int token = -1;
    const auto pinned = session.view.find("pinned");
    if (pinned != session.view.end())
        std::from_chars(pinned->second.data(), pinned->second.data() + pinned->second.size(), token);
    return std::max(token, -1);
}

} // namespace

Result<std::string> withStep(std::string_view before, const RecordedStep& step) {
    const Request& request = step.session.request;
    const std::string content = request.text ? *request.text : std::string();
    if (!isUtf8(content))
        return badLesson("the session's text is not UTF-8, and a lesson's text is");
    JsonTree old;
    std::string policyName = "full";
    std::map<std::string, AttentionPolicy> named;
    if (!before.empty()) {
        const Result<Lesson> read = lessonFromJson(before);
        FOVEA_TRY(read);
        if (!read->text.bytes || *read->text.bytes != content)
            return badLesson(
                "the session shows another text than the lesson; all steps of a lesson are about one text");
        Result<JsonTree> tree = parseJson(before);
        FOVEA_TRY(tree);
        old = std::move(*tree);
        named = read->policies;
        for (const auto& [name, policy] : named)
            if (sameButName(policy, request.policy))
                policyName = name;
    }
    const bool full = sameButName(request.policy, AttentionPolicy{});
    const bool known = full || policyName != "full";
    for (int n = 1; !known && (policyName == "full" || named.contains(policyName)); ++n)
        policyName = "state" + std::to_string(n);

    Json doc = before.empty() ? Json::object() : toJson(old);
    if (before.empty()) {
        doc["fovea"] = "lesson";
        doc["version"] = 1;
        doc["id"] = idOf(step.title);
        doc["title"] = step.title;
        doc["minutes"] = 5;
        doc["why"] = step.title;
        doc["text"] = Json{{"content", content}, {"tokens", step.tokens}};
    }
    if (!known) {
        Json policies = Json::object();
        if (const JsonTree* earlier = old.find("policies"))
            policies = toJson(*earlier);
        policies[policyName] = policyDocument(request.policy);
        doc["policies"] = std::move(policies);
    }
    Json list = Json::array();
    if (const JsonTree* earlier = old.find("steps"))
        for (const JsonTree& one : earlier->list)
            list.push_back(toJson(one));
    Json made = Json::object();
    made["kind"] = "see";
    made["title"] = step.title;
    made["say"] = escaped(step.say);
    made["policy"] = policyName;
    made["layer"] = request.visible.layer;
    made["head"] = request.visible.head;
    made["query"] = std::min(pinOf(step.session), static_cast<int>(step.tokens) - 1);
    made["tokens"] = step.tokens;
    made["map"] = mapOf(step.session);
    list.push_back(std::move(made));
    doc["steps"] = std::move(list);
    std::string text = json::write(doc);
    const Result<Lesson> back = lessonFromJson(text);
    FOVEA_TRY(back);
    return text;
}

} // namespace fovea::lesson
