#include "core/files/Quote.h"
#include "core/policy/AttentionPolicy.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

// No text is this long. A larger range is a typing error that would only fill memory.
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
    const std::string_view key = kBudgetKeys[static_cast<std::size_t>(kind)];
    const ParamSpec& spec = *findParam(key);
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
                        (kind == BudgetKind::Count ? "" : " for " + std::string(key.substr(7))));
}

Result<> checkRouted(const RoutedPart& routed) {
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal == nullptr)
        return badField("routed.signal", inQuotes(routed.signal), "known signals are " + signalNames());
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
        (signal->sees == Sees::Row || signal->sees == Sees::Running))
        return badField("routed.scope", "prefix",
                        routed.signal +
                            " ranks a key only once later queries are seen, so choice sequence needs scope "
                            "sequence (and looks ahead)");
    return {};
}

/// What a signal chooses (Offers) determines which other fields have a meaning.
Result<> checkOffers(const AttentionPolicy& policy) {
    const RoutedPart& routed = policy.routed;
    const Offers offers = offersOf(routed.signal);
    const bool tokens = offers == Offers::Tokens && routed.granularity == Granularity::Token;
    const auto granularity = [&] {
        return formatParam(*findParam("routed.granularity"), findParam("routed.granularity")->get(policy));
    };
    if (offers == Offers::Pages && routed.granularity == Granularity::Token)
        return badField("routed.granularity", "token",
                        routed.signal + " ranks pages: page and block are accepted");
    if (offers == Offers::Blocks && routed.granularity != Granularity::Block)
        return badField("routed.granularity", granularity(),
                        routed.signal + " ranks blocks: block is accepted");
    if (signalUses(routed.signal, "routed.stride") &&
        (routed.page % routed.stride != 0 || routed.queryBlock % routed.stride != 0))
        return badField("routed.stride", std::to_string(routed.stride),
                        "a number that divides page " + std::to_string(routed.page) + " and query_block " +
                            std::to_string(routed.queryBlock) + " is accepted");
    if (offers == Offers::Buckets && routed.budgetKind != BudgetKind::Count &&
        routed.budgetKind != BudgetKind::Fraction)
        return badField("routed.budget_kind", routed.budgetKind == BudgetKind::TopP ? "top_p" : "threshold",
                        routed.signal + " takes whole buckets: count and fraction are accepted");
    if (offers == Offers::Buckets && routed.sharing == Sharing::Layer)
        return badField("routed.share", "layer",
                        routed.signal +
                            " hashes the keys of one key-value head: signal, head and group are accepted");
    const bool perText = offers == Offers::Tokens && findSignal(routed.signal)->tokens != nullptr;
    if (routed.choice == Choice::Sequence && routed.ranksKeys() && (!perText || !tokens))
        return badField("routed.choice", "sequence",
                        routed.signal + " in " + granularity() +
                            "s chooses anew for each query: query is accepted");
    if (routed.scope == Scope::Sequence && routed.ranksKeys() && !tokens)
        return badField("routed.scope", "sequence",
                        routed.signal + " in " + granularity() +
                            "s ranks what stands before: prefix is accepted");
    if (routed.store == Store::Evict && offers != Offers::Rows)
        return badField("routed.store", "evict",
                        routed.signal +
                            " does not follow the rows: accumulated, observed, value_attention and "
                            "last_row can evict");
    if (routed.store == Store::Evict && policy.local.dilation > 1)
        return badField("local.dilation", std::to_string(policy.local.dilation),
                        "a dilated window comes back to keys that eviction dropped: 1 is accepted");
    if (routed.reach == Reach::Routed && routed.role != Role::Both)
        return badField("routed.reach", "routed", "needs role both: keys to read and queries that read them");
    if (routed.unrouted != Unrouted::Local && !routed.ranksQueries())
        return badField("routed.unrouted", routed.unrouted == Unrouted::Mean ? "mean" : "skip",
                        "needs queries to be ranked: role queries or both");
    if (policy.mix.dynamic != Dynamic::None &&
        (!tokens || !routed.ranksKeys() || routed.budgetKind != BudgetKind::Count ||
         routed.choice != Choice::Query))
        return badField(
            "mix.dynamic", policy.mix.dynamic == Dynamic::Entropy ? "entropy" : "deficit",
            "shares a count of single keys per query: other budgets, choices and granularities take none");
    return {};
}

