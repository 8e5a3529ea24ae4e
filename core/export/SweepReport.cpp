#include "core/export/SweepReport.h"
#include "core/base/Check.h"
#include "core/export/Csv.h"
#include "core/export/JsonParts.h"
#include "core/export/Report.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>

namespace fovea {

namespace {

using json::Json;
using json::number;
using json::seconds;

Json pointJson(const SweepPoint& p) {
    Json values = Json::object();
    for (const auto& [param, value] : p.values)
        values[param] = json::paramValue(value);
    Json cost = json::cost(p.cost);
    cost["pairs"] = p.cost.hybrid.pairs;
    cost["pairs_computed"] = p.cost.hybrid.pairsComputed;
    cost["router_macs"] = p.cost.hybrid.routerMacs;
    cost["extra_pass_macs"] = p.cost.hybrid.extraPassMacs;
    cost["seconds"] = seconds(p.cost.hybrid.total);
    cost["router_seconds"] = seconds(p.cost.hybrid.router);
    cost["plan_seconds"] = seconds(p.cost.hybrid.plan);
    cost["attention_seconds"] = seconds(p.cost.hybrid.attention);
    cost["kv_bytes"] = p.cost.hybrid.kvBytes;
    Json fidelity{{"next_token_kl", number(p.fidelity.nextTokenKl)},
                  {"kl_p95", number(p.fidelity.klP95)},
                  {"kl_worst", number(p.fidelity.klWorst)},
                  {"top1_agreement", number(p.fidelity.top1Agreement)},
                  {"delta_nll", number(p.fidelity.deltaNll)},
                  {"mass_recall", number(p.massRecall)},
                  {"output_error", number(p.outputError)}};
    if (p.fidelity.sentence) {
        fidelity["sentence_cosine"] = number(p.fidelity.sentence->cosine);
        fidelity["token_cosine"] = number(p.fidelity.sentence->tokenCosine);
        fidelity["token_cosine_worst"] = number(p.fidelity.sentence->worstCosine);
    }
    return {{"policy", policyDocument(p.policy)},
            {"values", values},
            {"kind", json::pointKind(p.kind)},
            {"cost", cost},
            {"fidelity", fidelity},
            {"pareto", p.pareto}};
}

Json textJson(const SweptText& text) {
    return {
        {"name", json::utf8(text.name)},    {"text_sha256", text.textHash},
        {"held_out", text.heldOut},         {"tokens", text.tokens > 0 ? Json(text.tokens) : Json()},
        {"past_context", text.pastContext}, {"full", text.tokens > 0 ? json::arm(text.full, {}) : Json()}};
}

} // namespace

std::size_t SweepReport::asked() const {
    std::size_t count = 0;
    for (std::size_t place = 0; place < texts.size() * gridPoints; ++place)
        count += asks(place) ? 1U : 0U;
    return count;
}

std::size_t SweepReport::done() const {
    std::size_t count = 0;
    for (const SweptText& text : texts)
        count += static_cast<std::size_t>(std::count_if(text.points.begin(), text.points.end(),
                                                        [](const SweepPoint& p) { return p.done; }));
    return count;
}

JsonTree sweepHead(const Snapshot& snapshot, int threads, bool oneText, bool isolated) {
    const Request& request = *snapshot.request;
    Json head = json::runHead("sweep", snapshot, threads, oneText);
    head["max_tokens"] = request.maxTokens > 0 ? Json(request.maxTokens) : Json();
    head["template"] = request.textTemplate == TextTemplate::Chat ? "chat" : "raw";
    head["special_tokens"] = request.encode.specialTokens;
    head["isolated"] = isolated;
    Result<JsonTree> tree = parseJson(json::write(head));
    FOVEA_ASSERT(tree.has_value());
    return std::move(*tree);
}

std::string sweepJson(const SweepReport& report) {
    Json doc = json::fromTree(report.head);
    if (report.shard)
        doc["shard"] = {{"index", report.shard->index}, {"count", report.shard->count}};
    if (report.texts.size() == 1)
        doc["full"] = json::arm(report.texts.front().full, {});
    doc["points_asked"] = report.asked();
    doc["points_total"] = report.texts.size() * report.gridPoints;
    doc["texts"] = Json::array();
    doc["points"] = Json::array();
    std::size_t place = 0;
    for (const SweptText& text : report.texts) {
        doc["texts"].push_back(textJson(text));
        for (const SweepPoint& point : text.points) {
            const std::size_t index = place++;
            if (!point.done)
                continue;
            Json one = pointJson(point);
            one["held_out"] = text.heldOut;
            one["text"] = json::utf8(text.name);
            one["index"] = index;
            doc["points"].push_back(std::move(one));
        }
    }
    if (!report.predictsTokens)
        doc["next_token_note"] = kNoNextToken; // why next-token numbers are null
    doc["axes"] = {{"cost", "pairs_ratio"},
                   {"fidelity", report.predictsTokens ? "next_token_kl" : "sentence_cosine"}};
    return json::write(doc);
}

std::string sweepCsv(const SweepReport& report) {
    std::string csv;
    for (const SweptText& text : report.texts)
        for (const SweepPoint& point : text.points) {
            if (!point.done)
                continue;
            if (csv.empty())
                csv = "text,held_out," + sweepCsvHead({point});
            csv += csvText(text.name) + (text.heldOut ? ",1," : ",0,") + sweepCsvRow(point);
        }
    return csv.empty() ? "text,held_out," + sweepCsvHead({}) : csv;
}

} // namespace fovea
