#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/Cost.h"
#include <string>
#include <vector>

namespace fovea {

/// Time follows count: the attention part of a policy should take at most this many times its counted share
/// of full attention's pairs, plus kTimeSlack of full attention's time.
inline constexpr double kTimeFactor = 1.5;
inline constexpr double kTimeSlack = 0.02;

/// What a policy's attention part costs beside full attention's, over the timed layers: counted in pairs, and
/// measured as kernel, router and plan. Every share is of full attention.
struct PolicyTiming {
    std::string name;
    std::string refused; ///< why the policy was not run; empty: it was run
    double pairsRatio =
        0;         ///< counted: pairs, and multiply-adds of router and far field / 2D, over full pairs
    Seconds ratio; ///< measured share: median and spread over rounds, without a unit
    double kernel = 0, router = 0, plan = 0; ///< medians of its parts (the kernel with its far field)
    Seconds full;                            ///< seconds of full attention in the same rounds
    /// Measured over counted share.
    [[nodiscard]] double quotient() const { return pairsRatio > 0 ? ratio.median / pairsRatio : 0; }
    /// Whether the measured share is within the limit.
    [[nodiscard]] bool follows() const { return ratio.median <= kTimeFactor * pairsRatio + kTimeSlack; }
};

/// Which policies are timed, and how often.
struct PolicyBenchSpec {
    std::vector<AttentionPolicy> policies;
    int rounds = 3; ///< timed rounds after one warm-up; in each full attention runs just before the policy
    int layers = 0; ///< number of layers, evenly spaced; 0: all
};

/// Times the isolated layers of a text whose full run is known: per layer, policy and round first full
/// attention, then the policy, in one process, so that both see the same machine. A round's share is the sum
/// over layers of the one over that of the other. A policy that the model or the text refuses has its reason
/// in `refused`. Errors: those of runLayer, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<std::vector<PolicyTiming>>
benchPolicies(const Snapshot& withFullRun, const PolicyBenchSpec& spec, const WorkContext& work);

} // namespace fovea
