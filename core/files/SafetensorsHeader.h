#pragma once
#include "core/base/Result.h"
#include "core/files/Safetensors.h"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea {

/// One entry of a header as it is written.
struct SafetensorsEntry {
    Safetensor tensor; ///< name, dtype (any text) and shape
    std::uint64_t begin = 0, end = 0;
};

/// Reads the JSON of a header and checks its form: an object whose entries have exactly dtype, shape and
/// data_offsets, and __metadata__ with strings. No tree is built, so a hostile header needs no more memory
/// than its entries. Errors: Damaged (names the entry or the byte), TooLarge (above 65,536 tensors).
[[nodiscard]] Result<std::vector<SafetensorsEntry>>
parseSafetensorsHeader(std::string_view json, std::vector<std::pair<std::string, std::string>>& metadata);

} // namespace fovea
