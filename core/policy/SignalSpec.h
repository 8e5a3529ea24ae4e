#pragma once
#include "core/policy/AttentionPolicy.h"
#include <span>
#include <string_view>

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

/// A router signal's card. Its formula lives in core/route, one file each.
struct SignalSpec {
    std::string_view name;
    std::string_view help; ///< the formula and its direction in one line
    Role role;             ///< Keys, Queries, or Both: what it may rank
    Sees sees;
    bool perGroup;         ///< one choice for all query heads of a key-value head
    bool estimatesMass;    ///< allows budget kind top_p
    std::string_view cost; ///< multiply-adds per token and head beyond work already done
};

/// What a signal's choices are made of.
enum class Offers : std::uint8_t {
    Tokens,  ///< single keys; pages of them too
    Pages,   ///< pages and blocks only
    Blocks,  ///< blocks only
    Buckets, ///< all keys of a bucket: no bar and no mass
    Prompt,  ///< one set at the prompt's border
    Rows,    ///< follows the hybrid's own rows; the only ones that may evict
};
[[nodiscard]] Offers offersOf(std::string_view signal);

[[nodiscard]] std::span<const SignalSpec> signalSpecs();
[[nodiscard]] const SignalSpec* findSignal(std::string_view name); ///< nullptr if unknown
/// What the routing of one head sees, query block and phase considered; Fixed where nothing is routed.
[[nodiscard]] Sees routingSees(const HeadParts& parts);
/// Does this routing look ahead (signal, choice, scope, query block or phase)? One that is given the prompt's
/// border P and routes only rows behind it does not.
[[nodiscard]] bool looksAhead(const HeadParts& parts);
/// Does the routing of any head, or is the policy one for bidirectional models?
[[nodiscard]] bool looksAhead(const AttentionPolicy& policy);
/// Is the ranking made of keys that are rounded to routed.bits?
[[nodiscard]] bool roundsKeys(std::string_view signal);
/// Does ranking a row read the queries of rows before it? Cached decoding then keeps them.
[[nodiscard]] bool readsEarlierQueries(const AttentionPolicy& policy);

} // namespace fovea
