#include "core/policy/ParamSpec.h"
#include "core/text/Display.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace fovea {

namespace {

// A range such as 0-99999 is expanded to single positions. A longer range is most likely a typing error.
constexpr std::int64_t kListMaximum = 65536;

std::string realText(double value) {
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
}

std::string boundText(double value) {
    return value == static_cast<double>(kAll) ? std::to_string(kAll)
           : value >= 0x1p63                  ? "9223372036854775807"
                                              : realText(value);
}

std::string namesOf(const ParamSpec& spec) {
    std::string names;
    for (const std::string_view name : spec.names)
        names.append(names.empty() ? "" : ", ").append(name);
    return names;
}

tl::unexpected<Error> refuse(const ParamSpec& spec, std::string_view value) {
    std::string shown = escapedText(value.substr(0, 60));
    if (value.size() > 60)
        shown += "...";
    return fail(ErrorCode::BadValue, std::string(spec.key) + " is " + shown + "; " + acceptedValues(spec));
}

bool parseReal(std::string_view text, double& value) {
    if (!text.empty() && text.front() == '+')
        text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

bool parseWhole(std::string_view text, std::int64_t& value) {
    if (!text.empty() && text.front() == '+')
        text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size())
        return true;
    double real = 0; // 1e3
    if (!parseReal(text, real) || real != std::floor(real) || std::abs(real) > 0x1p53)
        return false;
    value = static_cast<std::int64_t>(real);
    return true;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

bool parseList(std::string_view text, std::vector<std::int64_t>& values) {
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view part = trimmed(text.substr(0, comma));
        if (comma != std::string_view::npos && trimmed(text.substr(comma + 1)).empty())
            return false;
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
        std::int64_t first = 0;
        std::int64_t last = 0;
        const std::size_t dash = part.find('-', 1);
        if (part.empty() || !parseWhole(trimmed(part.substr(0, dash)), first))
            return false;
        last = first;
        if (dash != std::string_view::npos && !parseWhole(trimmed(part.substr(dash + 1)), last))
            return false;
        if (first < 0 || last < first || last - first >= kListMaximum ||
            static_cast<std::int64_t>(values.size()) + (last - first) >= kListMaximum)
            return false;
        for (std::int64_t value = first; value <= last; ++value)
            values.push_back(value);
    }
    return true;
}

} // namespace

std::string acceptedValues(const ParamSpec& spec) {
    const std::string range = boundText(spec.minimum) + " to " + boundText(spec.maximum);
    switch (spec.kind) {
    case ParamKind::Integer:
        return "a whole number from " + range + (spec.allAllowed ? ", or all," : "") + " is accepted";
    case ParamKind::Real:
        return "a number from " + range + (spec.offAllowed ? ", or off," : "") + " is accepted";
    case ParamKind::Flag:
        return "on and off are accepted";
    case ParamKind::Name:
        return "one of " + namesOf(spec) + " is accepted";
    case ParamKind::IntegerList:
        break;
    }
    return "whole numbers from " + range + " with commas between, or ranges such as 4-9, are accepted";
}

Result<> checkParam(const ParamSpec& spec, const ParamValue& value) {
    const auto inRange = [&](double x) { return x >= spec.minimum && x <= spec.maximum; };
    bool ok = false;
    switch (spec.kind) {
    case ParamKind::Integer:
        if (const auto* x = std::get_if<std::int64_t>(&value))
            ok = inRange(static_cast<double>(*x)) && (spec.allAllowed || *x != kAll || spec.maximum > 0x1p53);
        break;
    case ParamKind::Real:
        if (const auto* x = std::get_if<double>(&value))
            ok = (std::isfinite(*x) && inRange(*x)) || (spec.offAllowed && std::isnan(*x));
        break;
    case ParamKind::Flag:
        ok = std::holds_alternative<bool>(value);
        break;
    case ParamKind::Name:
        if (const auto* x = std::get_if<std::string>(&value))
            ok = std::find(spec.names.begin(), spec.names.end(), *x) != spec.names.end();
        break;
    case ParamKind::IntegerList:
        if (const auto* x = std::get_if<std::vector<std::int64_t>>(&value))
            ok = std::all_of(x->begin(), x->end(),
                             [&](std::int64_t v) { return inRange(static_cast<double>(v)); });
        break;
    }
    if (ok)
        return {};
    return refuse(spec, formatParam(spec, value));
}

