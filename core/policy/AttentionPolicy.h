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

/// Stands for "all" wherever a number of tokens is expected; written "all" in files.
inline constexpr std::int64_t kAll = std::numeric_limits<std::int32_t>::max();

/// A threshold that keeps every candidate, including those with NaN scores. It stands for minus infinity,
/// which JSON cannot represent.
inline constexpr double kNoBar = -1e30;

/// The role of a token in global attention. Keys: every later query may read it. Queries: it reads everything
/// before it.
enum class Role : std::uint8_t { Keys, Queries, Both };
/// Why a key is read, in order of precedence; Skipped: it is not, because of the policy; Outside: the model
/// itself does not let the query read it, because the layer has a native window.
enum class Reason : std::uint8_t { Local, Always, Routed, Far, Skipped, Outside };
[[nodiscard]] std::string_view reasonName(Reason reason); ///< "local", ... as in the JSON documents
[[nodiscard]] std::string_view roleName(Role role);

/// On which side of the query its window lies. Both needs a bidirectional model.
enum class Sides : std::uint8_t { Earlier, Both };

struct LocalPart {
    /// Number of keys, including the query itself. 0: off; kAll: full attention. With Sides::Both: half of
    /// them on each side, and the query itself.
    std::int64_t window = kAll;
    std::int64_t dilation = 1;      ///< distance between two keys of the window in tokens, 1..64
    std::int64_t chunk = 0;         ///< tokens; 0: off
    std::int64_t chunkPrevious = 0; ///< 1: also the whole previous chunk; 0: not
    Sides sides = Sides::Earlier;
    bool operator==(const LocalPart&) const = default;
};

/// Positions first..last inclusive, with a role. A position that is negative or beyond T is an error when a
/// plan is made.
struct PinnedRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
    Role role = Role::Keys;
    bool operator==(const PinnedRange&) const = default;
};

struct AlwaysPart {
    std::int64_t sinks = 0; ///< keys 0..sinks-1
    /// A logit z without a key: e^z is added to the denominator of every row, and its value is 0. It does not
    /// appear in the routing record. Not allowed with a gated combination.
    std::optional<double> sinkLogit;
    std::vector<PinnedRange> pinned;
    bool special = false;            ///< the tokenizer's special tokens
    std::int64_t specialCap = 0;     ///< only so many of the latest ones before each query; 0: all
    bool punctuation = false;        ///< separator tokens
    std::int64_t punctuationCap = 0; ///< as specialCap
    bool operator==(const AlwaysPart&) const = default;
};

enum class BudgetKind : std::uint8_t { Count, Fraction, TopP, Threshold };
enum class Choice : std::uint8_t { Query, Sequence }; ///< one set of keys per query, or one per text
enum class Scope : std::uint8_t { Prefix, Sequence }; ///< rank tokens <= i only, or all tokens (looks ahead)
/// What is chosen: single keys, aligned pages of `page` keys for each query, or such pages for a whole block
/// of `queryBlock` queries.
enum class Granularity : std::uint8_t { Token, Page, Block };
/// Which heads choose together: as the signal does, each head alone, the heads of a key-value head, or all
/// heads of a layer.
enum class Sharing : std::uint8_t { Signal, Head, Group, Layer };
/// Which queries route: all, those of the prompt, or those after it. The other queries read everything.
enum class Phase : std::uint8_t { All, Prefill, Decode };
/// How keys are kept. Evict: a key that was dropped once can never be read again. Direction8: keys outside
/// the local part are stored and read as length and direction with 8 bits per channel.
enum class Store : std::uint8_t { All, Evict, Direction8 };
/// What tokens in query role read: everything before them, or the routed keys, which then no other query
/// reads.
enum class Reach : std::uint8_t { Everything, Routed };
/// What happens to queries that are not in query role: they read as the other parts say, they get the running
/// mean of the values, or they are skipped (no output, and no other query reads them in this layer).
enum class Unrouted : std::uint8_t { Local, Mean, Skip };

