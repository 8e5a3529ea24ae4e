#pragma once
#include "core/policy/ParamSpec.h"
#include <cstdint>
#include <vector>

namespace fovea::ui {

/// The legal values a slider stops at for one number parameter, ascending. Integers that fit are all stops;
/// logarithmic ones get 16 stops an octave; "all" is the last stop where the spec allows it. Values between
/// stops are typed. `tokens` clips the upper end (0: not known, 4,096 is assumed).
class SliderScale {
public:
    /// Is a slider of any use? A seed of 64 bits is typed.
    [[nodiscard]] static bool fits(const ParamSpec& spec);
    SliderScale() = default;
    SliderScale(const ParamSpec& spec, std::int64_t tokens);
    [[nodiscard]] int size() const { return static_cast<int>(m_stops.size()); }
    [[nodiscard]] ParamValue valueAt(int stop) const;
    /// The nearest stop to `value`; a value beyond the clipped end gets the last stop.
    [[nodiscard]] int stopOf(const ParamValue& value) const;

private:
    std::vector<double> m_stops; ///< kAll stands at the end as itself
    bool m_integer = true;
};

} // namespace fovea::ui
