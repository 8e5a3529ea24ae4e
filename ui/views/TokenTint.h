#pragma once
#include "ui/plot/NumberText.h"
#include "ui/run/RunController.h"
#include <QColor>
#include <QString>
#include <cstdint>
#include <memory>
#include <vector>

namespace fovea::ui {

/// What the colour behind the words means.
enum class TintKind : std::uint8_t { ReadBySelected, GivenToSelected, LossDelta, Surprisal, RouterScore };

/// The state of a token, named like the cell states of the map.
enum class TintState : std::uint8_t {
    None,       ///< not tinted
    Value,      ///< the ramp
    NearZero,   ///< read, below kNearZero
    Skipped,    ///< not routed: not read
    Impossible, ///< comes after the query (or before the key)
};

/// One number per token, and everything that the legend shows about them. An immutable value.
struct TokenTint {
    TintKind kind = TintKind::ReadBySelected;
    std::vector<float> value;     ///< [T]
    std::vector<TintState> state; ///< [T]; empty: nothing is tinted, `wait` says why
    float low = 0, high = 1;      ///< ends of the ramp; signed: low = -high
    bool logarithmic = false;
    bool isSigned = false;
    bool moreIsWorse =
        false; ///< of a signed tint: more is shown in the ramp's warm colour, less in the calm one
    bool relative = false;  ///< the ends belong to this row and are not absolute
    bool clipped = false;   ///< some values lie beyond the ends
    QString caption;        ///< "p^ read by #412, L12 H5"
    QString wait;           ///< one sentence, when there is nothing to show
    std::uint64_t from = 0; ///< generation of the older run that the numbers belong to; 0: the newest

    /// Place of a value on the ramp, 0..1.
    [[nodiscard]] float unit(float v) const;
    [[nodiscard]] QColor color(std::size_t token) const; ///< of Value and NearZero, current theme
    [[nodiscard]] QColor colorAt(float unit) const;      ///< of a place on the ramp, 0..1, current theme
};

inline constexpr float kNearZero = 1e-4F;

/// Where and for whom to compute a tint.
struct TintPlace {
    TintKind kind = TintKind::ReadBySelected;
    int layer = 0, head = 0;
    int token = -1; ///< the selected token; -1: none
    bool operator==(const TintPlace&) const = default;
};

/// Whether the tint needs rows of attention, which are computed on the engine thread.
[[nodiscard]] bool needsRows(TintKind kind);
/// `newest` may lack parts. The propagated result is taken from `complete` (may be null) if that has the same
/// text. Any thread. Cost: a row or a column of one head.
[[nodiscard]] TokenTint makeTint(const TintPlace& place, const SnapshotPtr& newest,
                                 const SnapshotPtr& complete);

} // namespace fovea::ui
