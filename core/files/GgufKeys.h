#pragma once
#include "core/files/Gguf.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Reads metadata and checks it against the type and range that the caller needs. A missing key gives
/// `fallback`. Errors: Inconsistent (a missing key without `fallback`, a wrong type, a value out of range),
/// TooLarge (a value that readGguf skipped). Messages name the key, the value and what would be accepted.
class GgufKeys {
public:
    explicit GgufKeys(const Gguf& gguf) : m_gguf(gguf) {}

    /// An integer of any type. With `arrayOf` > 0 also an array of that many equal integers; Unsupported when
    /// they differ.
    [[nodiscard]] Result<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high,
                                               std::optional<std::int64_t> fallback = std::nullopt,
                                               std::uint64_t arrayOf = 0) const;
    /// f32 or f64, finite, low <= value <= high (low < value with `aboveLow`).
    [[nodiscard]] Result<double> real(const std::string& key, double low, double high,
                                      std::optional<double> fallback = std::nullopt,
                                      bool aboveLow = false) const;
    [[nodiscard]] Result<bool> boolean(const std::string& key, bool fallback) const;
    [[nodiscard]] Result<std::string> text(const std::string& key,
                                           std::optional<std::string> fallback = std::nullopt) const;
    /// Arrays; empty when the key is absent.
    [[nodiscard]] Result<std::vector<std::string>> texts(const std::string& key) const;
    [[nodiscard]] Result<std::vector<std::int64_t>> integers(const std::string& key) const;
    [[nodiscard]] Result<std::vector<double>> reals(const std::string& key) const;
    [[nodiscard]] bool has(const std::string& key) const { return m_gguf.find(key) != nullptr; }

private:
    const Gguf& m_gguf;
};

/// The value as text for people: "576", "\"llama\"", "[49152 strings]".
[[nodiscard]] std::string ggufValueText(const GgufValue& value);

} // namespace fovea