struct RoutedPart {
    std::string signal; ///< a name of SignalSpec.h; empty: nothing is routed
    Role role = Role::Keys;
    std::int64_t bits = 8; ///< rounding of q and k in group_dot and head_dot, 1..8
    BudgetKind budgetKind = BudgetKind::Count;
    double budget = 32; ///< number of keys per choice, or a share, mass or threshold, depending on budgetKind
    BudgetKind queryBudgetKind = BudgetKind::Count; ///< Count or Fraction
    double queryBudget = 0; ///< number of tokens in query role; 0 with role queries: `budget` applies
    Granularity granularity = Granularity::Token;
    Sharing sharing = Sharing::Signal;
    std::int64_t page = 16;      ///< keys of a page or key block, aligned, 1..4096
    std::int64_t queryBlock = 1; ///< number of queries that choose together, aligned, 1..256
    Choice choice = Choice::Query;
    Scope scope = Scope::Prefix;
    Phase phase = Phase::All;
    Store store = Store::All;
    Reach reach = Reach::Everything;
    Unrouted unrouted = Unrouted::Local;
    std::int64_t randomBlocks = 0; ///< random blocks of `page` keys per query block, 0..8, in addition to the
                                   ///< keys chosen by the signal
    std::int64_t rounds = 8;       ///< hash rounds of lsh, 1..16
    std::int64_t observe = 64;     ///< last rows of the prompt used by recent_window and vertical_slash
    std::int64_t pool = 5;         ///< number of keys over which recent_window averages, odd, 1..63
    std::int64_t stride = 8; ///< for antidiagonal: it uses every stride-th antidiagonal of a block, 1..64
    /// With a threshold on pages: only so many of the newest pages at or above it; 0: all.
    std::int64_t newest = 0;
    std::int64_t diagonals = 1000; ///< diagonals of vertical_slash, beside `budget` columns
    std::uint64_t seed = 1;
    bool operator==(const RoutedPart&) const = default;
    /// Whether anything is routed: by a signal or as random blocks.
    [[nodiscard]] bool on() const { return !signal.empty() || randomBlocks > 0; }
    /// Whether it can choose a key or a query on any text. False with a budget of zero: then no router is
    /// run.
    [[nodiscard]] bool chooses() const;
    [[nodiscard]] bool choosesKeys() const;    ///< the same for keys
    [[nodiscard]] bool choosesQueries() const; ///< the same for queries
    /// Whether queries outside query role read nothing.
    [[nodiscard]] bool silencesOthers() const {
        return !signal.empty() && ranksQueries() && unrouted != Unrouted::Local;
    }
    /// Whether routed keys are ranked and read as length and 8-bit direction.
    [[nodiscard]] bool storesDirections() const { return on() && store == Store::Direction8; }
    [[nodiscard]] bool ranksKeys() const { return role != Role::Queries; }
    [[nodiscard]] bool ranksQueries() const { return role != Role::Keys; }
    /// Whether `budget` applies to role queries, because no queryBudget is given.
    [[nodiscard]] bool queriesTakeBudget() const { return role == Role::Queries && queryBudget == 0; }
    [[nodiscard]] BudgetKind effectiveQueryKind() const {
        return queriesTakeBudget() ? budgetKind : queryBudgetKind;
    }
    [[nodiscard]] double effectiveQueryBudget() const { return queriesTakeBudget() ? budget : queryBudget; }
};

/// What represents the keys that no other part reads. Projection: K' = EK and V' = FV over the whole text,
/// with one row of E per `m` tokens (Linformer, 2006.04768); needs a bidirectional model with a fixed length.
enum class Far : std::uint8_t { None, Summaries, Linear, Recurrent, Projection };
/// The feature map of the linear state (core/kernels/FeatureMaps.h).
enum class FeatureMap : std::uint8_t { Elu1, Performer, Trig, Taylor2, Hedgehog };

struct FarPart {
    Far far = Far::None;
    std::int64_t m = 16;  ///< tokens per block of a summary, or n / k of a projection, 2..1024
    bool logCount = true; ///< add ln c to the logit of a summary of c tokens
    std::int64_t top = 0; ///< read only so many summaries, those of largest logit; 0: all
    FeatureMap map = FeatureMap::Elu1;
    std::int64_t features = 0; ///< number of random features of performer and trig; 0: 256
    bool operator==(const FarPart&) const = default;
    [[nodiscard]] bool on() const { return far != Far::None; }
};

/// How exact part and far field are combined. Union: one softmax over both. Shared: one normaliser that
/// includes the linear state. Gated: a weighted sum of two outputs.
enum class Combine : std::uint8_t { Union, Shared, Gated };

struct CombinePart {
    Combine combine = Combine::Union;
    double gate = 0.731; ///< weight of the exact part in a gated sum, 0..1; the far field has weight 1 - gate
    double windowFactor = 1; ///< factor of the exact part's terms in a shared normaliser, 0..1
    bool operator==(const CombinePart&) const = default;
};

/// What moves budget between heads: nothing, the entropy of a head's rows, or the mass that its local part
/// misses.
enum class Dynamic : std::uint8_t { None, Entropy, Deficit };
/// Original: keys have their positions in the text. Cache: the RoPE position of a key is its rank among the
/// keys that are read.
enum class Positions : std::uint8_t { Original, Cache };
/// BigBird: the block pattern as its reference code reads it, later blocks and double counting included.
enum class Parity : std::uint8_t { None, BigBird };

