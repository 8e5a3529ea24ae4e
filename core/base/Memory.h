#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <string>

namespace fovea {

/// Bytes that Fovea may use: 80 % of the smallest of MemAvailable, memory.max - memory.current of each
/// enclosing cgroup (v2), RLIMIT_AS, and `maxMemory` (0: no such limit). Needed because Linux overcommits: a
/// successful `new` does not prove that the memory exists.
[[nodiscard]] std::uint64_t memoryLimit(std::uint64_t maxMemory);

/// "123 MB", "4.1 GB": three significant digits at most.
[[nodiscard]] std::string formatBytes(std::uint64_t bytes);

/// Fails with TooLarge when `need` exceeds `limit`. The message gives both and `whatFits` ("9000 tokens would
/// fit").
[[nodiscard]] Result<> requireMemory(const std::string& what, std::uint64_t need, std::uint64_t limit,
                                     const std::string& whatFits);

/// Resident bytes of this process now, from /proc/self/statm; 0 when it cannot be read.
[[nodiscard]] std::uint64_t residentBytes();

} // namespace fovea
