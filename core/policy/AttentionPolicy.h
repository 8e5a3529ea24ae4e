#pragma once
#include "core/base/Result.h"
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// "All of them", wherever a count of tokens is asked; written "all" in files.
inline constexpr std::int64_t kAll = std::numeric_limits<std::int32_t>::max();

/// The threshold that keeps every candidate, NaN scores included: minus infinity, which JSON cannot say.
inline constexpr double kNoBar = -1e30;

/// A token's role in global attention. Keys: later queries may read it. Queries: it reads everything before
/// it.
enum class Role : std::uint8_t { Keys, Queries, Both };
/// Why a key is read, in order of precedence; Skipped: it is not.
enum class Reason : std::uint8_t { Local, Always, Routed, Far, Skipped };
[[nodiscard]] std::string_view reasonName(Reason reason); ///< "local", ... as in the JSON documents
[[nodiscard]] std::string_view roleName(Role role);

/// Which side of the query its window lies on. Both needs a bidirectional model.
enum class Sides : std::uint8_t { Earlier, Both };

struct LocalPart {
    /// Keys, self included; 0: off; kAll: full attention. To both sides: half of it on either, and the query
    /// itself.
    std::int64_t window = kAll;
    std::int64_t dilation = 1;      ///< tokens between keys of the window, 1..64
    std::int64_t chunk = 0;         ///< tokens; 0: off
    std::int64_t chunkPrevious = 0; ///< 0 or 1: the whole previous chunk too
    Sides sides = Sides::Earlier;
    bool operator==(const LocalPart&) const = default;
};

/// Positions first..last inclusive, with a role. Negative or beyond T: an error at planning that names it.
struct PinnedRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
    Role role = Role::Keys;
    bool operator==(const PinnedRange&) const = default;
};

struct AlwaysPart {
    std::int64_t sinks = 0; ///< keys 0..sinks-1
    /// z: e^z joins each row's denominator with value 0, no key, no record. Not with a gated combination.
    std::optional<double> sinkLogit;
    std::vector<PinnedRange> pinned;
    bool special = false;            ///< the tokenizer's special tokens
    std::int64_t specialCap = 0;     ///< only the latest that many, seen from each query; 0: all
    bool punctuation = false;        ///< separator tokens
    std::int64_t punctuationCap = 0; ///< as specialCap
    bool operator==(const AlwaysPart&) const = default;
};

enum class BudgetKind : std::uint8_t { Count, Fraction, TopP, Threshold };
enum class Choice : std::uint8_t { Query, Sequence }; ///< one set per query, or one per text
enum class Scope : std::uint8_t { Prefix, Sequence }; ///< rank tokens <= i, or all of them (looks ahead)
/// What is chosen: single keys, aligned runs of `page` keys for one query, or such runs for a whole run of
/// `queryBlock` queries.
enum class Granularity : std::uint8_t { Token, Page, Block };
/// Heads that choose as one: as the signal does, each head, those of a key-value head, or all of a layer.
enum class Sharing : std::uint8_t { Signal, Head, Group, Layer };
/// Rows that route: all, those of the prompt (the others read everything), or those after it.
enum class Phase : std::uint8_t { All, Prefill, Decode };
/// Evict: a key that is dropped once is gone. Direction8: keys outside local are stored as length and
/// direction of 8 bits a channel, and read in that form.
enum class Store : std::uint8_t { All, Evict, Direction8 };
/// What tokens in query role read: everything before them, or the routed keys, which then nobody else reads.
enum class Reach : std::uint8_t { Everything, Routed };
/// A query outside query role: as the policy says, the running mean of the values, or no output at all (and
/// no key for others in this layer).
enum class Unrouted : std::uint8_t { Local, Mean, Skip };

