#include "ui/views/TokenMarks.h"
#include "core/route/ReadSets.h"

namespace fovea::ui {

std::vector<std::uint8_t> makeTokenMarks(const Snapshot& snapshot, int layer, int head, int query) {
    if (!snapshot.visible || !snapshot.visible->plan || snapshot.visible->layer != layer || !snapshot.facts)
        return {};
    const AttentionPlan& plan = *snapshot.visible->plan;
    if (plan.asModel || !plan.policy)
        return {};
    const std::size_t tokens = snapshot.facts->tokens;
    std::vector<std::uint8_t> marks(tokens, 0);
    if (const auto always = alwaysReads(plan.policyOf(head), *snapshot.facts, {})) {
        for (const std::uint32_t key : always->keys)
            marks[key] |= AlwaysMark;
        for (std::size_t t = 0; t < std::min(tokens, always->queryRole.size()); ++t)
            if (always->queryRole[t] != 0)
                marks[t] |= AlwaysMark | QueryMark;
    }
    const RoutedChoices* chosen = plan.choicesOf(head);
    if (chosen == nullptr)
        return marks; // this head routes nothing, or was not asked for yet
    const RoutedChoices& choices = *chosen;
    const auto markKeys = [&](std::size_t q) {
        if (q >= choices.rows.first && q < choices.rows.last)
            for (const std::uint32_t key : choices.row(q))
                marks[key] |= KeyMark;
    };
    if (query >= 0)
        markKeys(static_cast<std::size_t>(query));
    else
        for (std::size_t q = choices.rows.first; q < choices.rows.last; ++q)
            markKeys(q);
    for (std::size_t t = 0; t < std::min(tokens, choices.queryRole.size()); ++t)
        if (choices.queryRole[t] != 0)
            marks[t] |= QueryMark;
    return marks;
}

} // namespace fovea::ui
