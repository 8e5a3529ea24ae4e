#include "core/export/FailureReport.h"
#include "core/export/JsonParts.h"
#include "core/export/Session.h"
#include "core/text/Display.h"
#include <algorithm>
#include <filesystem>

namespace fovea {

namespace {

using json::Json;
using json::number;

constexpr LostKind kLostKinds[] = {LostKind::RepeatedLine, LostKind::Quotation, LostKind::Number,
                                   LostKind::Name, LostKind::Word};

Json failureJson(const TextFailures& text, std::size_t n) {
    const PolicyFailure& one = text.failures[n];
    const Tokens& tokens = *text.snapshot->tokens;
    Json doc{{"token", one.token},
             {"piece", json::utf8(tokens.pieces[one.token])},
             {"span", Json(std::vector<std::size_t>{one.first, one.last})},
             {"text", tokensText(tokens, one.first, one.last)},
             {"before", tokensText(tokens, one.first - std::min<std::size_t>(one.first, 12), one.first)},
             {"kind", lostKindName(one.kind)},
             {"loss_change", number(one.lossChange)},
             {"kl", number(one.kl)},
             {"flipped", one.flipped}};
    doc["lost"] = !one.hasSource ? Json()
                                 : Json{{"token", one.source},
                                        {"piece", json::utf8(tokens.pieces[one.source])},
                                        {"distance", one.token - 1 - one.source},
                                        {"repeated_tokens", one.repeated},
                                        {"layer", one.layer},
                                        {"head", one.head},
                                        {"query", one.token - 1},
                                        {"mass", number(one.lostMass)},
                                        {"row_kept_mass", number(one.keptMass)},
                                        {"would_keep", one.wouldKeep}};
    doc["session"] = n < text.sessions.size() ? Json(json::utf8(text.sessions[n])) : Json();
    return doc;
}

} // namespace

std::string tokensText(const Tokens& tokens, std::size_t first, std::size_t last, std::size_t most) {
    std::string text;
    for (std::size_t t = first; t < std::min(last, tokens.size()); ++t)
        text += tokens.pieces[t];
    return displayText(text, most);
}

std::string failuresJson(const DocumentHead& head, const std::vector<TextFailures>& texts) {
    Json doc = json::document("failures", head);
    doc["texts"] = Json::array();
    for (const TextFailures& text : texts) {
        Json one{{"name", json::utf8(text.name)},
                 {"text_sha256", text.snapshot->textHash},
                 {"tokens", text.snapshot->tokens->size()},
                 {"past_context", text.snapshot->pastContext}};
        one["failures"] = Json::array();
        for (std::size_t n = 0; n < text.failures.size(); ++n)
            one["failures"].push_back(failureJson(text, n));
        doc["texts"].push_back(std::move(one));
    }
    doc["kinds"] = Json::object();
    for (const LostKind kind : kLostKinds) {
        std::size_t count = 0;
        for (const TextFailures& text : texts)
            count += static_cast<std::size_t>(
                std::count_if(text.failures.begin(), text.failures.end(),
                              [&](const PolicyFailure& failure) { return failure.kind == kind; }));
        doc["kinds"][lostKindName(kind)] = count;
    }
    return json::write(doc);
}

std::string failureSession(const TextFailures& text, const PolicyFailure& failure,
                           const AttentionPolicy& policy) {
    Session session;
    session.request = *text.snapshot->request;
    std::error_code error; // the session may be opened from another folder than the one that is current now
    if (const auto path = std::filesystem::absolute(session.request.modelPath, error); !error)
        session.request.modelPath = path.string();
    session.request.policy = policy;
    session.request.depth = Depth::Propagated;
    session.request.headStats = true;
    session.request.visible = {failure.layer, failure.head, {}, {}};
    session.modelSha256 = text.snapshot->model->info.sha256;
    session.view["pinned"] = std::to_string(failure.token - 1);
    session.view["text"] = json::utf8(text.name);
    return sessionToJson(session);
}

} // namespace fovea
