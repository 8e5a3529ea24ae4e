#include "core/files/SafetensorsHeader.h"
#include "core/files/Quote.h"
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace fovea {

namespace {

constexpr std::size_t kMostTensors = 65'536;
constexpr std::size_t kMostMetadata = 65'536;
constexpr std::size_t kMostDimensions = 16;
constexpr std::size_t kMostName = 1024;
constexpr std::string_view kMetadata = "__metadata__";

/// Follows the parser through the fixed form; returning false stops it.
class Handler final : public nlohmann::json_sax<nlohmann::json> {
public:
    explicit Handler(std::vector<std::pair<std::string, std::string>>& metadata) : m_metadata(metadata) {}
    std::vector<SafetensorsEntry> entries;
    Error problem{ErrorCode::Damaged, {}};

    bool null() override { return unexpected("null"); }
    bool boolean(bool) override { return unexpected("a boolean"); }
    bool number_integer(number_integer_t value) override { return unexpected(std::to_string(value)); }
    bool number_float(number_float_t, const string_t& text) override {
        return unexpected(quoteForMessage(text));
    }
    bool binary(binary_t&) override { return unexpected("binary data"); }

    bool number_unsigned(number_unsigned_t value) override {
        if (m_place == Place::Shape) {
            auto& shape = entries.back().tensor.shape;
            if (shape.size() == kMostDimensions)
                return refuse(name() + " has more than " + std::to_string(kMostDimensions) +
                              " dimensions; so many are read");
            shape.push_back(value);
            return true;
        }
        if (m_place == Place::Offsets) {
            if (m_offsets == 2)
                return refuse(name() + " has more than 2 data_offsets; begin and end are accepted");
            (m_offsets++ == 0 ? entries.back().begin : entries.back().end) = value;
            return true;
        }
        return unexpected(std::to_string(value));
    }
    bool string(string_t& value) override {
        if (m_place == Place::MetadataValue) {
            m_metadata.back().second = std::move(value);
            m_place = Place::Metadata;
            return true;
        }
        if (m_place == Place::DtypeValue) {
            entries.back().tensor.dtype = std::move(value);
            m_place = Place::Entry;
            return true;
        }
        return unexpected("the text " + inQuotes(value));
    }
    bool start_object(std::size_t) override {
        switch (m_place) {
        case Place::Before:
            m_place = Place::Header;
            return true;
        case Place::EntryValue:
            m_place = Place::Entry;
            m_fields = 0;
            return true;
        case Place::MetadataStart:
            m_place = Place::Metadata;
            return true;
        default:
            return unexpected("an object");
        }
    }
    bool end_object() override {
        if (m_place == Place::Entry) {
            if (m_fields != kAllFields)
                return refuse(name() + " lacks " +
                              ((m_fields & 1U) == 0   ? "dtype"
                               : (m_fields & 2U) == 0 ? "shape"
                                                      : "data_offsets") +
                              "; dtype, shape and data_offsets are needed");
        } else if (m_place == Place::Header) {
            m_place = Place::After;
            return true;
        }
        m_place = Place::Header;
        return true;
    }
    bool start_array(std::size_t) override {
        if (m_place == Place::ShapeStart) {
            m_place = Place::Shape;
            return true;
        }
        if (m_place == Place::OffsetsStart) {
            m_place = Place::Offsets;
            m_offsets = 0;
            return true;
        }
        return unexpected("a list");
    }
    bool end_array() override {
        if (m_place == Place::Offsets && m_offsets != 2)
            return refuse(name() + " has " + std::to_string(m_offsets) +
                          " data_offsets; begin and end are accepted");
        m_place = Place::Entry;
        return true;
    }
    bool key(string_t& key) override {
        if (m_place == Place::Header)
            return enter(key);
        if (m_place == Place::Metadata) {
            if (!m_metadataNames.insert(key).second)
                return refuse("__metadata__ has the name " + inQuotes(key) + " twice; once is accepted");
            if (m_metadata.size() == kMostMetadata)
                return refuse("__metadata__ has more than " + std::to_string(kMostMetadata) + " entries");
            m_metadata.emplace_back(std::move(key), std::string());
            m_place = Place::MetadataValue;
            return true;
        }
        const unsigned field = key == "dtype" ? 1U : key == "shape" ? 2U : key == "data_offsets" ? 4U : 0U;
        if (field == 0)
            return refuse(name() + " has the field " + inQuotes(key) +
                          "; dtype, shape and data_offsets are accepted");
        if ((m_fields & field) != 0)
            return refuse(name() + " has " + key + " twice; once is accepted");
        m_fields |= field;
        m_place = field == 1U ? Place::DtypeValue : field == 2U ? Place::ShapeStart : Place::OffsetsStart;
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        return refuse("byte " + std::to_string(8 + position) + " breaks the JSON of the header");
    }

private:
    enum class Place : unsigned char {
        Before,
        Header,
        EntryValue,
        Entry,
        DtypeValue,
        ShapeStart,
        Shape,
        OffsetsStart,
        Offsets,
        MetadataStart,
        Metadata,
        MetadataValue,
        After,
    };
    static constexpr unsigned kAllFields = 7;

    bool enter(std::string& key) {
        if (key == kMetadata) {
            if (m_hasMetadata)
                return refuse("__metadata__ is there twice; once is accepted");
            m_hasMetadata = true;
            m_place = Place::MetadataStart;
            return true;
        }
        if (key.empty() || key.size() > kMostName)
            return refuse("a tensor has a name of " + std::to_string(key.size()) + " bytes; 1 to " +
                          std::to_string(kMostName) + " are accepted");
        if (!m_names.insert(key).second)
            return refuse("the tensor " + inQuotes(key) + " is there twice; once is accepted");
        if (entries.size() == kMostTensors) {
            problem.code = ErrorCode::TooLarge;
            return refuse("the header has more than " + std::to_string(kMostTensors) +
                          " tensors; so many are read");
        }
        entries.emplace_back().tensor.name = std::move(key);
        m_place = Place::EntryValue;
        return true;
    }
    [[nodiscard]] std::string name() const { return inQuotes(entries.back().tensor.name); }
    bool unexpected(const std::string& what) {
        switch (m_place) {
        case Place::Before:
            return refuse("the header is " + what + "; an object is accepted");
        case Place::EntryValue:
            return refuse(name() + " is " + what + "; an object is accepted");
        case Place::DtypeValue:
            return refuse(name() + " has " + what + " as dtype; a text is accepted");
        case Place::ShapeStart:
        case Place::Shape:
            return refuse(name() + " has " + what + " in its shape; a list of integers from 0 is accepted");
        case Place::OffsetsStart:
        case Place::Offsets:
            return refuse(name() + " has " + what + " in data_offsets; two integers from 0 are accepted");
        default:
            return refuse("__metadata__ holds " + what + "; names with texts are accepted");
        }
    }
    bool refuse(const std::string& what) {
        if (problem.message.empty())
            problem.message = what;
        return false;
    }

    std::vector<std::pair<std::string, std::string>>& m_metadata;
    std::unordered_set<std::string> m_names, m_metadataNames;
    Place m_place = Place::Before;
    unsigned m_fields = 0;
    unsigned m_offsets = 0;
    bool m_hasMetadata = false;
};

} // namespace

Result<std::vector<SafetensorsEntry>>
parseSafetensorsHeader(std::string_view json, std::vector<std::pair<std::string, std::string>>& metadata) {
    Handler handler(metadata);
    const bool whole = nlohmann::json::sax_parse(json.begin(), json.end(), &handler);
    if (!handler.problem.message.empty())
        return tl::make_unexpected(std::move(handler.problem));
    if (!whole)
        return fail(ErrorCode::Damaged, "the header is not one JSON object");
    return std::move(handler.entries);
}

} // namespace fovea
