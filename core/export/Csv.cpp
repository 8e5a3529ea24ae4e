#include "core/export/Csv.h"
#include "core/export/Report.h"
#include "core/measure/HeadReads.h"
#include "core/text/Display.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace fovea {

namespace {

template <class T>
std::string shortest(T value) {
    if (!std::isfinite(value))
        return {};
    std::array<char, 48> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() ? std::string(text.data(), end) : std::string();
}

} // namespace

std::string csvText(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos)
        return std::string(text);
    std::string cell = "\"";
    for (const char c : text) {
        if (c == '"')
            cell += '"';
        cell += c;
    }
    return cell + '"';
}

std::string csvNumber(double value) {
    return shortest(value);
}
std::string csvNumber(float value) {
    return shortest(value);
}

std::string routingCsv(const RoutingRecord& record, const ModelShape& shape) {
    std::string csv =
        "layer,head,token,role,reason,signal,score,threshold,rank,budget,query_first,query_last,queries,"
        "head_group\n";
    for (const RoutingRow& row : record.rows) {
        const std::string rest = ',' + std::to_string(row.token) + ',' + std::string(roleName(row.role)) +
                                 ",routed," + csvText(record.signalOf(row)) + ',' + csvNumber(row.score) +
                                 ',' + csvNumber(row.threshold) + ',' +
                                 (row.rank > 0 ? std::to_string(row.rank) : "") + ',' +
                                 std::to_string(row.budget) + ',' + std::to_string(row.queryFirst) + ',' +
                                 std::to_string(row.queryLast) + ',' + std::to_string(row.queries) + ',' +
                                 (row.headGroup >= 0 ? std::to_string(row.headGroup) : "") + '\n';
        const int heads = row.headGroup >= 0 ? shape.headsPerKv() : 1;
        for (int head = row.head; head < row.head + heads; ++head)
            csv += std::to_string(row.layer) + ',' + std::to_string(head) + rest;
    }
    return csv;
}

std::string sweepCsvHead(const std::vector<SweepPoint>& points) {
    std::string csv =
        "name,kind,options,density,pairs_ratio,flops_ratio,kv_bytes_ratio,seconds_ratio,router_seconds,"
        "next_token_kl,kl_p95,top1_agreement,delta_nll,mass_recall,output_error,pareto";
    if (std::any_of(points.begin(), points.end(),
                    [](const SweepPoint& point) { return point.fidelity.sentence.has_value(); }))
        csv += ",sentence_cosine,token_cosine,next_token_note";
    if (!points.empty())
        for (const auto& [param, value] : points.front().values)
            csv += ',' + csvText(param);
    return csv + '\n';
}

std::string sweepCsvRow(const SweepPoint& p) {
    const char* kind = p.kind == PointKind::Policy          ? "policy"
                       : p.kind == PointKind::RandomControl ? "random control"
                                                            : "oracle control";
    std::string csv = csvText(p.policy.name) + ',' + kind + ',' + csvText(policyToOptions(p.policy));
    for (const double x :
         {p.cost.density, p.cost.pairsRatio, p.cost.flopsRatio, p.cost.kvBytesRatio,
          p.cost.secondsRatio.value_or(std::nan("")),
          p.cost.hybrid.router.runs > 0 ? p.cost.hybrid.router.median : std::nan(""), p.fidelity.nextTokenKl,
          p.fidelity.klP95, p.fidelity.top1Agreement, p.fidelity.deltaNll, p.massRecall, p.outputError})
        csv += ',' + csvNumber(x);
    csv += p.pareto ? ",1" : ",0";
    if (p.fidelity.sentence)
        csv += ',' + csvNumber(p.fidelity.sentence->cosine) + ',' +
               csvNumber(p.fidelity.sentence->tokenCosine) + ',' + kNoNextToken;
    for (const auto& [param, value] : p.values) {
        const ParamSpec* spec = findParam(param);
        csv += ',' + (spec ? csvText(formatParam(*spec, value)) : std::string());
    }
    return csv + '\n';
}

