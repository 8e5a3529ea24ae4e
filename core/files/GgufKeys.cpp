#include "core/files/GgufKeys.h"
#include "core/files/Quote.h"
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea {

namespace {

template <class T>
T element(const GgufValue& value, std::uint64_t i) {
    T number{};
    std::memcpy(&number, value.bytes.data() + i * sizeof(T), sizeof(T));
    return number;
}

/// Empty for a type that is not an integer, and for a u64 that does not fit.
std::optional<std::int64_t> integerAt(const GgufValue& value, std::uint64_t i) {
    switch (value.element) {
    case GgufType::U8:
        return element<std::uint8_t>(value, i);
    case GgufType::I8:
        return element<std::int8_t>(value, i);
    case GgufType::U16:
        return element<std::uint16_t>(value, i);
    case GgufType::I16:
        return element<std::int16_t>(value, i);
    case GgufType::U32:
        return element<std::uint32_t>(value, i);
    case GgufType::I32:
        return element<std::int32_t>(value, i);
    case GgufType::I64:
        return element<std::int64_t>(value, i);
    case GgufType::U64: {
        const auto number = element<std::uint64_t>(value, i);
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    default:
        return std::nullopt;
    }
}

std::optional<double> realAt(const GgufValue& value, std::uint64_t i) {
    if (value.element == GgufType::F32)
        return static_cast<double>(element<float>(value, i));
    if (value.element == GgufType::F64)
        return element<double>(value, i);
    return std::nullopt;
}

tl::unexpected<Error> wrong(const std::string& key, const std::string& found, const std::string& accepted) {
    return fail(ErrorCode::Inconsistent, quoteForMessage(key) + " " + found + "; " + accepted);
}

std::string isText(const GgufValue& value) {
    return "is " + ggufValueText(value) + " of type " + std::string(ggufTypeName(value.type)) +
           (value.type == GgufType::Array ? " of " + std::string(ggufTypeName(value.element)) : "");
}

} // namespace

std::string ggufValueText(const GgufValue& value) {
    if (value.type == GgufType::Array)
        return "[" + std::to_string(value.count) + " x " + std::string(ggufTypeName(value.element)) + "]";
    if (!value.stored)
        return "(too large to show)";
    if (value.type == GgufType::String)
        return inQuotes(value.bytes);
    if (value.type == GgufType::Bool)
        return value.bytes[0] != 0 ? "true" : "false";
    if (value.type == GgufType::U64)
        return std::to_string(element<std::uint64_t>(value, 0));
    if (const auto integer = integerAt(value, 0))
        return std::to_string(*integer);
    return numberText(realAt(value, 0).value_or(0));
}

Result<std::int64_t> GgufKeys::integer(const std::string& key, std::int64_t low, std::int64_t high,
                                       std::optional<std::int64_t> fallback, std::uint64_t arrayOf) const {
    const std::string accepted =
        "an integer from " + std::to_string(low) + " to " + std::to_string(high) + " is accepted";
    const auto* value = m_gguf.find(key);
    if (!value) {
        if (fallback)
            return *fallback;
        return wrong(key, "is missing", accepted);
    }
    if (!value->stored)
        return fail(ErrorCode::TooLarge, quoteForMessage(key) + " is too large an array; " + accepted);
    if (value->type == GgufType::Array && (arrayOf == 0 || value->count != arrayOf))
        return wrong(key, isText(*value),
                     accepted +
                         (arrayOf == 0 ? "" : ", or an array of " + std::to_string(arrayOf) + " equal ones"));
    std::optional<std::int64_t> common;
    for (std::uint64_t i = 0; i < value->count; ++i) {
        const auto number = integerAt(*value, i);
        if (!number || *number < low || *number > high)
            return wrong(key,
                         value->type == GgufType::Array && number
                             ? "holds " + std::to_string(*number) + " for layer " + std::to_string(i)
                             : isText(*value),
                         accepted);
        if (common && *common != *number)
            return fail(ErrorCode::Unsupported, quoteForMessage(key) + " differs between layers (" +
                                                    std::to_string(*common) + " and " +
                                                    std::to_string(*number) +
                                                    "); models with one value for all layers run");
        common = number;
    }
    return *common;
}

Result<double> GgufKeys::real(const std::string& key, double low, double high, std::optional<double> fallback,
                              bool aboveLow) const {
    const std::string accepted = "a number " + std::string(aboveLow ? "above " : "from ") + numberText(low) +
                                 (aboveLow ? " and up to " : " to ") + numberText(high) + " is accepted";
    const auto* value = m_gguf.find(key);
    if (!value) {
        if (fallback)
            return *fallback;
        return wrong(key, "is missing", accepted);
    }
    const auto number = value->type == GgufType::Array || !value->stored ? std::nullopt : realAt(*value, 0);
    if (!number || !std::isfinite(*number) || *number < low || *number > high || (aboveLow && *number <= low))
        return wrong(key, isText(*value), accepted);
    return *number;
}

Result<bool> GgufKeys::boolean(const std::string& key, bool fallback) const {
    const auto* value = m_gguf.find(key);
    if (!value)
        return fallback;
    if (value->type != GgufType::Bool)
        return wrong(key, isText(*value), "a bool is accepted");
    return value->bytes[0] != 0;
}

Result<std::string> GgufKeys::text(const std::string& key, std::optional<std::string> fallback) const {
    const auto* value = m_gguf.find(key);
    if (!value) {
        if (fallback)
            return *fallback;
        return wrong(key, "is missing", "a string is needed");
    }
    if (value->type != GgufType::String)
        return wrong(key, isText(*value), "a string is accepted");
    if (!value->stored)
        return fail(ErrorCode::TooLarge, quoteForMessage(key) + " has more than 16 MiB");
    return value->bytes;
}

Result<std::vector<std::string>> GgufKeys::texts(const std::string& key) const {
    std::vector<std::string> all;
    const auto* value = m_gguf.find(key);
    if (!value)
        return all;
    if (value->type != GgufType::Array || value->element != GgufType::String)
        return wrong(key, isText(*value), "an array of strings is accepted");
    if (!value->stored)
        return fail(ErrorCode::TooLarge, quoteForMessage(key) + " has " + std::to_string(value->count) +
                                             " strings; at most 16777216 of at most 16 MiB are read");
    all.reserve(value->ends.size());
    std::uint64_t begin = 0;
    for (const std::uint64_t end : value->ends) {
        all.emplace_back(value->bytes, begin, end - begin);
        begin = end;
    }
    return all;
}

Result<std::vector<std::int64_t>> GgufKeys::integers(const std::string& key) const {
    std::vector<std::int64_t> all;
    const auto* value = m_gguf.find(key);
    if (!value)
        return all;
    if (value->type == GgufType::Array && !value->stored)
        return fail(ErrorCode::TooLarge, quoteForMessage(key) + " has " + std::to_string(value->count) +
                                             " elements; at most 16777216 are read");
    for (std::uint64_t i = 0; value->type == GgufType::Array && i < value->count; ++i) {
        const auto number = value->element == GgufType::Bool
                                ? std::optional<std::int64_t>(element<std::uint8_t>(*value, i))
                                : integerAt(*value, i);
        if (!number)
            return wrong(key, isText(*value), "an array of integers is accepted");
        all.push_back(*number);
    }
    if (value->type != GgufType::Array)
        return wrong(key, isText(*value), "an array of integers is accepted");
    return all;
}

bool GgufKeys::isArray(const std::string& key) const {
    const auto* value = m_gguf.find(key);
    return value != nullptr && value->type == GgufType::Array;
}

Result<std::vector<double>> GgufKeys::reals(const std::string& key) const {
    std::vector<double> all;
    const auto* value = m_gguf.find(key);
    if (!value)
        return all;
    if (value->type != GgufType::Array ||
        (value->element != GgufType::F32 && value->element != GgufType::F64))
        return wrong(key, isText(*value), "an array of f32 is accepted");
    if (!value->stored)
        return fail(ErrorCode::TooLarge, quoteForMessage(key) + " has " + std::to_string(value->count) +
                                             " elements; at most 16777216 are read");
    for (std::uint64_t i = 0; i < value->count; ++i)
        all.push_back(*realAt(*value, i));
    return all;
}

} // namespace fovea
