#pragma once
#include "core/policy/ParamSpec.h"
#include <array>
#include <string>
#include <string_view>
#include <vector>

// Helpers to write rows of the parameter table. Each Params*.cpp appends the rows of one section.
namespace fovea::params {

using Policy = AttentionPolicy;
using Value = ParamValue;

inline constexpr double kTokensMaximum = static_cast<double>(kAll);
inline constexpr double kLayersMaximum = 4096;

void appendLocal(std::vector<ParamSpec>& specs);
void appendAlways(std::vector<ParamSpec>& specs);
void appendRouted(std::vector<ParamSpec>& specs);
void appendFar(std::vector<ParamSpec>& specs); ///< and combine
void appendMix(std::vector<ParamSpec>& specs);

[[nodiscard]] inline std::int64_t whole(const Value& value) {
    return std::get<std::int64_t>(value);
}
[[nodiscard]] inline const std::string& name(const Value& value) {
    return std::get<std::string>(value);
}
[[nodiscard]] inline Role roleNamed(std::string_view text) {
    return text == "queries" ? Role::Queries : text == "both" ? Role::Both : Role::Keys;
}
[[nodiscard]] inline bool sparse(const Policy& p) {
    return !(p.local.window == kAll && p.local.dilation == 1);
}

/// Appends a new row. Then set its access with one of the functions below, its range and `active`.
inline ParamSpec& row(std::vector<ParamSpec>& specs, std::string_view section, std::string_view key,
                      std::string_view option, std::string_view label, std::string_view unit,
                      std::string_view help, ParamKind kind) {
    ParamSpec spec;
    spec.section = section;
    spec.key = key;
    spec.option = option;
    spec.label = label;
    spec.unit = unit;
    spec.help = help;
    spec.kind = kind;
    return specs.emplace_back(std::move(spec));
}

/// Access to field `Field` of part `Part`, for integers, reals and flags.
template <auto Part, auto Field>
void plain(ParamSpec& spec, double minimum, double maximum, bool (*active)(const Policy&)) {
    spec.minimum = minimum;
    spec.maximum = maximum;
    spec.get = [](const Policy& p) -> Value { return (p.*Part).*Field; };
    spec.set = [](Policy& p, const Value& v) {
        using T = std::remove_reference_t<decltype((p.*Part).*Field)>;
        (p.*Part).*Field = std::get<T>(v);
    };
    spec.active = active;
}

/// Access to an enumeration, whose enumerators are named by `Names` in order.
template <auto Part, auto Field, const auto& Names>
void named(ParamSpec& spec, bool (*active)(const Policy&)) {
    spec.names.assign(Names.begin(), Names.end());
    spec.get = [](const Policy& p) -> Value {
        return std::string(Names[static_cast<std::size_t>((p.*Part).*Field)]);
    };
    spec.set = [](Policy& p, const Value& v) {
        using E = std::remove_reference_t<decltype((p.*Part).*Field)>;
        for (std::size_t n = 0; n < Names.size(); ++n)
            if (Names[n] == name(v))
                (p.*Part).*Field = static_cast<E>(n);
    };
    spec.active = active;
}

} // namespace fovea::params
