#include "core/files/JsonSettings.h"
#include "core/files/Quote.h"
#include <cmath>

namespace fovea {

namespace {

using Kind = JsonTree::Kind;

tl::unexpected<Error> wrong(const std::string& key, const JsonTree* found, const std::string& accepted) {
    return fail(ErrorCode::Inconsistent,
                quoteForMessage(key) + " is " +
                    (found == nullptr            ? std::string("missing")
                     : found->kind == Kind::Text ? inQuotes(found->text)
                                                 : quoteForMessage(found->quoted())) +
                    "; " + accepted);
}

/// An integer, also one that is written as a float ("1e6", "4096.0").
std::optional<std::int64_t> wholeOf(const JsonTree& value) {
    if (value.kind == Kind::Whole)
        return value.whole;
    constexpr double kExact = 9007199254740992.0; // 2^53
    if (value.kind == Kind::Real && std::abs(value.real) <= kExact && std::floor(value.real) == value.real)
        return static_cast<std::int64_t>(value.real);
    return std::nullopt;
}

bool isNumber(const JsonTree& value) {
    return value.kind == Kind::Whole || value.kind == Kind::Real;
}

} // namespace

const JsonTree* JsonSettings::find(std::string_view key) const {
    const JsonTree* at = &m_tree;
    while (at != nullptr) {
        if (at->kind != Kind::Object)
            return nullptr;
        const auto dot = key.find('.');
        at = at->find(key.substr(0, dot));
        if (dot == std::string_view::npos)
            break;
        key.remove_prefix(dot + 1);
    }
    return at == nullptr || at->kind == Kind::Null ? nullptr : at;
}

bool JsonSettings::isArray(const std::string& key) const {
    const JsonTree* value = find(key);
    return value != nullptr && value->kind == Kind::List;
}

Result<std::int64_t> JsonSettings::integer(const std::string& key, std::int64_t low, std::int64_t high,
                                           std::optional<std::int64_t> fallback,
                                           std::uint64_t arrayOf) const {
    const std::string range = "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    const JsonTree* value = find(key);
    if (value == nullptr) {
        if (fallback)
            return *fallback;
        return wrong(key, nullptr, range + " is accepted");
    }
    const auto check = [&](const JsonTree& one) -> Result<std::int64_t> {
        const auto number = wholeOf(one);
        if (!number || *number < low || *number > high)
            return wrong(key, &one, range + " is accepted");
        return *number;
    };
    if (value->kind != Kind::List || arrayOf == 0)
        return check(*value);
    if (value->list.size() != arrayOf)
        return fail(ErrorCode::Inconsistent,
                    quoteForMessage(key) + " has " + std::to_string(value->list.size()) + " entries; " +
                        range + " is accepted, or a list of " + std::to_string(arrayOf) + " equal ones");
    std::optional<std::int64_t> common;
    for (const JsonTree& one : value->list) {
        const auto number = check(one);
        FOVEA_TRY(number);
        if (common && *common != *number)
            return fail(ErrorCode::Unsupported, quoteForMessage(key) + " differs between layers (" +
                                                    std::to_string(*common) + " and " +
                                                    std::to_string(*number) +
                                                    "); models with one value for all layers run");
        common = *number;
    }
    return *common;
}

Result<double> JsonSettings::real(const std::string& key, double low, double high,
                                  std::optional<double> fallback, bool aboveLow) const {
    const JsonTree* value = find(key);
    if (value == nullptr && fallback)
        return *fallback;
    if (value == nullptr || !isNumber(*value) || value->real < low || value->real > high ||
        (aboveLow && value->real <= low))
        return wrong(key, value,
                     "a number " + std::string(aboveLow ? "above " : "from ") + numberText(low) +
                         (aboveLow ? " and up to " : " to ") + numberText(high) + " is accepted");
    return value->real;
}

Result<bool> JsonSettings::boolean(const std::string& key, bool fallback) const {
    const JsonTree* value = find(key);
    if (value == nullptr)
        return fallback;
    if (value->kind != Kind::Flag)
        return wrong(key, value, "true or false is accepted");
    return value->flag;
}

Result<std::string> JsonSettings::text(const std::string& key, std::optional<std::string> fallback) const {
    const JsonTree* value = find(key);
    if (value == nullptr && fallback)
        return *fallback;
    if (value == nullptr || value->kind != Kind::Text)
        return wrong(key, value, "a text is accepted");
    return value->text;
}

Result<const JsonTree*> JsonSettings::array(const std::string& key, const char* accepted) const {
    const JsonTree* value = find(key);
    if (value != nullptr && value->kind != Kind::List)
        return wrong(key, value, accepted);
    return value;
}

Result<std::vector<std::string>> JsonSettings::texts(const std::string& key) const {
    const char* accepted = "a list of texts is accepted";
    const auto value = array(key, accepted);
    FOVEA_TRY(value);
    std::vector<std::string> all;
    if (*value != nullptr)
        for (const JsonTree& one : (*value)->list) {
            if (one.kind != Kind::Text)
                return wrong(key, &one, accepted);
            all.push_back(one.text);
        }
    return all;
}

Result<std::vector<std::int64_t>> JsonSettings::integers(const std::string& key) const {
    const char* accepted = "a list of integers is accepted";
    const auto value = array(key, accepted);
    FOVEA_TRY(value);
    std::vector<std::int64_t> all;
    if (*value != nullptr)
        for (const JsonTree& one : (*value)->list) {
            const auto number = one.kind == Kind::Flag ? std::optional<std::int64_t>(one.flag) : wholeOf(one);
            if (!number)
                return wrong(key, &one, accepted);
            all.push_back(*number);
        }
    return all;
}

Result<std::vector<double>> JsonSettings::reals(const std::string& key) const {
    const char* accepted = "a list of numbers is accepted";
    const auto value = array(key, accepted);
    FOVEA_TRY(value);
    std::vector<double> all;
    if (*value != nullptr)
        for (const JsonTree& one : (*value)->list) {
            if (!isNumber(one))
                return wrong(key, &one, accepted);
            all.push_back(one.real);
        }
    return all;
}

} // namespace fovea
