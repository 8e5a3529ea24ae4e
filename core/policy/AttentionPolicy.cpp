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
    case Reason::Outside:
        return "outside";
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

namespace {

/// A layer that mix.full_every or mix.full_layers names: full, whatever its parts say.
bool keptFull(const MixPart& mix, int layer) {
    if (mix.fullEvery > 0) {
        const std::int64_t offset = mix.fullOffset < 0 ? mix.fullEvery - 1 : mix.fullOffset;
        if (layer % mix.fullEvery == offset)
            return true;
    }
    return std::find(mix.fullLayers.begin(), mix.fullLayers.end(), layer) != mix.fullLayers.end();
}

const HeadParts kFullParts;

} // namespace

bool RoutedPart::choosesKeys() const {
    if (signal.empty() || !ranksKeys())
        return false;
    const bool nothing =
        (budgetKind == BudgetKind::Count || budgetKind == BudgetKind::Fraction) && budget == 0;
    return !nothing || offersOf(signal) == Offers::Prompt; // those keep rows or diagonals beside the budget
}

bool RoutedPart::choosesQueries() const {
    const BudgetKind kind = effectiveQueryKind();
    return !signal.empty() && ranksQueries() &&
           ((kind != BudgetKind::Count && kind != BudgetKind::Fraction) || effectiveQueryBudget() > 0);
}

bool RoutedPart::chooses() const {
    // Queries that no router lets take part are silent: that is a choice too.
    // Keys of reach routed are read by chosen queries only.
    return randomBlocks > 0 || choosesQueries() || silencesOthers() ||
           (choosesKeys() && reach != Reach::Routed);
}

bool AttentionPolicy::fullInLayer(int layer) const {
    if (keptFull(mix, layer))
        return true;
    const auto all = [](const HeadParts& parts) { return parts.readsAll(); };
    if (mix.heads.empty())
        return all(partsOf(layer, 0));
    return all(*this) && std::all_of(headPolicies.begin(), headPolicies.end(),
                                     [&](const NamedHeadParts& named) { return all(named.parts); });
}

const HeadParts& AttentionPolicy::partsOf(int layer, int head) const {
    if (keptFull(mix, layer))
        return kFullParts;
    const auto l = static_cast<std::size_t>(layer);
    const auto h = static_cast<std::size_t>(head);
    std::string_view wanted;
    if (l < mix.layers.size())
        wanted = mix.layers[l];
    if (!mix.heads.empty()) {
        const std::vector<std::string>& row = mix.heads[std::min(l, mix.heads.size() - 1)];
        if (h < row.size() && !row[h].empty())
            wanted = row[h];
    }
    for (const NamedHeadParts& entry : headPolicies)
        if (entry.name == wanted)
            return entry.parts;
    if (wanted == "full")
        return kFullParts;
    return *this;
}

AttentionPolicy AttentionPolicy::withParts(const HeadParts& parts) const {
    AttentionPolicy single;
    static_cast<HeadParts&>(single) = parts;
    single.name = name;
    single.mix.dynamic = mix.dynamic;
    single.mix.probeEvery = mix.probeEvery;
    single.mix.positions = mix.positions;
    single.mix.parity = mix.parity;
    return single;
}

std::string AttentionPolicy::summary() const {
    std::string text;
    if (readsAll() && mix.heads.empty() && mix.layers.empty())
        return "full attention";
    const auto add = [&](const std::string& part) { text.append(text.empty() ? "" : ", ").append(part); };
    const auto value = [&](std::string_view key) {
        const ParamSpec* spec = findParam(key);
        return formatParam(*spec, spec->get(*this));
    };
    if (local.window > 0) {
        add("window " + value("local.window") + (local.sides == Sides::Both ? " to both sides" : ""));
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
        add("special tokens" + (always.specialCap > 0 ? " up to " + value("always.special_cap") : ""));
    if (always.punctuation)
        add("punctuation" + (always.punctuationCap > 0 ? " up to " + value("always.punctuation_cap") : ""));
    if (always.sinkLogit)
        add("sink logit " + value("always.sink_logit"));
    if (routed.randomBlocks > 0)
        add(value("routed.random_blocks") + " random blocks of " + value("routed.page"));
    if (!routed.signal.empty()) {
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
        if (routed.granularity != Granularity::Token)
            part += " in " + value("routed.granularity") + "s of " + value("routed.page");
        if (routed.newest > 0 && routed.budgetKind == BudgetKind::Threshold)
            part += ", the newest " + value("routed.newest");
        if (routed.phase != Phase::All)
            part += " (" + value("routed.phase") + " rows)";
        add(part);
    }
    if (routed.on() && routed.store != Store::All)
        add(value("routed.store"));
    if (far.on()) {
        std::string part = far.far == Far::Summaries    ? "summaries of " + value("far.m")
                           : far.far == Far::Linear     ? "linear " + value("far.map")
                           : far.far == Far::Projection ? "projection of " + value("far.m") + " tokens a row"
                                                        : std::string("recurrent");
        if (combine.combine != Combine::Union)
            part += ", " + value("combine.combine");
        add(part);
    }
    if (mix.dynamic != Dynamic::None)
        add("budgets by " + value("mix.dynamic"));
    if (mix.positions == Positions::Cache)
        add("cache positions");
    if (mix.parity != Parity::None)
        add("parity " + value("mix.parity"));
    if (text.empty())
        text = "each query itself";
    if (mix.fullEvery > 0)
        add("every " + value("mix.full_every") + "th layer full");
    if (!mix.fullLayers.empty())
        add("layers " + value("mix.full_layers") + " full");
    if (mix.fullHeads > 0)
        add(value("mix.full_heads") + " of the heads full");
    if (!headPolicies.empty())
        add(std::to_string(headPolicies.size()) + " head policies");
    return text;
}

bool sameButName(const AttentionPolicy& a, const AttentionPolicy& b) {
    AttentionPolicy named = a;
    named.name = b.name;
    return named == b;
}

} // namespace fovea