/// A combination needs parts that can be combined in this way.
Result<> checkFar(const FarPart& far, const CombinePart& combine) {
    if (!far.on())
        return {};
    if (far.far == Far::Linear && combine.combine == Combine::Union)
        return badField("combine.combine", "union",
                        "a linear state has no logits to join one softmax: shared and gated are accepted");
    if (far.far == Far::Recurrent && combine.combine != Combine::Gated)
        return badField("combine.combine", combine.combine == Combine::Union ? "union" : "shared",
                        "a recurrent state has no mass of its own: gated is accepted");
    if (far.far == Far::Projection && combine.combine != Combine::Union)
        return badField("combine.combine", combine.combine == Combine::Shared ? "shared" : "gated",
                        "projected keys are all that is read, in one softmax: union is accepted");
    if (far.far == Far::Summaries && combine.combine == Combine::Shared)
        return badField("combine.combine", "shared",
                        "summaries have logits and join one softmax: union and gated are accepted");
    return {};
}

/// What a bidirectional plan can hold (plan/BidirectionalPlan.h); the rest is defined for earlier keys only.
Result<> checkBothSides(const AttentionPolicy& policy) {
    const auto only = [&](std::string_view key, const std::string& why) {
        return badField(key, formatParam(*findParam(key), findParam(key)->get(policy)), why);
    };
    const bool parity = policy.mix.parity == Parity::BigBird;
    if (policy.local.sides == Sides::Earlier)
        return parity ? only("local.sides", "parity bigbird reads later keys: both is accepted") : Result<>();
    if (policy.local.dilation > 1)
        return only("local.dilation", "a window to both sides has every key: 1 is accepted");
    if (policy.local.chunk > 0)
        return only("local.chunk", "a chunk ends at the query: with sides both, 0 is accepted");
    if (policy.far.on())
        return only("far.far", "a far field stands for earlier keys: with sides both, none is accepted");
    if (policy.always.special && policy.always.specialCap > 0)
        return only("always.special_cap",
                    "\"the latest\" is told from one side: with sides both, 0 is accepted");
    if (policy.always.punctuation && policy.always.punctuationCap > 0)
        return only("always.punctuation_cap",
                    "\"the latest\" is told from one side: with sides both, 0 is accepted");
    if (!policy.routed.signal.empty() || policy.routed.phase != Phase::All)
        return only(policy.routed.signal.empty() ? "routed.phase" : "routed.signal",
                    "routers rank earlier keys: with sides both nothing is routed");
    if (!parity)
        return policy.routed.randomBlocks == 0
                   ? Result<>()
                   : only("routed.random_blocks",
                          "with sides both they are BigBird's: parity bigbird, or 0, is accepted");
    const std::int64_t block = policy.routed.page;
    if (policy.routed.queryBlock != block)
        return only("routed.query_block",
                    "parity bigbird has square blocks: page = " + std::to_string(block) + " is accepted");
    if (policy.local.window != 3 * block)
        return only("local.window", "parity bigbird has a window of three blocks: 3 page = " +
                                        std::to_string(3 * block) + " is accepted");
    if (policy.always.sinks != block)
        return only("always.sinks", "parity bigbird always reads the first block: page = " +
                                        std::to_string(block) + " is accepted");
    if (!policy.always.pinned.empty() || policy.always.special || policy.always.punctuation)
        return badField("always", "more than sinks",
                        "parity bigbird always reads its first and last block only");
    return {};
}

/// Positions in the cache: with only a window and sinks, all distances except those to the sinks are
/// unchanged, so no other key has to be moved.
Result<> checkPositions(const AttentionPolicy& policy) {
    const bool moved = policy.local.sides != Sides::Earlier || policy.local.window < 1 ||
                       policy.local.dilation != 1 || policy.local.chunk > 0 ||
                       !policy.always.pinned.empty() || policy.always.special || policy.always.punctuation ||
                       policy.routed.on() || policy.routed.phase != Phase::All || policy.far.on();
    if (policy.mix.positions == Positions::Cache && moved)
        return fail(
            ErrorCode::Unsupported,
            "mix.positions is cache; with it a window of dilation 1 and sinks are accepted and nothing else "
            "(no later keys, chunk, pinned, special or separator tokens, routing, phase or far field)");
    return {};
}

