#include "ui/params/SliderScale.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr int kStopsPerOctave = 16;
constexpr int kLinearStops = 200;
constexpr std::int64_t kAssumedTokens = 4096;

/// Parameters counted in tokens of the text end at T; a percentage, a seed or a bit count does not.
bool clippedByText(const ParamSpec& spec) {
    return spec.kind == ParamKind::Integer &&
           (spec.allAllowed || spec.unit == "tokens" || spec.unit == "keys" ||
            (spec.maximum >= static_cast<double>(kAll) && spec.maximum < 0x1p53));
}

} // namespace

bool SliderScale::fits(const ParamSpec& spec) {
    return spec.kind == ParamKind::Real ||
           (spec.kind == ParamKind::Integer && spec.maximum - spec.minimum < 1e12);
}

SliderScale::SliderScale(const ParamSpec& spec, std::int64_t tokens)
    : m_integer(spec.kind == ParamKind::Integer) {
    const double low = spec.minimum;
    double high = spec.maximum;
    if (clippedByText(spec))
        high = std::min(high, static_cast<double>(tokens > 0 ? tokens : kAssumedTokens));
    high = std::max(high, low);
    const double first = m_integer ? 1 : std::max(low, high * 1e-4);
    if (spec.logarithmic && high > first) {
        if (low < first)
            m_stops.push_back(low);
        const int count = static_cast<int>(std::ceil(std::log2(high / first) * kStopsPerOctave));
        for (int k = 0; k <= count; ++k) {
            const double x = std::min(first * std::exp2(static_cast<double>(k) / kStopsPerOctave), high);
            m_stops.push_back(m_integer ? std::round(x) : x);
        }
    } else if (m_integer && high - low <= 1024) {
        for (double x = low; x <= high; ++x)
            m_stops.push_back(x);
    } else {
        for (int k = 0; k <= kLinearStops; ++k) {
            const double x = low + (high - low) * k / kLinearStops;
            m_stops.push_back(m_integer ? std::round(x) : x);
        }
    }
    m_stops.erase(std::unique(m_stops.begin(), m_stops.end()), m_stops.end());
    if (spec.allAllowed)
        m_stops.push_back(static_cast<double>(kAll));
}

ParamValue SliderScale::valueAt(int stop) const {
    const double x = m_stops[static_cast<std::size_t>(std::clamp(stop, 0, size() - 1))];
    if (m_integer)
        return static_cast<std::int64_t>(x);
    return x;
}

int SliderScale::stopOf(const ParamValue& value) const {
    double x = 0;
    if (const auto* integer = std::get_if<std::int64_t>(&value))
        x = static_cast<double>(*integer);
    else if (const auto* real = std::get_if<double>(&value))
        x = *real;
    const auto above = std::lower_bound(m_stops.begin(), m_stops.end(), x);
    if (above == m_stops.end())
        return std::max(0, size() - 1);
    const auto index = static_cast<int>(above - m_stops.begin());
    if (index == 0 || *above == x)
        return index;
    if (*above >= static_cast<double>(kAll)) // a number is never shown as "all"
        return index - 1;
    return x - *(above - 1) <= *above - x ? index - 1 : index;
}

} // namespace fovea::ui
