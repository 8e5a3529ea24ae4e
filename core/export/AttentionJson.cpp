#include "core/export/AttentionJson.h"
#include "core/export/JsonParts.h"
#include <cmath>

namespace fovea {

namespace {

using json::Json;

Json opened(const DocumentHead& head, const AttentionPlace& place, std::string_view what) {
    Json out = json::document("attention", head);
    out["what"] = what;
    out["layer"] = place.layer;
    out["head"] = place.head;
    out["regime"] = place.regime;
    return out;
}

template <class T>
Json orNull(const std::optional<T>& value) {
    return value ? json::number(*value) : Json(nullptr);
}

Json countOrNull(std::uint32_t count) {
    return count > 0 ? Json(count) : Json(nullptr);
}

void addRouter(Json& out, const RouterFacts& router) {
    out["score"] = orNull(router.score);
    out["threshold"] = orNull(router.threshold);
    out["router_rank"] = countOrNull(router.rank);
    out["budget"] = countOrNull(router.budget);
}

Json range(RowRange r) {
    return Json::array({r.first, r.last});
}

Json linesJson(const std::vector<ReadLine>& lines) {
    Json list = Json::array();
    for (const ReadLine& line : lines) {
        Json item{{"query", line.query},
                  {"key", line.key},
                  {"full", json::number(line.full)},
                  {"hybrid", orNull(line.hybrid)},
                  {"why", readKindName(line.kind)}};
        addRouter(item, line.router);
        if (line.against)
            item["against"] = json::number(*line.against);
        list.push_back(std::move(item));
    }
    return list;
}

} // namespace

std::vector<ReadKind> readKinds(const RowFacts& row) {
    std::vector<ReadKind> kinds;
    for (std::size_t key = 0; key < row.row().full.size(); ++key)
        kinds.push_back(row.kind(key));
    return kinds;
}

std::string pairJson(const DocumentHead& head, const AttentionPlace& place, const Tokens& tokens,
                     const PairFacts& facts) {
    Json out = opened(head, place, "pair");
    out["query"] = facts.query;
    out["key"] = facts.key;
    out["query_piece"] = json::utf8(tokens.pieces[facts.query]);
    out["key_piece"] = json::utf8(tokens.pieces[facts.key]);
    out["why"] = readKindName(facts.kind);
    if (!facts.computed())
        return json::write(out);
    out["full"] = json::number(facts.full);
    out["full_rank"] = facts.rank;
    out["score_qk"] = json::number(facts.logit);
    out["log_sum_exp"] = json::number(facts.lse);
    out["hybrid"] = orNull(facts.hybrid);
    if (facts.against) {
        out["against"] = json::number(*facts.against);
        out["against_why"] = readKindName(facts.againstKind);
    }
    out["signal"] = facts.signal.empty() ? Json(nullptr) : Json(facts.signal);
    addRouter(out, facts.router);
    return json::write(out);
}

std::string blockJson(const DocumentHead& head, const AttentionPlace& place, std::string_view quantity,
                      const BlockFacts& facts) {
    Json out = opened(head, place, "block");
    out["quantity"] = quantity;
    out["queries"] = range(facts.queries);
    out["keys"] = range(facts.keys);
    out["pairs"] = facts.pairs;
    out["largest"] = facts.values ? json::number(facts.values->largest) : Json(nullptr);
    out["largest_at"] = facts.values ? Json::array({facts.values->query, facts.values->key}) : Json(nullptr);
    out["mass"] = facts.values ? json::number(facts.values->mass) : Json(nullptr);
    out["kept_pairs"] = facts.read ? Json(facts.read->kept) : Json(nullptr);
    out["far_pairs"] = facts.read ? Json(facts.read->far) : Json(nullptr);
    return json::write(out);
}

std::string tokenJson(const DocumentHead& head, const AttentionPlace& place, const Tokens& tokens,
                      std::size_t token, const TokenReport& report) {
    Json out = opened(head, place, "token");
    out["token"] = token;
    out["id"] = tokens.ids[token];
    out["piece"] = json::utf8(tokens.pieces[token]);
    out["signal"] = report.signal.empty() ? Json(nullptr) : Json(report.signal);
    out["keys"] = report.keys;
    out["kept_keys"] = report.covered ? Json(report.keptKeys) : Json(nullptr);
    out["kept_mass"] = report.covered ? json::number(report.keptMass) : Json(nullptr);
    if (report.againstKeptKeys)
        out["against_kept_keys"] = *report.againstKeptKeys;
    out["full_head"] = report.fullHead;
    out["reads"] = linesJson(report.reads);
    out["later_queries"] = report.later;
    out["readers"] = report.coveredReaders == report.later ? Json(report.readers) : Json(nullptr);
    out["routed_readers"] =
        report.coveredReaders == report.later ? Json(report.routedReaders) : Json(nullptr);
    out["read_by"] = linesJson(report.readBy);
    return json::write(out);
}

std::string lanesJson(const DocumentHead& head, const AttentionPlace& place, const RoutingLaneData& lanes) {
    Json out = opened(head, place, "lanes");
    out["routed"] = lanes.empty == RoutingLaneData::Empty::No;
    out["full_head"] = lanes.empty == RoutingLaneData::Empty::FullHead;
    if (lanes.empty != RoutingLaneData::Empty::No)
        return json::write(out);
    const bool hits = lanes.sampledChoices > 0;
    out["signal"] = lanes.signal.empty() ? Json(nullptr) : Json(lanes.signal);
    out["query"] = lanes.query ? Json(*lanes.query) : Json(nullptr);
    out["sampled_queries"] = lanes.sampledQueries;
    out["scored_queries"] = lanes.scoredQueries;
    out["sampled_choices"] = lanes.sampledChoices;
    out["oracle_hits"] = hits ? json::number(lanes.oracleHits) : Json(nullptr);
    out["random_hits"] = hits ? json::number(lanes.randomHits) : Json(nullptr);
    out["threshold"] = json::number(lanes.threshold);
    out["score"] = json::numbers(lanes.score);
    out["key_uses"] = lanes.keyUses;
    std::vector<bool> reader;
    for (const std::uint8_t role : lanes.queryRole)
        reader.push_back(role != 0);
    out["query_role"] = reader;
    const auto places = [](const std::vector<std::uint8_t>& flags) {
        Json list = Json::array();
        for (std::size_t j = 0; j < flags.size(); ++j)
            if (flags[j] != 0)
                list.push_back(j);
        return list;
    };
    out["routed_keys"] = lanes.query ? places(lanes.routed) : Json(nullptr);
    out["oracle_keys"] = lanes.query ? places(lanes.oracle) : Json(nullptr);
    return json::write(out);
}

} // namespace fovea