struct RoutedPart {
    std::string signal; ///< a name of SignalSpec.h; empty: nothing is routed
    Role role = Role::Keys;
    std::int64_t bits = 8; ///< rounding of q and k in group_dot and head_dot, 1..8
    BudgetKind budgetKind = BudgetKind::Count;
    double budget = 32;                             ///< keys per choice, or share, mass or bar by budgetKind
    BudgetKind queryBudgetKind = BudgetKind::Count; ///< Count or Fraction
    double queryBudget = 0; ///< tokens in query role; 0 with role queries: `budget` is meant
    Granularity granularity = Granularity::Token;
    Sharing sharing = Sharing::Signal;
    std::int64_t page = 16;      ///< keys of a page or key block, aligned, 1..4096
    std::int64_t queryBlock = 1; ///< queries that choose as one, aligned, 1..256
    Choice choice = Choice::Query;
    Scope scope = Scope::Prefix;
    Phase phase = Phase::All;
    Store store = Store::All;
    Reach reach = Reach::Everything;
    Unrouted unrouted = Unrouted::Local;
    std::int64_t randomBlocks = 0; ///< blocks of `page` keys per query block, 0..8, beside the signal's keys
    std::int64_t rounds = 8;       ///< hash rounds of lsh, 1..16
    std::int64_t observe = 64;     ///< last rows of the prompt that recent_window and vertical_slash look at
    std::int64_t pool = 5;         ///< keys over which recent_window takes the mean, odd, 1..63
    std::int64_t stride = 8;       ///< of antidiagonal: every stride-th antidiagonal of a block, 1..64
    /// With a threshold on pages: only the newest that many pages at or above it; 0: all of them.
    std::int64_t newest = 0;
    std::int64_t diagonals = 1000; ///< of vertical_slash: offsets kept beside `budget` columns
    std::uint64_t seed = 1;
    bool operator==(const RoutedPart&) const = default;
    /// Does a signal rank, or are random blocks drawn?
    [[nodiscard]] bool on() const { return !signal.empty() || randomBlocks > 0; }
    /// May some text have it choose a key, or a query? Not with a budget of nothing: no router is run then.
    [[nodiscard]] bool chooses() const;
    [[nodiscard]] bool choosesKeys() const;    ///< the same for the signal's keys
    [[nodiscard]] bool choosesQueries() const; ///< the same for queries
    /// Do queries outside query role read nothing?
    [[nodiscard]] bool silencesOthers() const {
        return !signal.empty() && ranksQueries() && unrouted != Unrouted::Local;
    }
    /// Are routed keys read, and ranked, from length and 8-bit direction?
    [[nodiscard]] bool storesDirections() const { return on() && store == Store::Direction8; }
    [[nodiscard]] bool ranksKeys() const { return role != Role::Queries; }
    [[nodiscard]] bool ranksQueries() const { return role != Role::Keys; }
    /// Does role queries take `budget`, since no budget of its own is given?
    [[nodiscard]] bool queriesTakeBudget() const { return role == Role::Queries && queryBudget == 0; }
    [[nodiscard]] BudgetKind effectiveQueryKind() const {
        return queriesTakeBudget() ? budgetKind : queryBudgetKind;
    }
    [[nodiscard]] double effectiveQueryBudget() const { return queriesTakeBudget() ? budget : queryBudget; }
};

/// What stands for the keys that are read by no other part. Projection: K' = EK and V' = FV over the whole
/// text, a row of E for `m` tokens (Linformer, 2006.04768); needs a bidirectional model of one length.
enum class Far : std::uint8_t { None, Summaries, Linear, Recurrent, Projection };
/// The feature map of the linear state.
enum class FeatureMap : std::uint8_t { Elu1, Performer, Trig, Taylor2, Hedgehog };

struct FarPart {
    Far far = Far::None;
    std::int64_t m = 16;  ///< tokens of a summary's aligned block, or n / k of a projection, 2..1024
    bool logCount = true; ///< a summary of c tokens has its logit raised by ln c
    std::int64_t top = 0; ///< only the that many summaries of greatest logit; 0: all
    FeatureMap map = FeatureMap::Elu1;
    std::int64_t features = 0; ///< random features of performer and trig; 0: 256
    bool operator==(const FarPart&) const = default;
    [[nodiscard]] bool on() const { return far != Far::None; }
};

/// How exact part and far field become one output: one softmax over the union, one normaliser with the
/// linear state as its tail, or a gated sum.
enum class Combine : std::uint8_t { Union, Shared, Gated };

struct CombinePart {
    Combine combine = Combine::Union;
    double gate = 0.731;     ///< weight of the exact part in a gated sum, 0..1; the far field gets the rest
    double windowFactor = 1; ///< multiplies the exact part's terms in a shared normaliser, 0..1
    bool operator==(const CombinePart&) const = default;
};

/// Budgets that follow the text: by the entropy of a head's rows, or by the mass its local part misses.
enum class Dynamic : std::uint8_t { None, Entropy, Deficit };
/// Cache: RoPE position of a key = its rank among the keys that are read.
enum class Positions : std::uint8_t { Original, Cache };
/// BigBird: the block pattern as its reference code reads it, later blocks and double counting included.
enum class Parity : std::uint8_t { None, BigBird };

struct MixPart {
    /// [L] names of head policies, "" for the policy's own parts, "full" for full attention; empty: own
    /// parts.
    std::vector<std::string> layers;
    /// One list of [H] names for all layers, or [L] such lists; "" for what the layer has. Empty: heads
    /// alike.
    std::vector<std::vector<std::string>> heads;
    std::int64_t fullEvery = 0;           ///< k: layer l is full when l mod k = fullOffset; 0: never
    std::int64_t fullOffset = -1;         ///< -1: k-1
    std::vector<std::int64_t> fullLayers; ///< 0-based layers kept full
    double fullHeads = 0; ///< share of all heads kept full: the greatest by retrieval_head, 0..1
    Dynamic dynamic = Dynamic::None;
    std::int64_t probeEvery = 64; ///< rows between the rows scored in full for `dynamic`
    Positions positions = Positions::Original;
    Parity parity = Parity::None;
    bool operator==(const MixPart&) const = default;
};

