#pragma once
#include "core/policy/ParamSpec.h"
#include <cstdint>
#include <vector>

namespace fovea::ui {

/// The values at which the slider of a numeric parameter stops, ascending. If the range is small, every
/// integer is a stop. Logarithmic sliders have 16 stops per octave. The last stop is "all" if the parameter
/// allows it. Values between stops can be typed. `tokens` limits the upper end (0: unknown, 4,096 is
/// assumed).
class SliderScale {
public:
    /// Whether a slider makes sense for this parameter. (It does not for a 64-bit seed.)
    [[nodiscard]] static bool fits(const ParamSpec& spec);
    SliderScale() = default;
    SliderScale(const ParamSpec& spec, std::int64_t tokens);
    [[nodiscard]] int size() const { return static_cast<int>(m_stops.size()); }
    [[nodiscard]] ParamValue valueAt(int stop) const;
    /// The nearest stop to `value`; a value beyond the clipped end gets the last stop.
    [[nodiscard]] int stopOf(const ParamValue& value) const;

private:
    std::vector<double> m_stops; ///< kAll, if allowed, is the last one
    bool m_integer = true;
};

} // namespace fovea::ui
