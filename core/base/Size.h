#pragma once
#include <cstddef>

namespace fovea {

/// A count that is not negative, as the size of a container or a stride.
[[nodiscard]] constexpr std::size_t asSize(int count) {
    return static_cast<std::size_t>(count);
}

} // namespace fovea
