#pragma once
#include "core/files/Gguf.h"
#include "core/files/Settings.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// The metadata of a GGUF file. Besides the errors of Settings: TooLarge (a value that readGguf skipped).
class GgufKeys : public Settings {
public:
    explicit GgufKeys(const Gguf& gguf) : m_gguf(gguf) {}

    [[nodiscard]] Result<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high,
                                               std::optional<std::int64_t> fallback = std::nullopt,
                                               std::uint64_t arrayOf = 0) const override;
    /// f32 or f64.
    [[nodiscard]] Result<double> real(const std::string& key, double low, double high,
                                      std::optional<double> fallback = std::nullopt,
                                      bool aboveLow = false) const override;
    [[nodiscard]] Result<bool> boolean(const std::string& key, bool fallback) const override;
    [[nodiscard]] Result<std::string> text(const std::string& key,
                                           std::optional<std::string> fallback = std::nullopt) const override;
    [[nodiscard]] Result<std::vector<std::string>> texts(const std::string& key) const override;
    [[nodiscard]] Result<std::vector<std::int64_t>> integers(const std::string& key) const override;
    [[nodiscard]] Result<std::vector<double>> reals(const std::string& key) const override;
    [[nodiscard]] bool has(const std::string& key) const override { return m_gguf.find(key) != nullptr; }
    [[nodiscard]] bool isArray(const std::string& key) const override;

private:
    const Gguf& m_gguf;
};

/// The value as text for people: "576", "\"llama\"", "[49152 strings]".
[[nodiscard]] std::string ggufValueText(const GgufValue& value);

} // namespace fovea