/// What one head does, in five parts. A part left out is off.
struct HeadParts {
    LocalPart local;
    AlwaysPart always;
    RoutedPart routed;
    FarPart far;
    CombinePart combine;
    bool operator==(const HeadParts&) const = default;
    /// Reads every key of every query, whatever the text?
    [[nodiscard]] bool readsAll() const {
        return local.window == kAll && local.dilation == 1 && local.sides == Sides::Earlier &&
               !always.sinkLogit && !far.on();
    }
    /// Does it read keys behind the query, or mixtures of them?
    [[nodiscard]] bool readsLater() const { return local.sides == Sides::Both || far.far == Far::Projection; }
};

struct NamedHeadParts {
    std::string name;
    HeadParts parts;
    bool operator==(const NamedHeadParts&) const = default;
};

/// Everything a user may choose about hybrid attention: a plain value, saved as JSON (PolicyJson.h). A part
/// left out is off: the empty policy has window all, nothing routed, and is full attention.
struct AttentionPolicy : HeadParts {
    std::string name;
    MixPart mix;
    std::vector<NamedHeadParts> headPolicies; ///< what mix.layers and mix.heads name
    bool operator==(const AttentionPolicy&) const = default;

    /// Is every key of every query read by every head in this layer, whatever the text?
    [[nodiscard]] bool fullInLayer(int layer) const;
    /// Does `asks` hold for the policy's own parts or for those of any head policy?
    template <class F>
    [[nodiscard]] bool anyParts(F&& asks) const {
        return asks(static_cast<const HeadParts&>(*this)) ||
               std::any_of(headPolicies.begin(), headPolicies.end(),
                           [&](const NamedHeadParts& named) { return asks(named.parts); });
    }
    /// Calls `takes` with the policy's own parts, then with those of each head policy.
    template <class F>
    void eachParts(F&& takes) const {
        takes(static_cast<const HeadParts&>(*this));
        for (const NamedHeadParts& named : headPolicies)
            takes(named.parts);
    }
    template <class F>
    void eachParts(F&& changes) {
        changes(static_cast<HeadParts&>(*this));
        for (NamedHeadParts& named : headPolicies)
            changes(named.parts);
    }
    /// Does any head read keys from 8-bit directions?
    [[nodiscard]] bool storesDirections() const {
        return anyParts([](const HeadParts& parts) { return parts.routed.storesDirections(); });
    }
    /// Does it need a bidirectional (encoder) model? Then no causal model runs it (requireCausal).
    [[nodiscard]] bool bidirectional() const {
        return mix.parity != Parity::None ||
               anyParts([](const HeadParts& parts) { return parts.readsLater(); });
    }
    /// Do heads of a layer differ?
    [[nodiscard]] bool mixesHeads() const { return !mix.heads.empty() || mix.fullHeads > 0; }
    /// The parts of one head of one layer. Heads kept full by mix.full_heads are not known here.
    [[nodiscard]] const HeadParts& partsOf(int layer, int head) const;
    /// One policy without layer and head names that does in this layer what `parts` says.
    [[nodiscard]] AttentionPolicy withParts(const HeadParts& parts) const;
    /// One short line for people: "window 128, sinks 4, group_dot 32".
    [[nodiscard]] std::string summary() const;
};

/// A name changes nothing that is computed.
[[nodiscard]] bool sameButName(const AttentionPolicy& a, const AttentionPolicy& b);

/// The one gate for values from sliders, command line and files: every field within its ParamSpec range, no
/// NaN, the signal known and able to take the role. BadValue names the field's path, the value and the range.
[[nodiscard]] Result<AttentionPolicy> validated(AttentionPolicy policy);

/// Unsupported, for a policy that needs a bidirectional model: one sentence with the reason and what runs
/// instead. Every model that this program loads is a causal decoder, so whoever runs a policy asks this
/// first.
[[nodiscard]] Result<> requireCausal(const AttentionPolicy& policy);

/// Named policies: "default" (what a first launch shows), "full", "window", "window-sinks", ... BadValue
/// lists the names.
struct PolicyPreset {
    std::string_view name;
    std::string_view family;  ///< heading in lists: "Fixed patterns", ...
    std::string_view help;    ///< one line
    std::string_view weights; ///< what the published figure used: "drop-in", "adapted", "trained-for"
    std::string_view source;  ///< arXiv id of the paper it follows; empty: none
    AttentionPolicy policy;
};
[[nodiscard]] const std::vector<PolicyPreset>& policyPresets();
/// The preset that does the same, whatever the policy is called; null: none.
[[nodiscard]] const PolicyPreset* presetOf(const AttentionPolicy& policy);
[[nodiscard]] Result<AttentionPolicy> presetPolicy(std::string_view name);

} // namespace fovea