struct MixPart {
    /// [L] name of a head policy per layer, "" for the policy's own parts, "full" for full attention. Empty:
    /// own parts in every layer.
    std::vector<std::string> layers;
    /// One list of [H] names for all layers, or [L] such lists; "" for the parts of the layer. Empty: all
    /// heads of a layer are equal.
    std::vector<std::vector<std::string>> heads;
    std::int64_t fullEvery = 0;           ///< k: layer l is full when l mod k = fullOffset; 0: never
    std::int64_t fullOffset = -1;         ///< -1: k-1
    std::vector<std::int64_t> fullLayers; ///< 0-based layers kept full
    double fullHeads = 0; ///< share of heads with full attention, those of largest retrieval score
    Dynamic dynamic = Dynamic::None;
    std::int64_t probeEvery = 64; ///< distance between rows that are scored in full for `dynamic`
    Positions positions = Positions::Original;
    Parity parity = Parity::None;
    bool operator==(const MixPart&) const = default;
};

/// What one head does, in five parts: local, always, routed, far and combine. A part that is left at its
/// default is off.
struct HeadParts {
    LocalPart local;
    AlwaysPart always;
    RoutedPart routed;
    FarPart far;
    CombinePart combine;
    bool operator==(const HeadParts&) const = default;
    /// Whether every query reads every key, for any text.
    [[nodiscard]] bool readsAll() const {
        return local.window == kAll && local.dilation == 1 && local.sides == Sides::Earlier &&
               !always.sinkLogit && !far.on();
    }
    /// Whether queries read later keys, or mixtures of them.
    [[nodiscard]] bool readsLater() const { return local.sides == Sides::Both || far.far == Far::Projection; }
};

struct NamedHeadParts {
    std::string name;
    HeadParts parts;
    bool operator==(const NamedHeadParts&) const = default;
};

/// Everything that a user can choose about hybrid attention. A plain value, saved as JSON (PolicyJson.h). The
/// default-constructed policy has window all and nothing routed; it is full attention.
struct AttentionPolicy : HeadParts {
    std::string name;
    MixPart mix;
    std::vector<NamedHeadParts> headPolicies; ///< the head policies that mix.layers and mix.heads name
    bool operator==(const AttentionPolicy&) const = default;

    /// Whether every query reads every key in all heads of this layer, for any text.
    [[nodiscard]] bool fullInLayer(int layer) const;
    /// Whether `asks` is true for the policy's own parts or for those of any head policy.
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
    /// Whether any head reads keys stored as 8-bit directions.
    [[nodiscard]] bool storesDirections() const {
        return anyParts([](const HeadParts& parts) { return parts.routed.storesDirections(); });
    }
    /// Whether the policy needs a bidirectional (encoder) model. Causal models refuse such a policy
    /// (requireCausal).
    [[nodiscard]] bool bidirectional() const {
        return mix.parity != Parity::None ||
               anyParts([](const HeadParts& parts) { return parts.readsLater(); });
    }
    /// Whether heads of one layer can differ.
    [[nodiscard]] bool mixesHeads() const { return !mix.heads.empty() || mix.fullHeads > 0; }
    /// The parts of one head of one layer. Does not consider mix.full_heads, which depends on the model.
    [[nodiscard]] const HeadParts& partsOf(int layer, int head) const;
    /// A copy of this policy with these parts, for one layer: without layer and head names.
    [[nodiscard]] AttentionPolicy withParts(const HeadParts& parts) const;
    /// One short line for people: "window 128, sinks 4, group_dot 32".
    [[nodiscard]] std::string summary() const;
};

/// Whether two policies are equal except for their names.
[[nodiscard]] bool sameButName(const AttentionPolicy& a, const AttentionPolicy& b);

/// Checks a policy from sliders, command line or a file: every field is within its ParamSpec range and not
/// NaN, and the signal exists and supports the role. Errors: BadValue; the message names the path of the
/// field, the value and the range.
[[nodiscard]] Result<AttentionPolicy> validated(AttentionPolicy policy);

/// Fails with Unsupported when the policy needs a bidirectional model; the message gives the reason and an
/// alternative. For causal models; policyFits asks for both kinds.
[[nodiscard]] Result<> requireCausal(const AttentionPolicy& policy);

/// Named policies: "default" (what a first launch shows), "full", "window", "window-sinks", ... BadValue
/// lists the names.
struct PolicyPreset {
    std::string_view name;
    std::string_view family;  ///< heading in lists, for example "Fixed patterns"
    std::string_view help;    ///< one line
    std::string_view weights; ///< of the published figure: "drop-in", "adapted", "trained-for"
    std::string_view source;  ///< arXiv id of the paper; empty: none
    AttentionPolicy policy;
};
[[nodiscard]] const std::vector<PolicyPreset>& policyPresets();
/// The name of the preset that stands where nobody chose one: "default", or for an encoder "encoder".
[[nodiscard]] constexpr std::string_view defaultPreset(bool causal) {
    return causal ? "default" : "encoder";
}
/// The preset that is equal to `policy` except for its name; null if there is none.
[[nodiscard]] const PolicyPreset* presetOf(const AttentionPolicy& policy);
[[nodiscard]] Result<AttentionPolicy> presetPolicy(std::string_view name);

} // namespace fovea
