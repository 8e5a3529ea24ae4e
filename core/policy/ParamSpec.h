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

/// A value of any parameter. Integer kAll reads and prints "all".
using ParamValue = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>>;

/// One row per user-visible number: range, unit, default and help are written here and nowhere else. Sliders,
/// command line, policy file and documentation are generated from it.
struct ParamSpec {
    /// Path in the policy file: "local.window". The budgets are one row per kind ("routed.count",
    /// "routed.fraction", ..., "routed.query_count"), which the file writes as budget_kind and budget;
    /// setting one chooses its kind.
    std::string_view key;
    std::string_view option;  ///< command-line name without dashes: "window"
    std::string_view section; ///< "Local", "Always", "Routed", "Far", "Mix"
    std::string_view label;   ///< "window"
    std::string_view unit;    ///< "tokens", "keys", "" ...
    std::string_view help;    ///< one or two sentences
    ParamKind kind = ParamKind::Integer;
    double minimum = 0;
    double maximum = 0;                  ///< Integer and Real; a slider clips it to T
    bool allAllowed = false;             ///< Integer: kAll is a value
    bool offAllowed = false;             ///< Real: "off" is a value, held as NaN
    bool logarithmic = false;            ///< how a slider should move
    bool quiet = true;                   ///< a panel hides the row while it does nothing
    std::vector<std::string_view> names; ///< Name: the legal ones
    ParamValue (*get)(const AttentionPolicy&) = nullptr;
    /// The variant's type must match `kind` (checkParam first). A signal that cannot take the present role
    /// brings its own. Several values for one policy are set in table order.
    void (*set)(AttentionPolicy&, const ParamValue&) = nullptr;
    /// Does the parameter do anything under this policy (e.g. bits without a dot signal: no)?
    bool (*active)(const AttentionPolicy&) = nullptr;
};

[[nodiscard]] std::span<const ParamSpec> paramSpecs();
/// By key or by option, hyphen and underscore the same; nullptr if unknown.
[[nodiscard]] const ParamSpec* findParam(std::string_view name);

/// One row per kind of a budget: the file writes them as budget_kind and budget instead.
[[nodiscard]] bool isBudgetKey(std::string_view key);
/// Those rows by BudgetKind: of keys, and of queries (count and fraction only).
inline constexpr std::string_view kBudgetKeys[] = {"routed.count", "routed.fraction", "routed.top_p",
                                                   "routed.threshold"};
inline constexpr std::string_view kQueryBudgetKeys[] = {"routed.query_count", "routed.query_fraction"};

/// Reads `text` as the value of `spec` ("all", "1e3", "5,11,17", "on") within its range; BadValue names
/// option, value, range.
[[nodiscard]] Result<ParamValue> parseParam(const ParamSpec& spec, std::string_view text);
[[nodiscard]] std::string formatParam(const ParamSpec& spec, const ParamValue& value);
/// What the parameter takes, for the end of a message: "a whole number from 1 to 64 is accepted".
[[nodiscard]] std::string acceptedValues(const ParamSpec& spec);
/// Checks type and range; the one range check of all entrances.
[[nodiscard]] Result<> checkParam(const ParamSpec& spec, const ParamValue& value);

/// The whole policy as command-line options, defaults left out: "--window 128 --sinks 4 --route group_dot
/// --route-count 32". Pinned tokens of several roles have no option form: they are written with the first
/// one's role.
[[nodiscard]] std::string policyToOptions(const AttentionPolicy& policy);

} // namespace fovea
