#pragma once
#include "core/base/Cancel.h"
#include "core/probe/ProbeCase.h"
#include "core/probe/ProbeScore.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

struct ProbeOptions {
    std::size_t leastSize = 128; ///< tokens of the first size; each next one has twice as many
    std::size_t mostSize = 1024; ///< tokens
    std::size_t depths = 11;     ///< 0, 0.1, ... 1; of a kind without a depth one
    std::size_t cases = 20;      ///< of each depth and size
    std::uint64_t seed = 1;
};

inline constexpr double kProbePass = 0.9;      ///< the accuracy that full attention must have
inline constexpr double kProbeMargin = 0.05;   ///< what the policy may lie below full attention
inline constexpr std::size_t kProbeCases = 20; ///< fewer cases of a size say too little of full attention

/// One depth of one size.
struct ProbeCell {
    double depth = 0; ///< as asked for; 0 for a kind without a depth
    ProbeScore full, hybrid;
    /// The policy is at most kProbeMargin below full attention. Only where it was asked.
    [[nodiscard]] bool passes() const { return hybrid.accuracy() >= full.accuracy() - kProbeMargin; }
};

struct ProbeSize {
    std::size_t size = 0;   ///< tokens that the texts may have
    std::size_t tokens = 0; ///< of the first case
    std::vector<ProbeCell> cells;
    /// Full attention has kProbePass. If not, its cases may have ended early, and the policy was not asked.
    bool fullPasses = false;
    [[nodiscard]] ProbeScore full() const;   ///< over all depths
    [[nodiscard]] ProbeScore hybrid() const; ///< the same
};

/// One probe under one policy.
struct ProbeResult {
    ProbeKind kind = ProbeKind::Passkey;
    std::vector<ProbeSize> sizes; ///< ascending; the last one may be that at which full attention fails
    /// The largest size that full attention passed, by its place; empty: none, and the probe does not apply.
    [[nodiscard]] std::optional<std::size_t> lastPassed() const;
};

/// Asks one arm (full attention, or the policy) one case: 1 right, 0 wrong, between them a share.
enum class ProbeArm : std::uint8_t { Full, Hybrid };
using AskProbe = std::function<Result<double>(ProbeKind, const ProbeCase&, ProbeArm)>;

/// Runs a probe: sizes are doubled until full attention fails or `mostSize` is reached, and at each size that
/// it passed the policy is asked the same cases. `sizeDone`, if given, sees the result after each size. Full
/// attention has failed as soon as too many cases are wrong. Cost: sizes * depths * cases answers of each
/// arm. Errors: BadValue (sizes, depths or cases out of range; fewer than kProbeCases cases in a size), those
/// of makeProbeCase for the first size, of `ask` and `count`, Cancelled.
[[nodiscard]] Result<ProbeResult> runProbe(ProbeKind kind, const ProbeOptions& options,
                                           const CountTokens& count, const AskProbe& ask,
                                           const std::function<void(const ProbeResult&)>& sizeDone,
                                           const WorkContext& work);

/// The depths of a kind: `depths` of them from 0 to 1; 0.5 alone where one is asked for; 0 where there is
/// none.
[[nodiscard]] std::vector<double> probeDepths(ProbeKind kind, const ProbeOptions& options);

} // namespace fovea
