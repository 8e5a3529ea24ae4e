#pragma once
#include "core/base/Result.h"
#include "core/export/SweepReport.h"
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Reads the document that sweepJson writes. Written again it has the same bytes. The numbers for each
/// position are not in it, so those of a point's fidelity are empty. Errors: NotThisFormat for a document of
/// another kind; BadValue with the path of what is wrong. Throws std::bad_alloc.
[[nodiscard]] Result<SweepReport> sweepFromJson(std::string_view text);

/// A shard's document, and the file's name for messages.
struct SweepFile {
    std::string path;
    SweepReport report;
};

/// Whether `other` is of the sweep that `report` is of: the same texts, points, model, arithmetic and
/// program. Threads may differ. BadValue says what is not the same. A text without a full run fits any.
[[nodiscard]] Result<> sameSweep(const SweepReport& report, const SweepReport& other);

/// Takes the points that are done in `from` and not in `into`, and the full runs. After sameSweep.
void takePoints(const SweepReport& from, SweepReport& into);

/// Joins all shards of one sweep. Its document is that of the sweep in one go, clock readings aside. Errors,
/// each with a file's name: BadValue for no files, a file that is no shard, a shard of another sweep or of
/// another number of shards, a shard that is given twice, is missing, or has points that were not run.
[[nodiscard]] Result<SweepReport> mergeSweeps(const std::vector<SweepFile>& shards);

} // namespace fovea
