#include "core/policy/AttentionPolicy.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>

namespace fovea {

std::string_view reasonName(Reason reason) {
    switch (reason) {
    case Reason::Local:
        return "local";
    case Reason::Always:
        return "always";
    case Reason::Routed:
        return "routed";
    case Reason::Far:
        return "far";
    case Reason::Skipped:
        break;
    }
    return "skipped";
}

std::string_view roleName(Role role) {
    switch (role) {
    case Role::Keys:
        return "keys";
    case Role::Queries:
        return "queries";
    case Role::Both:
        break;
    }
    return "both";
}

bool AttentionPolicy::fullInLayer(int layer) const {
    if (local.window == kAll && local.dilation == 1)
        return true;
    if (mix.fullEvery > 0) {
        const std::int64_t offset = mix.fullOffset < 0 ? mix.fullEvery - 1 : mix.fullOffset;
        if (layer % mix.fullEvery == offset)
            return true;
    }
    return std::find(mix.fullLayers.begin(), mix.fullLayers.end(), layer) != mix.fullLayers.end();
}

std::string AttentionPolicy::summary() const {
    if (local.window == kAll && local.dilation == 1)
        return "full attention";
    std::string text;
    const auto add = [&](const std::string& part) { text.append(text.empty() ? "" : ", ").append(part); };
    const auto value = [&](std::string_view key) {
        const ParamSpec* spec = findParam(key);
        return formatParam(*spec, spec->get(*this));
    };
    if (local.window > 0) {
        add("window " + value("local.window"));
        if (local.dilation > 1)
            add("dilation " + value("local.dilation"));
    }
    if (local.chunk > 0)
        add("chunk " + value("local.chunk") + (local.chunkPrevious > 0 ? " and the one before" : ""));
    if (always.sinks > 0)
        add("sinks " + value("always.sinks"));
    if (!always.pinned.empty()) {
        std::int64_t count = 0;
        for (const PinnedRange& range : always.pinned)
            count += range.last - range.first + 1;
        add("pinned " + std::to_string(count));
    }
    if (always.special)
        add("special tokens");
    if (always.punctuation)
        add("punctuation");
    if (routed.on()) {
        std::string part = routed.signal;
        if (routed.ranksKeys()) {
            static constexpr std::string_view kinds[] = {"count", "fraction", "top_p", "threshold"};
            const auto kind = static_cast<std::size_t>(routed.budgetKind);
            part += (routed.budgetKind == BudgetKind::Count ? " " : " " + std::string(kinds[kind]) + " ") +
                    value("routed." + std::string(kinds[kind]));
        }
        if (routed.ranksQueries()) {
            const bool count = routed.effectiveQueryKind() == BudgetKind::Count;
            AttentionPolicy shown = *this;
            shown.routed.queryBudgetKind = routed.effectiveQueryKind();
            shown.routed.queryBudget = routed.effectiveQueryBudget();
            const ParamSpec* spec = findParam(count ? "routed.query_count" : "routed.query_fraction");
            part +=
                (routed.ranksKeys() ? " and queries " : " queries ") + formatParam(*spec, spec->get(shown));
        }
        add(part);
    }
    if (text.empty())
        text = "each query itself";
    if (mix.fullEvery > 0)
        add("every " + value("mix.full_every") + "th layer full");
    if (!mix.fullLayers.empty())
        add("layers " + value("mix.full_layers") + " full");
    return text;
}

namespace {

// No text is near this long; a range beyond it is a slip of the hand that would only fill memory.
constexpr std::int64_t kPinnedMaximum = 1 << 20;

tl::unexpected<Error> badField(std::string_view path, const std::string& value, const std::string& accepted) {
    return fail(ErrorCode::BadValue, std::string(path) + " is " + value + "; " + accepted);
}

std::string signalNames() {
    std::string names;
    for (const SignalSpec& signal : signalSpecs())
        names.append(names.empty() ? "" : ", ").append(signal.name);
    return names;
}

Result<> checkBudget(std::string_view path, BudgetKind kind, double budget) {
    static constexpr std::string_view keys[] = {"routed.count", "routed.fraction", "routed.top_p",
                                                "routed.threshold"};
    const ParamSpec& spec = *findParam(keys[static_cast<std::size_t>(kind)]);
    const bool whole = kind == BudgetKind::Count;
    if (std::isfinite(budget) && budget >= spec.minimum && budget <= spec.maximum &&
        (!whole || budget == std::floor(budget)))
        return {};
    std::string value =
        std::isnan(budget) ? "not a number" : formatParam(*findParam("routed.threshold"), budget);
    return badField(path, value,
                    std::string(whole ? "a whole number from " : "a number from ") +
                        formatParam(*findParam("routed.threshold"), spec.minimum) + " to " +
                        formatParam(*findParam("routed.threshold"), spec.maximum) + " is accepted" +
                        (kind == BudgetKind::Count
                             ? ""
                             : " for " + std::string(keys[static_cast<std::size_t>(kind)]).substr(7)));
}

Result<> checkRouted(const RoutedPart& routed) {
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal == nullptr)
        return badField("routed.signal", "\"" + routed.signal + "\"", "known signals are " + signalNames());
    if (signal->role != Role::Both && signal->role != routed.role)
        return badField("routed.role", std::string(roleName(routed.role)),
                        routed.signal + " ranks " + std::string(roleName(signal->role)) + " only");
    FOVEA_TRY(checkBudget("routed.budget", routed.budgetKind, routed.budget));
    if (routed.queryBudgetKind != BudgetKind::Count && routed.queryBudgetKind != BudgetKind::Fraction)
        return badField("routed.query_budget_kind", "top_p or threshold", "count and fraction are accepted");
    FOVEA_TRY(checkBudget("routed.query_budget", routed.queryBudgetKind, routed.queryBudget));
    if (routed.budgetKind == BudgetKind::TopP && routed.ranksKeys()) {
        if (!signal->estimatesMass)
            return badField(
                "routed.budget_kind", "top_p",
                routed.signal +
                    " does not estimate attention mass, so count, fraction and threshold are accepted");
        if (routed.scope == Scope::Sequence)
            return badField("routed.budget_kind", "top_p",
                            "with scope sequence later keys would hold part of the mass: count, fraction and "
                            "threshold are "
                            "accepted");
        if (routed.choice == Choice::Sequence)
            return badField(
                "routed.budget_kind", "top_p",
                "with choice sequence there is no one row whose mass could be reached: count, fraction and "
                "threshold are accepted");
    }
    if (routed.role == Role::Queries && routed.queriesTakeBudget() &&
        routed.budgetKind != BudgetKind::Count && routed.budgetKind != BudgetKind::Fraction)
        return badField("routed.budget_kind", "top_p or threshold", "role queries takes count or fraction");
    if (routed.choice == Choice::Sequence && routed.scope == Scope::Prefix && routed.ranksKeys() &&
        signal->sees == Sees::Row)
        return badField("routed.scope", "prefix",
                        routed.signal +
                            " ranks a key only once later queries are seen, so choice sequence needs scope "
                            "sequence (and looks ahead)");
    return {};
}

} // namespace