std::string sweepCsv(const std::vector<SweepPoint>& points) {
    std::string csv = sweepCsvHead(points);
    for (const SweepPoint& point : points)
        if (point.done)
            csv += sweepCsvRow(point);
    return csv;
}

std::uint64_t pairsIn(const ModelShape& shape, RowRange queries, RowRange keys) {
    if (!shape.causal)
        return std::uint64_t{queries.last - queries.first} * (keys.last - keys.first);
    std::uint64_t pairs = 0;
    for (std::size_t q = queries.first; q < queries.last; ++q)
        pairs += std::min(keys.last, q + 1) - std::min({keys.first, keys.last, q + 1});
    return pairs;
}

Result<std::string> attentionCsv(const Snapshot& snapshot, int layer, int head, RowRange queries,
                                 RowRange keys, std::size_t maxCells) {
    const std::optional<TileSource> source = snapshot.tileSource(layer);
    if (!source || !source->plan || source->hybridLse.empty())
        return fail(ErrorCode::BadValue, "attention: layer " + std::to_string(layer) +
                                             " has no hybrid rows yet; show that layer first.");
    const std::size_t tokens = snapshot.tokens->size();
    if (head < 0 || head >= snapshot.model->shape.heads || queries.last > tokens || keys.last > tokens)
        return fail(ErrorCode::BadValue,
                    "attention: head " + std::to_string(head) + ", queries to " +
                        std::to_string(queries.last) + ", keys to " + std::to_string(keys.last) +
                        "; heads below " + std::to_string(snapshot.model->shape.heads) +
                        " and positions up to " + std::to_string(tokens) + " are accepted.");
    const std::uint64_t cells = pairsIn(snapshot.model->shape, queries, keys);
    if (cells > maxCells)
        return fail(ErrorCode::TooLarge, "attention: " + std::to_string(cells) + " cells; at most " +
                                             std::to_string(maxCells) +
                                             " are written. Choose fewer queries or keys.");
    std::string csv = "query,key,query_text,key_text,p,phat,reason,layer,head,regime,model,text,policy";
    csv += snapshot.against ? ",against,against_policy\n" : "\n";
    const TileSource other = againstSource(*source);
    const std::string otherHash = snapshot.against ? snapshot.against->policyHash.substr(0, 8) : "";
    const std::string provenance = ',' + std::to_string(layer) + ',' + std::to_string(head) + ",isolated," +
                                   snapshot.model->info.sha256.substr(0, 8) + ',' +
                                   snapshot.textHash.substr(0, 8) + ',' + snapshot.policyHash.substr(0, 8);
    for (std::size_t q = queries.first; q < queries.last; ++q) {
        const AttentionRow row = makeRow(head, q, coveredSource(*source, head, q));
        const bool covered =
            covers(*source, head, q); // a row that is not run yet has no hybrid and no reason
        std::vector<float> against;   // empty: not run yet, or full attention
        if (covers(other, head, q))
            against = makeRow(head, q, other).hybrid;
        const std::string queryText = csvText(escapedText(snapshot.tokens->pieces[q]));
        for (std::size_t k = keys.first; k < std::min(keys.last, row.full.size()); ++k) {
            csv += std::to_string(q) + ',' + std::to_string(k) + ',' + queryText + ',' +
                   csvText(escapedText(snapshot.tokens->pieces[k])) + ',' + csvNumber(row.full[k]) + ',' +
                   (covered ? csvNumber(row.hybrid[k]) : std::string()) + ',' +
                   (covered ? std::string(reasonName(row.reason[k])) : std::string()) + provenance;
            if (snapshot.against)
                csv += ',' + (against.empty() ? std::string() : csvNumber(against[k])) + ',' + otherHash;
            csv += '\n';
        }
    }
    return csv;
}

} // namespace fovea
