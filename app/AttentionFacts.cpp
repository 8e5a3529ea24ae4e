#include "app/AttentionFacts.h"
#include "app/Usage.h"
#include "core/engine/HeadPolicy.h"
#include "core/export/AttentionJson.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace fovea::app {

namespace {

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void add(std::string& text, const char* format, ...) {
    char line[256];
    va_list values;
    va_start(values, format);
    std::vsnprintf(line, sizeof line, format, values);
    va_end(values);
    text += line;
}

std::string word(ReadKind kind) {
    std::string name(readKindName(kind));
    for (char& c : name)
        c = c == '_' ? ' ' : c;
    return name;
}

std::string piece(const Tokens& tokens, std::size_t token) {
    return displayText(tokens.pieces[token], 24);
}

/// "a,b" as two parts.
Outcome<std::pair<std::string, std::string>> twoParts(const std::string& option, const std::string& text,
                                                      const char* form) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos || text.find(',', comma + 1) != std::string::npos)
        return badUsage(option + " is \"" + text + "\"; " + form + " is accepted");
    return std::pair(text.substr(0, comma), text.substr(comma + 1));
}

Outcome<std::size_t> parseToken(const std::string& option, const std::string& text, std::size_t tokens) {
    Outcome<std::int64_t> token = parseWhole(option, text, 0, static_cast<std::int64_t>(tokens) - 1);
    FOVEA_TRY(token);
    return static_cast<std::size_t>(*token);
}

std::string routerText(const RouterFacts& router) {
    std::string text;
    if (router.score)
        add(text, ", score %.4g", static_cast<double>(*router.score));
    if (router.threshold)
        add(text, ", threshold %.4g", static_cast<double>(*router.threshold));
    if (router.rank > 0)
        add(text, ", place %u", router.rank);
    if (router.budget > 0)
        add(text, ", budget %u", router.budget);
    return text;
}

std::string pairTable(const AttentionPlace& place, const Tokens& tokens, const PairFacts& facts) {
    std::string text;
    add(text, "layer %d head %d: query %zu \"%s\", key %zu \"%s\"\n", place.layer, place.head, facts.query,
        piece(tokens, facts.query).c_str(), facts.key, piece(tokens, facts.key).c_str());
    if (facts.computed()) {
        add(text, "p %.6f, rank %zu; score %.4f, log-sum-exp %.4f\n", facts.full, facts.rank, facts.logit,
            facts.lse);
        if (facts.hybrid && !std::isnan(*facts.hybrid))
            add(text, "hybrid p %.6f, difference %+.6f\n", *facts.hybrid, *facts.hybrid - facts.full);
        if (facts.against) {
            add(text, "against p %.6f", *facts.against);
            if (facts.hybrid)
                add(text, ", hybrid minus against %+.6f", *facts.hybrid - *facts.against);
            text += " (" + word(facts.againstKind) + ")\n";
        }
    }
    text += word(facts.kind);
    if (!facts.signal.empty())
        text += ", " + facts.signal;
    return text + routerText(facts.router) + "\n";
}

std::string blockTable(const AttentionPlace& place, const FactsOptions& options, const BlockFacts& facts) {
    std::string text;
    add(text, "layer %d head %d, %s: queries %zu to %zu, keys %zu to %zu, %zu pairs\n", place.layer,
        place.head, options.quantity.c_str(), facts.queries.first, facts.queries.last - 1, facts.keys.first,
        facts.keys.last - 1, facts.pairs);
    if (facts.values)
        add(text, "largest %.6f at (%zu, %zu); mass %.6f\n", facts.values->largest, facts.values->query,
            facts.values->key, facts.values->mass);
    if (facts.read)
        add(text, "%zu pairs kept (%.4g %%), %zu seen through the far field\n", facts.read->kept,
            facts.keptShare() * 100, facts.read->far);
    return text;
}