/// 8-bit keys outside the window: only rows that route may read them, and the router must not assume that the
/// row reads exact keys.
Result<> checkStored(const AttentionPolicy& policy) {
    const RoutedPart& routed = policy.routed;
    const Offers offers = offersOf(routed.signal);
    const bool queries = std::any_of(policy.always.pinned.begin(), policy.always.pinned.end(),
                                     [](const PinnedRange& range) { return range.role != Role::Keys; });
    const bool other = policy.local.sides != Sides::Earlier || policy.local.window < 1 || queries ||
                       routed.role != Role::Keys || routed.phase != Phase::All ||
                       routed.choice != Choice::Query || routed.granularity == Granularity::Block ||
                       (!routed.signal.empty() && offers != Offers::Tokens && offers != Offers::Pages);
    if (routed.store == Store::Direction8 && other)
        return fail(
            ErrorCode::Unsupported,
            "routed.store is direction8; with it a window of at least 1, role keys, phase all, choice query, "
            "tokens or pages and a signal that ranks single keys or pages are accepted, and no pinned token "
            "in "
            "query role");
    return {};
}

Result<> checkParts(const AttentionPolicy& policy) {
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
    FOVEA_TRY(checkFar(policy.far, policy.combine));
    if (policy.far.on() && policy.combine.combine == Combine::Gated && policy.always.sinkLogit)
        return badField("always.sink_logit",
                        formatParam(*findParam("always.sink_logit"), *policy.always.sinkLogit),
                        "a gated sum has no one denominator for it to join: off is accepted");
    FOVEA_TRY(checkPositions(policy));
    FOVEA_TRY(checkStored(policy));
    for (const std::string_view key :
         {"routed.random_blocks", "routed.page", "routed.query_block", "routed.seed"})
        FOVEA_TRY(checkParam(*findParam(key), findParam(key)->get(policy)));
    FOVEA_TRY(checkBothSides(policy));
    if (policy.routed.signal.empty())
        return {};
    for (const std::string_view key : {"routed.bits", "routed.rounds", "routed.observe", "routed.pool",
                                       "routed.newest", "routed.stride", "routed.diagonals"})
        FOVEA_TRY(checkParam(*findParam(key), findParam(key)->get(policy)));
    if (policy.routed.pool % 2 == 0)
        return badField("routed.pool", std::to_string(policy.routed.pool), "odd numbers are accepted");
    FOVEA_TRY(checkRouted(policy.routed));
    return checkOffers(policy);
}

Result<> checkNames(const AttentionPolicy& policy) {
    std::string names = "\"\", full";
    for (const NamedHeadParts& entry : policy.headPolicies)
        names += ", " + quoteForMessage(entry.name);
    const auto known = [&](const std::string& wanted) {
        return wanted.empty() || wanted == "full" ||
               std::any_of(policy.headPolicies.begin(), policy.headPolicies.end(),
                           [&](const NamedHeadParts& entry) { return entry.name == wanted; });
    };
    for (std::size_t n = 0; n < policy.mix.layers.size(); ++n)
        if (!known(policy.mix.layers[n]))
            return badField("mix.layers[" + std::to_string(n) + "]", inQuotes(policy.mix.layers[n]),
                            "one of " + names + " is accepted");
    for (const auto& row : policy.mix.heads)
        for (const std::string& wanted : row)
            if (!known(wanted))
                return badField("mix.heads", inQuotes(wanted), "one of " + names + " is accepted");
    return {};
}

} // namespace

Result<AttentionPolicy> validated(AttentionPolicy policy) {
    FOVEA_TRY(checkParts(policy));
    for (const NamedHeadParts& entry : policy.headPolicies) {
        if (entry.name.empty())
            return badField("head_policies", "a policy without a name", "a name is needed");
        if (const Result<> checked = checkParts(policy.withParts(entry.parts)); !checked)
            return fail(checked.error().code,
                        "head_policies." + quoteForMessage(entry.name) + ": " + checked.error().message);
    }
    FOVEA_TRY(checkNames(policy));
    if (policy.mix.fullOffset >= 0 && policy.mix.fullEvery > 0 &&
        policy.mix.fullOffset >= policy.mix.fullEvery)
        return badField("mix.full_offset", std::to_string(policy.mix.fullOffset),
                        "0 to full_every - 1 = " + std::to_string(policy.mix.fullEvery - 1) + " is accepted");
    return policy;
}

} // namespace fovea
