#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include "core/files/TensorType.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fovea {

enum class GgufType : std::uint32_t {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
};
[[nodiscard]] std::string_view ggufTypeName(GgufType type); ///< "u32", "string", "array"
/// Bytes of one value of a fixed-size type; 0 for strings and arrays.
[[nodiscard]] std::uint32_t ggufTypeBytes(GgufType type);

/// One metadata value as stored in the file, little-endian. GgufKeys.h converts it and checks type and range.
struct GgufValue {
    GgufType type = GgufType::U8;    ///< Array, or the type of the one element
    GgufType element = GgufType::U8; ///< equals `type` unless it is an array
    std::uint64_t count = 1;         ///< elements
    std::string bytes;               ///< all elements, concatenated
    std::vector<std::uint64_t> ends; ///< strings: where each ends in `bytes`
    std::uint64_t offset = 0;        ///< of the value in the file
    bool stored = true;              ///< false: skipped, a string above 16 MiB or an array above 2^24
};

/// One tensor of the list. Its byte range has been checked to lie inside the file.
struct GgufTensor {
    std::string name;
    std::vector<std::uint64_t> shape; ///< 1 to 4 dimensions, the contiguous one first
    TensorType type = TensorType::F32;
    std::uint64_t offset = 0; ///< of the first byte in the file
    std::uint64_t bytes = 0;
    [[nodiscard]] std::uint64_t elements() const;
    bool operator==(const GgufTensor&) const = default;
};

/// A GGUF header, version 2 or 3. Its contents are not interpreted.
struct Gguf {
    std::uint32_t version = 0;
    std::uint64_t alignment = 32;
    std::uint64_t dataStart = 0;
    std::vector<std::pair<std::string, GgufValue>> keys; ///< in the file's order, unknown ones included
    std::vector<GgufTensor> tensors;                     ///< in the file's order
    std::vector<std::string> warnings;

    [[nodiscard]] const GgufValue* find(std::string_view key) const; ///< nullptr when absent
    [[nodiscard]] const GgufTensor* findTensor(std::string_view name) const;

    std::unordered_map<std::string, std::size_t> keyIndex;
    std::unordered_map<std::string, std::size_t> tensorIndex;
};

/// Reads the header and checks every range; no tensor data is read. Format: docs/gguf.md of ggml-org/ggml.
/// Stricter than that document: duplicate keys or tensor names, overlapping tensors and ranges outside the
/// file are errors. Errors: NotThisFormat, Unsupported, Damaged (with the offset), TooLarge, Io, Cancelled.
/// Memory: at most the size of the header in the file, plus 8 bytes per string.
[[nodiscard]] Result<Gguf> readGguf(const ByteSource& source, const WorkContext& work);

} // namespace fovea
