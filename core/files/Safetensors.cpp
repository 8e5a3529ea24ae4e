#include "core/files/Safetensors.h"
#include "core/files/Checked.h"
#include "core/files/Quote.h"
#include "core/files/Reader.h"
#include "core/files/SafetensorsHeader.h"
#include "core/files/Sniff.h"
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

namespace fovea {

namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kMostHeader = 100'000'000;

constexpr std::array kBits{
    std::pair{"F32"sv, 32U},    std::pair{"F16"sv, 16U},    std::pair{"BF16"sv, 16U},
    std::pair{"F64"sv, 64U},    std::pair{"I64"sv, 64U},    std::pair{"I32"sv, 32U},
    std::pair{"I16"sv, 16U},    std::pair{"I8"sv, 8U},      std::pair{"U64"sv, 64U},
    std::pair{"U32"sv, 32U},    std::pair{"U16"sv, 16U},    std::pair{"U8"sv, 8U},
    std::pair{"BOOL"sv, 8U},    std::pair{"F8_E4M3"sv, 8U}, std::pair{"F8_E5M2"sv, 8U},
    std::pair{"F8_E8M0"sv, 8U}, std::pair{"F6_E2M3"sv, 6U}, std::pair{"F6_E3M2"sv, 6U},
    std::pair{"F4"sv, 4U},      std::pair{"C64"sv, 64U},
};

std::string listedShape(const std::vector<std::uint64_t>& shape) {
    std::string text = "[";
    for (const std::uint64_t extent : shape)
        text += (text.size() == 1 ? "" : ", ") + std::to_string(extent);
    return text + "]";
}

tl::unexpected<Error> damaged(const Safetensor& tensor, const std::string& what) {
    return fail(ErrorCode::Damaged, inQuotes(tensor.name) + " " + what);
}

/// Bytes of the tensor by shape and dtype.
Result<std::uint64_t> sizeOf(const Safetensor& tensor) {
    std::optional<std::uint64_t> count = 1;
    for (const std::uint64_t extent : tensor.shape)
        count = count ? checkedMul(*count, extent) : std::nullopt;
    const auto bits = count ? checkedMul(*count, safetensorsBits(tensor.dtype)) : std::nullopt;
    if (!bits)
        return damaged(tensor, "has the shape " + listedShape(tensor.shape) + ", more than 2^64 bits");
    if (*bits % 8 != 0)
        return damaged(tensor, "has the shape " + listedShape(tensor.shape) + " of " + tensor.dtype +
                                   ", which fills no whole number of bytes");
    return *bits / 8;
}

/// Checks types and ranges and turns offsets into those of the file.
Result<> placeTensors(std::vector<SafetensorsEntry>& entries, Safetensors& made, std::uint64_t dataStart,
                      std::uint64_t fileSize, const WorkContext& work) {
    std::vector<std::size_t> order(entries.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(entries[a].begin, entries[a].end) < std::pair(entries[b].begin, entries[b].end);
    });
    for (SafetensorsEntry& entry : entries) {
        FOVEA_TRY(work.checkpoint());
        Safetensor& tensor = entry.tensor;
        if (safetensorsBits(tensor.dtype) == 0)
            return fail(ErrorCode::Unsupported, inQuotes(tensor.name) + " has the dtype " +
                                                    inQuotes(tensor.dtype) + "; F32, F16 and BF16 are read");
        if (entry.begin > entry.end)
            return damaged(tensor, "has the data_offsets " + std::to_string(entry.begin) + " and " +
                                       std::to_string(entry.end) + "; a begin up to the end is accepted");
        const auto bytes = sizeOf(tensor);
        FOVEA_TRY(bytes);
        if (*bytes != entry.end - entry.begin)
            return damaged(tensor, "has " + std::to_string(entry.end - entry.begin) +
                                       " bytes by its data_offsets and " + std::to_string(*bytes) +
                                       " by its shape " + listedShape(tensor.shape) + " of " + tensor.dtype +
                                       "; equal numbers are accepted");
        tensor.bytes = *bytes;
    }
    std::uint64_t end = 0;
    for (const std::size_t i : order) {
        Safetensor& tensor = entries[i].tensor;
        if (entries[i].begin < end)
            return damaged(tensor, "begins at " + std::to_string(entries[i].begin) +
                                       " and overlaps the tensor that ends at " + std::to_string(end));
        if (entries[i].begin > end)
            return damaged(tensor, "begins at " + std::to_string(entries[i].begin) +
                                       " and leaves a hole after " + std::to_string(end) +
                                       "; tensors without holes are accepted");
        end = entries[i].end;
        const auto last = checkedAdd(dataStart, end);
        if (!last || *last > fileSize)
            return damaged(tensor, "ends at " + (last ? std::to_string(*last) : "a place past 2^64") +
                                       "; the file has " + std::to_string(fileSize) + " bytes");
        tensor.offset = dataStart + entries[i].begin;
    }
    if (dataStart + end != fileSize)
        return fail(ErrorCode::Damaged, std::to_string(fileSize - dataStart - end) +
                                            " bytes follow the last tensor; a file that ends with it is "
                                            "accepted");
    made.tensors.reserve(entries.size());
    for (SafetensorsEntry& entry : entries)
        made.tensors.push_back(std::move(entry.tensor));
    return {};
}

tl::unexpected<Error> notSafetensors(const std::string& start) {
    if (looksLikePickle(start))
        return fail(ErrorCode::Unsupported, std::string(kPickleRefusal));
    const std::string what = describeFirstBytes(start);
    return fail(ErrorCode::NotThisFormat,
                "not a safetensors file: " +
                    (what.empty() ? "it starts with " + inQuotes(start.substr(0, 9)) : "this is " + what));
}

} // namespace

std::uint32_t safetensorsBits(std::string_view dtype) {
    for (const auto& [name, bits] : kBits)
        if (name == dtype)
            return bits;
    return 0;
}

Result<Safetensors> readSafetensors(const ByteSource& source, const WorkContext& work) {
    Reader peek(source);
    const auto start = peek.take(std::min<std::uint64_t>(source.size(), 512));
    FOVEA_TRY(start);
    std::uint64_t length = 0;
    std::memcpy(&length, start->data(), std::min<std::size_t>(start->size(), sizeof length));
    if (looksLikePickle(*start) || (start->size() > 8 && (*start)[8] != '{'))
        return notSafetensors(*start);
    if (start->size() >= 8 && (length < 2 || length > kMostHeader))
        return fail(ErrorCode::Damaged,
                    "the header claims " + std::to_string(length) + " bytes; 2 to 100000000 are accepted");
    Reader reader(source);
    reader.enter("the length of the header");
    FOVEA_TRY(reader.skip(sizeof length));
    if (length > reader.remaining())
        return fail(ErrorCode::Damaged, "the header claims " + std::to_string(length) + " bytes; " +
                                            std::to_string(reader.remaining()) + " bytes remain");
    auto text = reader.take(length);
    FOVEA_TRY(text);
    FOVEA_TRY(work.checkpoint());
    Safetensors made;
    auto entries = parseSafetensorsHeader(*text, made.metadata);
    FOVEA_TRY(entries);
    *text = {};
    FOVEA_TRY(placeTensors(*entries, made, 8 + length, source.size(), work));
    return made;
}

} // namespace fovea
