#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace fovea {

namespace {

// Order is what a list shows: the default first, the controls last.
constexpr SignalSpec kSignals[] = {
    {"group_dot",
     "the queries of a key-value head summed, times the key, both rounded to `bits` per vector; high first. "
     "One choice per "
     "key-value head; top_p reads it as G times the mean logit",
     Role::Keys, Sees::Row, true, true, "i*D int8 per key-value head"},
    {"head_dot", "query times key, both rounded to `bits` per vector; high first. One choice per head",
     Role::Keys, Sees::Row, false, true, "i*D int8 per head"},
    {"key_norm",
     "minus the length of the key: low norm draws attention (2406.11430). Flat where keys are normalised. "
     "One choice per "
     "key-value head",
     Role::Keys, Sees::Fixed, true, false, "D per key-value head"},
    {"value_norm", "length of the value; high first. One choice per key-value head", Role::Keys, Sees::Fixed,
     true, false, "D per key-value head"},
    {"page_mean", "query times the mean key of a page; high first (2502.13189). One choice per head",
     Role::Keys, Sees::Row, false, true, "D*i/page"},
    {"page_bound",
     "sum over channels of max(q*min, q*max) of a page, never below any of its logits; high first "
     "(2406.10774). "
     "One choice per head; top_p reads the bound as if it were the logit",
     Role::Keys, Sees::Row, false, true, "2D*i/page"},
    {"stored_dot",
     "greatest logit of a page by its keys as they are stored (`store` direction8: 8 bits a channel), local "
     "and "
     "always keys left out; high first. One choice per head",
     Role::Keys, Sees::Row, false, false, "i*D per head, int8 where keys are stored so"},
    {"block_pool",
     "softmax of mean query times mean key of blocks; high first (2407.02490, 2502.20766). One choice per "
     "head",
     Role::Keys, Sees::Block, false, true, "D*i/(page*query_block)"},
    {"antidiagonal",
     "strided antidiagonal sums of query times key inside blocks, softmaxed; high first (2503.16428). One "
     "choice "
     "per head",
     Role::Keys, Sees::Block, false, true, "D*i/stride"},
    {"recent_window",
     "mean attention of the last `observe` prompt rows, mean over `pool` keys; high first (2404.14469). "
     "Those rows "
     "and all behind the prompt stay. One choice per key-value head",
     Role::Keys, Sees::Border, true, true, "observe*D at the border"},
    {"vertical_slash",
     "columns (`budget`) and diagonals (`diagonals`) of greatest attention in the last `observe` prompt "
     "rows; the "
     "first 30 and nearest 100 first (2407.02490). One choice per head",
     Role::Keys, Sees::Border, false, true, "observe*D at the border"},
    {"flexprefill",
     "per head pooled blocks, or columns and diagonals of blocks, by coverage of the last prompt block "
     "(2502.20766)",
     Role::Keys, Sees::Ahead, false, true, "page*D at the border + D*i/page^2"},
    {"accumulated",
     "attention that all rows so far gave the key under this policy; high first (2306.14048). One choice per "
     "key-value head",
     Role::Keys, Sees::Running, true, true, "the hybrid's own scores"},
    {"observed", "as accumulated, per row that could see the key. One choice per key-value head", Role::Keys,
     Sees::Running, true, true, "the hybrid's own scores"},
    {"value_attention",
     "accumulated times the value's L1 length; high first (2406.12335). One choice per key-value head",
     Role::Keys, Sees::Running, true, false, "the hybrid's own scores + D"},
    {"last_row",
     "attention of the row before under this policy, mean over the layer's heads; high first (2401.06104). "
     "One "
     "choice per layer",
     Role::Keys, Sees::Row, false, true, "the hybrid's own scores"},
    {"lsh",
     "the newest `budget` keys of the query's hash bucket, united over `rounds` (2001.04451); score: share "
     "of "
     "rounds. One choice per head",
     Role::Keys, Sees::Row, false, false, "rounds*D*i/(2*budget)"},
    {"centroid",
     "the newest `budget` keys of the query's cluster, online spherical k-means of the keys (2003.05997). "
     "One choice "
     "per head",
     Role::Keys, Sees::Row, false, false, "2D*i/budget"},
    {"indexer",
     "sum over heads of ReLU(query times key), both rounded to `bits`; high first (2512.02556, untrained "
     "stand-in). "
     "One choice per layer",
     Role::Keys, Sees::Row, false, true, "i*D int8 per head"},
    {"key_distinct",
     "minus the cosine of the key and the mean direction of the keys so far; high first (2504.15364). One "
     "choice "
     "per key-value head",
     Role::Keys, Sees::Running, true, false, "i*D per key-value head"},
    {"position", "the earlier the better: more sinks", Role::Keys, Sees::Fixed, false, false, "0"},
    {"special", "special and separator tokens first, the latest of them (2412.12094)", Role::Both,
     Sees::Fixed, false, false, "0, a look-up"},
    {"hidden_norm", "length of the residual stream that enters the layer; high first", Role::Both,
     Sees::Fixed, false, false, "M per layer"},
    {"rarity", "-ln of the token's share among the tokens so far, nats; high first", Role::Both, Sees::Fixed,
     false, false, "0, a look-up"},
    {"surprisal",
     "-ln P(token | tokens before), nats; high first (2407.09450). Needs a full pass of the model, which is "
     "router cost",
     Role::Both, Sees::Fixed, false, false, "a full pass"},
    {"received",
     "attention mass that all queries of the full run gave the token. Looks ahead: diagnostic only",
     Role::Keys, Sees::Ahead, false, true, "i*D, a full score"},
    {"query_peak", "greatest minus mean logit over keys up to the query; high first", Role::Queries,
     Sees::Row, false, false, "i*D"},
    {"query_sparsity",
     "greatest minus mean logit over 5*ceil(ln(i+1)) keys drawn from those up to the query; high first "
     "(2012.07436)",
     Role::Queries, Sees::Row, false, false, "5*D*ln i"},
    {"row_entropy", "entropy of the query's attention, nats; high first", Role::Queries, Sees::Row, false,
     false, "i*D"},
    {"local_deficit", "attention mass of the query outside local and always; high first (2410.13846)",
     Role::Queries, Sees::Row, false, false, "i*D"},
    {"random", "uniform, from the seed: the control that a router must beat", Role::Both, Sees::Fixed, false,
     false, "0"},
    {"oracle", "the true attention probability of the row: the control that no router can beat by much",
     Role::Keys, Sees::Row, false, true, "i*D, a full score"},
};

} // namespace

