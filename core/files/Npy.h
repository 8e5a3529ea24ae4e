#pragma once
#include "core/base/Matrix.h"
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Header of an NPY 1.0 file (numpy.lib.format): little-endian f32, C order, padded with spaces and a newline
/// so that the data starts at a multiple of 64 bytes. `shape` has 1 to 8 dimensions.
[[nodiscard]] std::string npyHeader(const std::vector<std::size_t>& shape);

/// Appends the bytes of `values`, row after row. Call it after the header.
void appendNpy(std::string& file, ConstMatrixView values);

} // namespace fovea
