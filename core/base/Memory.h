#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <string>

namespace fovea {

/// Bytes Fovea may use: 80 % of the least of MemAvailable, cgroup v2 memory.max - memory.current at every
/// level up, RLIMIT_AS, and `maxMemory` (0: no such limit). Linux overcommits, so a successful `new` proves
/// nothing.
[[nodiscard]] std::uint64_t memoryLimit(std::uint64_t maxMemory);

/// "123 MB", "4.1 GB": three significant digits at most.
[[nodiscard]] std::string formatBytes(std::uint64_t bytes);

/// TooLarge with need, limit and `whatFits` ("9000 tokens would fit") when `need` exceeds `limit`.
[[nodiscard]] Result<> requireMemory(const std::string& what, std::uint64_t need, std::uint64_t limit,
                                     const std::string& whatFits);

/// Resident bytes of this process now, from /proc/self/statm; 0 if unreadable.
[[nodiscard]] std::uint64_t residentBytes();

} // namespace fovea