Result<AttentionPolicy> validated(AttentionPolicy policy) {
    // Ranges first: the table's row writes them out position by position.
    for (const PinnedRange& range : policy.always.pinned)
        if (range.first < 0 || range.last < range.first || range.last >= kAll)
            return badField("always.pinned",
                            std::to_string(range.first) + " to " + std::to_string(range.last),
                            "positions from 0 upwards are accepted, first before last");
    std::int64_t pinned = 0;
    for (const PinnedRange& range : policy.always.pinned)
        pinned += range.last - range.first + 1;
    if (pinned > kPinnedMaximum)
        return badField("always.pinned", std::to_string(pinned) + " positions",
                        "at most " + std::to_string(kPinnedMaximum) + " are accepted");
    for (const ParamSpec& spec : paramSpecs())
        if (spec.section != "Routed")
            FOVEA_TRY(checkParam(spec, spec.get(policy)));
    if (policy.mix.fullOffset >= 0 && policy.mix.fullEvery > 0 &&
        policy.mix.fullOffset >= policy.mix.fullEvery)
        return badField("mix.full_offset", std::to_string(policy.mix.fullOffset),
                        "0 to full_every - 1 = " + std::to_string(policy.mix.fullEvery - 1) + " is accepted");
    if (policy.routed.on()) {
        for (const std::string_view key : {"routed.bits", "routed.seed"})
            FOVEA_TRY(checkParam(*findParam(key), findParam(key)->get(policy)));
        FOVEA_TRY(checkRouted(policy.routed));
    }
    return policy;
}

} // namespace fovea
