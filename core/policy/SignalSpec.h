#pragma once
#include "core/policy/AttentionPolicy.h"
#include <span>
#include <string_view>

namespace fovea {

/// What a signal may have seen when it ranks token j for query i.
enum class Sees : std::uint8_t {
    Fixed, ///< known when token j arrives
    Row,   ///< query i and keys <= i
    Ahead, ///< the whole text: diagnostic only
};

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

[[nodiscard]] std::span<const SignalSpec> signalSpecs();
[[nodiscard]] const SignalSpec* findSignal(std::string_view name); ///< nullptr if unknown
/// Does this policy's routing look ahead (signal, choice or scope)?
[[nodiscard]] bool looksAhead(const AttentionPolicy& policy);

} // namespace fovea
