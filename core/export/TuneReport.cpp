#include "core/export/TuneReport.h"
#include "core/export/Csv.h"
#include "core/export/JsonParts.h"
#include "core/policy/PolicyJson.h"
#include "core/tune/Front.h"
#include <cmath>

namespace fovea {

namespace {

using json::Json;
using json::number;

Json bandJson(const Band& band) {
    return {{"value", number(band.value)}, {"low", number(band.low)}, {"high", number(band.high)}};
}

Json predictionJson(const Prediction& prediction) {
    return {{"next_token_kl", bandJson(prediction.kl)},
            {"top1_agreement", bandJson(prediction.top1)},
            {"delta_nll", bandJson(prediction.deltaNll)}};
}

Json measurementJson(const Measurement& m) {
    return {{"pairs_ratio", number(m.cost.pairsRatio)},
            {"density", number(m.cost.density)},
            {"flops_ratio", number(m.cost.flopsRatio)},
            {"kv_bytes_ratio", number(m.cost.kvBytesRatio)},
            {"seconds", json::seconds(m.cost.hybrid.total)},
            {"next_token_kl", number(m.kl)},
            {"kl_p95", number(m.klP95)},
            {"kl_worst", number(m.klWorst)},
            {"kl_worst_position", m.klWorstPosition},
            {"top1_agreement", number(m.top1)},
            {"delta_nll", number(m.deltaNll)}};
}

Json measurementsJson(const std::vector<Measurement>& measured, const std::vector<TunedText>& texts) {
    Json list = Json::array();
    for (std::size_t t = 0; t < measured.size(); ++t) {
        Json one = measurementJson(measured[t]);
        one["text"] = t < texts.size() ? Json(json::utf8(texts[t].name)) : Json();
        list.push_back(std::move(one));
    }
    return list;
}

Json heldOutJson(const std::vector<HeldOut>& heldOut) {
    Json list = Json::array();
    for (const HeldOut& one : heldOut) {
        Json row = measurementJson(one.measured);
        row["text"] = json::utf8(one.text);
        row["held_out"] = true;
        list.push_back(std::move(row));
    }
    return list;
}

Json valueOf(const std::string& param, const ParamValue& value) {
    const ParamSpec* spec = findParam(param);
    return spec != nullptr ? Json(formatParam(*spec, value)) : Json();
}

Json candidateJson(const TuneCandidate& candidate) {
    Json values = Json::object();
    for (const auto& [param, value] : candidate.values)
        values[param] = valueOf(param, value);
    Json doc;
    doc["policy_sha256"] = candidate.hash;
    doc["summary"] = candidate.policy.summary();
    doc["options"] = policyToOptions(candidate.policy);
    doc["preset"] = candidate.preset.empty() ? Json() : Json(candidate.preset);
    doc["values"] = std::move(values);
    doc["kind"] = candidate.control ? "control" : "policy";
    doc["looks_ahead"] = candidate.ahead;
    return doc;
}

const char* endingName(TuneEnding ending) {
    switch (ending) {
    case TuneEnding::Running:
        return "running";
    case TuneEnding::Settled:
        return "settled";
    case TuneEnding::Spent:
        return "runs spent";
    case TuneEnding::NotPredicted:
        return "cannot predict";
    case TuneEnding::Nothing:
        break;
    }
    return "nothing within the bound";
}

Json stepJson(const std::string& param, const std::optional<SensitivityStep>& step) {
    if (!step)
        return {};
    Json doc{{"value", valueOf(param, step->value)}, {"pairs_ratio_estimated", number(step->pairsRatio)}};
    doc["predicted"] = predictionJson(step->predicted);
    return doc;
}

Json sensitivityJson(const TuneReport& report) {
    Json rows = Json::array();
    for (const Sensitivity& row : *report.sensitivity) {
        Json doc{{"parameter", row.param},
                 {"at", valueOf(row.param, row.at)},
                 {"does_nothing", row.doesNothing()}};
        doc["down"] = stepJson(row.param, row.down);
        doc["up"] = stepJson(row.param, row.up);
        rows.push_back(std::move(doc));
    }
    Json doc;
    doc["policy"] = policyDocument(report.sensitivityOf);
    if (!report.sensitivity->empty()) {
        doc["predicted_next_token_kl"] = number(report.sensitivity->front().klAt);
        doc["pairs_ratio_estimated"] = number(report.sensitivity->front().pairsAt);
    }
    doc["parameters"] = std::move(rows);
    return doc;
}

Json budgetsJson(const TuneReport& report) {
    const BudgetComparison& b = *report.budgets;
    Json shares = Json::array();
    for (const BudgetShare& share : b.budgets.shares)
        shares.push_back({{"layer", share.layer},
                          {"first_head", share.firstHead},
                          {"last_head", share.lastHead - 1},
                          {"window", share.window},
                          {"routed", number(share.routed)},
                          {"pairs_estimated", number(share.pairs)}});
    Json doc;
    doc["uniform"] = {{"policy", policyDocument(b.uniform)},
                      {"measured", measurementsJson(b.uniformMeasured, report.texts)},
                      {"held_out", heldOutJson(b.uniformHeldOut)}};
    doc["budgets"] = {{"policy", policyDocument(b.budgets.policy)},
                      {"measured", measurementsJson(b.budgetMeasured, report.texts)},
                      {"held_out", heldOutJson(b.budgetHeldOut)}};
    doc["shares"] = std::move(shares);
    return doc;
}

/// A measured point as an answer: means over the texts.
Json answerJson(const TunePoint& point) {
    Json one = candidateJson(point.candidate);
    one["pairs_ratio"] = number(point.measuredPairs());
    one["next_token_kl"] = number(point.measuredKl());
    one["top1_agreement"] = number(point.measuredTop1());
    one["delta_nll"] = number(point.measuredDeltaNll());
    return one;
}

} // namespace

Foretold foretold(const Tuning& tuning) {
    Foretold result;
    std::vector<double> predicted, measured;
    for (const TunePoint& point : tuning.points) {
        if (!point.foretold || point.measured.empty())
            continue;
        predicted.push_back(point.foretold->kl.value);
        measured.push_back(point.measuredKl());
        ++result.points;
        result.inside +=
            measured.back() >= point.foretold->kl.low && measured.back() <= point.foretold->kl.high ? 1U : 0U;
    }
    result.rankCorrelation = result.points >= 3 ? rankCorrelation(predicted, measured) : std::nan("");
    return result;
}

std::string tuneJson(const TuneReport& report) {
    const Tuning& tuning = report.tuning;
    DocumentHead head;
    head.model = report.texts.front().snapshot->model.get();
    const TunePoint* best = tuning.best ? &tuning.points[*tuning.best] : nullptr;
    head.policy = best != nullptr ? &best->candidate.policy : nullptr;
    head.threads = report.threads;
    Json doc = json::document("tune", head);
    doc["texts"] = Json::array();
    for (std::size_t t = 0; t < report.texts.size(); ++t) {
        const Snapshot& snapshot = *report.texts[t].snapshot;
        Json text{{"text", json::utf8(report.texts[t].name)},
                  {"text_sha256", snapshot.textHash},
                  {"tokens", snapshot.tokens->size()},
                  {"past_context", snapshot.pastContext}};
        if (t < tuning.calibrations.size()) {
            const Calibration& c = tuning.calibrations[t];
            text["calibration"] = {{"predictor", c.ready() ? Json(predictorName(c.predictor())) : Json()},
                                   {"points", c.points()},
                                   {"rank_correlation_left_out", number(c.rankCorrelation())},
                                   {"band_factor", c.ready() ? number(c.factor()) : Json()}};
        }
        doc["texts"].push_back(std::move(text));
    }
    const TuneGoal& goal = report.options.goal;
    doc["goal"] = {{"within_kl", goal.withinKl ? number(*goal.withinKl) : Json()},
                   {"within_pairs", goal.withinPairs ? number(*goal.withinPairs) : Json()}};
    doc["seed"] = report.options.seed;
    doc["sampled_rows"] = report.options.sampledRows;
    doc["calibration_tokens"] = tuning.prefixTokens;
    doc["policies_judged"] = tuning.judged;
    doc["runs"] = tuning.runs;
    doc["runs_read_back"] = tuning.storedRuns;
    doc["ending"] = endingName(tuning.ending);
    const Foretold checked = foretold(tuning);
    doc["foretold"] = {{"points", checked.points},
                       {"inside_band", checked.inside},
                       {"rank_correlation", number(checked.rankCorrelation)}};
    doc["seconds"] = {{"judging", number(tuning.judgeSeconds)}, {"first_curve", number(tuning.curveSeconds)}};
    doc["predicted"] = Json::array();
    doc["measured"] = Json::array();
    for (const TunePoint& point : tuning.points) {
        if (point.predicted) {
            Json one = candidateJson(point.candidate);
            one["pairs_ratio_estimated"] = number(point.estimatedPairs());
            one["prediction"] = predictionJson(*point.predicted);
            one["front"] = point.predictedFront;
            doc["predicted"].push_back(std::move(one));
        }
        if (!point.measured.empty()) {
            Json one = candidateJson(point.candidate);
            one["pairs_ratio"] = number(point.measuredPairs());
            one["next_token_kl"] = number(point.measuredKl());
            one["top1_agreement"] = number(point.measuredTop1());
            one["delta_nll"] = number(point.measuredDeltaNll());
            one["texts"] = measurementsJson(point.measured, report.texts);
            one["foretold"] = point.foretold ? predictionJson(*point.foretold) : Json();
            one["front"] = point.measuredFront;
            doc["measured"].push_back(std::move(one));
        }
    }
    const std::optional<std::size_t> knee = kneeMeasured(tuning.points);
    doc["knee"] = knee ? answerJson(tuning.points[*knee]) : Json();
    doc["best"] = Json();
    if (best != nullptr) {
        Json one = answerJson(*best);
        one["held_out"] = heldOutJson(report.heldOut);
        one["controls"] = Json::array();
        for (const TuneControl& control : report.controls)
            one["controls"].push_back(
                {{"kind", control.kind}, {"measured", measurementsJson(control.measured, report.texts)}});
        one["command"] = json::utf8(report.command);
        doc["best"] = std::move(one);
    }
    if (report.sensitivity)
        doc["sensitivity"] = sensitivityJson(report);
    if (report.budgets)
        doc["budgets"] = budgetsJson(report);
    return json::write(doc);
}

std::string tuneCsv(const Tuning& tuning) {
    std::string csv = "name,options,policy_sha256,kind,pairs_ratio_estimated,predicted_kl,predicted_kl_low,"
                      "predicted_kl_high,predicted_front,pairs_ratio,next_token_kl,kl_p95,top1_agreement,"
                      "delta_nll,foretold_kl,measured_front\n";
    const double none = std::nan("");
    for (const TunePoint& p : tuning.points) {
        csv += csvText(p.candidate.policy.name) + ',' + csvText(policyToOptions(p.candidate.policy)) + ',' +
               p.candidate.hash + ',' +
               (p.candidate.control ? "control"
                : p.candidate.ahead ? "looks ahead"
                                    : "policy");
        const bool judged = !p.judged.empty(), run = !p.measured.empty();
        double p95 = 0;
        for (const Measurement& m : p.measured)
            p95 += m.klP95 / static_cast<double>(p.measured.size());
        for (const double x :
             {judged ? p.estimatedPairs() : none, p.predicted ? p.predicted->kl.value : none,
              p.predicted ? p.predicted->kl.low : none, p.predicted ? p.predicted->kl.high : none})
            csv += ',' + csvNumber(x);
        csv += p.predicted ? (p.predictedFront ? ",1" : ",0") : ",";
        for (const double x : {run ? p.measuredPairs() : none, run ? p.measuredKl() : none, run ? p95 : none,
                               run ? p.measuredTop1() : none, run ? p.measuredDeltaNll() : none,
                               p.foretold ? p.foretold->kl.value : none})
            csv += ',' + csvNumber(x);
        csv += run ? (p.measuredFront ? ",1" : ",0") : ",";
        csv += '\n';
    }
    return csv;
}

} // namespace fovea
