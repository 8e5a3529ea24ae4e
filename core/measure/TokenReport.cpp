#include "core/measure/TokenReport.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/HeadReads.h"
#include "core/route/Router.h"
#include <algorithm>
#include <numeric>

namespace fovea {

namespace {

/// Indices of the `count` largest values, largest first, ties: the later one.
std::vector<std::size_t> largest(const std::vector<float>& values, std::size_t count) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
        [&](std::size_t a, std::size_t b) { return values[a] != values[b] ? values[a] > values[b] : a > b; });
    order.resize(count);
    return order;
}

ReadLine lineOf(const RowFacts& row, std::size_t key, const std::vector<float>& scores) {
    ReadLine line{row.query(), key, row.row().full[key], {}, row.kind(key), {}, {}};
    if (row.covered()) {
        line.hybrid = row.row().hybrid[key];
        if (!row.readsAll())
            line.router = row.router(key, scores);
    }
    return line;
}

/// Arm A's row; empty where it is full attention or not run.
std::optional<RowFacts> againstRow(const TileSource& source, int head, std::size_t query) {
    const TileSource arm = againstSource(source);
    return covers(arm, head, query) ? std::optional<RowFacts>(std::in_place, arm, head, query) : std::nullopt;
}

} // namespace

std::vector<float> candidateScores(const TileSource& source, const RouteInput& route, const ModelShape& shape,
                                   int head, const RowFacts& row) {
    if (!row.covered() || row.signal().empty())
        return {};
    const AttentionPolicy own = source.plan->policy->withParts(source.plan->partsOf(head));
    Result<std::vector<float>> scores = signalScores(own, shape, route, head, row.query(), {});
    return scores ? std::move(*scores) : std::vector<float>(); // a signal that ranks queries has none
}

TokenReport tokenReport(const TileSource& source, const RouteInput& route, const ModelShape& shape, int head,
                        std::size_t token, std::size_t lines) {
    TokenReport report;
    const RowFacts own(source, head, token);
    const std::vector<float> scores = candidateScores(source, route, shape, head, own);
    report.covered = own.covered();
    report.fullHead = own.fullHead();
    report.signal = own.signal();
    const NativeWindow native = source.input.native();
    report.keys = native.end(token, source.input.k.rows) - native.first(token);
    report.keptKeys = own.keptKeys();
    report.keptMass = own.keptMass();
    const std::optional<RowFacts> other = againstRow(source, head, token);
    if (other)
        report.againstKeptKeys = other->keptKeys();
    for (const std::size_t key : largest(own.row().full, std::min(lines, report.keys))) {
        report.reads.push_back(lineOf(own, key, scores));
        if (other)
            report.reads.back().against = other->row().hybrid[key];
    }

    const AttentionColumn column = makeColumn(head, token, source);
    report.later = native.readers(column.full.size());
    for (std::size_t i = 0; i < report.later; ++i) {
        if (!covers(source, head, column.first + i))
            continue;
        ++report.coveredReaders;
        report.readers += column.reason[i] < Reason::Far ? 1 : 0;
        report.routedReaders += column.reason[i] == Reason::Routed ? 1 : 0;
    }
    for (const std::size_t i : largest(column.full, std::min(lines, report.later))) {
        const RowFacts row(source, head, column.first + i);
        report.readBy.push_back(lineOf(row, token, candidateScores(source, route, shape, head, row)));
        if (const std::optional<RowFacts> arm = againstRow(source, head, column.first + i))
            report.readBy.back().against = arm->row().hybrid[token];
    }
    return report;
}

std::vector<RoutedInLayer> routedLayers(const RoutingRecord& record, const ModelShape& shape,
                                        std::size_t token) {
    std::vector<RoutedInLayer> layers;
    for (const RoutingRow& row : record.rows) {
        if (row.token != token)
            continue;
        auto line = std::find_if(layers.begin(), layers.end(), [&](const RoutedInLayer& known) {
            return known.layer == row.layer && known.role == row.role;
        });
        if (line == layers.end()) {
            layers.push_back(
                {row.layer, 0, shape.heads, row.role, row.score, row.threshold, row.rank, row.budget, 0});
            line = layers.end() - 1;
        } else if (row.rank != 0 && (line->rank == 0 || row.rank < line->rank)) {
            line->score = row.score;
            line->threshold = row.threshold;
            line->rank = row.rank;
            line->budget = row.budget;
        }
        line->heads += row.headGroup >= 0 ? shape.headsPerKv() : 1;
        line->queries = std::max(line->queries, row.queries);
    }
    std::stable_sort(layers.begin(), layers.end(),
                     [](const RoutedInLayer& a, const RoutedInLayer& b) { return a.layer < b.layer; });
    return layers;
}

} // namespace fovea
