#pragma once
#include <string_view>

namespace fovea {

/// "0.1.0", from the project's build file.
[[nodiscard]] std::string_view buildVersion();
/// Short hash of the commit the build was configured at; "unknown" when it was not made from a git checkout.
[[nodiscard]] std::string_view buildCommit();

} // namespace fovea
