// What a lesson counts from the text, the shape of the model and the plans of policies.
#include "core/files/Quote.h"
#include "core/kernels/FeatureMaps.h"
#include "core/lesson/Compute.h"
#include "core/lesson/PlanCounts.h"
#include "core/lesson/Refusal.h"
#include <algorithm>

namespace fovea::lesson {

namespace {

constexpr std::uint64_t kCacheBytes = 2; ///< of a number in the cache: 16 bits

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

const FarPart& farOf(const Asked& asked) {
    return asked.policy().partsOf(asked.scene.state.layer, asked.scene.state.head).far;
}

/// The numbers of a running state S [r x D] and z [r], and the multiply-adds of one query of one head: S and
/// z are updated and read, and query and key get their features (LinearState::macsPerRow). All 0 without one.
struct StateSize {
    double numbers = 0, macs = 0;
};
StateSize stateOf(const FarPart& far, const Scene& scene) {
    const auto dim = static_cast<std::size_t>(scene.shape.headDim);
    if (far.far != Far::Linear)
        return {};
    const Features features(far.map, dim, static_cast<std::size_t>(far.features), 1, scene.state.layer, 0);
    const double r = number(features.count()), d = number(dim);
    return {r * (d + 1), r * (2 * d + 1) + 2 * number(features.macs())};
}

std::size_t blockOf(const FarPart& far) {
    return static_cast<std::size_t>(std::max<std::int64_t>(far.m, 1));
}

/// The plan of the layer on screen, all rows; nothing in it is routed.
Result<AttentionPlan> wholePlan(const AttentionPolicy& policy, const Scene& scene) {
    return makePlan(std::make_shared<const AttentionPolicy>(policy), scene.shape, scene.state.layer,
                    scene.facts, nullptr, {0, scene.tokens});
}

/// A plan of `tokens` tokens of which only the last row is made.
Result<std::shared_ptr<const HeadPlan>> lastRow(const Asked& asked, std::size_t tokens) {
    const AttentionPolicy& policy = asked.policy();
    if (chooses(policy))
        return bad(inQuotes(asked.spec.name) + " is not known for a policy with a router");
    TokenFacts facts;
    facts.tokens = tokens;
    facts.special.assign(tokens, 0);
    facts.punctuation.assign(tokens, 0);
    const auto plan =
        makePlan(std::make_shared<const AttentionPolicy>(policy), asked.scene.shape, asked.scene.state.layer,
                 std::make_shared<const TokenFacts>(std::move(facts)), nullptr, {tokens - 1, tokens});
    FOVEA_TRY(plan);
    return plan->heads[static_cast<std::size_t>(asked.scene.state.head)];
}

} // namespace

Result<std::shared_ptr<const HeadPlan>> planOf(const Scene& scene, const std::string& name) {
    const AttentionPolicy& policy = *scene.lesson->policy(name);
    const auto head = static_cast<std::size_t>(scene.state.head);
    if (chooses(policy)) {
        const auto run = scene.runs.find(name);
        if (run == scene.runs.end() || !run->second.plan || run->second.planLayer != scene.state.layer)
            return bad("the router has not chosen yet for " + inQuotes(name));
        return run->second.plan->heads[head];
    }
    std::shared_ptr<const AttentionPlan> plan = scene.notes->plan(name);
    if (!plan) {
        Result<AttentionPlan> made = wholePlan(policy, scene);
        FOVEA_TRY(made);
        plan = std::make_shared<const AttentionPlan>(std::move(*made));
        scene.notes->keep(name, plan);
    }
    return plan->heads[head];
}

Result<Work> workOf(const AttentionPolicy& policy, const Scene& scene, const AttentionPlan* routed) {
    AttentionPlan made;
    if (routed == nullptr) {
        if (chooses(policy))
            return bad("the router has not chosen yet");
        Result<AttentionPlan> plan = wholePlan(policy, scene);
        FOVEA_TRY(plan);
        made = std::move(*plan);
        routed = &made;
    }
    const HeadPlan& plan = *routed->heads[static_cast<std::size_t>(scene.state.head)];
    const FarPart& far = policy.partsOf(scene.state.layer, scene.state.head).far;
    const double perPair = 2.0 * scene.shape.headDim;
    Work work;
    work.pairs = number(plan.pairs);
    work.others = stateOf(far, scene).macs / perPair * number(scene.tokens);
    if (far.far == Far::Summaries)
        for (std::size_t query = 0; query < scene.tokens; ++query)
            work.others += number(summariesRead(plan, query, blockOf(far)));
    if (routed->routing) // of all heads together
        work.others += number(routed->routing->macs) / perPair / scene.shape.heads;
    return work;
}

namespace compute {

Number tokens(const Asked& asked) {
    return number(asked.scene.tokens);
}
Number layers(const Asked& asked) {
    return asked.scene.shape.layers;
}
Number heads(const Asked& asked) {
    return asked.scene.shape.heads;
}
Number layer(const Asked& asked) {
    return asked.scene.state.layer;
}
Number head(const Asked& asked) {
    return asked.scene.state.head;
}

Number pairs(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    return number((*plan)->pairs);
}

Number share(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    const auto full = planOf(asked.scene, "full");
    FOVEA_TRY(full);
    return number((*plan)->pairs) / number((*full)->pairs);
}

Number addedPairs(const Asked& asked) {
    const auto before = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(before);
    const auto after = planOf(asked.scene, asked.policies[1]);
    FOVEA_TRY(after);
    return number((*after)->pairs) - number((*before)->pairs);
}

Number addedShare(const Asked& asked) {
    const Number added = addedPairs(asked);
    FOVEA_TRY(added);
    const auto before = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(before);
    return *added / number((*before)->pairs);
}

Number rowKeys(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    return number((*plan)->keysOf(asked.whole(0)).size());
}

Number firstKey(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    return number(lesson::firstKey(**plan, asked.whole(0)));
}

Number reads(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    return lesson::reads(**plan, asked.whole(0), asked.whole(1)) ? 1.0 : 0.0;
}

Number relayLayers(const Asked& asked) {
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    const std::optional<int> layers = lesson::relayLayers(**plan, asked.whole(0), asked.whole(1));
    if (!layers)
        return bad("nothing at token " + std::to_string(asked.whole(0)) + " can ever reach token " +
                   std::to_string(asked.whole(1)));
    return *layers;
}

Number fullPairs(const Asked& asked) {
    return number(nativeWindow(asked.scene.shape, asked.scene.state.layer).pairs({0, asked.whole(0)}));
}

Number cacheBytes(const Asked& asked) {
    const ModelShape& shape = asked.scene.shape;
    double bytes = 0;
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::size_t window = nativeWindow(shape, layer).window;
        const double held = window == 0 ? asked.values[0].number : number(std::min(asked.whole(0), window));
        bytes += held * 2 * shape.kvHeads * shape.headDim * number(kCacheBytes);
    }
    return bytes;
}

Number evenWeight(const Asked& asked) {
    const std::size_t count = asked.whole(0);
    const NativeWindow native = nativeWindow(asked.scene.shape, asked.scene.state.layer);
    double sum = 0;
    for (std::size_t query = count; query < asked.scene.tokens; ++query) {
        const std::size_t first = native.first(query);
        sum += number(first < count ? count - first : 0) / number(native.keys(query));
    }
    return count < asked.scene.tokens ? sum / number(asked.scene.tokens - count) : 0;
}

Number tokenOf(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::string& words = asked.texts[0];
    if (!scene.text || !scene.lesson->text.bytes)
        return number(asked.whole(1)); // as the lesson states it
    const std::string& text = *scene.lesson->text.bytes;
    std::size_t at = 0;
    for (std::size_t nth = 1;; ++nth) {
        at = text.find(words, at);
        if (at == std::string::npos)
            return bad("the lesson's text has " + inQuotes(words) + " fewer than " +
                       std::to_string(asked.whole(0)) + " times");
        if (nth >= asked.whole(0))
            break;
        ++at;
    }
    const std::vector<Span>& spans = scene.text->spans;
    const auto found = std::upper_bound(spans.begin(), spans.end(), at,
                                        [](std::size_t byte, const Span& span) { return byte < span.end; });
    if (found == spans.end())
        return bad("the text is cut before occurrence " + std::to_string(asked.whole(0)) + " of " +
                   inQuotes(words));
    return number(static_cast<std::uint64_t>(found - spans.begin()));
}

Number summaries(const Asked& asked) {
    const FarPart& far = farOf(asked);
    if (far.far != Far::Summaries)
        return 0;
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    return number(summariesRead(**plan, asked.whole(0), blockOf(far)));
}

Number stateTokens(const Asked& asked) {
    return stateOf(farOf(asked), asked.scene).numbers / (2.0 * asked.scene.shape.headDim);
}

Number stateWork(const Asked& asked) {
    return stateOf(farOf(asked), asked.scene).macs / (2.0 * asked.scene.shape.headDim);
}

Number farBytes(const Asked& asked) {
    const FarPart& far = farOf(asked);
    const std::size_t tokens = asked.whole(0);
    if (far.far != Far::Summaries || tokens == 0)
        return stateOf(far, asked.scene).numbers * number(kCacheBytes);
    const auto plan = lastRow(asked, tokens);
    FOVEA_TRY(plan);
    return number(summariesRead(**plan, tokens - 1, blockOf(far))) * 2 * asked.scene.shape.headDim *
           number(kCacheBytes);
}

Number workShare(const Asked& asked) {
    const Scene& scene = asked.scene;
    const auto run = scene.runs.find(asked.policies[0]);
    const bool planned = run != scene.runs.end() && run->second.planLayer == scene.state.layer;
    const auto work = workOf(asked.policy(), scene, planned ? run->second.plan.get() : nullptr);
    FOVEA_TRY(work);
    const auto full = planOf(scene, "full");
    FOVEA_TRY(full);
    return (work->pairs + work->others) / number((*full)->pairs);
}

Number uncached(const Asked& asked) {
    return number(stepsUncached(asked.whole(0), asked.whole(1)));
}
Number cached(const Asked& asked) {
    return number(stepsCached(asked.whole(0), asked.whole(1)));
}

Number ratio(const Asked& asked) {
    if (asked.values[1].number == 0)
        return bad(inQuotes(asked.spec.name) + " would divide by zero");
    return asked.values[0].number / asked.values[1].number;
}
Number difference(const Asked& asked) {
    return asked.values[0].number - asked.values[1].number;
}

} // namespace compute
} // namespace fovea::lesson
