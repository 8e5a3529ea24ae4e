#include "core/files/Quote.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Router.h"
#include "core/route/TextChoice.h"
#include <algorithm>
#include <limits>
#include <string>

namespace fovea {

// A router whose threshold is below every score chooses every candidate, so the scores of the whole row come
// from the ranking itself.
Result<std::vector<float>> signalScores(const AttentionPolicy& policy, const ModelShape& shape,
                                        const RouteInput& input, int head, std::size_t query,
                                        const WorkContext& work) {
    const SignalSpec* signal = findSignal(policy.routed.signal);
    if (signal == nullptr || signal->role == Role::Queries)
        return fail(ErrorCode::BadValue, "routed.signal is " + inQuotes(policy.routed.signal) +
                                             ", which gives keys no score; a signal that ranks keys does");
    AttentionPolicy open = policy;
    open.routed.role = Role::Keys;
    open.routed.budgetKind = BudgetKind::Threshold;
    open.routed.budget = kNoBar;
    open.routed.newest = 0;
    Result<LayerRouting> routing = route(open, shape, input, {query, query + 1}, head, work);
    FOVEA_TRY(routing);
    std::vector<float> scores(query + 1, std::numeric_limits<float>::quiet_NaN());
    if (const RoutedChoices* choices = routing->choicesOf(head))
        for (const ChosenKey& chosen : choices->chosenKeys(query))
            scores[chosen.key] = chosen.score;
    return scores;
}

} // namespace fovea
