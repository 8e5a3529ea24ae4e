#pragma once
#include "core/policy/AttentionPolicy.h"
#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// What a signal may have seen when it ranks token j for query i.
enum class Sees : std::uint8_t {
    Fixed,   ///< known when token j arrives
    Row,     ///< query i and keys <= i
    Running, ///< rows <= i, so a key's score moves on as the text grows
    Border,  ///< rows before the prompt's border P, once: rows of the prompt itself are looked ahead from
    Block,   ///< query i's whole query block: ahead by up to query_block - 1 tokens
    Ahead,   ///< the whole text, or the whole prompt for its own rows
};
[[nodiscard]] std::string_view seesText(Sees sees); ///< "sees the query and keys up to it", ...

/// Heads that choose as one.
enum class UnitKind : std::uint8_t { Head, Group, All };

/// What a signal's choices are made of.
enum class Offers : std::uint8_t {
    Tokens,  ///< single keys; pages of them too
    Pages,   ///< pages and blocks only
    Blocks,  ///< blocks only
    Buckets, ///< all keys of a bucket: no bar and no mass
    Prompt,  ///< one set at the prompt's border, whose rule keeps keys beside the budget
    Rows,    ///< follows the hybrid's own rows; the only ones that may evict
};

/// What must be known of the text, or of the layer's input, beside queries, keys and values.
enum class Needs : std::uint8_t {
    Nothing,
    Surprisal,  ///< TokenFacts::surprisal, which takes a full run first
    TokenIds,   ///< TokenFacts::ids
    HiddenNorm, ///< RouteInput::hiddenNorm
};

// What a signal is scored with. Policies know these names only; core/route defines and calls them.
struct SignalInput;
struct SetInput;
class PairScorer;
class PageScorer;
class SetChooser;

/// All that is known of a router signal: one row of the table in route/Signals.cpp. Its formula lives in
/// core/route, one file each.
struct SignalSpec {
    std::string_view name;
    std::string_view help;  ///< the formula and its direction in one line
    Role role = Role::Keys; ///< what it may rank
    Sees sees = Sees::Row;
    UnitKind unit = UnitKind::Head;
    std::string_view cost = "0"; ///< multiply-adds per token and head beyond work already done
    bool free = false;           ///< there are none
    Offers offers = Offers::Tokens;
    Needs needs = Needs::Nothing;
    bool estimatesMass = false;  ///< allows budget kind top_p
    bool tokensAreMass = false;  ///< what `tokens` returns is attention mass
    bool ranksExactKeys = false; ///< by the model's own keys, even where the policy reads rounded ones
    /// Keys of parameters that mean something with this signal and few others: "routed.bits", ...
    std::array<std::string_view, 3> parameters = {};

    /// Key role, another score for each query.
    std::unique_ptr<PairScorer> (*pairs)(const SignalInput&) = nullptr;
    /// Key role, one score per token: [keys]. Beside `pairs`: the score when a set is chosen per text.
    std::vector<float> (*tokens)(const SignalInput&) = nullptr;
    /// Query role: the score of tokens [0, keys).
    std::vector<float> (*queries)(const SignalInput&) = nullptr;
    /// Multiply-adds of what was called for one unit.
    std::uint64_t (*macs)(const SignalInput&) = nullptr;
    /// Pages of keys, where it does not score single ones.
    std::unique_ptr<PageScorer> (*pages)(const SetInput&) = nullptr;
    /// Sets of keys, where it neither scores keys nor pages.
    std::unique_ptr<SetChooser> (*sets)(const SetInput&) = nullptr;

    [[nodiscard]] bool uses(std::string_view parameter) const;
    /// Does it score single keys or queries?
    [[nodiscard]] bool ranks() const { return pairs != nullptr || tokens != nullptr || queries != nullptr; }
};

[[nodiscard]] std::span<const SignalSpec> signalSpecs();
[[nodiscard]] const SignalSpec* findSignal(std::string_view name); ///< nullptr if unknown
[[nodiscard]] Offers offersOf(std::string_view signal);            ///< Tokens if unknown
/// Does `signal` use a parameter of SignalSpec::parameters? No if unknown.
[[nodiscard]] bool signalUses(std::string_view signal, std::string_view parameter);
/// Is a router run for any head whose signal needs this?
[[nodiscard]] bool needs(const AttentionPolicy& policy, Needs what);
/// What the routing of one head sees, query block and phase considered; Fixed where nothing is routed.
[[nodiscard]] Sees routingSees(const HeadParts& parts);
/// Does this routing look ahead (signal, choice, scope, query block or phase)? One that is given the prompt's
/// border P and routes only rows behind it does not.
[[nodiscard]] bool looksAhead(const HeadParts& parts);
/// Does the routing of any head, or is the policy one for bidirectional models?
[[nodiscard]] bool looksAhead(const AttentionPolicy& policy);
/// Does ranking a row read the queries of rows before it? Cached decoding then keeps them.
[[nodiscard]] bool readsEarlierQueries(const AttentionPolicy& policy);

} // namespace fovea
