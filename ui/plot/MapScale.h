#pragma once
#include "ui/plot/Theme.h"
#include <array>
#include <cstdint>
#include <vector>

namespace fovea::ui {

/// Ends of the logarithmic scale of weights; absolute, so colours compare between heads, layers and runs.
inline constexpr float kLogLow = 1e-4F;
/// Differences smaller than this are "same" on the colour bar.
inline constexpr float kNeutralBand = 1e-3F;

enum class ScaleKind : std::uint8_t { Log, Linear, Signed };

/// From a value to its place on a ramp. A cheap value; holds no colours.
class MapScale {
public:
    /// `limit` is used by Signed only: the ramp runs from -limit to limit.
    explicit MapScale(ScaleKind kind, float limit = 1);

    [[nodiscard]] ScaleKind kind() const { return m_kind; }
    [[nodiscard]] float limit() const { return m_limit; }
    /// The definition. Log: 0 at 0.0001 and below, 1 at 1. Linear: the value. Signed: 0.5 at 0, clipped to
    /// +-limit.
    [[nodiscard]] float unit(float value) const;
    /// Ramp::at's index for unit(value), by table: equal for every float, some thirty times faster than the
    /// logarithm.
    [[nodiscard]] std::uint8_t index(float value) const {
        if (m_kind == ScaleKind::Log)
            return logIndex(value);
        const float u = unit(value);
        return static_cast<std::uint8_t>((u < 0 ? 0 : u > 1 ? 1 : u) * 255.0F + 0.5F);
    }

    /// The least limit of the form 1, 2 or 5 times a power of ten that holds `largest`; 0.001 to 1.
    [[nodiscard]] static float niceLimit(float largest);
    /// What 98 % of the differences that are not nothing stay within: a few strong ones must not drown the
    /// others.
    [[nodiscard]] static float usualLargest(std::vector<float> differences);

private:
    struct LogTable;
    static const LogTable& logTable();
    static std::uint8_t logIndex(float value);
    ScaleKind m_kind;
    float m_limit;
};

} // namespace fovea::ui
