#pragma once
#include "core/tune/Measurement.h"
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace fovea {

/// Measurements that outlive a program: one JSON document a line, appended and synced as each run ends. Two
/// programs cannot have one store: the file is locked as long as it is open. A line that a kill cut short is
/// left out; lines of another version, build, model or text stay in the file and are not used.
class MeasurementStore {
public:
    /// Opens the file, or creates it. Errors: Io (the system's reason, or that another program has it);
    /// TooLarge (more than 256 MB).
    [[nodiscard]] static Result<MeasurementStore> open(const std::string& path);

    /// What an earlier run measured under `key` (measurementKey) and a policy's hash; without seconds.
    [[nodiscard]] std::optional<Measurement> find(const std::string& key,
                                                  const std::string& policyHash) const;
    /// Appends one. Errors: Io; then the file ends with a line that is left out when it is read.
    [[nodiscard]] Result<> add(const std::string& key, const std::string& policyHash,
                               const AttentionPolicy& policy, const Measurement& measured);

    [[nodiscard]] std::size_t size() const { return m_known.size(); } ///< of this version, all keys
    [[nodiscard]] std::size_t unread() const {
        return m_unread;
    } ///< lines of other versions, and broken ones

private:
    struct Close {
        void operator()(int* fd) const;
    };
    std::string m_path;
    std::unique_ptr<int, Close> m_fd;
    std::map<std::pair<std::string, std::string>, Measurement> m_known;
    std::size_t m_unread = 0;
};

} // namespace fovea
