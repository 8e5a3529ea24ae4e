#include "ui/plot/MapScale.h"
#include <algorithm>
#include <bit>
#include <cmath>

namespace fovea::ui {

namespace {

float logUnit(float value) {
    if (!(value > kLogLow))
        return 0;
    return static_cast<float>(std::log10(static_cast<double>(value)) / 4 + 1);
}

std::uint8_t rounded(float unit) {
    const float x = unit < 0 ? 0 : unit > 1 ? 1 : unit;
    return static_cast<std::uint8_t>(x * 255.0F + 0.5F);
}

} // namespace

/// Buckets are floats with equal upper 16 bits: at most 0.8 % wide, where one index is 3.7 % wide, so a
/// bucket holds at most one step and one comparison makes the table exact.
struct MapScale::LogTable {
    std::uint32_t firstBucket = 0;
    std::vector<std::uint8_t> start;    ///< index of each bucket's least float
    std::array<float, 257> firstWith{}; ///< least float with this index; [256] is never reached

    LogTable() {
        firstWith[256] = 2;
        for (std::uint32_t k = 0; k < 256; ++k) {
            std::uint32_t low = 0, high = std::bit_cast<std::uint32_t>(1.0F);
            while (low < high) {
                const std::uint32_t middle = low + (high - low) / 2;
                if (rounded(logUnit(std::bit_cast<float>(middle))) >= k)
                    high = middle;
                else
                    low = middle + 1;
            }
            firstWith[k] = std::bit_cast<float>(low);
        }
        firstBucket = std::bit_cast<std::uint32_t>(kLogLow) >> 16;
        const std::uint32_t lastBucket = std::bit_cast<std::uint32_t>(1.0F) >> 16;
        for (std::uint32_t b = firstBucket; b <= lastBucket; ++b)
            start.push_back(rounded(logUnit(std::bit_cast<float>(b << 16))));
    }
};

const MapScale::LogTable& MapScale::logTable() {
    static const LogTable table;
    return table;
}

std::uint8_t MapScale::logIndex(float value) {
    if (!(value > kLogLow))
        return 0;
    if (value >= 1)
        return 255;
    static const LogTable& table = logTable();
    const std::uint32_t bucket = (std::bit_cast<std::uint32_t>(value) >> 16) - table.firstBucket;
    const std::uint8_t index = table.start[bucket];
    return value >= table.firstWith[index + 1U] ? static_cast<std::uint8_t>(index + 1) : index;
}

MapScale::MapScale(ScaleKind kind, float limit) : m_kind(kind), m_limit(limit > 0 ? limit : 1) {}

float MapScale::unit(float value) const {
    switch (m_kind) {
    case ScaleKind::Log:
        return logUnit(value);
    case ScaleKind::Linear:
        return value;
    case ScaleKind::Signed:
        break;
    }
    const float x = value / m_limit;
    return 0.5F + 0.5F * (x < -1 ? -1 : x > 1 ? 1 : x);
}

float MapScale::usualLargest(std::vector<float> differences) {
    for (float& d : differences)
        d = std::abs(d);
    std::erase_if(differences, [](float d) { return !(d > 1e-6F); });
    if (differences.empty())
        return 0;
    const auto at = differences.begin() + static_cast<std::ptrdiff_t>((differences.size() - 1) * 98 / 100);
    std::nth_element(differences.begin(), at, differences.end());
    return *at;
}

float MapScale::niceLimit(float largest) {
    for (const float step : {0.001F, 0.002F, 0.005F, 0.01F, 0.02F, 0.05F, 0.1F, 0.2F, 0.5F})
        if (!(largest > step))
            return step;
    return 1;
}

} // namespace fovea::ui
