#include "core/engine/Sweep.h"
#include "core/base/Stopwatch.h"
#include "core/engine/RetrievalHeads.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

namespace fovea {

namespace {

constexpr std::size_t kMostPoints = 10000;

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + 1);
    }
}

bool readNumber(std::string_view text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

std::string numberText(double value) {
    std::string text(32, ' ');
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    text.resize(error == std::errc() ? static_cast<std::size_t>(end - text.data()) : 0);
    return text;
}

/// "16:4096:x2" or "16:64:16" as the values' texts; BadValue says what is wrong.
Result<std::vector<std::string>> rangeTexts(const ParamSpec& spec, std::string_view range) {
    const std::vector<std::string_view> parts = split(range, ':');
    const auto bad = [&](const std::string& why) {
        return fail(ErrorCode::BadValue, std::string(spec.option) + ": the range \"" + std::string(range) +
                                             "\" " + why +
                                             "; first:last:step or first:last:xfactor is accepted.");
    };
    double first = 0, last = 0, step = 0;
    if (parts.size() != 3 || !readNumber(parts[0], first) || !readNumber(parts[1], last))
        return bad("is not made of numbers");
    const bool factor = parts[2].starts_with('x');
    if (!readNumber(factor ? parts[2].substr(1) : parts[2], step))
        return bad("has no number as its step");
    if (first > last)
        return bad("runs backwards");
    if (factor ? !(step > 1 && first > 0) : !(step > 0))
        return bad(factor ? "needs a factor above 1 and a first value above 0" : "needs a step above 0");
    std::vector<std::string> texts;
    // The n-th value is computed from n, so that rounding does not accumulate.
    for (std::size_t n = 0; n <= kMostPoints; ++n) {
        const double value =
            factor ? first * std::pow(step, static_cast<double>(n)) : first + step * static_cast<double>(n);
        if (value > last * (1 + 1e-12))
            return texts;
        texts.push_back(numberText(spec.kind == ParamKind::Integer ? std::round(value) : value));
    }
    return bad("has more than " + std::to_string(kMostPoints) + " values");
}

constexpr double kNotAsked = std::numeric_limits<double>::quiet_NaN();

Result<> runPoint(const Snapshot& withFullRun, SweepPoint& point, bool isolated, const WorkContext& work) {
    const WorkClock clock(work);
    Result<PropagatedResult> run = runPropagated(withFullRun, point.policy, work);
    FOVEA_TRY(run);
    point.cost = run->cost;
    if (clock.interrupted())
        forgetSeconds(point.cost);
    point.fidelity = std::move(run->fidelity);
    if (isolated) {
        const Result<IsolatedResult> layers = runIsolated(withFullRun, point.policy, nullptr, {}, work);
        FOVEA_TRY(layers);
        point.massRecall = layers->massRecall;
        point.outputError = layers->outputError;
    }
    point.done = true;
    return {};
}

} // namespace

std::optional<AttentionPolicy> controlPolicy(const AttentionPolicy& policy, PointKind kind) {
    const std::string signal = kind == PointKind::OracleControl ? "oracle" : "random";
    const auto ranks = [](const HeadParts& parts) {
        return !parts.routed.signal.empty() && parts.routed.chooses();
    };
    const auto same = [&](const HeadParts& parts) { return ranks(parts) && parts.routed.signal == signal; };
    // A threshold or a mass depends on the signal: another signal would use a different budget with it.
    const auto spendsOtherwise = [&](const HeadParts& parts) {
        return ranks(parts) && (parts.routed.budgetKind == BudgetKind::Threshold ||
                                parts.routed.budgetKind == BudgetKind::TopP);
    };
    if (kind == PointKind::Policy || !policy.anyParts(ranks) || policy.anyParts(same) ||
        policy.anyParts(spendsOtherwise))
        return {};
    AttentionPolicy control = policy;
    control.eachParts([&](HeadParts& parts) {
        RoutedPart& routed = parts.routed;
        if (routed.signal.empty())
            return;
        routed.signal = signal;
        routed.bits = RoutedPart{}.bits;
        if (routed.store == Store::Evict) // the controls rank anew each time
            routed.store = Store::All;
    });
    control.name = signal + " control";
    const Result<AttentionPolicy> legal = validated(control);
    return legal ? std::optional(*legal) : std::nullopt;
}

Result<SweepAxis> parseSweepAxis(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
        return fail(ErrorCode::BadValue, "over: \"" + std::string(text) +
                                             "\" names no parameter and values; window=16:4096:x2 or "
                                             "route-count=0,8,32 is accepted.");
    const ParamSpec* spec = findParam(text.substr(0, equals));
    if (!spec)
        return fail(ErrorCode::BadValue,
                    "over: \"" + std::string(text.substr(0, equals)) + "\" is no parameter of a policy.");
    const std::string_view values = text.substr(equals + 1);
    const bool number = spec->kind == ParamKind::Integer || spec->kind == ParamKind::Real;
    std::vector<std::string> texts;
    if (number && values.find(':') != std::string_view::npos) {
        Result<std::vector<std::string>> range = rangeTexts(*spec, values);
        FOVEA_TRY(range);
        texts = std::move(*range);
    } else {
        for (const std::string_view value : split(values, spec->kind == ParamKind::IntegerList ? ';' : ','))
            texts.emplace_back(value);
    }
    SweepAxis axis;
    axis.param = std::string(spec->option);
    for (const std::string& value : texts) {
        Result<ParamValue> read = parseParam(*spec, value);
        FOVEA_TRY(read);
        // Rounding a fine range to whole numbers can repeat one.
        if (axis.values.empty() || axis.values.back() != *read)
            axis.values.push_back(std::move(*read));
    }
    return axis;
}

