#pragma once
#include "core/lesson/Scene.h"
#include <string>
#include <vector>

// One function for each quantity of the table in Quantity.cpp. The arguments have been checked when it is
// called: as many as the table says, tokens inside the text, policies of the lesson.
namespace fovea::lesson {

/// A call with its arguments computed.
struct Asked {
    const Scene& scene;
    const QuantitySpec& spec;
    std::vector<Value> values{};         ///< of the arguments that are numbers, in order
    std::vector<std::string> policies{}; ///< names
    std::vector<std::string> texts{};    ///< quoted ones

    [[nodiscard]] std::size_t whole(std::size_t at) const {
        return static_cast<std::size_t>(values[at].number);
    }
    [[nodiscard]] const AttentionPolicy& policy(std::size_t at = 0) const {
        return *scene.lesson->policy(policies[at]);
    }
};

/// Whether a router chooses in some layer or head.
[[nodiscard]] inline bool chooses(const AttentionPolicy& policy) {
    return policy.anyParts([](const HeadParts& parts) { return parts.routed.chooses(); });
}
/// The plan of the layer and head on screen under a policy of the lesson. Made once for each scene. Errors:
/// BadValue when a router has to choose first.
[[nodiscard]] Result<std::shared_ptr<const HeadPlan>> planOf(const Scene& scene, const std::string& policy);
/// A row of full attention of the layer and head on screen. Errors: BadValue when it has not run.
[[nodiscard]] Result<std::vector<float>> rowOf(const Scene& scene, std::size_t query);

namespace compute {

using Number = Result<double>;

// Counts.cpp: of the text, the shape and the plans.
Number tokens(const Asked&), layers(const Asked&), heads(const Asked&), layer(const Asked&),
    head(const Asked&);
Number pairs(const Asked&), share(const Asked&), rowKeys(const Asked&), firstKey(const Asked&),
    reads(const Asked&), relayLayers(const Asked&), addedPairs(const Asked&), addedShare(const Asked&);
Number fullPairs(const Asked&), cacheBytes(const Asked&), evenWeight(const Asked&), tokenOf(const Asked&);
Number summaries(const Asked&), stateTokens(const Asked&), stateWork(const Asked&), farBytes(const Asked&),
    workShare(const Asked&);
Number uncached(const Asked&), cached(const Asked&), ratio(const Asked&), difference(const Asked&);

// Findings.cpp: of the runs.
Number weight(const Asked&), rowSum(const Asked&), heaviestKey(const Asked&), firstWeight(const Asked&),
    surprise(const Asked&), keptWeight(const Asked&), outputError(const Asked&), outputBound(const Asked&);
Number kl(const Asked&), top1(const Asked&), lost(const Asked&), worstToken(const Asked&),
    worstKl(const Asked&), keptMass(const Asked&);
Number recallPairs(const Asked&), recallAsked(const Asked&), recallReader(const Asked&),
    recallTold(const Asked&), recallRight(const Asked&), firstLost(const Asked&);

} // namespace compute
} // namespace fovea::lesson
