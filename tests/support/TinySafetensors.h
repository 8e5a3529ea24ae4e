#pragma once
#include "tests/support/TinyGguf.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::test {

/// Builds safetensors files entry by entry, so that a test can damage exactly one.
struct TinySafetensors {
    struct Entry {
        std::string name;
        std::string dtype = "F32";
        std::vector<std::uint64_t> shape;
        std::string data;                        ///< bytes of the data section
        std::optional<std::uint64_t> begin, end; ///< lie about them
        std::string json;                        ///< instead of dtype, shape and offsets; empty: those
    };
    std::vector<Entry> entries;
    std::string first;                   ///< JSON members before the entries: "\"__metadata__\":{}"
    std::string tail;                    ///< after the last tensor
    std::string padding;                 ///< after the JSON of the header
    std::optional<std::uint64_t> length; ///< lie about that of the header

    TinySafetensors& add(const std::string& name, const std::string& dtype,
                         const std::vector<std::uint64_t>& shape, const std::string& data) {
        entries.push_back({name, dtype, shape, data, {}, {}, {}});
        return *this;
    }
    Entry& entry(std::string_view name) {
        for (auto& e : entries)
            if (e.name == name)
                return e;
        return entries.emplace_back();
    }
    [[nodiscard]] std::string bytes() const {
        std::string header = "{" + first, data;
        for (const Entry& e : entries) {
            header += header.size() == 1 ? "" : ",";
            header += '"' + e.name + "\":{";
            if (!e.json.empty()) {
                header += e.json;
            } else {
                header += "\"dtype\":\"" + e.dtype + "\",\"shape\":[";
                for (std::size_t d = 0; d < e.shape.size(); ++d)
                    header += (d == 0 ? "" : ",") + std::to_string(e.shape[d]);
                header += "],\"data_offsets\":[" + std::to_string(e.begin.value_or(data.size())) + "," +
                          std::to_string(e.end.value_or(data.size() + e.data.size())) + "]";
            }
            header += "}";
            data += e.data;
        }
        header += "}" + padding;
        return bytesOf<std::uint64_t>(length.value_or(header.size())) + header + data + tail;
    }
};

} // namespace fovea::test
