#pragma once
#include "core/policy/AttentionPolicy.h"
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fovea {

enum class ParamKind : std::uint8_t { Integer, Real, Flag, Name, IntegerList };

/// A value of any parameter. The integer kAll is read and printed as "all".
using ParamValue = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>>;

/// Describes one parameter: range, unit, default and help. Sliders, command-line options, policy files and
/// documentation are generated from these rows, so nothing is written twice.
struct ParamSpec {
    /// Path in the policy file: "local.window". The budgets are one row per kind ("routed.count",
    /// "routed.fraction", ..., "routed.query_count"), which the file writes as budget_kind and budget;
    /// setting one of them also selects its kind.
    std::string_view key;
    std::string_view option;  ///< command-line name without dashes: "window"
    std::string_view section; ///< "Local", "Always", "Routed", "Far", "Mix"
    std::string_view label;   ///< "window"
    std::string_view unit;    ///< "tokens", "keys", "" ...
    std::string_view help;    ///< one or two sentences
    ParamKind kind = ParamKind::Integer;
    double minimum = 0;
    double maximum = 0;                  ///< Integer and Real; a slider is limited to T
    bool allAllowed = false;             ///< Integer: kAll is allowed
    bool offAllowed = false;             ///< Real: "off" is allowed and stored as NaN
    bool logarithmic = false;            ///< whether a slider should be logarithmic
    std::vector<std::string_view> names; ///< Name: the allowed values
    ParamValue (*get)(const AttentionPolicy&) = nullptr;
    /// The variant's type must match `kind` (call checkParam first). Setting a signal that does not support
    /// the current role also changes the role. Set several values of one policy in table order.
    void (*set)(AttentionPolicy&, const ParamValue&) = nullptr;
    /// Whether the parameter has an effect under this policy (for example, bits has none without a
    /// dot-product signal).
    bool (*active)(const AttentionPolicy&) = nullptr;
};

[[nodiscard]] std::span<const ParamSpec> paramSpecs();
/// Finds a row by key or option; hyphen and underscore are equivalent. nullptr if there is none.
[[nodiscard]] const ParamSpec* findParam(std::string_view name);

/// Whether the row is one of those per kind of budget, which files write as budget_kind and budget.
[[nodiscard]] bool isBudgetKey(std::string_view key);
/// The keys of those rows, in the order of BudgetKind: for keys, and for queries (count and fraction only).
inline constexpr std::string_view kBudgetKeys[] = {"routed.count", "routed.fraction", "routed.top_p",
                                                   "routed.threshold"};
inline constexpr std::string_view kQueryBudgetKeys[] = {"routed.query_count", "routed.query_fraction"};

/// Parses `text` ("all", "1e3", "5,11,17", "on") as a value of `spec` and checks its range. Errors: BadValue;
/// the message names option, value and range.
[[nodiscard]] Result<ParamValue> parseParam(const ParamSpec& spec, std::string_view text);
[[nodiscard]] std::string formatParam(const ParamSpec& spec, const ParamValue& value);
/// The accepted values, for the end of a message: "a whole number from 1 to 64 is accepted".
[[nodiscard]] std::string acceptedValues(const ParamSpec& spec);
/// Checks type and range. Every source of values uses this check.
[[nodiscard]] Result<> checkParam(const ParamSpec& spec, const ParamValue& value);

/// The whole policy as command-line options, defaults left out: "--window 128 --sinks 4 --route group_dot
/// --route-count 32". Pinned tokens of several roles have no option form: they are written with the first
/// one's role.
[[nodiscard]] std::string policyToOptions(const AttentionPolicy& policy);

} // namespace fovea
