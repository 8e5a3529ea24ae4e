#include "core/policy/ParamSpec.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>

namespace fovea {

namespace {

using Policy = AttentionPolicy;
using Value = ParamValue;

constexpr double kTokensMaximum = static_cast<double>(kAll);
constexpr double kLayersMaximum = 4096;

std::int64_t whole(const Value& value) {
    return std::get<std::int64_t>(value);
}
bool flag(const Value& value) {
    return std::get<bool>(value);
}
const std::string& name(const Value& value) {
    return std::get<std::string>(value);
}

bool readsAll(const Policy& p) {
    return p.local.window == kAll && p.local.dilation == 1;
}
bool always(const Policy&) {
    return true;
}
bool sparse(const Policy& p) {
    return !readsAll(p);
}
bool routed(const Policy& p) {
    return sparse(p) && p.routed.on();
}
bool routedKeys(const Policy& p) {
    return routed(p) && p.routed.ranksKeys();
}
bool routedQueries(const Policy& p) {
    return routed(p) && p.routed.ranksQueries();
}

/// Rows of one budget: reading another kind's row gives `otherwise`.
template <BudgetKind K>
Value budgetOf(const Policy& p, double otherwise) {
    return p.routed.budgetKind == K ? p.routed.budget : otherwise;
}
template <BudgetKind K>
void setBudget(Policy& p, double budget) {
    p.routed.budgetKind = K;
    p.routed.budget = budget;
}
template <BudgetKind K>
bool usesBudget(const Policy& p) {
    return routed(p) && p.routed.budgetKind == K && (p.routed.ranksKeys() || p.routed.queriesTakeBudget());
}

std::vector<std::int64_t> pinnedTokens(const Policy& p) {
    std::vector<std::int64_t> tokens;
    for (const PinnedRange& range : p.always.pinned)
        for (std::int64_t token = range.first; token <= range.last; ++token)
            tokens.push_back(token);
    return tokens;
}

/// Tokens that were pinned before keep their role; new ones take the first one's.
void setPinned(Policy& p, const std::vector<std::int64_t>& tokens) {
    const std::vector<PinnedRange> before = std::move(p.always.pinned);
    const Role role = before.empty() ? Role::Keys : before.front().role;
    p.always.pinned.clear();
    for (const std::int64_t token : tokens) {
        const auto known = std::find_if(before.begin(), before.end(), [&](const PinnedRange& range) {
            return token >= range.first && token <= range.last;
        });
        p.always.pinned.push_back({token, token, known == before.end() ? role : known->role});
    }
}

Role roleNamed(std::string_view text) {
    return text == "queries" ? Role::Queries : text == "both" ? Role::Both : Role::Keys;
}

void setSignal(Policy& p, const std::string& signal) {
    p.routed.signal = signal == "none" ? "" : signal;
    const SignalSpec* spec = findSignal(p.routed.signal);
    if (spec != nullptr && spec->role != Role::Both)
        p.routed.role = spec->role;
}

std::vector<std::string_view> signalChoices() {
    std::vector<std::string_view> names{"none"};
    for (const SignalSpec& signal : signalSpecs())
        names.push_back(signal.name);
    return names;
}

std::vector<ParamSpec> makeSpecs() {
    using enum ParamKind;
    std::vector<ParamSpec> s;
    const auto local = [&](std::string_view key, std::string_view option, std::string_view label,
                           std::string_view unit, std::string_view help) -> ParamSpec& {
        return s.emplace_back(ParamSpec{key,
                                        option,
                                        "Local",
                                        label,
                                        unit,
                                        help,
                                        Integer,
                                        0,
                                        kTokensMaximum,
                                        false,
                                        false,
                                        {},
                                        nullptr,
                                        nullptr,
                                        nullptr});
    };
    const auto row = [&](std::string_view section, std::string_view key, std::string_view option,
                         std::string_view label, std::string_view unit, std::string_view help,
                         ParamKind kind) -> ParamSpec& {
        return s.emplace_back(ParamSpec{key,
                                        option,
                                        section,
                                        label,
                                        unit,
                                        help,
                                        kind,
                                        0,
                                        0,
                                        false,
                                        false,
                                        {},
                                        nullptr,
                                        nullptr,
                                        nullptr});
    };
    {
        ParamSpec& p =
            local("local.window", "window", "window", "keys",
                  "Each query reads exactly this many of the newest keys, itself included. 0: off. all: full "
                  "attention.");
        p.allAllowed = true;
        p.logarithmic = true;
        p.get = [](const Policy& x) -> Value { return x.local.window; };
        p.set = [](Policy& x, const Value& v) { x.local.window = whole(v); };
        p.active = always;
    }
    {
        ParamSpec& p = local("local.dilation", "dilation", "dilation", "tokens",
                             "Step between the keys of the window: the same number of keys, further back.");
        p.minimum = 1;
        p.maximum = 64;
        p.get = [](const Policy& x) -> Value { return x.local.dilation; };
        p.set = [](Policy& x, const Value& v) { x.local.dilation = whole(v); };
        p.active = [](const Policy& x) { return x.local.window > 1; };
    }
    {
        ParamSpec& p = local(
            "local.chunk", "chunk", "chunk", "tokens",
            "Each query also reads its own aligned chunk of this many tokens, up to itself. 0: off. Needs a "
            "window that is not \"all\".");
        p.logarithmic = true;
        p.get = [](const Policy& x) -> Value { return x.local.chunk; };
        p.set = [](Policy& x, const Value& v) { x.local.chunk = whole(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = local("local.chunk_prev", "chunk-prev", "previous chunks", "chunks",
                             "1: each query also reads the whole chunk before its own.");
        p.maximum = 1;
        p.get = [](const Policy& x) -> Value { return x.local.chunkPrevious; };
        p.set = [](Policy& x, const Value& v) { x.local.chunkPrevious = whole(v); };
        p.active = [](const Policy& x) { return sparse(x) && x.local.chunk > 0; };
    }
    {
        ParamSpec& p = row("Always", "always.sinks", "sinks", "sinks", "keys",
                           "The first tokens of the text, which every query reads.", Integer);
        p.maximum = 256;
        p.get = [](const Policy& x) -> Value { return x.always.sinks; };
        p.set = [](Policy& x, const Value& v) { x.always.sinks = whole(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row("Always", "always.pinned", "pinned", "pinned tokens", "positions",
                           "Tokens you choose, by position from 0; 10-25 is a range.", IntegerList);
        p.maximum = kTokensMaximum - 1;
        p.get = [](const Policy& x) -> Value { return pinnedTokens(x); };
        p.set = [](Policy& x, const Value& v) { setPinned(x, std::get<std::vector<std::int64_t>>(v)); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(
            "Always", "always.pinned_role", "pinned-role", "role of pinned tokens", "",
            "keys: later queries may read them. queries: they read everything before them. Applies to all "
            "pinned tokens.",
            Name);
        p.names = {"keys", "queries", "both"};
        p.get = [](const Policy& x) -> Value {
            return std::string(roleName(x.always.pinned.empty() ? Role::Keys : x.always.pinned.front().role));
        };
        p.set = [](Policy& x, const Value& v) {
            for (PinnedRange& range : x.always.pinned)
                range.role = roleNamed(name(v));
        };
        p.active = [](const Policy& x) { return sparse(x) && !x.always.pinned.empty(); };
    }
    {
        ParamSpec& p = row("Always", "always.special", "special", "special tokens", "",
                           "Every later query reads the tokenizer's special tokens.", Flag);
        p.get = [](const Policy& x) -> Value { return x.always.special; };
        p.set = [](Policy& x, const Value& v) { x.always.special = flag(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row("Always", "always.punctuation", "punctuation", "punctuation", "",
                           "Every later query reads the separator tokens.", Flag);
        p.get = [](const Policy& x) -> Value { return x.always.punctuation; };
        p.set = [](Policy& x, const Value& v) { x.always.punctuation = flag(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row("Routed", "routed.signal", "route", "signal", "",
                           "The number by which the router ranks tokens outside the local and always parts. "
                           "none: nothing is "
                           "routed.",
                           Name);
        p.names = signalChoices();
        p.get = [](const Policy& x) -> Value {
            return x.routed.on() ? x.routed.signal : std::string("none");
        };
        p.set = [](Policy& x, const Value& v) { setSignal(x, name(v)); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row("Routed", "routed.role", "route-role", "role", "",
                           "keys: queries may read the chosen tokens. queries: the chosen tokens read "
                           "everything before them. "
                           "both: two separate choices with two budgets.",
                           Name);
        p.names = {"keys", "queries", "both"};
        p.get = [](const Policy& x) -> Value { return std::string(roleName(x.routed.role)); };
        p.set = [](Policy& x, const Value& v) { x.routed.role = roleNamed(name(v)); };
        p.active = [](const Policy& x) {
            const SignalSpec* signal = findSignal(x.routed.signal);
            return routed(x) && signal != nullptr && signal->role == Role::Both;
        };
    }
    {
        ParamSpec& p = row("Routed", "routed.budget_kind", "route-budget-kind", "budget", "",
                           "count: this many keys per choice. fraction: this share of the candidates. top_p: "
                           "as many as reach "
                           "this mass by the signal's own estimate. threshold: all that score at least this.",
                           Name);
        p.names = {"count", "fraction", "top_p", "threshold"};
        p.get = [](const Policy& x) -> Value {
            static constexpr std::string_view names[] = {"count", "fraction", "top_p", "threshold"};
            return std::string(names[static_cast<std::size_t>(x.routed.budgetKind)]);
        };
        p.set = [](Policy& x, const Value& v) {
            const std::string& text = name(v);
            const BudgetKind kind = text == "fraction"    ? BudgetKind::Fraction
                                    : text == "top_p"     ? BudgetKind::TopP
                                    : text == "threshold" ? BudgetKind::Threshold
                                                          : BudgetKind::Count;
            if (kind == x.routed.budgetKind)
                return;
            x.routed.budgetKind = kind;
            static constexpr double defaults[] = {32, 0.1, 0.95, 0};
            x.routed.budget = defaults[static_cast<std::size_t>(kind)];
        };
        p.active = [](const Policy& x) {
            return routed(x) && (x.routed.ranksKeys() || x.routed.queriesTakeBudget());
        };
    }
    {
        ParamSpec& p = row("Routed", "routed.count", "route-count", "routed keys", "keys",
                           "Keys per choice, beside the local and always ones.", Integer);
        p.maximum = kTokensMaximum;
        p.allAllowed = true;
        p.logarithmic = true;
        p.get = [](const Policy& x) -> Value {
            return static_cast<std::int64_t>(x.routed.budgetKind == BudgetKind::Count ? x.routed.budget : 32);
        };
        p.set = [](Policy& x, const Value& v) {
            setBudget<BudgetKind::Count>(x, static_cast<double>(whole(v)));
        };
        p.active = usesBudget<BudgetKind::Count>;
    }
    {
        ParamSpec& p = row("Routed", "routed.fraction", "route-fraction", "routed share", "",
                           "Share of the candidates per choice, rounded up.", Real);
        p.maximum = 1;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::Fraction>(x, 0.1); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::Fraction>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::Fraction>;
    }
    {
        ParamSpec& p =
            row("Routed", "routed.top_p", "route-top-p", "mass to reach", "",
                "Best first until local, always and chosen keys hold this mass by the signal's own estimate.",
                Real);
        p.maximum = 1;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::TopP>(x, 0.95); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::TopP>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::TopP>;
    }
    {
        ParamSpec& p =
            row("Routed", "routed.threshold", "route-threshold", "score to reach", "",
                "Every candidate that scores at least this is chosen. -1e30: no bar, every candidate.", Real);
        p.minimum = kNoBar;
        p.maximum = -kNoBar;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::Threshold>(x, 0); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::Threshold>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::Threshold>;
    }
    {
        ParamSpec& p =
            row("Routed", "routed.query_count", "route-query-count", "tokens in query role", "tokens",
                "Tokens that read everything before them; decided on arrival in prefix scope, so the count "
                "may be "
                "exceeded.",
                Integer);
        p.maximum = kTokensMaximum;
        p.allAllowed = true;
        p.logarithmic = true;
        p.get = [](const Policy& x) -> Value {
            return static_cast<std::int64_t>(
                x.routed.queryBudgetKind == BudgetKind::Count ? x.routed.queryBudget : 0);
        };
        p.set = [](Policy& x, const Value& v) {
            x.routed.queryBudgetKind = BudgetKind::Count;
            x.routed.queryBudget = static_cast<double>(whole(v));
        };
        p.active = routedQueries;
    }
    {
        ParamSpec& p = row("Routed", "routed.query_fraction", "route-query-fraction", "share in query role",
                           "", "Share of the tokens that read everything before them, rounded up.", Real);
        p.maximum = 1;
        p.get = [](const Policy& x) -> Value {
            return x.routed.queryBudgetKind == BudgetKind::Fraction ? x.routed.queryBudget : 0.0;
        };
        p.set = [](Policy& x, const Value& v) {
            x.routed.queryBudgetKind = BudgetKind::Fraction;
            x.routed.queryBudget = std::get<double>(v);
        };
        p.active = routedQueries;
    }
    {
        ParamSpec& p = row("Routed", "routed.choice", "route-choice", "choice", "",
                           "query: a set of keys per query. sequence: one set for the whole text.", Name);
        p.names = {"query", "sequence"};
        p.get = [](const Policy& x) -> Value {
            return std::string(x.routed.choice == Choice::Query ? "query" : "sequence");
        };
        p.set = [](Policy& x, const Value& v) {
            x.routed.choice = name(v) == "sequence" ? Choice::Sequence : Choice::Query;
        };
        p.active = routedKeys;
    }
    {
        ParamSpec& p = row(
            "Routed", "routed.scope", "route-scope", "scope", "",
            "prefix: ranked among the tokens so far. sequence: among all tokens, which looks ahead.", Name);
        p.names = {"prefix", "sequence"};
        p.get = [](const Policy& x) -> Value {
            return std::string(x.routed.scope == Scope::Prefix ? "prefix" : "sequence");
        };
        p.set = [](Policy& x, const Value& v) {
            x.routed.scope = name(v) == "sequence" ? Scope::Sequence : Scope::Prefix;
        };
        p.active = routed;
    }
    {
        ParamSpec& p =
            row("Routed", "routed.bits", "bits", "bits", "bits",
                "Rounding of query and key in group_dot and head_dot; 1 keeps the signs.", Integer);
        p.minimum = 1;
        p.maximum = 8;
        p.get = [](const Policy& x) -> Value { return x.routed.bits; };
        p.set = [](Policy& x, const Value& v) { x.routed.bits = whole(v); };
        p.active = [](const Policy& x) {
            return routed(x) && (x.routed.signal == "group_dot" || x.routed.signal == "head_dot");
        };
    }
    {
        ParamSpec& p =
            row("Routed", "routed.seed", "seed", "seed", "", "Seed of the random signal.", Integer);
        p.maximum = 0x1p63;
        p.get = [](const Policy& x) -> Value { return static_cast<std::int64_t>(x.routed.seed); };
        p.set = [](Policy& x, const Value& v) { x.routed.seed = static_cast<std::uint64_t>(whole(v)); };
        p.active = [](const Policy& x) { return routed(x) && x.routed.signal == "random"; };
    }
    {
        ParamSpec& p = row("Mix", "mix.full_every", "full-every", "full every", "layers",
                           "k: layer l reads everything when l mod k is full_offset. 0: never.", Integer);
        p.maximum = kLayersMaximum;
        p.get = [](const Policy& x) -> Value { return x.mix.fullEvery; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullEvery = whole(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row("Mix", "mix.full_offset", "full-offset", "full offset", "layers",
                           "Which layer of every k is full, 0 to k - 1. -1: the last of each k.", Integer);
        p.minimum = -1;
        p.maximum = kLayersMaximum - 1;
        p.get = [](const Policy& x) -> Value { return x.mix.fullOffset; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullOffset = whole(v); };
        p.active = [](const Policy& x) { return sparse(x) && x.mix.fullEvery > 0; };
    }
    {
        ParamSpec& p = row("Mix", "mix.full_layers", "full-layers", "full layers", "layers",
                           "Layers that read everything, counted from 0.", IntegerList);
        p.maximum = kLayersMaximum - 1;
        p.get = [](const Policy& x) -> Value { return x.mix.fullLayers; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullLayers = std::get<std::vector<std::int64_t>>(v); };
        p.active = sparse;
    }
    return s;
}

} // namespace

std::span<const ParamSpec> paramSpecs() {
    static const std::vector<ParamSpec> specs = makeSpecs();
    return specs;
}

const ParamSpec* findParam(std::string_view wanted) {
    const auto same = [&](std::string_view other) {
        return std::equal(wanted.begin(), wanted.end(), other.begin(), other.end(),
                          [](char a, char b) { return (a == '_' ? '-' : a) == (b == '_' ? '-' : b); });
    };
    for (const ParamSpec& spec : paramSpecs())
        if (same(spec.key) || same(spec.option))
            return &spec;
    return nullptr;
}

} // namespace fovea
