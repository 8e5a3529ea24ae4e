#include "core/export/ProbeReport.h"
#include "core/export/Csv.h"
#include "core/export/JsonParts.h"
#include <algorithm>
#include <cstdio>

namespace fovea {

namespace {

using json::Json;
using json::number;

Json scoreJson(const ProbeScore& score) {
    const ProbeInterval interval = wilson(score);
    return {{"right", number(score.right)},
            {"cases", score.cases},
            {"accuracy", score.cases > 0 ? number(score.accuracy()) : Json()},
            {"low", number(interval.low)},
            {"high", number(interval.high)}};
}

Json sizeJson(const ProbeSize& size) {
    Json cells = Json::array();
    for (const ProbeCell& cell : size.cells)
        cells.push_back({{"depth", number(cell.depth)},
                         {"full", scoreJson(cell.full)},
                         {"hybrid", size.fullPasses ? scoreJson(cell.hybrid) : Json()},
                         {"passes", size.fullPasses ? Json(cell.passes()) : Json()}});
    Json doc{{"size", size.size}, {"tokens", size.tokens}, {"full_passes", size.fullPasses}};
    doc["full"] = scoreJson(size.full());
    doc["hybrid"] = size.fullPasses ? scoreJson(size.hybrid()) : Json();
    doc["cells"] = std::move(cells);
    return doc;
}

std::string xmlText(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    return out;
}

template <class... Values>
std::string line(const char* format, Values... values) {
    char text[320];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

constexpr int kCellWidth = 64, kCellHeight = 24, kLeft = 64, kTop = 56;

} // namespace

std::string whyNotApplicable(const ProbeResult& probe) {
    if (probe.lastPassed())
        return {};
    if (probe.sizes.empty())
        return "not asked";
    const ProbeScore full = probe.sizes.front().full();
    return line(
        "not applicable: full attention must be right in %.2f of the cases; at %zu tokens it was asked "
        "no more after %zu, of which %.0f were right",
        kProbePass, probe.sizes.front().size, full.cases, full.right);
}

std::optional<QuestionGap> questionGap(const std::vector<ProbeResult>& probes) {
    const auto of = [&](ProbeKind kind) {
        return std::find_if(probes.begin(), probes.end(),
                            [&](const ProbeResult& p) { return p.kind == kind; });
    };
    const auto first = of(ProbeKind::Question), last = of(ProbeKind::Passkey);
    if (first == probes.end() || last == probes.end())
        return {};
    for (std::size_t n = std::min(first->sizes.size(), last->sizes.size()); n-- > 0;)
        if (first->sizes[n].fullPasses && last->sizes[n].fullPasses)
            return QuestionGap{first->sizes[n].size, first->sizes[n].hybrid(), last->sizes[n].hybrid()};
    return {};
}

std::string probeJson(const DocumentHead& head, const ProbeReport& report) {
    Json doc = json::document("probe", head);
    doc["rule"] = {{"full_accuracy", number(kProbePass)},
                   {"margin", number(kProbeMargin)},
                   {"cases", report.options.cases},
                   {"seed", report.options.seed}};
    doc["probes"] = Json::array();
    for (const ProbeResult& probe : report.probes) {
        const std::string why = whyNotApplicable(probe);
        Json one{{"name", probeInfo(probe.kind).name},
                 {"applicable", why.empty()},
                 {"why", why.empty() ? Json() : Json(why)}};
        one["scored_at"] = probe.lastPassed() ? Json(probe.sizes[*probe.lastPassed()].size) : Json();
        one["sizes"] = Json::array();
        for (const ProbeSize& size : probe.sizes)
            one["sizes"].push_back(sizeJson(size));
        doc["probes"].push_back(std::move(one));
    }
    const std::optional<QuestionGap> gap = questionGap(report.probes);
    doc["question_order"] = gap ? Json{{"size", gap->size},
                                       {"first", number(gap->first.accuracy())},
                                       {"last", number(gap->last.accuracy())},
                                       {"gap", number(gap->last.accuracy() - gap->first.accuracy())}}
                                : Json();
    if (report.furthest) {
        doc["furthest_pair"] = Json{{"tokens", report.furthest->tokens}};
        doc["furthest_pair"]["full"] = scoreJson(report.furthest->full);
        doc["furthest_pair"]["hybrid"] = scoreJson(report.furthest->hybrid);
    }
    return json::write(doc);
}

std::string probeCsv(const ProbeReport& report) {
    std::string csv = "probe,size,tokens,depth,arm,right,cases,accuracy,low,high\n";
    for (const ProbeResult& probe : report.probes)
        for (const ProbeSize& size : probe.sizes)
            for (const ProbeCell& cell : size.cells)
                for (const ProbeScore* score : {&cell.full, &cell.hybrid}) {
                    if (score->cases == 0)
                        continue;
                    const ProbeInterval interval = wilson(*score);
                    csv += std::string(probeInfo(probe.kind).name) + ',' + std::to_string(size.size) + ',' +
                           std::to_string(size.tokens) + ',' + csvNumber(cell.depth) +
                           (score == &cell.full ? ",full," : ",hybrid,") + csvNumber(score->right) + ',' +
                           std::to_string(score->cases) + ',' + csvNumber(score->accuracy()) + ',' +
                           csvNumber(interval.low) + ',' + csvNumber(interval.high) + '\n';
                }
    return csv;
}

std::string probeSvg(const ProbeReport& report, const std::string& title) {
    int width = 0, height = 40;
    const auto widen = [&](const std::string& words, int size) { // so that the picture does not cut them
        width = std::max(width, 24 + static_cast<int>(words.size()) * size * 6 / 10);
    };
    const std::string key = line("across: tokens; down: depth of the fact. Green: at most %.2f below full "
                                 "attention; grey: full attention does not pass (its accuracy)",
                                 kProbeMargin);
    widen(title, 14);
    widen(key, 12);
    std::string body;
    for (const ProbeResult& probe : report.probes) {
        const auto columns = static_cast<int>(probe.sizes.size());
        const int rows = columns > 0 ? static_cast<int>(probe.sizes.front().cells.size()) : 0;
        body += line("<g transform='translate(0,%d)'><text x='12' y='20' font-weight='bold'>%s</text>",
                     height, probeInfo(probe.kind).name);
        const std::string why = whyNotApplicable(probe);
        widen(why, 12);
        if (!why.empty())
            body += "<text x='12' y='38'>" + xmlText(why) + "</text>";
        for (int column = 0; column < columns; ++column) {
            const ProbeSize& size = probe.sizes[static_cast<std::size_t>(column)];
            const int x = kLeft + column * kCellWidth;
            body += line("<text x='%d' y='%d' text-anchor='middle'>%zu</text>", x + kCellWidth / 2, kTop - 4,
                         size.size);
            for (int row = 0; row < rows; ++row) {
                const ProbeCell& cell = size.cells[static_cast<std::size_t>(row)];
                const int y = kTop + row * kCellHeight;
                if (column == 0)
                    body += line("<text x='%d' y='%d' text-anchor='end'>%.2g</text>", kLeft - 6, y + 16,
                                 cell.depth);
                const char* fill = !size.fullPasses ? "#dddddd" : cell.passes() ? "#9fd3a8" : "#e5a39b";
                body += line("<rect x='%d' y='%d' width='%d' height='%d' fill='%s' stroke='white'/>", x, y,
                             kCellWidth, kCellHeight, fill);
                const ProbeScore& score = size.fullPasses ? cell.hybrid : cell.full;
                if (score.cases > 0)
                    body += line("<text x='%d' y='%d' text-anchor='middle'>%.2f</text>", x + kCellWidth / 2,
                                 y + 16, score.accuracy());
            }
        }
        body += "</g>\n";
        width = std::max(width, kLeft + columns * kCellWidth + 20);
        height += kTop + rows * kCellHeight + 16;
    }
    return line("<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
                "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
                width, height + 24) +
           "<text x='12' y='24' font-size='14'>" + xmlText(title) + "</text>\n" + body +
           line("<text x='12' y='%d'>", height + 8) + key + "</text>\n</svg>\n";
}

} // namespace fovea
