#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <limits>
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

struct LocalPart {
    std::int64_t window = kAll;     ///< keys, self included; 0: off; kAll: full attention
    std::int64_t dilation = 1;      ///< tokens between keys of the window, 1..64
    std::int64_t chunk = 0;         ///< tokens; 0: off
    std::int64_t chunkPrevious = 0; ///< 0 or 1: the whole previous chunk too
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
    std::vector<PinnedRange> pinned;
    bool special = false;     ///< the tokenizer's special tokens
    bool punctuation = false; ///< separator tokens
    bool operator==(const AlwaysPart&) const = default;
};

enum class BudgetKind : std::uint8_t { Count, Fraction, TopP, Threshold };
enum class Choice : std::uint8_t { Query, Sequence }; ///< one set per query, or one per text
enum class Scope : std::uint8_t { Prefix, Sequence }; ///< rank tokens <= i, or all of them (looks ahead)

struct RoutedPart {
    std::string signal; ///< a name of SignalSpec.h; empty: nothing is routed
    Role role = Role::Keys;
    std::int64_t bits = 8; ///< rounding of q and k in group_dot and head_dot, 1..8
    BudgetKind budgetKind = BudgetKind::Count;
    double budget = 32;                             ///< keys per choice, or share, mass or bar by budgetKind
    BudgetKind queryBudgetKind = BudgetKind::Count; ///< Count or Fraction
    double queryBudget = 0; ///< tokens in query role; 0 with role queries: `budget` is meant
    Choice choice = Choice::Query;
    Scope scope = Scope::Prefix;
    std::uint64_t seed = 1;
    bool operator==(const RoutedPart&) const = default;
    [[nodiscard]] bool on() const { return !signal.empty(); }
    [[nodiscard]] bool ranksKeys() const { return role != Role::Queries; }
    [[nodiscard]] bool ranksQueries() const { return role != Role::Keys; }
    /// Does role queries take `budget`, since no budget of its own is given?
    [[nodiscard]] bool queriesTakeBudget() const { return role == Role::Queries && queryBudget == 0; }
    [[nodiscard]] BudgetKind effectiveQueryKind() const {
        return queriesTakeBudget() ? budgetKind : queryBudgetKind;
    }
    [[nodiscard]] double effectiveQueryBudget() const { return queriesTakeBudget() ? budget : queryBudget; }
};

struct MixPart {
    std::int64_t fullEvery = 0;           ///< k: layer l is full when l mod k = fullOffset; 0: never
    std::int64_t fullOffset = -1;         ///< -1: k-1
    std::vector<std::int64_t> fullLayers; ///< 0-based layers kept full
    bool operator==(const MixPart&) const = default;
};

/// Everything a user may choose about hybrid attention: a plain value, saved as JSON (PolicyJson.h). A part
/// left out is off: the empty policy has window all, nothing routed, and is full attention.
struct AttentionPolicy {
    std::string name;
    LocalPart local;
    AlwaysPart always;
    RoutedPart routed;
    MixPart mix;
    bool operator==(const AttentionPolicy&) const = default;

    /// Is every key of every query read in this layer, whatever the text?
    [[nodiscard]] bool fullInLayer(int layer) const;
    /// One short line for people: "window 128, sinks 4, group_dot 32".
    [[nodiscard]] std::string summary() const;
};

/// The one gate for values from sliders, command line and files: every field within its ParamSpec range, no
/// NaN, the signal known and able to take the role. BadValue names the field's path, the value and the range.
[[nodiscard]] Result<AttentionPolicy> validated(AttentionPolicy policy);

/// Named policies: "default" (decision 5), "full", "window", "window-sinks", ... BadValue lists the names.
struct PolicyPreset {
    std::string_view name;
    std::string_view help; ///< one line
    AttentionPolicy policy;
};
[[nodiscard]] const std::vector<PolicyPreset>& policyPresets();
[[nodiscard]] Result<AttentionPolicy> presetPolicy(std::string_view name);

} // namespace fovea
