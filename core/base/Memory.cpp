#include "core/base/Memory.h"
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sys/resource.h>
#include <unistd.h>

namespace fovea {

namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

std::uint64_t readNumber(const std::string& path) {
    std::ifstream in(path);
    std::uint64_t value = 0;
    return (in >> value) ? value : kNone; // "max" is no number: no limit
}

std::uint64_t memAvailable() {
    std::ifstream in("/proc/meminfo");
    std::string key;
    while (in >> key) {
        std::uint64_t kib = 0;
        if (key == "MemAvailable:" && (in >> kib))
            return kib * 1024;
        in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return kNone;
}

std::uint64_t cgroupFree() {
    std::ifstream in("/proc/self/cgroup");
    std::string line;
    std::uint64_t least = kNone;
    while (std::getline(in, line)) {
        if (line.rfind("0::", 0) != 0)
            continue;
        std::string group = line.substr(3);
        while (true) {
            const std::string base = "/sys/fs/cgroup" + group;
            const std::uint64_t max = readNumber(base + "/memory.max");
            const std::uint64_t current = readNumber(base + "/memory.current");
            if (max != kNone && current != kNone)
                least = std::min(least, max > current ? max - current : 0);
            const auto slash = group.find_last_of('/');
            if (slash == std::string::npos || group == "/")
                break;
            group.resize(slash);
        }
    }
    return least;
}

std::uint64_t addressSpaceFree() {
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return kNone;
    return limit.rlim_cur;
}

} // namespace

std::uint64_t memoryLimit(std::uint64_t maxMemory) {
    const std::uint64_t system = std::min({memAvailable(), cgroupFree(), addressSpaceFree()});
    const std::uint64_t shared = system == kNone ? kNone : system / 10 * 8;
    return maxMemory == 0 ? shared : std::min(shared, maxMemory);
}

std::string formatBytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), value < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", value,
                  units[unit]);
    return text.data();
}

Result<> requireMemory(const std::string& what, std::uint64_t need, std::uint64_t limit,
                       const std::string& whatFits) {
    if (need <= limit)
        return {};
    return fail(ErrorCode::TooLarge, what + " needs " + formatBytes(need) + "; " + formatBytes(limit) +
                                         " may be used" + (whatFits.empty() ? "." : "; " + whatFits + "."));
}

std::uint64_t residentBytes() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    if (!(in >> total >> resident))
        return 0;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

} // namespace fovea
