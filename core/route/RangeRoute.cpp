#include "core/route/RangeRoute.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/route/RouteJob.h"
#include <algorithm>
#include <omp.h>

namespace fovea {

bool choosesSetsAlone(const LayerPolicy& set) {
    const RoutedPart& routed = set.policy->routed;
    return set.routes() && routed.choosesKeys() && choosesSets(routed) && routed.randomBlocks == 0 &&
           !routed.choosesQueries() && !routed.silencesOthers();
}

Result<std::vector<LayerRouting>> routeRanges(const LayerPolicy& set, const ModelShape& shape,
                                              const RouteInput& input, std::span<const RowRange> ranges,
                                              const WorkContext& work) {
    FOVEA_ASSERT(choosesSetsAlone(set) && input.facts != nullptr);
    FOVEA_TRY(checkSignal(set, input));
    FOVEA_TRY(work.checkpoint());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const RouteJob job(set, shape, input, {0, input.facts->tokens}, threads, work.isa);
    const auto choosers = job.choosersOf(job.numbers, work.cancel);
    FOVEA_TRY(choosers);
    FOVEA_TRY(work.checkpoint());
    std::vector<LayerRouting> routings(ranges.size());
    for (LayerRouting& routing : routings) {
        routing.layer = input.layer;
        routing.units = job.units;
    }
    const std::size_t units = job.units.size();
    parallelFor(ranges.size() * units, threads, [&](std::size_t task) {
        if (work.cancel.cancelled())
            return;
        const std::size_t n = task % units;
        const RowRange rows = ranges[task / units];
        BlockChoices block;
        for (std::size_t row = rows.first; row < rows.last;) {
            const std::size_t next = std::min(rows.last, (row / kTaskRows + 1) * kTaskRows);
            (*choosers)[n]->choose(row, next, block);
            row = next;
        }
        const std::shared_ptr<RoutedChoices> choices = noRows(rows);
        joinBlocks(std::span(&block, 1), *choices);
        choices->details = (*choosers)[n]->details();
        routings[task / units].units[n].choices = choices;
    });
    FOVEA_TRY(work.checkpoint());
    if (!routings.empty())
        for (const auto& chooser : *choosers)
            routings.front().macs += chooser->macs();
    return routings;
}

} // namespace fovea
