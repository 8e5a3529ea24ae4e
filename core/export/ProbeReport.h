#pragma once
#include "core/export/Documents.h"
#include "core/probe/FurthestPair.h"
#include "core/probe/Probe.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// What `probe` found.
struct ProbeReport {
    ProbeOptions options;
    std::vector<ProbeResult> probes;
    std::optional<FurthestPair> furthest;
};

/// "not applicable: ..." for a probe that full attention does not pass at its first size, where it is asked
/// no more once too many cases are wrong; "not asked" for one without a size; empty: it applies.
[[nodiscard]] std::string whyNotApplicable(const ProbeResult& probe);
/// The accuracies before and after of Question and Passkey at the largest size that both passed; empty: one
/// of them was not asked or does not apply.
struct QuestionGap {
    std::size_t size = 0;
    ProbeScore first, last; ///< under the policy: the question before, and after
};
[[nodiscard]] std::optional<QuestionGap> questionGap(const std::vector<ProbeResult>& probes);

[[nodiscard]] std::string probeJson(const DocumentHead& head, const ProbeReport& report);
/// One row per probe, size, depth and arm.
[[nodiscard]] std::string probeCsv(const ProbeReport& report);
/// A picture: of each probe a grid of depths (down) and sizes (across) under the policy, green where it
/// passes and red where it does not, with its accuracy in each cell.
[[nodiscard]] std::string probeSvg(const ProbeReport& report, const std::string& title);

} // namespace fovea
