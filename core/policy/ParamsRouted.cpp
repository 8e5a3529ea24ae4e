#include "core/policy/ParamRows.h"
#include "core/policy/SignalSpec.h"

namespace fovea::params {

namespace {

bool routed(const Policy& p) {
    return sparse(p) && !p.routed.signal.empty();
}
bool routedKeys(const Policy& p) {
    return routed(p) && p.routed.ranksKeys();
}
bool routedQueries(const Policy& p) {
    return routed(p) && p.routed.ranksQueries();
}

/// Access to the row of one kind of budget; reading the row of another kind gives `otherwise`.
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

void setSignal(Policy& p, const std::string& signal) {
    p.routed.signal = signal == "none" ? "" : signal;
    const SignalSpec* spec = findSignal(p.routed.signal);
    if (spec != nullptr && spec->role != Role::Both)
        p.routed.role = spec->role;
    // Fields that the new signal does not support get a value that it supports.
    const Offers offers = offersOf(p.routed.signal);
    if (offers == Offers::Pages && p.routed.granularity == Granularity::Token)
        p.routed.granularity = Granularity::Page;
    if (offers == Offers::Blocks && p.routed.granularity != Granularity::Block) {
        p.routed.granularity = Granularity::Block;
        p.routed.page = p.routed.queryBlock = 64;
    }
    const bool stored = p.routed.role == Role::Keys && (offers == Offers::Tokens || offers == Offers::Pages);
    if ((offers != Offers::Rows && p.routed.store == Store::Evict) ||
        (!stored && p.routed.store == Store::Direction8))
        p.routed.store = Store::All;
    if (offers != Offers::Tokens) {
        p.routed.choice = Choice::Query;
        p.routed.scope = Scope::Prefix;
    }
}

std::vector<std::string_view> signalChoices() {
    std::vector<std::string_view> names{"none"};
    for (const SignalSpec& signal : signalSpecs())
        names.push_back(signal.name);
    return names;
}

/// Parameters that only some signals use.
bool hashes(const Policy& p) {
    return routed(p) && signalUses(p.routed.signal, "routed.rounds");
}
bool observes(const Policy& p) {
    return routed(p) && signalUses(p.routed.signal, "routed.observe");
}
bool pools(const Policy& p) {
    return routed(p) && signalUses(p.routed.signal, "routed.pool");
}
bool strides(const Policy& p) {
    return routed(p) && signalUses(p.routed.signal, "routed.stride");
}
bool keepsDiagonals(const Policy& p) {
    return routed(p) && signalUses(p.routed.signal, "routed.diagonals");
}

constexpr std::array<std::string_view, 3> kGranularities{"token", "page", "block"};
constexpr std::array<std::string_view, 4> kSharings{"signal", "head", "group", "layer"};
constexpr std::array<std::string_view, 3> kPhases{"all", "prefill", "decode"};
constexpr std::array<std::string_view, 3> kStores{"all", "evict", "direction8"};
constexpr std::array<std::string_view, 2> kReaches{"everything", "routed"};
constexpr std::array<std::string_view, 3> kUnrouted{"local", "mean", "skip"};

bool byQueryBlock(const Policy& p) {
    return sparse(p) && (p.routed.granularity == Granularity::Block || p.routed.randomBlocks > 0);
}

/// Whether anything uses the seed. Random features and the untrained recurrence do too.
bool draws(const Policy& p) {
    const bool features =
        p.far.far == Far::Linear && (p.far.map == FeatureMap::Performer || p.far.map == FeatureMap::Trig);
    return p.far.far == Far::Recurrent || features ||
           (sparse(p) && (p.routed.randomBlocks > 0 || signalUses(p.routed.signal, "routed.seed")));
}

bool paged(const Policy& p) {
    return sparse(p) && (p.routed.granularity != Granularity::Token || p.routed.randomBlocks > 0 ||
                         p.routed.store == Store::Direction8 || signalUses(p.routed.signal, "routed.page"));
}

} // namespace

void appendRouted(std::vector<ParamSpec>& s) {
    using enum ParamKind;
    {
        ParamSpec& p = row(s, "Routed", "routed.signal", "route", "signal", "",
                           "The number by which the router ranks tokens outside the local and always parts. "
                           "none: nothing is "
                           "routed.",
                           Name);
        p.names = signalChoices();
        p.get = [](const Policy& x) -> Value {
            return x.routed.signal.empty() ? std::string("none") : x.routed.signal;
        };
        p.set = [](Policy& x, const Value& v) { setSignal(x, name(v)); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(s, "Routed", "routed.role", "route-role", "role", "",
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
        ParamSpec& p = row(s, "Routed", "routed.budget_kind", "route-budget-kind", "budget", "",
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
        ParamSpec& p = row(s, "Routed", "routed.count", "route-count", "routed keys", "keys",
                           "Keys per choice, in addition to the local and always ones.", Integer);
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
        ParamSpec& p = row(s, "Routed", "routed.fraction", "route-fraction", "routed share", "",
                           "Share of the candidates per choice, rounded up.", Real);
        p.maximum = 1;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::Fraction>(x, 0.1); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::Fraction>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::Fraction>;
    }
    {
        ParamSpec& p = row(s, "Routed", "routed.top_p", "route-top-p", "mass to reach", "",
                           "Keys are chosen, best first, until local, always and chosen keys hold this mass "
                           "by the signal's own estimate.",
                           Real);
        p.maximum = 1;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::TopP>(x, 0.95); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::TopP>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::TopP>;
    }
    {
        ParamSpec& p =
            row(s, "Routed", "routed.threshold", "route-threshold", "score to reach", "",
                "Every candidate that scores at least this is chosen. -1e30: no threshold, every candidate.",
                Real);
        p.minimum = kNoBar;
        p.maximum = -kNoBar;
        p.get = [](const Policy& x) { return budgetOf<BudgetKind::Threshold>(x, 0); };
        p.set = [](Policy& x, const Value& v) { setBudget<BudgetKind::Threshold>(x, std::get<double>(v)); };
        p.active = usesBudget<BudgetKind::Threshold>;
    }
    {
        ParamSpec& p =
            row(s, "Routed", "routed.query_count", "route-query-count", "tokens in query role", "tokens",
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
        ParamSpec& p =
            row(s, "Routed", "routed.query_fraction", "route-query-fraction", "share in query role", "",
                "Share of the tokens that read everything before them, rounded up.", Real);
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
        ParamSpec& p = row(s, "Routed", "routed.choice", "route-choice", "choice", "",
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
            s, "Routed", "routed.scope", "route-scope", "scope", "",
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
            row(s, "Routed", "routed.bits", "bits", "bits", "bits",
                "Rounding of query and key in group_dot, head_dot and indexer; 1 keeps the signs.", Integer);
        p.minimum = 1;
        p.maximum = 8;
        p.get = [](const Policy& x) -> Value { return x.routed.bits; };
        p.set = [](Policy& x, const Value& v) { x.routed.bits = whole(v); };
        p.active = [](const Policy& x) { return routed(x) && signalUses(x.routed.signal, "routed.bits"); };
    }
    {
        ParamSpec& p =
            row(s, "Routed", "routed.seed", "seed", "seed", "",
                "Seed of random draws: the random signal, random blocks, hashes, samples, random features.",
                Integer);
        p.maximum = 0x1p63;
        p.get = [](const Policy& x) -> Value { return static_cast<std::int64_t>(x.routed.seed); };
        p.set = [](Policy& x, const Value& v) { x.routed.seed = static_cast<std::uint64_t>(whole(v)); };
        p.active = draws;
    }
    constexpr auto kRouted = &Policy::routed;
    named<kRouted, &RoutedPart::granularity, kGranularities>(
        row(s, "Routed", "routed.granularity", "granularity", "granularity", "",
            "token: single keys. page: aligned runs of keys, for each query. block: such runs, for a whole "
            "run of queries.",
            Name),
        routedKeys);
    plain<kRouted, &RoutedPart::page>(row(s, "Routed", "routed.page", "page", "page", "keys",
                                          "Keys of a page or key block, aligned.", Integer),
                                      1, 4096, paged);
    plain<kRouted, &RoutedPart::queryBlock>(
        row(s, "Routed", "routed.query_block", "query-block", "query block", "queries",
            "Queries that choose together, aligned. Above 1 some signals look ahead inside the block.",
            Integer),
        1, 256, byQueryBlock);
    plain<kRouted, &RoutedPart::newest>(
        row(s, "Routed", "routed.newest", "newest-pages", "newest pages", "pages",
            "Only this many of the newest pages that reach the score. 0: all.", Integer),
        0, 4096, [](const Policy& p) {
            return routedKeys(p) && p.routed.budgetKind == BudgetKind::Threshold &&
                   p.routed.granularity == Granularity::Page;
        });
    named<kRouted, &RoutedPart::sharing, kSharings>(
        row(s, "Routed", "routed.share", "route-share", "choose as one", "",
            "Heads that make one choice: as the signal is published, each head, the heads of a key-value "
            "head, or all of a layer.",
            Name),
        routedKeys);
    named<kRouted, &RoutedPart::phase, kPhases>(
        row(s, "Routed", "routed.phase", "phase", "phase", "",
            "Rows that route: all, those of the prompt, or those after it; the other rows read everything.",
            Name),
        [](const Policy& p) { return sparse(p); });
    named<kRouted, &RoutedPart::store, kStores>(
        row(s, "Routed", "routed.store", "store", "store", "",
            "all: every key stays. evict: a key that was dropped once is never read again. direction8: keys "
            "outside the window are kept, and read, as length and 8-bit direction.",
            Name),
        [](const Policy& p) { return routedKeys(p) || (sparse(p) && p.routed.randomBlocks > 0); });
    named<kRouted, &RoutedPart::reach, kReaches>(
        row(s, "Routed", "routed.reach", "reach", "reach", "",
            "What tokens in query role read: everything before them, or the routed keys, which then no other "
            "query reads.",
            Name),
        routedQueries);
    named<kRouted, &RoutedPart::unrouted, kUnrouted>(
        row(s, "Routed", "routed.unrouted", "unrouted", "unrouted queries", "",
            "A query outside query role: reads as the policy says, gets the running mean of the values, or "
            "is skipped: no output, and no other query reads it in this layer.",
            Name),
        routedQueries);
    plain<kRouted, &RoutedPart::randomBlocks>(row(s, "Routed", "routed.random_blocks", "random-blocks",
                                                  "random blocks", "blocks",
                                                  "Blocks of `page` keys that each query block reads at "
                                                  "random, in addition to the signal's choice.",
                                                  Integer),
                                              0, 8, sparse);
    plain<kRouted, &RoutedPart::rounds>(row(s, "Routed", "routed.rounds", "rounds", "hash rounds", "",
                                            "Rounds of hashing in lsh; the union of their sets is read.",
                                            Integer),
                                        1, 16, hashes);
    plain<kRouted, &RoutedPart::observe>(
        row(s, "Routed", "routed.observe", "observe", "rows observed", "queries",
            "Last rows of the prompt from which recent_window and vertical_slash choose.", Integer),
        1, 1024, observes);
    plain<kRouted, &RoutedPart::pool>(row(s, "Routed", "routed.pool", "pool", "pool", "keys",
                                          "Number of neighbouring keys over which recent_window averages.",
                                          Integer),
                                      1, 63, pools);
    plain<kRouted, &RoutedPart::stride>(
        row(s, "Routed", "routed.stride", "stride", "stride", "tokens",
            "Distance between the antidiagonals that the signal antidiagonal sums.", Integer),
        1, 64, strides);
    ParamSpec& diagonals = row(s, "Routed", "routed.diagonals", "diagonals", "diagonals", "offsets",
                               "Diagonals that vertical_slash keeps in addition to its columns.", Integer);
    diagonals.logarithmic = true;
    plain<kRouted, &RoutedPart::diagonals>(diagonals, 0, kTokensMaximum, keepsDiagonals);
}

} // namespace fovea::params
