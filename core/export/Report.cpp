#include "core/export/Report.h"
#include "core/export/Csv.h"
#include "core/policy/PolicyJson.h"
#include <cmath>
#include <nlohmann/json.hpp>

namespace fovea {

namespace {

using Json = nlohmann::ordered_json;
constexpr int kVersion = 1;
constexpr std::string_view kRoutingMark = "\"@routing@\"";

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}
Json number(const std::optional<double>& value) {
    return value ? number(*value) : Json();
}

Json seconds(const Seconds& s) {
    if (s.runs == 0)
        return {{"median", nullptr}, {"spread", nullptr}, {"runs", 0}};
    return {{"median", number(s.median)}, {"spread", number(s.spread)}, {"runs", s.runs}};
}

Json policyJson(const AttentionPolicy& policy) {
    return Json::parse(policyToJson(policy));
}

/// What every document begins with.
Json head(std::string_view kind, const Snapshot& snapshot, int threads) {
    const ModelShape& shape = snapshot.model->shape;
    const ModelInfo& info = snapshot.model->info;
    Json doc;
    doc["fovea"] = kind;
    doc["version"] = kVersion;
    doc["provenance"] = snapshot.provenance();
    doc["model"] = {{"name", info.name},         {"sha256", info.sha256},    {"family", shape.family},
                    {"layers", shape.layers},    {"heads", shape.heads},     {"kv_heads", shape.kvHeads},
                    {"head_dim", shape.headDim}, {"context", shape.context}, {"vocab", shape.vocabulary}};
    doc["policy"] = policyJson(snapshot.request->policy);
    doc["policy_sha256"] = snapshot.policyHash;
    doc["text_sha256"] = snapshot.textHash;
    doc["threads"] = threads;
    doc["precision"] = precisionName(snapshot.request->precision);
    doc["isa"] = isaName(snapshot.request->isa);
    doc["tokens"] = snapshot.tokens->size();
    doc["past_context"] = snapshot.pastContext;
    return doc;
}

Json armJson(const ArmCost& arm, const Json& meanNll) {
    return {{"mean_nll", meanNll},
            {"seconds", seconds(arm.total)},
            {"pairs", arm.pairs},
            {"pairs_computed", arm.pairsComputed},
            {"kv_bytes", arm.kvBytes},
            {"attention_seconds", seconds(arm.attention)},
            {"attention_flops", arm.attentionFlops},
            {"dense_flops", arm.denseFlops}};
}

Json hybridJson(const Cost& cost, const Json& meanNll) {
    Json arm = armJson(cost.hybrid, meanNll);
    arm["router_seconds"] = seconds(cost.hybrid.router);
    arm["plan_seconds"] = seconds(cost.hybrid.plan);
    arm["router_macs"] = cost.hybrid.routerMacs;
    arm["extra_pass_macs"] = cost.hybrid.extraPassMacs;
    arm["router_bytes"] = cost.hybrid.routerBytes;
    arm["far_entries"] = cost.hybrid.farEntries;
    arm["far_macs"] = cost.hybrid.farMacs;
    arm["far_state_bytes"] = cost.hybrid.farStateBytes;
    arm["how"] = cost.skipped ? "skipped" : "simulated";
    return arm;
}

Json costJson(const Cost& cost) {
    return {{"density", number(cost.density)},
            {"pairs_ratio", number(cost.pairsRatio)},
            {"flops_ratio", number(cost.flopsRatio)},
            {"kv_bytes_ratio", number(cost.kvBytesRatio)},
            {"seconds_ratio", number(cost.secondsRatio)},
            {"break_even_tokens", number(cost.breakEvenTokens)}};
}

Json binsJson(std::span<const float> full, std::span<const float> hybrid) {
    Json bins = Json::array();
    for (const PositionBin& bin : positionBins(full, hybrid))
        bins.push_back({{"first", bin.first}, {"last", bin.last}, {"mean_delta", number(bin.meanDelta)}});
    return bins;
}

Json floats(std::span<const float> values) {
    Json array = Json::array();
    for (const float x : values)
        array.push_back(number(static_cast<double>(x)));
    return array;
}

Json layerJson(const LayerFidelity& f) {
    return {{"layer", f.layer},
            {"mass_recall", number(f.massRecall)},
            {"output_error", number(f.outputError)},
            {"regime", "isolated"},
            {"row_divergence", number(f.rowDivergence)},
            {"worst_row_mass", number(f.worstRowMass)},
            {"worst_head", f.worstHead},
            {"worst_query", f.worstQuery},
            {"bound_ratio", number(f.boundRatio)},
            {"head_mass", floats(f.headMass)},
            {"head_output_error", floats(f.headOutputError)},
            {"pairs", f.pairs},
            {"pairs_computed", f.pairsComputed},
            {"router_macs", f.routerMacs}};
}

Json fidelityJson(const Snapshot& snapshot) {
    const PropagatedResult* run = snapshot.propagated.get();
    const IsolatedResult* isolated = snapshot.isolated.get();
    const auto end = [run](double PropagatedFidelity::*field) {
        return run ? number(run->fidelity.*field) : Json();
    };
    Json doc;
    doc["next_token_kl"] = end(&PropagatedFidelity::nextTokenKl);
    doc["top1_agreement"] = end(&PropagatedFidelity::top1Agreement);
    doc["delta_nll"] = end(&PropagatedFidelity::deltaNll);
    doc["mass_recall"] = isolated ? number(isolated->massRecall) : Json();
    doc["output_error"] = isolated ? number(isolated->outputError) : Json();
    doc["row_divergence"] = isolated ? number(isolated->rowDivergence) : Json();
    doc["topk_overlap"] =
        isolated && isolated->overlap.sampledRows > 0 ? number(isolated->overlap.mean) : Json();
    doc["topk_sampled_rows"] = isolated ? isolated->overlap.sampledRows : 0;
    doc["kl_p95"] = end(&PropagatedFidelity::klP95);
    doc["kl_worst"] = end(&PropagatedFidelity::klWorst);
    doc["kl_worst_position"] = run ? Json(run->fidelity.klWorstPosition) : Json();
    doc["position_nll_delta"] =
        run ? binsJson(run->fidelity.fullNll, run->fidelity.hybridNll) : Json(Json::array());
    doc["depth_error"] = run ? floats(run->fidelity.depthError) : Json(Json::array());
    doc["layers"] = Json::array();
    if (isolated)
        for (const LayerFidelity& layer : isolated->layers)
            doc["layers"].push_back(layerJson(layer));
    return doc;
}

Json tierJson(const StoredTier& tier) {
    return {{"regime", "isolated"},
            {"exact_bytes", tier.exactBytes},
            {"cold_bytes", tier.coldBytes},
            {"f32_bytes", tier.f32Bytes},
            {"key_error", number(tier.keyError)},
            {"value_error", number(tier.valueError)},
            {"quantisation_error", number(tier.quantisationError)},
            {"promoted_keys", tier.promotedKeys},
            {"promotion_hits", number(tier.promotionHits)},
            {"output_error", number(tier.promotedError)},
            {"output_error_unpromoted", number(tier.unpromotedError)}};
}

Json gatesJson(const std::vector<GateResult>& gates) {
    Json array = Json::array();
    for (const GateResult& g : gates)
        array.push_back({{"gate", g.gate},
                         {"name", g.name},
                         {"ok", g.ok ? Json(*g.ok) : Json()},
                         {"value", number(g.value)},
                         {"tolerance", number(g.tolerance)},
                         {"detail", g.detail}});
    return array;
}

Json ladderJson(const Ladder& ladder) {
    Json doc{{"prompt", ladder.prompt}, {"steps", ladder.steps}};
    for (const Ladder::Named& named : ladder.rungs())
        doc[std::string(named.name)] = {{"seconds_per_token", seconds(named.rung->perToken)},
                                        {"steps_timed", named.rung->perToken.runs},
                                        {"prompt_seconds", number(named.rung->promptSeconds)},
                                        {"kv_bytes", named.rung->kvBytes}};
    return doc;
}

std::string jsonNumber(float value) {
    const std::string text = csvNumber(value);
    return text.empty() ? "null" : text;
}

/// The routing rows as text. There can be a million of them: as a tree of values they would not fit.
std::string routingJson(const RoutingRecord* record, const ModelShape& shape) {
    if (!record || record->rows.empty())
        return "[]";
    const std::string signal = Json(record->signal).dump();
    std::string text = "[";
    for (const RoutingRow& row : record->rows) {
        const int heads = row.headGroup >= 0 ? shape.headsPerKv() : 1;
        for (int h = row.head; h < row.head + heads; ++h) {
            text += text.size() > 1 ? ",\n    {" : "\n    {";
            text += "\"layer\":" + std::to_string(row.layer) + ",\"head\":" + std::to_string(h) +
                    ",\"token\":" + std::to_string(row.token) + ",\"role\":\"" +
                    std::string(roleName(row.role)) + "\",\"reason\":\"routed\",\"signal\":" + signal +
                    ",\"score\":" + jsonNumber(row.score) + ",\"threshold\":" + jsonNumber(row.threshold) +
                    ",\"rank\":" + std::to_string(row.rank) + ",\"budget\":" + std::to_string(row.budget) +
                    ",\"query_first\":" + std::to_string(row.queryFirst) +
                    ",\"query_last\":" + std::to_string(row.queryLast) +
                    ",\"queries\":" + std::to_string(row.queries) +
                    ",\"head_group\":" + (row.headGroup >= 0 ? std::to_string(row.headGroup) : "null") + "}";
        }
    }
    return text + "\n  ]";
}

std::string dump(const Json& doc) {
    // Pieces of a model's name or a policy's may hold loose bytes: they become U+FFFD.
    return doc.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json valueJson(const ParamValue& value) {
    return std::visit(
        [](const auto& x) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::int64_t>)
                return x == kAll ? Json("all") : Json(x);
            else if constexpr (std::is_same_v<std::decay_t<decltype(x)>, double>)
                return number(x);
            else
                return Json(x);
        },
        value);
}

} // namespace

