#pragma once
#include "core/policy/AttentionPolicy.h"
#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// What a signal may have read when it ranks token j for query i.
enum class Sees : std::uint8_t {
    Fixed,   ///< known when token j arrives
    Row,     ///< query i and keys <= i
    Running, ///< rows <= i, so the score of a key changes as the text grows
    Border,  ///< the rows before the end P of the prompt; rows of the prompt itself therefore look ahead
    Block,   ///< the whole query block of query i: it looks ahead by up to query_block - 1 tokens
    Ahead,   ///< the whole text, or for rows of the prompt the whole prompt
};
[[nodiscard]] std::string_view seesText(Sees sees); ///< "sees the query and keys up to it", ...

/// Which heads choose together and form a unit: each head alone, the heads of a key-value head, or all heads
/// of the layer.
enum class UnitKind : std::uint8_t { Head, Group, All };

/// What a signal chooses.
enum class Offers : std::uint8_t {
    Tokens,  ///< single keys, or pages of keys
    Pages,   ///< pages and blocks only
    Blocks,  ///< blocks only
    Buckets, ///< all keys of a bucket; there is no threshold and no mass
    Prompt,  ///< one set, at the end of the prompt; its rule also keeps some keys regardless of their score
    Rows,    ///< depends on the rows of the hybrid run itself; only such signals can evict
};

/// What a signal needs besides queries, keys and values.
enum class Needs : std::uint8_t {
    Nothing,
    Surprisal,  ///< TokenFacts::surprisal, which takes a full run first
    TokenIds,   ///< TokenFacts::ids
    HiddenNorm, ///< RouteInput::hiddenNorm
};

// The input of scoring functions. Only declared here; core/route defines these types and calls the functions.
struct SignalInput;
struct SetInput;
class PairScorer;
class PageScorer;
class SetChooser;

/// Describes a router signal: one row of the table in route/Signals.cpp. Its formula is in core/route, one
/// file per signal.
struct SignalSpec {
    std::string_view name;
    std::string_view help;  ///< one line: the formula and whether large or small values are chosen
    Role role = Role::Keys; ///< what it may rank
    Sees sees = Sees::Row;
    UnitKind unit = UnitKind::Head;
    std::string_view cost =
        "0";           ///< multiply-adds per token and head, in addition to work that is done anyway
    bool free = false; ///< whether these are zero
    Offers offers = Offers::Tokens;
    Needs needs = Needs::Nothing;
    bool estimatesMass = false;  ///< allows budget kind top_p
    bool tokensAreMass = false;  ///< the scores of `tokens` are attention mass
    bool ranksExactKeys = false; ///< ranks by the exact keys, even if the policy reads rounded ones
    /// Keys of the parameters that only this signal and a few others use, such as "routed.bits".
    std::array<std::string_view, 3> parameters = {};

    /// Key role, with different scores for each query.
    std::unique_ptr<PairScorer> (*pairs)(const SignalInput&) = nullptr;
    /// Key role, one score per token: [keys]. If `pairs` is set too: the score used when one set is chosen
    /// per text.
    std::vector<float> (*tokens)(const SignalInput&) = nullptr;
    /// Query role: the score of tokens [0, keys).
    std::vector<float> (*queries)(const SignalInput&) = nullptr;
    /// Multiply-adds of the functions above for one unit.
    std::uint64_t (*macs)(const SignalInput&) = nullptr;
    /// Scores pages of keys, for signals that do not score single keys.
    std::unique_ptr<PageScorer> (*pages)(const SetInput&) = nullptr;
    /// Chooses sets of keys, for signals that score neither keys nor pages.
    std::unique_ptr<SetChooser> (*sets)(const SetInput&) = nullptr;

    [[nodiscard]] bool uses(std::string_view parameter) const;
    /// Whether it scores single keys or queries.
    [[nodiscard]] bool ranks() const { return pairs != nullptr || tokens != nullptr || queries != nullptr; }
};

[[nodiscard]] std::span<const SignalSpec> signalSpecs();
[[nodiscard]] const SignalSpec* findSignal(std::string_view name); ///< nullptr if unknown
[[nodiscard]] Offers offersOf(std::string_view signal);            ///< Tokens if unknown
/// Whether `signal` uses a parameter listed in SignalSpec::parameters. False for an unknown signal.
[[nodiscard]] bool signalUses(std::string_view signal, std::string_view parameter);
/// Whether any head runs a router whose signal needs this.
[[nodiscard]] bool needs(const AttentionPolicy& policy, Needs what);
/// What the routing of one head sees, including the effect of query block and phase. Fixed when nothing is
/// routed.
[[nodiscard]] Sees routingSees(const HeadParts& parts);
/// Whether this routing looks ahead, because of its signal, choice, scope, query block or phase. A signal
/// that uses the prompt and routes only rows after it does not look ahead.
[[nodiscard]] bool looksAhead(const HeadParts& parts);
/// Whether the routing of any head looks ahead, or the policy needs a bidirectional model.
[[nodiscard]] bool looksAhead(const AttentionPolicy& policy);
/// Whether ranking a row needs the queries of earlier rows. Cached decoding then keeps them.
[[nodiscard]] bool readsEarlierQueries(const AttentionPolicy& policy);

} // namespace fovea
