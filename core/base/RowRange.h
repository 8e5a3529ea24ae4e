#pragma once
#include <cstddef>

namespace fovea {

/// Rows [first, last) of a text. For a visible rectangle only its rows are routed and planned.
struct RowRange {
    std::size_t first = 0;
    std::size_t last = 0;
    bool operator==(const RowRange&) const = default;
};

} // namespace fovea
