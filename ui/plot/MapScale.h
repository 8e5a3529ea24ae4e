#pragma once
#include "ui/plot/Theme.h"
#include <array>
#include <cstdint>
#include <vector>

namespace fovea::ui {

/// The lower end of the logarithmic scale of weights. It is fixed, so colours of different heads, layers and
/// runs can be compared.
inline constexpr float kLogLow = 1e-4F;
/// Differences smaller than this are "same" on the colour bar.
inline constexpr float kNeutralBand = 1e-3F;

enum class ScaleKind : std::uint8_t { Log, Linear, Signed };

/// Maps a value to its position on a colour ramp. A small value type without colours.
class MapScale {
public:
    /// `limit` is used by Signed only: the ramp runs from -limit to limit.
    explicit MapScale(ScaleKind kind, float limit = 1);

    [[nodiscard]] ScaleKind kind() const { return m_kind; }
    [[nodiscard]] float limit() const { return m_limit; }
    /// Position 0..1 of a value. Log: 0 at 0.0001 and below, 1 at 1. Linear: the value itself. Signed: 0.5 at
    /// 0, clipped to +-limit.
    [[nodiscard]] float unit(float value) const;
    /// The index of Ramp::at for unit(value), by a table. Equal for every float and about thirty times faster
    /// than the logarithm.
    [[nodiscard]] std::uint8_t index(float value) const {
        if (m_kind == ScaleKind::Log)
            return logIndex(value);
        const float u = unit(value);
        return static_cast<std::uint8_t>((u < 0 ? 0 : u > 1 ? 1 : u) * 255.0F + 0.5F);
    }

    /// The smallest limit from 0.001 to 1 of the form 1, 2 or 5 times a power of ten that is at least
    /// `largest`.
    [[nodiscard]] static float niceLimit(float largest);
    /// The magnitude that 98 % of the non-zero differences do not exceed, so that a few large ones do not
    /// make all others invisible.
    [[nodiscard]] static float usualLargest(std::vector<float> differences);

private:
    struct LogTable;
    static const LogTable& logTable();
    static std::uint8_t logIndex(float value);
    ScaleKind m_kind;
    float m_limit;
};

} // namespace fovea::ui
