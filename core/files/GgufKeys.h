#pragma once
#include "core/files/Gguf.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Reads metadata with the type and range that the caller needs; nothing is believed because parsing worked.
/// A missing key takes `fallback`; without one it is Inconsistent, as are a wrong type and a value out of
/// range. Messages name key, value and what would be accepted. A value that was too large to store is
/// TooLarge.
class GgufKeys {
public:
    explicit GgufKeys(const Gguf& gguf) : m_gguf(gguf) {}

    /// Any integer type, or an array of equal integers where `arrayOf` elements are allowed (Unsupported if
    /// they differ).
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
    /// Arrays; empty when absent.
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
