#include "app/SweepFiles.h"
#include "core/export/SweepFile.h"
#include "core/files/AtomicFile.h"
#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace fovea::app {

namespace {

constexpr std::uint64_t kMostSweepBytes = 256ULL << 20;

std::string kindText(PointKind kind) {
    return kind == PointKind::Policy          ? ""
           : kind == PointKind::RandomControl ? "random control"
                                              : "oracle control";
}

/// Of an encoder: cosines in place of next-token measures.
std::string encoderTable(const std::vector<SweepPoint>& points) {
    std::string text = "  pairs ratio   sentence cosine   token cosine   worst token   seconds\n";
    char line[128];
    for (const SweepPoint& point : points) {
        const SentenceFidelity& f = *point.fidelity.sentence;
        std::snprintf(line, sizeof line, "%c %11.5f   %15.6f   %12.6f   %11.4f   %7.3f   ",
                      point.pareto ? '*' : ' ', point.cost.pairsRatio, f.cosine, f.tokenCosine, f.worstCosine,
                      point.cost.hybrid.total.median);
        text += line + point.policy.summary() + "\n";
    }
    return text + "* no other policy is better in both pairs and sentence cosine\n" +
           "KL, top-1 and loss: none, " + kNoNextToken + "\n";
}

std::string textTable(const std::vector<SweepPoint>& points) {
    if (!points.empty() && points.front().fidelity.sentence)
        return encoderTable(points);
    std::string text = "  pairs ratio   next-token KL   top-1     delta loss   seconds\n";
    char line[128];
    for (const SweepPoint& point : points) {
        std::snprintf(line, sizeof line, "%c %11.5f   %13.6f   %6.4f   %+10.5f   %7.3f   ",
                      point.pareto ? '*' : ' ', point.cost.pairsRatio, point.fidelity.nextTokenKl,
                      point.fidelity.top1Agreement, point.fidelity.deltaNll, point.cost.hybrid.total.median);
        const std::string kind = kindText(point.kind);
        text += line + point.policy.summary() + (kind.empty() ? "" : "  (" + kind + ")") + "\n";
    }
    return text + "* no other policy is better in both pairs (router included) and KL\n";
}

} // namespace

Outcome<SweepFiles> SweepFiles::named(const std::string& out) {
    SweepFiles files;
    if (out.ends_with(".json")) {
        files.m_json = out;
        files.m_csv = out.substr(0, out.size() - 5) + ".csv";
    } else if (out.ends_with(".csv")) {
        files.m_csv = out;
    } else if (!out.empty()) {
        return badUsage("--out is \"" + out + "\"; a name that ends in .json or .csv is accepted");
    }
    return files;
}

OutputFiles SweepFiles::outputs() const {
    OutputFiles files;
    files.add("--out", m_json);
    files.add("--out", m_csv);
    return files;
}

Outcome<> SweepFiles::write(SweepReport& report) const {
    for (SweptText& text : report.texts)
        markPareto(text.points);
    if (!m_json.empty())
        FOVEA_TRY(save(m_json, sweepJson(report)));
    if (!m_csv.empty())
        FOVEA_TRY(save(m_csv, sweepCsv(report)));
    return {};
}

Outcome<std::optional<SweepReport>> SweepFiles::read() const {
    std::error_code ignored;
    if (!std::filesystem::exists(m_json, ignored))
        return std::optional<SweepReport>();
    Outcome<SweepReport> report = readSweep(m_json);
    FOVEA_TRY(report);
    return std::optional(std::move(*report));
}

Outcome<SweepReport> readSweep(const std::string& path) {
    const Result<std::string> text = readWholeFile(path, kMostSweepBytes);
    FOVEA_TRY(text);
    Result<SweepReport> report = sweepFromJson(*text);
    if (!report)
        return badUsage(path + ": " + report.error().message);
    return std::move(*report);
}

std::string sweepTable(const SweepReport& report) {
    std::string text;
    for (const SweptText& one : report.texts) {
        std::vector<SweepPoint> done;
        std::copy_if(one.points.begin(), one.points.end(), std::back_inserter(done),
                     [](const SweepPoint& point) { return point.done; });
        if (report.texts.size() > 1 && done.empty())
            continue;
        if (report.texts.size() > 1)
            text += (text.empty() ? "" : "\n") + one.name + ", " + std::to_string(one.tokens) + " tokens" +
                    (one.heldOut ? ", held out" : "") + "\n";
        text += textTable(done);
    }
    return text;
}

} // namespace fovea::app
