#pragma once
#include "core/engine/Snapshot.h"
#include "core/engine/Sweep.h"
#include "core/files/JsonTree.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// Points of a whole sweep, all texts together: as many as a document of 256 MB holds, and its room in memory
/// (1.4 KB each).
inline constexpr std::size_t kMostSweepPoints = 200'000;

/// Part i of n of a sweep: of all its points, numbered from 1, those whose number is i modulo n.
struct SweepShard {
    std::size_t index = 1, count = 1;
    [[nodiscard]] bool has(std::size_t place) const { return (place + 1) % count == index % count; }
    bool operator==(const SweepShard&) const = default;
};

/// One text of a sweep with its points.
struct SweptText {
    std::string name;     ///< as it was given
    std::string textHash; ///< SHA-256 of its bytes
    bool heldOut = false;
    std::size_t tokens = 0; ///< 0: its full run has not been made
    bool pastContext = false;
    ArmCost full;                   ///< of the full run
    std::vector<SweepPoint> points; ///< the whole grid, the same for every text; some may not be done
};

/// A sweep as its document holds it, whole or a shard.
struct SweepReport {
    JsonTree head;                   ///< what does not belong to a point: model, arithmetic, program, threads
    std::optional<SweepShard> shard; ///< empty: the whole sweep
    std::vector<SweptText> texts;
    std::size_t gridPoints = 0; ///< points of one text
    bool predictsTokens = true;

    /// The first point of the first text is 0, that of the next text gridPoints.
    [[nodiscard]] bool asks(std::size_t place) const { return !shard || shard->has(place); }
    [[nodiscard]] std::size_t asked() const;
    [[nodiscard]] std::size_t done() const;
};

/// The head of a sweep's document, of any of its texts. With one text it names that text. `isolated`: whether
/// kept mass and output error are measured. Throws std::bad_alloc.
[[nodiscard]] JsonTree sweepHead(const Snapshot& snapshot, int threads, bool oneText, bool isolated);

/// The points that are done, each with its text and its "index" in the whole sweep. "points_asked" says of
/// how many, "points_total" how many the whole sweep has. The Pareto marks are among the points done of a
/// text.
[[nodiscard]] std::string sweepJson(const SweepReport& report);
/// One row for each point that is done, with the columns of sweepCsv (Report.h) after text and held_out.
[[nodiscard]] std::string sweepCsv(const SweepReport& report);

} // namespace fovea
