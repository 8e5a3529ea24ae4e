#include "core/policy/SignalSpec.h"
#include "core/route/Candidates.h"
#include "core/route/Pages.h"
#include "core/route/SetChoice.h"
#include "core/route/Signal.h"

namespace fovea {

std::uint64_t scoreMacs(const SignalInput& in, RowRange rows) {
    return in.native().pairs(rows) * in.headDim();
}

namespace {

/// Rows that route; those outside a phase rank nothing.
std::uint64_t rowMacs(const SignalInput& in) {
    std::uint64_t pairs = 0;
    const NativeWindow native = in.native();
    for (std::size_t query = in.rows.first; query < in.rows.last; ++query)
        pairs += in.candidates != nullptr && in.candidates->always().queryRole[query] != 0
                     ? 0
                     : native.keys(query);
    return pairs * in.headDim();
}
std::uint64_t prefixMacs(const SignalInput& in) {
    return scoreMacs(in, {0, in.keys});
}
std::uint64_t normMacs(const SignalInput& in) {
    return std::uint64_t{in.keys} * in.headDim();
}
std::uint64_t noMacs(const SignalInput&) {
    return 0;
}

/// A set per text of a per-query signal takes two passes over all pairs.
std::uint64_t pairMacs(const SignalInput& in) {
    return in.routed.choice == Choice::Query ? rowMacs(in) : 2 * prefixMacs(in);
}
std::uint64_t oracleMacs(const SignalInput& in) {
    return in.routed.choice == Choice::Query ? rowMacs(in) : scoring::receivedMacs(in);
}

using namespace scoring;

std::uint64_t distinctMacs(const SignalInput& in) {
    return scoreMacs(in, in.rows) + 2 * normMacs(in);
}
std::uint64_t indexerMacs(const SignalInput& in) {
    return rowMacs(in) * static_cast<std::uint64_t>(in.shape.heads);
}
std::uint64_t hiddenMacs(const SignalInput& in) {
    return std::uint64_t{in.keys} * static_cast<std::uint64_t>(in.shape.width);
}

// The table. Order is what a list shows: the default first, the controls last.
constexpr SignalSpec kSignals[] = {
    {.name = "group_dot",
     .help = "the queries of a key-value head summed, times the key, both rounded to `bits` per "
             "vector; high first. One choice per key-value head; top_p reads it as G times the mean "
             "logit",
     .sees = Sees::Row,
     .unit = UnitKind::Group,
     .cost = "i*D int8 per key-value head",
     .estimatesMass = true,
     .parameters = {"routed.bits"},
     .pairs = groupDot,
     .tokens = groupDotTokens,
     .macs = pairMacs},
    {.name = "head_dot",
     .help = "query times key, both rounded to `bits` per vector; high first. One choice per head",
     .sees = Sees::Row,
     .cost = "i*D int8 per head",
     .estimatesMass = true,
     .parameters = {"routed.bits"},
     .pairs = headDot,
     .tokens = headDotTokens,
     .macs = pairMacs},
    {.name = "key_norm",
     .help = "minus the length of the key: low norm draws attention (2406.11430). Flat where keys are "
             "normalised. One choice per key-value head",
     .sees = Sees::Fixed,
     .unit = UnitKind::Group,
     .cost = "D per key-value head",
     .tokens = keyNorm,
     .macs = normMacs},
    {.name = "value_norm",
     .help = "length of the value; high first. One choice per key-value head",
     .sees = Sees::Fixed,
     .unit = UnitKind::Group,
     .cost = "D per key-value head",
     .tokens = valueNorm,
     .macs = normMacs},
    {.name = "page_mean",
     .help = "query times the mean key of a page; high first (2502.13189). One choice per head",
     .sees = Sees::Row,
     .cost = "D*i/page",
     .offers = Offers::Pages,
     .estimatesMass = true,
     .pages = pages::mean},
    {.name = "page_bound",
     .help = "sum over channels of max(q*min, q*max) of a page, never below any of its logits; high "
             "first (2406.10774). One choice per head; top_p reads the bound as if it were the logit",
     .sees = Sees::Row,
     .cost = "2D*i/page",
     .offers = Offers::Pages,
     .estimatesMass = true,
     .pages = pages::bound},
    {.name = "stored_dot",
     .help = "greatest logit of a page by its keys as they are stored (`store` direction8: 8 bits a "
             "channel), local and always keys left out; high first. One choice per head",
     .sees = Sees::Row,
     .cost = "i*D per head, int8 where keys are stored so",
     .offers = Offers::Pages,
     .pages = pages::storedDot},
    {.name = "block_pool",
     .help = "softmax of mean query times mean key of blocks; high first (2407.02490, 2502.20766). "
             "One choice per head",
     .sees = Sees::Block,
     .cost = "D*i/(page*query_block)",
     .offers = Offers::Blocks,
     .estimatesMass = true,
     .pages = pages::blockPool},
    {.name = "antidiagonal",
     .help = "strided antidiagonal sums of query times key inside blocks, softmaxed; high first "
             "(2503.16428). One choice per head",
     .sees = Sees::Block,
     .cost = "D*i/stride",
     .offers = Offers::Blocks,
     .estimatesMass = true,
     .parameters = {"routed.stride"},
     .pages = pages::antidiagonal},
    {.name = "recent_window",
     .help = "mean attention of the last `observe` prompt rows, mean over `pool` keys; high first "
             "(2404.14469). One set, fixed at the end of the prompt, with those rows; all keys behind "
             "it stay. One choice per key-value head",
     .sees = Sees::Border,
     .unit = UnitKind::Group,
     .cost = "observe*D at the border",
     .offers = Offers::Prompt,
     .estimatesMass = true,
     .parameters = {"routed.observe", "routed.pool"},
     .sets = sets::recentWindow},
    {.name = "vertical_slash",
     .help = "columns (`budget`) and diagonals (`diagonals`) of greatest attention in the last "
             "`observe` prompt rows; the first 30 and nearest 100 first (2407.02490). One choice per "
             "head",
     .sees = Sees::Border,
     .cost = "observe*D at the border",
     .offers = Offers::Prompt,
     .estimatesMass = true,
     .parameters = {"routed.observe", "routed.diagonals"},
     .sets = sets::verticalSlash},
    {.name = "flexprefill",
     .help = "per head pooled blocks, or columns and diagonals of blocks, by coverage of the last "
             "prompt block (2502.20766)",
     .sees = Sees::Ahead,
     .cost = "page*D at the border + D*i/page^2",
     .offers = Offers::Prompt,
     .estimatesMass = true,
     .parameters = {"routed.page"},
     .sets = sets::flexPrefill},
    {.name = "accumulated",
     .help = "attention that all rows so far gave the key under this policy; high first (2306.14048). "
             "One choice per key-value head",
     .sees = Sees::Running,
     .unit = UnitKind::Group,
     .cost = "the hybrid's own scores",
     .offers = Offers::Rows,
     .estimatesMass = true,
     .sets = sets::accumulated},
    {.name = "observed",
     .help = "as accumulated, per row that could see the key. One choice per key-value head",
     .sees = Sees::Running,
     .unit = UnitKind::Group,
     .cost = "the hybrid's own scores",
     .offers = Offers::Rows,
     .estimatesMass = true,
     .sets = sets::observed},
    {.name = "value_attention",
     .help = "accumulated times the value's L1 length; high first (2406.12335). One choice per "
             "key-value head",
     .sees = Sees::Running,
     .unit = UnitKind::Group,
     .cost = "the hybrid's own scores + D",
     .offers = Offers::Rows,
     .sets = sets::valueAttention},
    {.name = "last_row",
     .help = "attention of the row before under this policy, mean over the layer's heads; high first "
             "(2401.06104). One choice per layer",
     .sees = Sees::Row,
     .unit = UnitKind::All,
     .cost = "the hybrid's own scores",
     .offers = Offers::Rows,
     .estimatesMass = true,
     .sets = sets::lastRow},
    {.name = "lsh",
     .help = "the newest `budget` keys of the query's hash bucket, united over `rounds` (2001.04451); "
             "score: share of rounds. One choice per head",
     .sees = Sees::Row,
     .cost = "rounds*D*i/(2*budget)",
     .offers = Offers::Buckets,
     .parameters = {"routed.rounds", "routed.seed"},
     .sets = sets::lsh},
    {.name = "centroid",
     .help = "the newest `budget` keys of the query's cluster, online spherical k-means of the keys "
             "(2003.05997). One choice per head",
     .sees = Sees::Row,
     .cost = "2D*i/budget",
     .offers = Offers::Buckets,
     .sets = sets::centroid},
    {.name = "indexer",
     .help = "sum over heads of ReLU(query times key), both rounded to `bits`; high first "
             "(2512.02556, untrained stand-in). One choice per layer",
     .sees = Sees::Row,
     .unit = UnitKind::All,
     .cost = "i*D int8 per head",
     .estimatesMass = true,
     .parameters = {"routed.bits"},
     .pairs = indexer,
     .macs = indexerMacs},
    {.name = "key_distinct",
     .help = "minus the cosine of the key and the mean direction of the keys so far; high first "
             "(2504.15364). One choice per key-value head",
     .sees = Sees::Running,
     .unit = UnitKind::Group,
     .cost = "i*D per key-value head",
     .pairs = keyDistinct,
     .macs = distinctMacs},
    {.name = "position",
     .help = "the earlier the better: more sinks",
     .sees = Sees::Fixed,
     .unit = UnitKind::All,
     .cost = "0",
     .free = true,
     .tokens = position,
     .macs = noMacs},
    {.name = "special",
     .help = "special and separator tokens first, the latest of them (2412.12094)",
     .role = Role::Both,
     .sees = Sees::Fixed,
     .unit = UnitKind::All,
     .cost = "0, a look-up",
     .free = true,
     .tokens = special,
     .queries = special,
     .macs = noMacs},
    {.name = "hidden_norm",
     .help = "length of the residual stream that enters the layer; high first",
     .role = Role::Both,
     .sees = Sees::Fixed,
     .unit = UnitKind::All,
     .cost = "M per layer",
     .needs = Needs::HiddenNorm,
     .tokens = hiddenNorm,
     .queries = hiddenNorm,
     .macs = hiddenMacs},
    {.name = "rarity",
     .help = "-ln of the token's share among the tokens so far, nats; high first",
     .role = Role::Both,
     .sees = Sees::Fixed,
     .unit = UnitKind::All,
     .cost = "0, a look-up",
     .free = true,
     .needs = Needs::TokenIds,
     .tokens = rarity,
     .queries = rarity,
     .macs = noMacs},
    {.name = "surprisal",
     .help = "-ln P(token | tokens before), nats; high first (2407.09450). Needs a full pass of the "
             "model, which is router cost",
     .role = Role::Both,
     .sees = Sees::Fixed,
     .unit = UnitKind::All,
     .cost = "a full pass",
     .needs = Needs::Surprisal,
     .tokens = surprisal,
     .queries = surprisal,
     .macs = noMacs},
    {.name = "received",
     .help = "attention mass that all queries of the full run gave the token. Looks ahead: diagnostic "
             "only",
     .sees = Sees::Ahead,
     .cost = "i*D, a full score",
     .estimatesMass = true,
     .tokensAreMass = true,
     .tokens = received,
     .macs = receivedMacs},
    {.name = "query_peak",
     .help = "greatest minus mean logit over keys up to the query; high first",
     .role = Role::Queries,
     .sees = Sees::Row,
     .cost = "i*D",
     .queries = queryPeak,
     .macs = prefixMacs},
    {.name = "query_sparsity",
     .help = "greatest minus mean logit over 5*ceil(ln(i+1)) keys drawn from those up to the query; "
             "high first (2012.07436)",
     .role = Role::Queries,
     .sees = Sees::Row,
     .cost = "5*D*ln i",
     .parameters = {"routed.seed"},
     .queries = querySparsity,
     .macs = querySparsityMacs},
    {.name = "row_entropy",
     .help = "entropy of the query's attention, nats; high first",
     .role = Role::Queries,
     .sees = Sees::Row,
     .cost = "i*D",
     .queries = rowEntropy,
     .macs = prefixMacs},
    {.name = "local_deficit",
     .help = "attention mass of the query outside local and always; high first (2410.13846)",
     .role = Role::Queries,
     .sees = Sees::Row,
     .cost = "i*D",
     .queries = localDeficit,
     .macs = prefixMacs},
    {.name = "random",
     .help = "uniform, from the seed: the control that a router must beat",
     .role = Role::Both,
     .sees = Sees::Fixed,
     .cost = "0",
     .free = true,
     .parameters = {"routed.seed"},
     .pairs = randomPairs,
     .tokens = randomTokens,
     .queries = randomQueries,
     .macs = noMacs},
    {.name = "oracle",
     .help = "the true attention probability of the row: the control that no router can beat by much",
     .sees = Sees::Row,
     .cost = "i*D, a full score",
     .estimatesMass = true,
     .ranksExactKeys = true,
     .pairs = oracle,
     .tokens = oracleTokens,
     .macs = oracleMacs},
};

} // namespace

std::span<const SignalSpec> signalSpecs() {
    return kSignals;
}

} // namespace fovea
