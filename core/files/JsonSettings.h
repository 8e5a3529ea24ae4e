#pragma once
#include "core/files/JsonTree.h"
#include "core/files/Settings.h"

namespace fovea {

/// The settings of a JSON document (config.json). Names of nested values are joined by dots; null counts as
/// missing.
class JsonSettings : public Settings {
public:
    /// `tree` must outlive this.
    explicit JsonSettings(const JsonTree& tree) : m_tree(tree) {}
    [[nodiscard]] bool has(const std::string& key) const override { return find(key) != nullptr; }
    [[nodiscard]] Result<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high,
                                               std::optional<std::int64_t> fallback = std::nullopt,
                                               std::uint64_t arrayOf = 0) const override;
    [[nodiscard]] Result<double> real(const std::string& key, double low, double high,
                                      std::optional<double> fallback = std::nullopt,
                                      bool aboveLow = false) const override;
    [[nodiscard]] Result<bool> boolean(const std::string& key, bool fallback) const override;
    [[nodiscard]] Result<std::string> text(const std::string& key,
                                           std::optional<std::string> fallback = std::nullopt) const override;
    [[nodiscard]] Result<std::vector<std::string>> texts(const std::string& key) const override;
    [[nodiscard]] Result<std::vector<std::int64_t>> integers(const std::string& key) const override;
    [[nodiscard]] Result<std::vector<double>> reals(const std::string& key) const override;
    [[nodiscard]] bool isArray(const std::string& key) const override;

private:
    [[nodiscard]] const JsonTree* find(std::string_view key) const;
    [[nodiscard]] Result<const JsonTree*> array(const std::string& key, const char* accepted) const;
    const JsonTree& m_tree;
};

} // namespace fovea
