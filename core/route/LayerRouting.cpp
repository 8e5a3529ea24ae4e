#include "core/route/LayerRouting.h"
#include <bit>
#include <limits>

namespace fovea {

void RunList::add(std::size_t first, std::size_t last, float score, std::uint16_t rank) {
    if (runs.size() > m_rowBegin) {
        ChosenRun& before = runs.back();
        if (before.end() == first && before.rank == rank && before.count + (last - first) <= kMostKeys &&
            std::bit_cast<std::uint32_t>(before.score) == std::bit_cast<std::uint32_t>(score)) {
            before.count = static_cast<std::uint16_t>(before.count + (last - first));
            return;
        }
    }
    for (std::size_t key = first; key < last; key += kMostKeys)
        runs.push_back({static_cast<std::uint32_t>(key),
                        static_cast<std::uint16_t>(std::min(kMostKeys, last - key)), rank, score});
}

std::size_t RunList::endRow() {
    const std::size_t added = runs.size() - m_rowBegin;
    m_rowBegin = runs.size();
    return added;
}

ChosenKey RoutedChoices::chosen(std::size_t query, const ChosenRun& run, std::uint32_t which) const {
    const std::size_t r = query - rows.first;
    ChosenKey key{which, run.score, threshold[r], run.rank, budget[r], run.rank == kRankDrawn};
    if (!tokenThreshold.empty()) {
        key.threshold = tokenThreshold[key.key];
        key.budget = tokenBudget[key.key];
    }
    if (key.drawn)
        key.rank = 0;
    if (key.rank == 0)
        key.threshold = std::numeric_limits<float>::quiet_NaN();
    return key;
}

std::vector<std::uint32_t> RoutedChoices::row(std::size_t query) const {
    std::vector<std::uint32_t> keys;
    for (const ChosenRun& run : runsOf(query))
        for (std::uint32_t key = run.key; key < run.end(); ++key)
            keys.push_back(key);
    return keys;
}

std::vector<ChosenKey> RoutedChoices::chosenKeys(std::size_t query) const {
    std::vector<ChosenKey> keys;
    for (const ChosenRun& run : runsOf(query))
        for (std::uint32_t key = run.key; key < run.end(); ++key)
            keys.push_back(chosen(query, run, key));
    return keys;
}

std::optional<ChosenKey> RoutedChoices::find(std::size_t query, std::size_t key) const {
    const std::span<const ChosenRun> all = runsOf(query);
    const auto after = std::upper_bound(all.begin(), all.end(), key,
                                        [](std::size_t k, const ChosenRun& run) { return k < run.key; });
    if (after == all.begin() || (after - 1)->end() <= key)
        return {};
    return chosen(query, *(after - 1), static_cast<std::uint32_t>(key));
}

const Unit* LayerRouting::unitOf(int head) const {
    const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& unit) {
        return std::binary_search(unit.heads.begin(), unit.heads.end(), head);
    });
    return found == units.end() ? nullptr : &*found;
}

const RoutedChoices* LayerRouting::choicesOf(int head) const {
    const Unit* unit = unitOf(head);
    return unit == nullptr ? nullptr : unit->choices.get();
}

} // namespace fovea
