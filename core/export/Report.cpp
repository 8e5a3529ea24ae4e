#include "core/export/Report.h"
#include "core/engine/ArmComparison.h"
#include "core/engine/RunComparison.h"
#include "core/export/Csv.h"
#include "core/export/JsonParts.h"
#include "core/policy/PolicyJson.h"
#include <cmath>

namespace fovea {

namespace {

using json::Json;
using json::number;
using json::seconds;

Json hybridJson(const Cost& cost, const Json& meanNll) {
    Json arm = json::arm(cost.hybrid, meanNll);
    arm["router_seconds"] = seconds(cost.hybrid.router);
    arm["plan_seconds"] = seconds(cost.hybrid.plan);
    arm["router_macs"] = cost.hybrid.routerMacs;
    arm["extra_pass_macs"] = cost.hybrid.extraPassMacs;
    arm["router_bytes"] = cost.hybrid.routerBytes;
    arm["far_entries"] = cost.hybrid.farEntries;
    arm["far_macs"] = cost.hybrid.farMacs;
    arm["far_state_bytes"] = cost.hybrid.farStateBytes;
    arm["how"] = "skipped";
    return arm;
}

Json binsJson(std::span<const float> full, std::span<const float> hybrid) {
    Json bins = Json::array();
    for (const PositionBin& bin : positionBins(full, hybrid))
        bins.push_back({{"first", bin.first}, {"last", bin.last}, {"mean_delta", number(bin.meanDelta)}});
    return bins;
}

Json layerJson(const LayerFidelity& f) {
    return {{"layer", f.layer},
            {"mass_recall", number(f.massRecall)},
            {"output_error", number(f.outputError)},
            {"regime", "isolated"},
            {"native_window", f.nativeWindow > 0 ? Json(f.nativeWindow) : Json()},
            {"row_divergence", number(f.rowDivergence)},
            {"row_divergence_rows", f.divergenceRows > 0 ? Json(f.divergenceRows) : Json()},
            {"worst_row_mass", number(f.worstRowMass)},
            {"worst_head", f.worstHead},
            {"worst_query", f.worstQuery},
            {"bound_ratio", number(f.boundRatio)},
            {"head_mass", json::numbers(f.headMass)},
            {"head_output_error", json::numbers(f.headOutputError)},
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
    // Null: exact, over all rows. A number: an estimate from so many sampled rows.
    doc["row_divergence_rows"] =
        isolated && isolated->divergenceRows > 0 ? Json(isolated->divergenceRows) : Json();
    doc["topk_overlap"] =
        isolated && isolated->overlap.sampledRows > 0 ? number(isolated->overlap.mean) : Json();
    doc["topk_sampled_rows"] = isolated ? isolated->overlap.sampledRows : 0;
    doc["kl_p95"] = end(&PropagatedFidelity::klP95);
    doc["kl_worst"] = end(&PropagatedFidelity::klWorst);
    doc["kl_worst_position"] = run ? Json(run->fidelity.klWorstPosition) : Json();
    doc["position_nll_delta"] =
        run ? binsJson(run->fidelity.fullNll, run->fidelity.hybridNll) : Json(Json::array());
    if (run && run->fidelity.sentence) {
        const SentenceFidelity& sentence = *run->fidelity.sentence;
        doc["kl_worst_position"] = Json();
        doc["next_token_note"] = kNoNextToken; // why the numbers above are null
        doc["sentence_pooling"] = poolingName(snapshot.model->shape.pooling);
        doc["sentence_cosine"] = number(sentence.cosine);
        doc["token_cosine"] = number(sentence.tokenCosine);
        doc["token_cosine_worst"] = number(sentence.worstCosine);
        doc["token_cosine_worst_position"] = sentence.worstToken;
        doc["token_cosines"] = json::numbers(sentence.tokens);
    }
    doc["depth_error"] = run ? json::numbers(run->fidelity.depthError) : Json(Json::array());
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

/// The routing rows. There can be a million, too many for a tree of JSON values.
Json routingJson(const RoutingRecord* record, const ModelShape& shape) {
    if (!record || record->rows.empty())
        return Json::array();
    std::vector<std::string> signals;
    for (const std::string& signal : record->usedSignals)
        signals.push_back(Json(signal).compact());
    std::string text = "[";
    for (const RoutingRow& row : record->rows) {
        const int heads = row.headGroup >= 0 ? shape.headsPerKv() : 1;
        for (int h = row.head; h < row.head + heads; ++h) {
            text += text.size() > 1 ? ",\n    {" : "\n    {";
            text += "\"layer\":" + std::to_string(row.layer) + ",\"head\":" + std::to_string(h) +
                    ",\"token\":" + std::to_string(row.token) + ",\"role\":\"" +
                    std::string(roleName(row.role)) +
                    "\",\"reason\":\"routed\",\"signal\":" + signals[row.signal] +
                    ",\"score\":" + jsonNumber(row.score) + ",\"threshold\":" + jsonNumber(row.threshold) +
                    ",\"rank\":" + (row.rank > 0 ? std::to_string(row.rank) : "null") +
                    ",\"budget\":" + std::to_string(row.budget) +
                    ",\"query_first\":" + std::to_string(row.queryFirst) +
                    ",\"query_last\":" + std::to_string(row.queryLast) +
                    ",\"queries\":" + std::to_string(row.queries) +
                    ",\"head_group\":" + (row.headGroup >= 0 ? std::to_string(row.headGroup) : "null") + "}";
        }
    }
    return Json::written(text + "\n  ]");
}

/// The record in a few lines: how many rows and choices, and the tokens that each head of each layer routes.
Json routingSummary(const RoutingRecord* record, const ModelShape& shape, const std::string& file) {
    std::uint64_t rows = 0;
    std::uint64_t choices = 0;
    std::vector<std::vector<std::uint64_t>> tokens(
        static_cast<std::size_t>(shape.layers),
        std::vector<std::uint64_t>(static_cast<std::size_t>(shape.heads), 0));
    if (record != nullptr)
        for (const RoutingRow& row : record->rows) {
            const int heads = row.headGroup >= 0 ? shape.headsPerKv() : 1;
            rows += static_cast<std::uint64_t>(heads);
            choices += static_cast<std::uint64_t>(heads) * row.queries;
            for (int head = row.head; head < row.head + heads; ++head)
                ++tokens[static_cast<std::size_t>(row.layer)][static_cast<std::size_t>(head)];
        }
    Json doc{{"rows", rows}, {"choices", choices}, {"tokens_per_layer_and_head", tokens}};
    doc["file"] = file.empty() ? Json() : Json(file);
    if (file.empty())
        doc["note"] = "--out DIR writes the rows into routing.csv, --routing-rows puts them here";
    return doc;
}

/// Arm A, with the figures of both arms and their differences.
Json againstJson(const Snapshot& snapshot) {
    const std::shared_ptr<const Snapshot> arm = snapshot.armA();
    const std::optional<ArmComparison> compared = compareArms(snapshot);
    if (!arm || !compared)
        return {};
    const Cost& cost = arm->propagated->cost;
    Json doc;
    doc["policy"] = policyDocument(arm->request->policy);
    doc["policy_sha256"] = arm->policyHash;
    doc["hybrid"] = hybridJson(cost, number(arm->propagated->fidelity.hybridMeanNll));
    doc["cost"] = json::cost(cost);
    doc["fidelity"] = fidelityJson(*arm);
    doc["difference"] = {
        {"cost_ratio", number(compared->costRatio)},
        {"next_token_kl", number(compared->klDifference)},
        {"top1_agreement", number(compared->top1Difference)},
        {"top1_between", number(compared->top1Between)},
        {"sentence_cosine", number(compared->sentenceDifference.value_or(std::nan("")))},
        {"mean_nll", number(compared->lossDifference)},
        {"mass_recall", number(compared->massDifference)},
        {"output_error", number(compared->errorDifference)},
        {"position_nll_delta", binsJson(armALoss(snapshot), snapshot.propagated->fidelity.hybridNll)}};
    return doc;
}

Json alignmentJson(const TokenAlignment& alignment) {
    Json doc{{"by", alignedByName(alignment.by)}, {"tokens_a", alignment.countA},
             {"tokens_b", alignment.countB},      {"aligned_a", alignment.alignedA()},
             {"aligned_b", alignment.alignedB()}, {"parts", alignment.parts.size()}};
    if (alignment.by == AlignedBy::Tokens)
        return doc;
    Json ranges = Json::array(); // [first of A, end of A, first of B, end of B]
    for (const AlignedPart& part : alignment.parts)
        ranges.push_back(Json::array({part.a.first, part.a.last, part.b.first, part.b.last}));
    doc["ranges"] = std::move(ranges);
    return doc;
}

/// Arm A where it has a text or a model of its own: its run, and what can be compared with arm B's.
Json otherJson(const Snapshot& snapshot) {
    const std::optional<RunComparison> compared = compareRuns(snapshot);
    if (!compared)
        return {};
    const Snapshot& arm = *snapshot.other;
    const Cost& cost = arm.propagated->cost;
    Json doc;
    doc["differs"] = snapshot.request->other->modelPath.empty() ? "text" : "model";
    doc["model"] = json::modelCard(*arm.model);
    doc["text_sha256"] = arm.textHash;
    doc["past_context"] = arm.pastContext;
    doc["tokens"] = arm.tokens->size();
    doc["full"] = json::arm(arm.full->cost, number(arm.propagated->fidelity.fullMeanNll));
    doc["hybrid"] = hybridJson(cost, number(arm.propagated->fidelity.hybridMeanNll));
    doc["cost"] = json::cost(cost);
    doc["fidelity"] = fidelityJson(arm);
    doc["alignment"] = alignmentJson(*snapshot.alignment);
    const auto loss = [&](double RunComparison::Losses::*of) {
        return compared->losses ? number((*compared->losses).*of) : Json();
    };
    doc["aligned_loss"] = {{"parts", compared->parts},
                           {"full_a", loss(&RunComparison::Losses::fullA)},
                           {"full_b", loss(&RunComparison::Losses::fullB)},
                           {"hybrid_a", loss(&RunComparison::Losses::hybridA)},
                           {"hybrid_b", loss(&RunComparison::Losses::hybridB)}};
    return doc;
}

} // namespace

std::string reportJson(const Snapshot& snapshot, const std::vector<GateResult>& gates, int threads,
                       const Ladder* ladder, const StoredTier* tier, const ReportRouting& routing) {
    const PropagatedResult* run = snapshot.propagated.get();
    const IsolatedResult* isolated = snapshot.isolated.get();
    const Cost none;
    const Cost& cost = run ? run->cost : isolated ? isolated->cost : none;
    Json doc = json::runHead("report", snapshot, threads, true);
    doc["full"] = json::arm(snapshot.full ? snapshot.full->cost : cost.full,
                            run ? number(run->fidelity.fullMeanNll) : Json());
    doc["hybrid"] = hybridJson(cost, run ? number(run->fidelity.hybridMeanNll) : Json());
    doc["cost"] = json::cost(cost);
    doc["fidelity"] = fidelityJson(snapshot);
    if (snapshot.against)
        doc["against"] = againstJson(snapshot);
    if (snapshot.other)
        doc["other"] = otherJson(snapshot);
    if (tier != nullptr)
        doc["cold_tier"] = tierJson(*tier);
    doc["ladder"] = ladder != nullptr ? ladderJson(*ladder) : Json();
    if (ladder == nullptr)
        doc["ladder_note"] =
            snapshot.model->shape.predictsTokens()
                ? std::string("not run: no ladder was asked for, or the text is too short for one")
                : std::string("not run: it times decoding, and ").append(kNoNextToken);
    const RoutingRecord* record = run ? run->routing.get() : nullptr;
    doc["routing"] = routing.rows ? routingJson(record, snapshot.model->shape)
                                  : routingSummary(record, snapshot.model->shape, routing.file);
    doc["trained_for_policy"] = "drop-in";
    doc["gates"] = gatesJson(gates);
    return json::write(doc);
}

std::string checkJson(const Snapshot& snapshot, const std::vector<GateResult>& gates, int threads) {
    Json doc = json::runHead("check", snapshot, threads, true);
    doc["gates"] = gatesJson(gates);
    return json::write(doc);
}

} // namespace fovea
