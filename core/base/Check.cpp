#include "core/base/Check.h"
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace fovea::detail {

void assertionFailed(const char* condition, const char* file, int line) noexcept {
    const std::string text = std::string("fovea: broken invariant: ") + condition + " at " + file + ":" +
                             std::to_string(line) + "\n";
    // A message for developers only: written directly to the descriptor, then the process stops.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    std::abort();
}

} // namespace fovea::detail
