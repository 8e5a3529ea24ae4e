#include "core/base/Check.h"
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace fovea::detail {

void assertionFailed(const char* condition, const char* file, int line) noexcept {
    const std::string text = std::string("fovea: broken invariant: ") + condition + " at " + file + ":" +
                             std::to_string(line) + "\n";
    // Not a message of the program but of its debugger: straight to the descriptor, then stop.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    std::abort();
}

} // namespace fovea::detail
