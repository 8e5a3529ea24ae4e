#include "core/lesson/PlanCounts.h"
#include <algorithm>

namespace fovea::lesson {

std::size_t firstKey(const HeadPlan& plan, std::size_t query) {
    const std::vector<std::uint32_t> keys = plan.keysOf(query);
    std::size_t first = query;
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        if (*key > query)
            continue;
        if (*key + 1 < first)
            break;
        first = *key;
    }
    return first;
}

bool reads(const HeadPlan& plan, std::size_t query, std::size_t key) {
    const std::vector<std::uint32_t> keys = plan.keysOf(query);
    return std::binary_search(keys.begin(), keys.end(), static_cast<std::uint32_t>(key));
}

std::optional<int> relayLayers(const HeadPlan& plan, std::size_t from, std::size_t to) {
    std::vector<std::vector<std::uint32_t>> keys(plan.tokens);
    for (std::size_t query = plan.rows.first; query < plan.rows.last; ++query)
        keys[query] = plan.keysOf(query);
    std::vector<std::uint8_t> knows(plan.tokens, 0);
    knows[from] = 1;
    for (int layers = 0;; ++layers) {
        if (knows[to] != 0)
            return layers;
        std::vector<std::uint8_t> next = knows; // the residual stream: a token keeps what it has
        for (std::size_t query = 0; query < keys.size(); ++query)
            for (const std::uint32_t key : keys[query])
                next[query] |= knows[key];
        if (next == knows)
            return {};
        knows = std::move(next);
    }
}

std::size_t summariesRead(const HeadPlan& plan, std::size_t query, std::size_t block) {
    const std::vector<std::uint32_t> keys = plan.keysOf(query);
    std::size_t summaries = 0;
    for (std::size_t first = 0; first <= query; first += block) {
        const std::size_t last = std::min(first + block, query + 1);
        for (std::size_t key = first; key < last; ++key)
            if (!std::binary_search(keys.begin(), keys.end(), static_cast<std::uint32_t>(key))) {
                ++summaries;
                break;
            }
    }
    return summaries;
}

std::uint64_t stepsUncached(std::uint64_t prompt, std::uint64_t generated) {
    std::uint64_t computed = 0;
    for (std::uint64_t step = 0; step < generated; ++step)
        computed += prompt + step;
    return computed;
}

std::uint64_t stepsCached(std::uint64_t prompt, std::uint64_t generated) {
    std::uint64_t computed = 0;
    for (std::uint64_t step = 0; step < generated; ++step)
        computed += step == 0 ? prompt : 1;
    return computed;
}

} // namespace fovea::lesson