Result<ParamValue> parseParam(const ParamSpec& spec, std::string_view given) {
    const std::string_view text = trimmed(given);
    const std::string quoted = std::string("\"").append(given) + "\"";
    ParamValue value;
    switch (spec.kind) {
    case ParamKind::Integer: {
        std::int64_t number = kAll;
        if (!(spec.allAllowed && text == "all") && !parseWhole(text, number))
            return refuse(spec, quoted);
        value = number;
        break;
    }
    case ParamKind::Real: {
        double number = std::numeric_limits<double>::quiet_NaN();
        if (!(spec.offAllowed && text == "off") && !parseReal(text, number))
            return refuse(spec, quoted);
        value = number;
        break;
    }
    case ParamKind::Flag:
        if (text == "on" || text == "true" || text == "1" || text == "yes")
            value = true;
        else if (text == "off" || text == "false" || text == "0" || text == "no")
            value = false;
        else
            return refuse(spec, quoted);
        break;
    case ParamKind::Name: {
        std::string name(text);
        std::replace(name.begin(), name.end(), '-', '_');
        value = std::move(name);
        break;
    }
    case ParamKind::IntegerList: {
        std::vector<std::int64_t> values;
        if (text != "none" && !parseList(text, values))
            return refuse(spec, quoted);
        value = std::move(values);
        break;
    }
    }
    FOVEA_TRY(checkParam(spec, value));
    return value;
}

std::string formatParam(const ParamSpec& spec, const ParamValue& value) {
    if (const auto* x = std::get_if<std::int64_t>(&value))
        return spec.allAllowed && *x == kAll ? "all" : std::to_string(*x);
    if (const auto* x = std::get_if<double>(&value))
        return std::isnan(*x) ? (spec.offAllowed ? "off" : "not a number") : realText(*x);
    if (const auto* x = std::get_if<bool>(&value))
        return *x ? "on" : "off";
    if (const auto* x = std::get_if<std::string>(&value))
        return *x;
    const auto& values = std::get<std::vector<std::int64_t>>(value);
    std::string text;
    for (std::size_t i = 0; i < values.size();) {
        std::size_t j = i;
        while (j + 1 < values.size() && values[j + 1] == values[j] + 1)
            ++j;
        text.append(text.empty() ? "" : ",").append(std::to_string(values[i]));
        if (j > i + 1)
            text.append("-").append(std::to_string(values[j]));
        else
            j = i;
        i = j + 1;
    }
    return text.empty() ? "none" : text;
}

std::string policyToOptions(const AttentionPolicy& policy) {
    const AttentionPolicy empty;
    std::string text;
    static constexpr std::string_view budgets[] = {"routed.count", "routed.fraction", "routed.top_p",
                                                   "routed.threshold"};
    for (const ParamSpec& spec : paramSpecs()) {
        const bool unused =
            spec.section == "Routed" && policy.routed.signal.empty() && policy.routed.randomBlocks == 0;
        if (spec.key == "routed.budget_kind" ||
            (unused && spec.key != "routed.phase")) // a phase needs no router
            continue;
        const ParamValue value = spec.get(policy);
        bool shown =
            formatParam(spec, value) != formatParam(spec, spec.get(empty)); // NaN is no number, but a value
        if (std::find(std::begin(budgets), std::end(budgets), spec.key) != std::end(budgets))
            shown = spec.key == budgets[static_cast<std::size_t>(policy.routed.budgetKind)];
        if (!shown)
            continue;
        text.append(text.empty() ? "--" : " --").append(spec.option);
        if (spec.kind != ParamKind::Flag)
            text.append(" ").append(formatParam(spec, value));
        else if (!std::get<bool>(value)) // a flag that is on unless said otherwise
            text.append("=off");
    }
    return text;
}

} // namespace fovea
