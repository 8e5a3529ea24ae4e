#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// The named settings of a model, whatever the container: the metadata of a GGUF file (GgufKeys), or a
/// config.json, whose nested names are joined by dots ("rope_scaling.factor") and whose nulls count as
/// missing. Each value is checked against the type and range that the caller needs. A missing name gives
/// `fallback`. Errors: Inconsistent (missing without `fallback`, a wrong type, out of range), TooLarge (too
/// large to be kept). Messages name the setting, the value and what would be accepted.
class Settings {
public:
    virtual ~Settings() = default;
    [[nodiscard]] virtual bool has(const std::string& key) const = 0;
    /// An integer of any width. With `arrayOf` > 0 also an array of that many equal integers; Unsupported
    /// when they differ.
    [[nodiscard]] virtual Result<std::int64_t> integer(const std::string& key, std::int64_t low,
                                                       std::int64_t high,
                                                       std::optional<std::int64_t> fallback = std::nullopt,
                                                       std::uint64_t arrayOf = 0) const = 0;
    /// A finite number, low <= value <= high (low < value with `aboveLow`). In JSON also an integer.
    [[nodiscard]] virtual Result<double> real(const std::string& key, double low, double high,
                                              std::optional<double> fallback = std::nullopt,
                                              bool aboveLow = false) const = 0;
    [[nodiscard]] virtual Result<bool> boolean(const std::string& key, bool fallback) const = 0;
    [[nodiscard]] virtual Result<std::string>
    text(const std::string& key, std::optional<std::string> fallback = std::nullopt) const = 0;
    /// Arrays; empty when missing. Booleans count as 0 and 1 in `integers`.
    [[nodiscard]] virtual Result<std::vector<std::string>> texts(const std::string& key) const = 0;
    [[nodiscard]] virtual Result<std::vector<std::int64_t>> integers(const std::string& key) const = 0;
    [[nodiscard]] virtual Result<std::vector<double>> reals(const std::string& key) const = 0;
    /// Whether the value is an array; false when missing.
    [[nodiscard]] virtual bool isArray(const std::string& key) const = 0;
};

} // namespace fovea
