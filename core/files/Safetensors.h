#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea {

/// One tensor of a safetensors file. Its byte range has been checked to lie inside the file.
struct Safetensor {
    std::string name;
    std::string dtype;                ///< a known one: "F32", "BF16", "I64", ...
    std::vector<std::uint64_t> shape; ///< the contiguous dimension last; empty: one number
    std::uint64_t offset = 0;         ///< of the first byte in the file
    std::uint64_t bytes = 0;
    bool operator==(const Safetensor&) const = default;
};

struct Safetensors {
    std::vector<std::pair<std::string, std::string>> metadata; ///< __metadata__
    std::vector<Safetensor> tensors;                           ///< in the order of the header
};

/// Reads the header and checks every range; no tensor data is read. Format: the README of
/// huggingface/safetensors. As there, tensors must cover the bytes after the header exactly: holes, overlaps
/// and trailing bytes are errors, so that no file is valid in two formats. Errors: NotThisFormat (says what
/// the file is), Unsupported (an unknown dtype, a pickle), Damaged, TooLarge (above 65,536 tensors), Io,
/// Cancelled. Memory: the header, which is at most 100 MB and no longer than the file, and its entries.
[[nodiscard]] Result<Safetensors> readSafetensors(const ByteSource& source, const WorkContext& work);

/// Bits of one number of a dtype; 0: unknown.
[[nodiscard]] std::uint32_t safetensorsBits(std::string_view dtype);

} // namespace fovea