std::span<const SignalSpec> signalSpecs() {
    return kSignals;
}

const SignalSpec* findSignal(std::string_view name) {
    const auto found = std::find_if(std::begin(kSignals), std::end(kSignals),
                                    [&](const SignalSpec& s) { return s.name == name; });
    return found == std::end(kSignals) ? nullptr : &*found;
}

Offers offersOf(std::string_view signal) {
    constexpr std::array<std::pair<std::string_view, Offers>, 14> kOthers = {{
        {"page_mean", Offers::Pages},
        {"page_bound", Offers::Pages},
        {"stored_dot", Offers::Pages},
        {"block_pool", Offers::Blocks},
        {"antidiagonal", Offers::Blocks},
        {"lsh", Offers::Buckets},
        {"centroid", Offers::Buckets},
        {"recent_window", Offers::Prompt},
        {"vertical_slash", Offers::Prompt},
        {"flexprefill", Offers::Prompt},
        {"accumulated", Offers::Rows},
        {"observed", Offers::Rows},
        {"value_attention", Offers::Rows},
        {"last_row", Offers::Rows},
    }};
    const auto found =
        std::find_if(kOthers.begin(), kOthers.end(), [&](const auto& o) { return o.first == signal; });
    return found == kOthers.end() ? Offers::Tokens : found->second;
}

std::string_view seesText(Sees sees) {
    switch (sees) {
    case Sees::Fixed:
        return "known when the token arrives";
    case Sees::Row:
        return "sees the query and keys up to it";
    case Sees::Running:
        return "sees all rows up to the query";
    case Sees::Border:
        return "sees the last rows of the prompt";
    case Sees::Block:
        return "sees the whole query block";
    case Sees::Ahead:
        break;
    }
    return "sees the whole text";
}

Sees routingSees(const HeadParts& parts) {
    const RoutedPart& routed = parts.routed;
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal == nullptr)
        return routed.signal.empty() ? Sees::Fixed : Sees::Ahead;
    if (routed.scope == Scope::Sequence)
        return Sees::Ahead;
    if (signal->sees == Sees::Block && routed.queryBlock == 1)
        return Sees::Row;
    if (signal->sees == Sees::Border && routed.phase != Phase::Decode)
        return Sees::Ahead;
    return signal->sees;
}

bool looksAhead(const HeadParts& parts) {
    if (parts.readsLater())
        return true;
    if (!parts.routed.on() || (parts.local.window == kAll && parts.local.dilation == 1))
        return false;
    const Sees sees = routingSees(parts);
    return sees == Sees::Ahead || sees == Sees::Block;
}

bool looksAhead(const AttentionPolicy& policy) {
    return policy.bidirectional() ||
           policy.anyParts([](const HeadParts& parts) { return looksAhead(parts); });
}

bool roundsKeys(std::string_view signal) {
    return signal == "group_dot" || signal == "head_dot" || signal == "indexer";
}

bool readsEarlierQueries(const AttentionPolicy& policy) {
    return policy.anyParts([&](const HeadParts& parts) {
        const RoutedPart& routed = parts.routed;
        const Offers offers = offersOf(routed.signal);
        return routed.on() && (routed.ranksQueries() || routed.choice == Choice::Sequence ||
                               routed.granularity == Granularity::Block || offers == Offers::Rows ||
                               offers == Offers::Prompt || policy.mix.dynamic != Dynamic::None);
    });
}

} // namespace fovea