std::string reportJson(const Snapshot& snapshot, const std::vector<GateResult>& gates, int threads,
                       const Ladder* ladder, const StoredTier* tier) {
    const PropagatedResult* run = snapshot.propagated.get();
    const IsolatedResult* isolated = snapshot.isolated.get();
    const Cost none;
    const Cost& cost = run ? run->cost : isolated ? isolated->cost : none;
    Json doc = head("report", snapshot, threads);
    doc["full"] = armJson(snapshot.full ? snapshot.full->cost : cost.full,
                          run ? number(run->fidelity.fullMeanNll) : Json());
    doc["hybrid"] = hybridJson(cost, run ? number(run->fidelity.hybridMeanNll) : Json());
    doc["cost"] = costJson(cost);
    doc["fidelity"] = fidelityJson(snapshot);
    if (tier != nullptr)
        doc["cold_tier"] = tierJson(*tier);
    doc["ladder"] = ladder != nullptr ? ladderJson(*ladder) : Json();
    if (ladder == nullptr)
        doc["ladder_note"] = "not run: no ladder was asked for, or the text is too short for one";
    doc["routing"] = "@routing@";
    doc["trained_for_policy"] = "drop-in";
    doc["gates"] = gatesJson(gates);
    std::string text = dump(doc);
    const std::string key = "\"routing\": ";
    const std::size_t at = text.find(key + std::string(kRoutingMark));
    if (at != std::string::npos)
        text.replace(at + key.size(), kRoutingMark.size(),
                     routingJson(run ? run->routing.get() : nullptr, snapshot.model->shape));
    return text;
}

