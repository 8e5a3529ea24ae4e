#include "app/TuneTable.h"
#include "core/tune/Front.h"
#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fovea::app {

namespace {

constexpr std::size_t kFrontRows = 20;

template <class... Values>
std::string line(const char* format, Values... values) {
    char text[256];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

std::string nameOf(const TuneCandidate& candidate) {
    return candidate.policy.summary() + (candidate.preset.empty() ? "" : "  [" + candidate.preset + "]") +
           (candidate.control ? "  (control)"
            : candidate.ahead ? "  (looks ahead)"
                              : "");
}

std::string qualityText(const TuneReport& report) {
    const Tuning& tuning = report.tuning;
    std::string text;
    for (std::size_t t = 0; t < report.texts.size(); ++t) {
        const Calibration& c = tuning.calibrations[t];
        text += report.texts[t].name + ": " + std::to_string(report.texts[t].snapshot->tokens->size()) +
                " tokens\n";
        if (!c.ready()) {
            text += "  no KL is predicted: fewer than three calibration runs lose anything\n";
            continue;
        }
        text += "  KL is predicted from the " + std::string(predictorName(c.predictor())) + ", over " +
                std::to_string(c.points()) + " calibration runs\n";
        text += "  left out one by one: " +
                (std::isfinite(c.rankCorrelation()) ? line("rank correlation %.3f, ", c.rankCorrelation())
                                                    : std::string()) +
                line("band times and over %.2f\n", c.factor());
    }
    text += line("%zu policies judged in %.1f s; first predicted curve after %.1f s (measured)\n",
                 tuning.judged, tuning.judgeSeconds, tuning.curveSeconds);
    const Foretold checked = foretold(tuning);
    if (checked.points > 0) {
        text += checked.points == 1
                    ? line("1 run was predicted before it was made: it is %s its band",
                           checked.inside == 1 ? "inside" : "outside")
                    : line("%zu runs were predicted before they were made: %zu inside their band",
                           checked.points, checked.inside);
        text += std::isfinite(checked.rankCorrelation)
                    ? line(", rank correlation %.3f\n", checked.rankCorrelation)
                    : std::string("\n");
    }
    if (tuning.storedRuns > 0)
        text += std::to_string(tuning.storedRuns) + " of " + std::to_string(tuning.runs) +
                " measurements were read back from an earlier run\n";
    return text;
}

std::vector<const TunePoint*> sortedByCost(const Tuning& tuning, bool measured) {
    std::vector<const TunePoint*> points;
    for (const TunePoint& point : tuning.points)
        if (measured ? !point.measured.empty() : point.predicted && point.predictedFront)
            points.push_back(&point);
    std::stable_sort(points.begin(), points.end(), [&](const TunePoint* a, const TunePoint* b) {
        return measured ? a->measuredPairs() < b->measuredPairs() : a->estimatedPairs() < b->estimatedPairs();
    });
    return points;
}

std::string measuredText(const Tuning& tuning) {
    std::string text =
        "\nmeasured\n  pairs ratio   next-token KL   top-1     delta loss   predicted before\n";
    for (const TunePoint* p : sortedByCost(tuning, true)) {
        text += line("%c %11.5f   %13.6f   %6.4f   %+10.5f   ", p->measuredFront ? '*' : ' ',
                     p->measuredPairs(), p->measuredKl(), p->measuredTop1(), p->measuredDeltaNll());
        text += p->foretold ? line("%8.5f (%.5f to %.5f)", p->foretold->kl.value, p->foretold->kl.low,
                                   p->foretold->kl.high)
                            : std::string("-");
        text += "  " + nameOf(p->candidate) + "\n";
    }
    return text + "* no other measured policy is better in both pairs (router included) and KL\n";
}

std::string predictedText(const Tuning& tuning) {
    const std::vector<const TunePoint*> front = sortedByCost(tuning, false);
    if (front.empty())
        return {};
    std::string text = "\npredicted front (not measurements; pairs are estimated)\n"
                       "  pairs ratio   next-token KL, band            top-1\n";
    for (std::size_t n = 0; n < std::min(front.size(), kFrontRows); ++n) {
        const TunePoint& p = *front[n];
        text += line("  %11.5f   %9.5f (%.5f to %.5f)   %6.4f   ", p.estimatedPairs(), p.predicted->kl.value,
                     p.predicted->kl.low, p.predicted->kl.high, p.predicted->top1.value);
        text += nameOf(p.candidate) + "\n";
    }
    if (front.size() > kFrontRows)
        text += "  and " + std::to_string(front.size() - kFrontRows) + " more; --json has all\n";
    return text;
}

std::string heldOutText(const std::vector<HeldOut>& heldOut, const TuneGoal& goal) {
    std::string text;
    for (const HeldOut& one : heldOut) {
        text += line("  held out: pairs %.5f, KL %.6f, top-1 %.4f, delta loss %+.5f   ",
                     one.measured.cost.pairsRatio, one.measured.kl, one.measured.top1, one.measured.deltaNll);
        text += one.text + (goal.withinKl && one.measured.kl > *goal.withinKl ? "  (above the bound)" : "") +
                "\n";
    }
    return text;
}

std::string kneeText(const Tuning& tuning) {
    const std::optional<std::size_t> knee = kneeMeasured(tuning.points);
    if (!knee)
        return {};
    const TunePoint& point = tuning.points[*knee];
    return "\nknee of the measured front: " + nameOf(point.candidate) +
           line("\n  measured: pairs %.5f, KL %.6f, top-1 %.4f, delta loss %+.5f\n", point.measuredPairs(),
                point.measuredKl(), point.measuredTop1(), point.measuredDeltaNll());
}

std::string bestText(const TuneReport& report) {
    const Tuning& tuning = report.tuning;
    const TuneGoal& goal = report.options.goal;
    std::string text;
    if (!goal.withinKl && !goal.withinPairs)
        return text;
    const std::string wanted = goal.withinKl ? line("cheapest within KL %g", *goal.withinKl)
                                             : line("best within pairs %g", *goal.withinPairs);
    if (!tuning.best)
        return "\n" + wanted + ": no judged policy of " + std::to_string(tuning.judged) +
               (tuning.ending == TuneEnding::Spent
                    ? " is measured within it yet; the runs allowed are spent (--runs)\n"
                : tuning.ending == TuneEnding::NotPredicted
                    ? " is measured within it, and without predictions none is chosen to be run\n"
                    : " is measured within it, and none is expected to be\n");
    const TunePoint& best = tuning.points[*tuning.best];
    text += "\n" + wanted + ": " + nameOf(best.candidate) + "\n";
    text += line("  measured: pairs %.5f, KL %.6f, top-1 %.4f, delta loss %+.5f\n", best.measuredPairs(),
                 best.measuredKl(), best.measuredTop1(), best.measuredDeltaNll());
    text += heldOutText(report.heldOut, goal);
    for (const TuneControl& control : report.controls) {
        double kl = 0, pairs = 0;
        for (const Measurement& m : control.measured) {
            kl += m.kl / static_cast<double>(control.measured.size());
            pairs += m.cost.pairsRatio / static_cast<double>(control.measured.size());
        }
        text +=
            line("  %s router at the same budget: pairs %.5f, KL %.6f\n", control.kind.c_str(), pairs, kl);
    }
    text += tuning.ending == TuneEnding::Settled
                ? "  no judged policy that was not run is expected to be better, by its band\n"
            : tuning.ending == TuneEnding::NotPredicted
                ? "  nothing is predicted, so no other policy was chosen to be run\n"
                : "  the runs allowed are spent (--runs); a better policy may be left\n";
    return text + "  again: " + report.command + "\n";
}

std::string stepText(const std::string& param, const Sensitivity& row,
                     const std::optional<SensitivityStep>& step) {
    if (!step)
        return line("%-44s", "-");
    const ParamSpec* spec = findParam(param);
    const std::string value = spec != nullptr ? formatParam(*spec, step->value) : "";
    return line("%-12s KL x%-6.3f pairs x%-6.3f       ", value.substr(0, 12).c_str(),
                row.klAt > 0 ? step->predicted.kl.value / row.klAt : 1,
                row.pairsAt > 0 ? step->pairsRatio / row.pairsAt : 1);
}

std::string sensitivityText(const TuneReport& report) {
    if (!report.sensitivity)
        return {};
    std::string text =
        "\nsensitivity of " + report.sensitivityOf.summary() + " (predicted, one step down and up)\n";
    if (!report.sensitivity->empty())
        text += line("  KL %.6f predicted, pairs %.5f estimated\n", report.sensitivity->front().klAt,
                     report.sensitivity->front().pairsAt);
    std::string nothing;
    for (const Sensitivity& row : *report.sensitivity) {
        if (row.doesNothing()) {
            nothing += (nothing.empty() ? "" : ", ") + row.param;
            continue;
        }
        const ParamSpec* spec = findParam(row.param);
        text += line("  %-14s %-10s  ", row.param.c_str(),
                     spec != nullptr ? formatParam(*spec, row.at).substr(0, 10).c_str() : "") +
                stepText(row.param, row, row.down) + stepText(row.param, row, row.up) + "\n";
    }
    if (!nothing.empty())
        text += "  do nothing on this text: " + nothing + "\n";
    return text;
}

double mean(const std::vector<Measurement>& measured, double Measurement::*field) {
    double sum = 0;
    for (const Measurement& m : measured)
        sum += m.*field / static_cast<double>(measured.size());
    return sum;
}

std::string budgetsText(const TuneReport& report) {
    if (!report.budgets)
        return {};
    const BudgetComparison& b = *report.budgets;
    const auto pairs = [](const std::vector<Measurement>& measured) {
        double sum = 0;
        for (const Measurement& m : measured)
            sum += m.cost.pairsRatio / static_cast<double>(measured.size());
        return sum;
    };
    std::string text = "\nbudgets by layer and key-value head, of " + b.uniform.summary() + " (measured)\n";
    text += line("  uniform: pairs %.5f, KL %.6f, top-1 %.4f\n", pairs(b.uniformMeasured),
                 mean(b.uniformMeasured, &Measurement::kl), mean(b.uniformMeasured, &Measurement::top1));
    text += heldOutText(b.uniformHeldOut, {});
    text +=
        line("  budgets: pairs %.5f, KL %.6f, top-1 %.4f: %.3f of the uniform KL\n", pairs(b.budgetMeasured),
             mean(b.budgetMeasured, &Measurement::kl), mean(b.budgetMeasured, &Measurement::top1),
             mean(b.budgetMeasured, &Measurement::kl) / mean(b.uniformMeasured, &Measurement::kl));
    text += heldOutText(b.budgetHeldOut, {});
    text += "  who got what (window + routed keys, by key-value head)\n";
    int layer = -1;
    for (const BudgetShare& share : b.budgets.shares) {
        if (share.layer != layer)
            text += (layer < 0 ? "" : "\n") + line("  layer %3d ", share.layer);
        layer = share.layer;
        const std::string cell =
            std::to_string(share.window) + (share.routed > 0 ? line(" + %.0f", share.routed) : "");
        text += line("  %-12s", cell.c_str());
    }
    return text + "\n";
}

} // namespace

std::string tuneTable(const TuneReport& report) {
    return qualityText(report) + measuredText(report.tuning) + predictedText(report.tuning) +
           kneeText(report.tuning) + bestText(report) + sensitivityText(report) + budgetsText(report);
}

} // namespace fovea::app