void addLines(std::string& text, const Tokens& tokens, const std::vector<ReadLine>& lines, bool keys) {
    const bool armed = std::any_of(lines.begin(), lines.end(),
                                   [](const ReadLine& line) { return line.against.has_value(); });
    add(text, "  %7s      full    hybrid  %swhy\n", keys ? "key" : "query", armed ? " against  " : "");
    for (const ReadLine& line : lines) {
        const std::size_t other = keys ? line.key : line.query;
        add(text, "  %7zu  %8.5f  %8.5f  ", other, static_cast<double>(line.full),
            static_cast<double>(line.hybrid.value_or(NAN)));
        if (armed)
            add(text, "%8.5f  ", static_cast<double>(line.against.value_or(NAN)));
        text += word(line.kind) + routerText(line.router) + "  " + piece(tokens, other) + "\n";
    }
}

std::string tokenTable(const AttentionPlace& place, const Tokens& tokens, std::size_t token,
                       const TokenReport& report) {
    std::string text;
    add(text,
        "layer %d head %d, token %zu \"%s\": reads %zu of %zu keys, which hold %.4f of full attention\n",
        place.layer, place.head, token, piece(tokens, token).c_str(), report.keptKeys, report.keys,
        report.keptMass);
    addLines(text, tokens, report.reads, true);
    add(text, "read by %zu of %zu queries, by %zu only because it was routed\n", report.readers, report.later,
        report.routedReaders);
    addLines(text, tokens, report.readBy, false);
    return text;
}

std::string lanesTable(const Tokens& tokens, const RoutingLaneData& lanes) {
    std::string text;
    if (lanes.empty != RoutingLaneData::Empty::No) {
        add(text, "layer %d head %d %s\n", lanes.layer, lanes.head,
            lanes.empty == RoutingLaneData::Empty::FullHead ? "reads every key: nothing is routed there"
                                                            : "routes nothing");
        return text;
    }
    add(text, "layer %d head %d, %s", lanes.layer, lanes.head, lanes.signal.c_str());
    if (lanes.sampledChoices > 0)
        add(text, ": the oracle makes %.1f %% of %zu choices, of random ones %.1f %% (%zu queries)",
            lanes.oracleHits * 100, lanes.sampledChoices, lanes.randomHits * 100, lanes.sampledQueries);
    text += "\n  token     score  queries that read it as a routed key\n";
    for (std::size_t j = 0; j < lanes.tokens; ++j)
        if (lanes.keyUses[j] > 0 || (j < lanes.queryRole.size() && lanes.queryRole[j] != 0)) {
            add(text, "%7zu  %8.4g  %u%s  ", j, static_cast<double>(lanes.score[j]), lanes.keyUses[j],
                j < lanes.queryRole.size() && lanes.queryRole[j] != 0 ? ", query role" : "");
            text += piece(tokens, j) + "\n";
        }
    return text;
}

Outcome<RoutingLaneData> lanesOf(const TextRun& run, int layer, int head, std::optional<std::size_t> query) {
    const Snapshot& snapshot = *run.snapshot;
    const std::optional<AttentionPolicy> policy = headPolicy(snapshot, layer, head);
    RoutingLaneInput input;
    input.policy = &*policy; // the run is complete, so its plan says what the head does
    input.shape = &snapshot.model->shape;
    input.route = snapshot.routeInput(layer);
    input.head = head;
    input.query = query;
    input.choices = snapshot.visible->plan->choicesOf(head);
    Result<RoutingLaneData> lanes = routingLanes(input, run.work);
    FOVEA_TRY(lanes);
    return std::move(*lanes);
}

} // namespace

void addFactsOptions(CLI::App& app, FactsOptions& options) {
    const auto option = [&](const char* name, std::string& value, const char* type, const char* help) {
        return app.add_option(name, value, help)->type_name(type)->group("Instead of a row (isolated)");
    };
    option("--pair", options.pair, "I,J",
           "Query I and key J: both probabilities, score, rank, and why it is read or not.");
    option("--block", options.block, "A:B,C:D",
           "Queries A to B-1 with keys C to D-1: the greatest value, the mass, the pairs that are kept.");
    option("--quantity", options.quantity, "full|hybrid|difference|against|arm-difference",
           "Of --block. The last two need --against: that policy, and the policy minus it. Default: hybrid.");
    option("--token", options.token, "I", "What token I reads most, who reads it most, and why.");
    app.add_flag("--lanes", options.lanes,
                 "The router's work in this head: scores, who reads each routed token, and how far it agrees "
                 "with the oracle. With --query I: the choices of one query.")
        ->group("Instead of a row (isolated)");
}

