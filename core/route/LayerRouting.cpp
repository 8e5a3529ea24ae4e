#include "core/route/LayerRouting.h"
#include <limits>

namespace fovea {

ChosenKey RoutedChoices::chosen(std::size_t query, std::size_t at) const {
    const std::size_t r = query - rows.first;
    ChosenKey key{keys[at], scores[at], threshold[r], ranks[at], budget[r], ranks[at] == kRankDrawn};
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
