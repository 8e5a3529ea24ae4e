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

/// How a token takes part. Names follow the map's cell states.
enum class TintState : std::uint8_t {
    None,       ///< nothing to say of it
    Value,      ///< the ramp
    NearZero,   ///< read, below kNearZero
    Skipped,    ///< not routed: not read
    Impossible, ///< comes after the query (or before the key)
};

/// One number per token, and all that a legend must say of them. An immutable value.
struct TokenTint {
    TintKind kind = TintKind::ReadBySelected;
    std::vector<float> value;     ///< [T]
    std::vector<TintState> state; ///< [T]; empty: nothing is tinted, `wait` says why
    float low = 0, high = 1;      ///< ends of the ramp; signed: low = -high
    bool logarithmic = false;
    bool isSigned = false;
    bool moreIsWorse =
        false; ///< of a signed tint: more is shown in the ramp's warm colour, less in the calm one
    bool relative = false;  ///< ends are of this row, not absolute
    bool clipped = false;   ///< some values lie beyond the ends
    QString caption;        ///< "p^ read by #412, L12 H5"
    QString wait;           ///< one sentence, when there is nothing to show
    std::uint64_t from = 0; ///< generation of an older run that the numbers are of; 0: the newest

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

/// Does the tint need rows of attention, to be computed on the engine thread?
[[nodiscard]] bool needsRows(TintKind kind);
/// `newest` may lack parts; `complete` (may be null) lends its propagated result when it is of the same text.
/// Any thread. Cost: a row or a column of one head.
[[nodiscard]] TokenTint makeTint(const TintPlace& place, const SnapshotPtr& newest,
                                 const SnapshotPtr& complete);

} // namespace fovea::ui