std::string checkJson(const Snapshot& snapshot, const std::vector<GateResult>& gates, int threads) {
    Json doc = head("check", snapshot, threads);
    doc["gates"] = gatesJson(gates);
    return dump(doc);
}

std::string sweepJson(const Snapshot& snapshot, const std::vector<SweepPoint>& points, int threads) {
    Json doc = head("sweep", snapshot, threads);
    doc["full"] = armJson(snapshot.full ? snapshot.full->cost : ArmCost{}, {});
    doc["points"] = Json::array();
    for (const SweepPoint& p : points) {
        if (!p.done)
            continue;
        Json values = Json::object();
        for (const auto& [param, value] : p.values)
            values[param] = valueJson(value);
        Json cost = costJson(p.cost);
        cost["pairs"] = p.cost.hybrid.pairs;
        cost["pairs_computed"] = p.cost.hybrid.pairsComputed;
        cost["router_macs"] = p.cost.hybrid.routerMacs;
        cost["extra_pass_macs"] = p.cost.hybrid.extraPassMacs;
        cost["seconds"] = seconds(p.cost.hybrid.total);
        cost["router_seconds"] = seconds(p.cost.hybrid.router);
        cost["plan_seconds"] = seconds(p.cost.hybrid.plan);
        cost["attention_seconds"] = seconds(p.cost.hybrid.attention);
        cost["kv_bytes"] = p.cost.hybrid.kvBytes;
        doc["points"].push_back({{"policy", policyJson(p.policy)},
                                 {"values", values},
                                 {"kind", p.kind == PointKind::Policy          ? "policy"
                                          : p.kind == PointKind::RandomControl ? "random"
                                                                               : "oracle"},
                                 {"cost", cost},
                                 {"fidelity",
                                  {{"next_token_kl", number(p.fidelity.nextTokenKl)},
                                   {"kl_p95", number(p.fidelity.klP95)},
                                   {"kl_worst", number(p.fidelity.klWorst)},
                                   {"top1_agreement", number(p.fidelity.top1Agreement)},
                                   {"delta_nll", number(p.fidelity.deltaNll)},
                                   {"mass_recall", number(p.massRecall)},
                                   {"output_error", number(p.outputError)}}},
                                 {"pareto", p.pareto},
                                 {"held_out", false}});
    }
    doc["axes"] = {{"cost", "pairs_ratio"}, {"fidelity", "next_token_kl"}};
    return dump(doc);
}

} // namespace fovea
