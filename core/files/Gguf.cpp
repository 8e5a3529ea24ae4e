#include "core/files/Gguf.h"
#include "core/files/Checked.h"
#include "core/files/Quote.h"
#include "core/files/Reader.h"
#include "core/files/Sniff.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace fovea {

namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kMaxEntries = 65'536;
constexpr std::uint64_t kMaxKeyBytes = 65'535;
constexpr std::uint64_t kMaxNameBytes = 64;
constexpr std::uint64_t kMaxString = std::uint64_t{16} << 20;
constexpr std::uint64_t kMaxArray = std::uint64_t{1} << 24;
constexpr std::uint64_t kMaxHeader = std::uint64_t{512} << 20;
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeastKey = 14;    // length, one byte, type, one byte
constexpr std::uint64_t kLeastTensor = 33; // length, one byte, n_dims, one dimension, type, offset

constexpr std::array<std::string_view, 13> kTypeNames{"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                      "bool", "string", "array", "u64", "i64", "f64"};
constexpr std::array<std::uint32_t, 13> kTypeBytes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

std::string at(std::uint64_t offset) {
    return " at byte " + std::to_string(offset);
}

std::string shapeText(const std::vector<std::uint64_t>& shape) {
    std::string text;
    for (auto it = shape.rbegin(); it != shape.rend(); ++it)
        text += (text.empty() ? "" : " x ") + std::to_string(*it);
    return text;
}

class GgufParser {
public:
    GgufParser(const ByteSource& source, const WorkContext& work)
        : m_reader(source), m_size(source.size()), m_work(work) {}

    Result<Gguf> parse() {
        FOVEA_TRY(readStart());
        m_reader.enter("the key list");
        for (std::uint64_t i = 0; i < m_keyCount; ++i)
            FOVEA_TRY(readKey());
        FOVEA_TRY(readAlignment());
        m_reader.enter("the tensor list");
        for (std::uint64_t i = 0; i < m_tensorCount; ++i)
            FOVEA_TRY(readTensor(i));
        FOVEA_TRY(placeTensors());
        return std::move(m_gguf);
    }

private:
    Result<> readStart() {
        const auto magic = m_reader.take(std::min<std::uint64_t>(m_size, kMagic.size()));
        FOVEA_TRY(magic);
        if (*magic != kMagic.substr(0, magic->size()))
            return notGguf(*magic);
        if (magic->size() < kMagic.size())
            return fail(ErrorCode::Damaged,
                        "the file ends at byte " + std::to_string(m_size) + ", inside the header");
        const auto version = m_reader.number<std::uint32_t>();
        FOVEA_TRY(version);
        if (*version != 0 && (*version & 0xFFFFU) == 0)
            return fail(ErrorCode::Unsupported,
                        "the file is big-endian GGUF; Fovea reads 2 and 3, little-endian");
        if (*version != 2 && *version != 3)
            return fail(ErrorCode::Unsupported,
                        "the file has GGUF version " + std::to_string(*version) + "; Fovea reads 2 and 3");
        m_gguf.version = *version;
        const auto tensors = m_reader.count("tensors", kLeastTensor);
        FOVEA_TRY(tensors);
        const auto keys = m_reader.count("keys", kLeastKey);
        FOVEA_TRY(keys);
        m_tensorCount = *tensors;
        m_keyCount = *keys;
        if (m_tensorCount > kMaxEntries || m_keyCount > kMaxEntries)
            return fail(ErrorCode::TooLarge, "the header claims " + std::to_string(m_tensorCount) +
                                                 " tensors and " + std::to_string(m_keyCount) +
                                                 " keys; at most 65536 of each are read");
        return {};
    }

    tl::unexpected<Error> notGguf(const std::string& magic) {
        std::string start = magic;
        if (auto more = m_reader.take(std::min<std::uint64_t>(m_reader.remaining(), 512)))
            start += *more;
        if (looksLikePickle(start))
            return fail(ErrorCode::Unsupported, std::string(kPickleRefusal));
        const std::string what = describeFirstBytes(start);
        return fail(ErrorCode::NotThisFormat,
                    "not a GGUF file: " +
                        (what.empty() ? "it starts with " + inQuotes(magic) : "this is " + what));
    }

    Result<> headerFits() const {
        if (m_reader.offset() > kMaxHeader)
            return fail(ErrorCode::TooLarge, "the header goes past byte " +
                                                 std::to_string(m_reader.offset()) +
                                                 "; at most 512 MiB of header are read");
        return {};
    }

    Result<> readKey() {
        FOVEA_TRY(m_work.checkpoint());
        const std::uint64_t start = m_reader.offset();
        const auto length = m_reader.number<std::uint64_t>();
        FOVEA_TRY(length);
        if (*length == 0 || *length > kMaxKeyBytes)
            return fail(ErrorCode::Damaged, "the key" + at(start) + " has a name of " +
                                                std::to_string(*length) +
                                                " bytes; 1 to 65535 are accepted (" + claims() + ")");
        auto key = m_reader.take(*length);
        FOVEA_TRY(key);
        if (!std::all_of(key->begin(), key->end(), [](char c) { return c >= 0x20 && c < 0x7F; }))
            return fail(ErrorCode::Damaged, "the key" + at(start) + " is named " + inQuotes(*key) +
                                                "; printable ASCII is accepted");
        auto value = readValue(*key);
        FOVEA_TRY(value);
        if (!m_gguf.keyIndex.emplace(*key, m_gguf.keys.size()).second)
            return fail(ErrorCode::Damaged, "the key " + inQuotes(*key) + at(start) + " is there twice");
        m_gguf.keys.emplace_back(std::move(*key), std::move(*value));
        return headerFits();
    }

    Result<GgufType> readType(const std::string& key) {
        const std::uint64_t start = m_reader.offset();
        const auto number = m_reader.number<std::uint32_t>();
        FOVEA_TRY(number);
        if (*number > static_cast<std::uint32_t>(GgufType::F64))
            return fail(ErrorCode::Damaged, "the key " + inQuotes(key) + at(start) + " has value type " +
                                                std::to_string(*number) + "; 0 to 12 are accepted");
        return static_cast<GgufType>(*number);
    }

    Result<GgufValue> readValue(const std::string& key) {
        GgufValue value;
        const auto type = readType(key);
        FOVEA_TRY(type);
        value.type = value.element = *type;
        if (*type == GgufType::Array) {
            const auto element = readType(key);
            FOVEA_TRY(element);
            if (*element == GgufType::Array)
                return fail(ErrorCode::Unsupported,
                            "the key " + inQuotes(key) + at(m_reader.offset() - 4) +
                                " holds an array of arrays; arrays of plain values are read");
            value.element = *element;
            const auto count = m_reader.count(
                "elements in " + inQuotes(key),
                std::max<std::uint32_t>(1, *element == GgufType::String ? 8 : ggufTypeBytes(*element)));
            FOVEA_TRY(count);
            value.count = *count;
        }
        value.offset = m_reader.offset();
        value.stored = value.count <= kMaxArray;
        if (value.element == GgufType::String)
            FOVEA_TRY(readStrings(key, value));
        else
            FOVEA_TRY(readNumbers(key, value));
        return value;
    }

    Result<> readStrings(const std::string& key, GgufValue& value) {
        for (std::uint64_t i = 0; i < value.count; ++i) {
            const std::uint64_t start = m_reader.offset();
            const auto length = m_reader.number<std::uint64_t>();
            FOVEA_TRY(length);
            if (*length > m_reader.remaining())
                return fail(ErrorCode::Damaged, "the key " + inQuotes(key) + " holds a string" + at(start) +
                                                    " of " + std::to_string(*length) + " bytes; " +
                                                    std::to_string(m_reader.remaining()) + " bytes remain");
            if (*length > kMaxString)
                value.stored = false;
            if (value.stored) {
                const auto text = m_reader.take(*length);
                FOVEA_TRY(text);
                value.bytes += *text;
                value.ends.push_back(value.bytes.size());
            } else {
                FOVEA_TRY(m_reader.skip(*length));
            }
            FOVEA_TRY(headerFits());
        }
        if (!value.stored) {
            value.bytes = {};
            value.ends = {};
        }
        return {};
    }

    Result<> readNumbers(const std::string& key, GgufValue& value) {
        const std::uint64_t bytes =
            value.count * ggufTypeBytes(value.element); // count() has compared it with the file
        if (!value.stored)
            return m_reader.skip(bytes);
        auto numbers = m_reader.take(bytes);
        FOVEA_TRY(numbers);
        if (value.element == GgufType::Bool)
            for (std::size_t i = 0; i < numbers->size(); ++i)
                if (static_cast<unsigned char>((*numbers)[i]) > 1)
                    return fail(ErrorCode::Damaged,
                                "the key " + inQuotes(key) + at(value.offset + i) + " holds a bool of " +
                                    std::to_string(static_cast<unsigned char>((*numbers)[i])) +
                                    "; 0 and 1 are accepted");
        value.bytes = std::move(*numbers);
        return {};
    }

    Result<> readAlignment() {
        const auto* value = m_gguf.find("general.alignment");
        if (!value)
            return {};
        std::uint32_t number = 0;
        const bool isU32 = value->type == GgufType::U32;
        if (isU32)
            std::memcpy(&number, value->bytes.data(), sizeof number);
        if (!isU32 || !std::has_single_bit(number) || number > kMaxAlignment)
            return fail(ErrorCode::Damaged,
                        "general.alignment" + at(value->offset) + " is " +
                            (isU32 ? std::to_string(number)
                                   : "a value of type " + std::string(ggufTypeName(value->type))) +
                            "; a power of two up to 1048576, stored as u32, is accepted");
        m_gguf.alignment = number;
        return {};
    }

    /// Added to errors inside the lists, because a wrong count in the header causes errors only later.
    std::string claims() const {
        return "the header claims " + std::to_string(m_tensorCount) + " tensors and " +
               std::to_string(m_keyCount) + " keys; " + std::to_string(m_reader.remaining()) +
               " bytes remain";
    }

    Result<> readTensor(std::uint64_t index) {
        FOVEA_TRY(m_work.checkpoint());
        const std::uint64_t start = m_reader.offset();
        const auto length = m_reader.number<std::uint64_t>();
        FOVEA_TRY(length);
        if (*length == 0 || *length > kMaxNameBytes)
            return fail(ErrorCode::Damaged, "tensor " + std::to_string(index) + at(start) +
                                                " has a name of " + std::to_string(*length) +
                                                " bytes; 1 to 64 are accepted (" + claims() + ")");
        auto name = m_reader.take(*length);
        FOVEA_TRY(name);
        if (!isUtf8(*name))
            return fail(ErrorCode::Damaged, "tensor " + std::to_string(index) + at(start) + " is named " +
                                                inQuotes(*name) + "; UTF-8 is accepted");
        GgufTensor tensor;
        tensor.name = std::move(*name);
        FOVEA_TRY(readShape(tensor));
        FOVEA_TRY(readEncoding(tensor));
        const auto offset = m_reader.number<std::uint64_t>();
        FOVEA_TRY(offset);
        tensor.offset = *offset; // relative to data_start; placeTensors converts it to an offset in the file
        if (!m_gguf.tensorIndex.emplace(tensor.name, m_gguf.tensors.size()).second)
            return fail(ErrorCode::Damaged,
                        "tensor " + inQuotes(tensor.name) + at(start) + " is there twice");
        m_gguf.tensors.push_back(std::move(tensor));
        return headerFits();
    }

    Result<> readShape(GgufTensor& tensor) {
        const std::uint64_t start = m_reader.offset();
        const auto dimensions = m_reader.number<std::uint32_t>();
        FOVEA_TRY(dimensions);
        if (*dimensions < 1 || *dimensions > 4)
            return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + at(start) + " has " +
                                                std::to_string(*dimensions) +
                                                " dimensions; 1 to 4 are accepted");
        std::optional<std::uint64_t> elements = 1;
        for (std::uint32_t d = 0; d < *dimensions; ++d) {
            const auto extent = m_reader.number<std::uint64_t>();
            FOVEA_TRY(extent);
            tensor.shape.push_back(*extent);
            elements = elements ? checkedMul(*elements, *extent) : std::nullopt;
        }
        if (std::count(tensor.shape.begin(), tensor.shape.end(), std::uint64_t{0}) > 0)
            return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + at(start) + " has the shape " +
                                                shapeText(tensor.shape) +
                                                "; every dimension must be at least 1");
        if (!elements || *elements > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + at(start) + " has the shape " +
                                                shapeText(tensor.shape) + ", more than 2^63 - 1 values");
        return {};
    }

    Result<> readEncoding(GgufTensor& tensor) {
        const auto number = m_reader.number<std::uint32_t>();
        FOVEA_TRY(number);
        const auto* info = tensorTypeInfo(*number);
        if (!info) {
            const auto name = tensorTypeName(*number);
            return fail(ErrorCode::Unsupported,
                        quoteForMessage(tensor.name) + " has tensor type " + std::to_string(*number) +
                            (name.empty() ? std::string() : " (" + std::string(name) + ")") + "; " +
                            readableTensorTypes() + " are read");
        }
        tensor.type = info->type;
        if (tensor.shape.front() % info->values != 0)
            return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + " has the shape " +
                                                shapeText(tensor.shape) + "; rows of " +
                                                std::string(info->name) + " come in blocks of " +
                                                std::to_string(info->values) + " values");
        const auto bytes = checkedMul(tensor.elements() / info->values, info->bytes);
        if (!bytes)
            return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + " has the shape " +
                                                shapeText(tensor.shape) + ", more than 2^64 bytes");
        tensor.bytes = *bytes;
        return {};
    }

    Result<> placeTensors() {
        const std::uint64_t mask = m_gguf.alignment - 1;
        m_gguf.dataStart = (m_reader.offset() + mask) & ~mask; // both far below 2^63
        for (auto& tensor : m_gguf.tensors) {
            if ((tensor.offset & mask) != 0)
                return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + " has the offset " +
                                                    std::to_string(tensor.offset) + "; a multiple of " +
                                                    std::to_string(m_gguf.alignment) + " is accepted");
            const auto begin = checkedAdd(m_gguf.dataStart, tensor.offset);
            const auto end = begin ? checkedAdd(*begin, tensor.bytes) : std::nullopt;
            if (!end || *end > m_size)
                return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + " ends at " +
                                                    (end ? std::to_string(*end) : "a place past 2^64") +
                                                    "; the file has " + std::to_string(m_size) + " bytes");
            tensor.offset = *begin;
        }
        return checkGaps();
    }

    Result<> checkGaps() {
        std::vector<std::size_t> order(m_gguf.tensors.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return m_gguf.tensors[a].offset < m_gguf.tensors[b].offset;
        });
        std::uint64_t end = m_gguf.dataStart;
        std::string before = "the header";
        for (const std::size_t i : order) {
            const auto& tensor = m_gguf.tensors[i];
            if (tensor.offset < end)
                return fail(ErrorCode::Damaged, quoteForMessage(tensor.name) + at(tensor.offset) +
                                                    " overlaps " + before + ", which ends at " +
                                                    std::to_string(end));
            if (tensor.offset - end >= m_gguf.alignment)
                m_gguf.warnings.push_back("A hole of " + std::to_string(tensor.offset - end) +
                                          " bytes lies before " + quoteForMessage(tensor.name) + ".");
            end = tensor.offset + tensor.bytes;
            before = quoteForMessage(tensor.name);
        }
        if (m_size > end && m_size - end >= m_gguf.alignment)
            m_gguf.warnings.push_back(std::to_string(m_size - end) +
                                      " bytes after the last tensor belong to nothing.");
        return {};
    }

    Reader m_reader;
    std::uint64_t m_size;
    const WorkContext& m_work;
    std::uint64_t m_tensorCount = 0;
    std::uint64_t m_keyCount = 0;
    Gguf m_gguf;
};

} // namespace

std::string_view ggufTypeName(GgufType type) {
    return kTypeNames[static_cast<std::size_t>(type)];
}

std::uint32_t ggufTypeBytes(GgufType type) {
    return kTypeBytes[static_cast<std::size_t>(type)];
}

std::uint64_t GgufTensor::elements() const {
    return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
}

const GgufValue* Gguf::find(std::string_view key) const {
    const auto it = keyIndex.find(std::string(key));
    return it == keyIndex.end() ? nullptr : &keys[it->second].second;
}

const GgufTensor* Gguf::findTensor(std::string_view name) const {
    const auto it = tensorIndex.find(std::string(name));
    return it == tensorIndex.end() ? nullptr : &tensors[it->second];
}

Result<Gguf> readGguf(const ByteSource& source, const WorkContext& work) {
    return GgufParser(source, work).parse();
}

} // namespace fovea