Outcome<> checkFacts(const FactsOptions& options, bool against) {
    const int asked = (options.pair.empty() ? 0 : 1) + (options.block.empty() ? 0 : 1) +
                      (options.token.empty() ? 0 : 1) + (options.lanes ? 1 : 0);
    if (asked > 1)
        return badUsage("more than one of --pair, --block, --token and --lanes is given; one is accepted");
    if (!options.quantity.empty() && options.block.empty())
        return badUsage("--quantity is given without --block");
    if (const std::string& q = options.quantity; !q.empty() && q != "full" && q != "hybrid" &&
                                                 q != "difference" && q != "against" && q != "arm-difference")
        return badUsage("--quantity is \"" + q +
                        "\"; full, hybrid, difference, against and arm-difference are accepted");
    if (!against && (options.quantity == "against" || options.quantity == "arm-difference"))
        return badUsage("--quantity " + options.quantity + " is given without --against");
    return {};
}

Outcome<FactsAnswer> factsAnswer(const TextRun& run, int layer, int head, std::optional<std::size_t> query,
                                 const FactsOptions& options) {
    const Snapshot& snapshot = *run.snapshot;
    const Tokens& tokens = *snapshot.tokens;
    const TileSource source = *snapshot.tileSource(layer);
    const AttentionPlace place{layer, head, "isolated"};
    if (!options.pair.empty()) {
        Outcome<std::pair<std::string, std::string>> parts =
            twoParts("--pair", options.pair, "QUERY,KEY with both from 0");
        FOVEA_TRY(parts);
        Outcome<std::size_t> from = parseToken("--pair, the query,", parts->first, tokens.size());
        FOVEA_TRY(from);
        Outcome<std::size_t> to = parseToken("--pair, the key,", parts->second, tokens.size());
        FOVEA_TRY(to);
        const RouteInput route = snapshot.routeInput(layer);
        PairFacts facts = pairFacts(source, head, *from, *to);
        if (*to <= *from) {
            const RowFacts row(source, head, *from);
            facts = pairFacts(source, head, row, *to,
                              candidateScores(source, route, snapshot.model->shape, head, row));
        }
        return FactsAnswer{pairJson(run.head(), place, tokens, facts), pairTable(place, tokens, facts)};
    }
    if (!options.block.empty()) {
        Outcome<std::pair<std::string, std::string>> parts =
            twoParts("--block", options.block, "A:B,C:D (queries, keys)");
        FOVEA_TRY(parts);
        Outcome<IndexRange> queries = parseRange("--block, the queries,", parts->first, tokens.size());
        FOVEA_TRY(queries);
        Outcome<IndexRange> keys = parseRange("--block, the keys,", parts->second, tokens.size());
        FOVEA_TRY(keys);
        FactsOptions named = options;
        if (named.quantity.empty())
            named.quantity = "hybrid";
        const MapQuantity quantity = named.quantity == "full"             ? MapQuantity::Full
                                     : named.quantity == "difference"     ? MapQuantity::Difference
                                     : named.quantity == "arm-difference" ? MapQuantity::ArmDifference
                                                                          : MapQuantity::Hybrid;
        const bool ofArmA = named.quantity == "against";
        const BlockFacts facts = blockFacts(ofArmA ? againstSource(source) : source, head, quantity,
                                            {queries->first, queries->last}, {keys->first, keys->last});
        return FactsAnswer{blockJson(run.head(), place, named.quantity, facts),
                           blockTable(place, named, facts)};
    }
    if (!options.token.empty()) {
        Outcome<std::size_t> token = parseToken("--token", options.token, tokens.size());
        FOVEA_TRY(token);
        const TokenReport report =
            tokenReport(source, snapshot.routeInput(layer), snapshot.model->shape, head, *token, 8);
        return FactsAnswer{tokenJson(run.head(), place, tokens, *token, report),
                           tokenTable(place, tokens, *token, report)};
    }
    Outcome<RoutingLaneData> lanes = lanesOf(run, layer, head, query);
    FOVEA_TRY(lanes);
    return FactsAnswer{lanesJson(run.head(), place, *lanes), lanesTable(tokens, *lanes)};
}

} // namespace fovea::app
