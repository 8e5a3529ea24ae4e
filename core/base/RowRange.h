#pragma once
#include <cstddef>

namespace fovea {

/// Rows [first, last) of a text. Work on a visible rectangle routes and plans just these.
struct RowRange {
    std::size_t first = 0;
    std::size_t last = 0;
    bool operator==(const RowRange&) const = default;
};

} // namespace fovea
