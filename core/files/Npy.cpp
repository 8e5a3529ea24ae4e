#include "core/files/Npy.h"
#include <bit>

namespace fovea {

static_assert(std::endian::native == std::endian::little, "NPY data is written as it lies in memory");

std::string npyHeader(const std::vector<std::size_t>& shape) {
    FOVEA_ASSERT(!shape.empty() && shape.size() <= 8);
    std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (const std::size_t size : shape)
        dictionary += std::to_string(size) + ", ";
    // A shape of one dimension needs a trailing comma; longer ones must not end in ", ".
    dictionary.erase(dictionary.size() - (shape.size() == 1 ? 1 : 2));
    dictionary += "), }";
    constexpr std::size_t kPrefix = 10; // magic, version, length
    constexpr std::size_t kAlign = 64;
    const std::size_t unpadded = kPrefix + dictionary.size() + 1;
    dictionary += std::string((kAlign - unpadded % kAlign) % kAlign, ' ');
    dictionary += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(dictionary.size() & 255);
    header += static_cast<char>(dictionary.size() >> 8);
    return header + dictionary;
}

void appendNpy(std::string& file, ConstMatrixView values) {
    for (std::size_t r = 0; r < values.rows; ++r)
        file.append(reinterpret_cast<const char*>(values.row(r)), values.cols * sizeof(float));
}

} // namespace fovea