Result<std::vector<SweepPoint>> sweepPolicies(const SweepPlan& plan) {
    std::vector<const ParamSpec*> specs;
    std::size_t count = 1;
    for (const SweepAxis& axis : plan.axes) {
        const ParamSpec* spec = findParam(axis.param);
        if (std::find(specs.begin(), specs.end(), spec) != specs.end())
            return fail(ErrorCode::BadValue,
                        "sweep: \"" + axis.param + "\" is varied twice; one list of its values is accepted.");
        // The kinds of a budget share one field of the policy, so the last one would overwrite the others.
        if (spec != nullptr && isBudgetKey(spec->key))
            for (const ParamSpec* other : specs) // of keys, or of queries
                if (isBudgetKey(other->key) &&
                    other->key.starts_with("routed.query_") == spec->key.starts_with("routed.query_"))
                    return fail(ErrorCode::BadValue,
                                "sweep: \"" + std::string(other->option) + "\" and \"" + axis.param +
                                    "\" are two kinds of the same budget; one of them is accepted.");
        specs.push_back(spec);
        if (!specs.back())
            return fail(ErrorCode::BadValue, "sweep: \"" + axis.param + "\" is no parameter of a policy.");
        if (axis.values.empty())
            return fail(ErrorCode::BadValue, "sweep: \"" + axis.param + "\" has no values.");
        if (axis.values.size() > kMostPoints / count)
            return fail(ErrorCode::BadValue,
                        "sweep: more than " + std::to_string(kMostPoints) + " points; take fewer values.");
        count *= axis.values.size();
    }
    std::vector<SweepPoint> points;
    std::vector<bool> active(specs.size(), false);
    for (std::size_t n = 0; n < count; ++n) {
        SweepPoint point;
        point.policy = plan.base;
        point.massRecall = point.outputError = kNotAsked;
        std::size_t rest = count;
        for (std::size_t a = 0; a < specs.size(); ++a) {
            rest /= plan.axes[a].values.size();
            const ParamValue& value = plan.axes[a].values[n / rest % plan.axes[a].values.size()];
            FOVEA_TRY(checkParam(*specs[a], value));
            specs[a]->set(point.policy, value);
            point.values.emplace_back(plan.axes[a].param, value);
        }
        Result<AttentionPolicy> legal = validated(point.policy);
        FOVEA_TRY(legal);
        point.policy = std::move(*legal);
        point.policy.name = point.policy.summary();
        for (std::size_t a = 0; a < specs.size(); ++a)
            active[a] = active[a] || !specs[a]->active || specs[a]->active(point.policy);
        points.push_back(std::move(point));
    }
    for (std::size_t a = 0; a < specs.size(); ++a)
        if (!active[a])
            return fail(ErrorCode::BadValue,
                        "sweep: \"" + plan.axes[a].param +
                            "\" changes nothing under this policy; choose a signal that it "
                            "belongs to, or leave it out.");
    if (!plan.controls)
        return points;
    std::vector<SweepPoint> withControls;
    for (const SweepPoint& point : points) {
        withControls.push_back(point);
        for (const PointKind kind : {PointKind::RandomControl, PointKind::OracleControl}) {
            const std::optional<AttentionPolicy> control = controlPolicy(point.policy, kind);
            const auto same = [&](const SweepPoint& p) {
                return p.kind == kind && sameButName(p.policy, *control);
            };
            if (!control || std::any_of(withControls.begin(), withControls.end(), same))
                continue;
            SweepPoint beside = point;
            beside.kind = kind;
            beside.policy = *control;
            withControls.push_back(std::move(beside));
        }
    }
    return withControls;
}

Result<> runSweep(const Snapshot& withFullRun, std::vector<SweepPoint>& points, bool isolated,
                  const std::function<void(std::size_t)>& pointDone, const WorkContext& work) {
    WorkContext inner = work; // one point's own progress would make the bar jump
    inner.progress = {};
    for (const SweepPoint& point : points) // no point is run when another one cannot be
        if (!point.done)
            FOVEA_TRY(policyFits(point.policy, withFullRun.model->shape, withFullRun.tokens->size()));
    try {
        Snapshot known = withFullRun;
        if (std::any_of(points.begin(), points.end(),
                        [](const SweepPoint& point) { return ranksHeads(point.policy); })) {
            Result<Snapshot> ranked = withRetrievalScores(known, inner);
            FOVEA_TRY(ranked);
            known = std::move(*ranked);
        }
        for (std::size_t i = 0; i < points.size(); ++i) {
            FOVEA_TRY(work.checkpoint());
            work.report("sweeping policies", static_cast<double>(i), static_cast<double>(points.size()));
            if (points[i].done)
                continue;
            FOVEA_TRY(runPoint(known, points[i], isolated, inner));
            if (pointDone)
                pointDone(i);
        }
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "sweep: not enough memory for another run.");
    }
    return {};
}

double lossOf(const PropagatedFidelity& fidelity) {
    return fidelity.sentence ? 1 - fidelity.sentence->cosine : fidelity.nextTokenKl;
}

void markPareto(std::vector<SweepPoint>& points) {
    const auto beats = [](const SweepPoint& a, const SweepPoint& b) {
        const double costA = a.cost.pairsRatio, costB = b.cost.pairsRatio;
        const double klA = lossOf(a.fidelity), klB = lossOf(b.fidelity);
        return costA <= costB && klA <= klB && (costA < costB || klA < klB);
    };
    const auto counts = [](const SweepPoint& p) { return p.done && p.kind == PointKind::Policy; };
    for (SweepPoint& point : points)
        point.pareto =
            counts(point) && std::none_of(points.begin(), points.end(), [&](const SweepPoint& other) {
                return counts(other) && beats(other, point);
            });
}

} // namespace fovea
