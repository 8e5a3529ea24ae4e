#include "core/base/SplitMix64.h"
#include "core/route/SetChoice.h"
#include <functional>
#include <limits>

namespace fovea {

void addRandomBlocks(const SetInput& in, RoutedChoices& choices) {
    const RoutedPart& routed = in.routed();
    const auto page = static_cast<std::size_t>(routed.page);
    const auto queryBlock = static_cast<std::size_t>(routed.queryBlock);
    RoutedChoices merged = choices;
    merged.rowBegin.assign(1, 0);
    RunList list;
    std::vector<std::uint64_t> blocked;
    std::vector<std::pair<std::size_t, float>> drawn; // key block and its draw, ascending
    std::vector<Ranked> order;
    std::size_t block = std::numeric_limits<std::size_t>::max();
    for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
        const std::size_t r = query - choices.rows.first;
        if (!in.fullRow(query) && query / queryBlock != block) {
            block = query / queryBlock;
            drawn.clear();
            order.clear();
            // Blocks with a candidate of the query block's first query; pinned rows have none.
            const std::size_t first = block * queryBlock;
            std::size_t anchor = first;
            while (anchor < query && in.fullRow(anchor))
                ++anchor;
            const Candidates::Row row = in.candidates.of(anchor, blocked);
            for (std::size_t kb = 0; (kb + 1) * page <= first; ++kb)
                if (countCandidates(row, kb * page, (kb + 1) * page) > 0)
                    order.push_back(rankedOf(
                        unitFloat(splitMix64(routed.seed, in.signal.input.layer, in.firstHead(), block, kb)),
                        static_cast<std::uint32_t>(kb)));
            const std::size_t count = std::min(order.size(), static_cast<std::size_t>(routed.randomBlocks));
            std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                              std::greater<>());
            for (std::size_t n = 0; n < count; ++n)
                drawn.emplace_back(tokenOf(order[n]), scoreOf(order[n]));
            std::sort(drawn.begin(), drawn.end());
        }
        const std::vector<ChosenKey> own = choices.chosenKeys(query);
        std::size_t at = 0;
        const auto chosen = [&] {
            list.add(own[at].key, own[at].key + std::size_t{1}, own[at].score,
                     static_cast<std::uint16_t>(own[at].rank));
            ++at;
        };
        if (!in.fullRow(query)) {
            const Candidates::Row row = in.candidates.of(query, blocked);
            for (const auto& [kb, draw] : drawn)
                forEachCandidate(row, kb * page, (kb + 1) * page, [&, score = draw](std::size_t key) {
                    while (at < own.size() && own[at].key < key)
                        chosen();
                    if (at < own.size() && own[at].key == key)
                        return; // the signal chose it too
                    list.add(key, key + 1, score, kRankDrawn);
                });
            merged.budget[r] += static_cast<std::uint32_t>(routed.randomBlocks * routed.page);
        }
        while (at < own.size())
            chosen();
        list.endRow();
        merged.rowBegin.push_back(static_cast<std::uint32_t>(list.runs.size()));
    }
    merged.runs = std::move(list.runs);
    merged.details = nullptr;
    choices = std::move(merged);
}

} // namespace fovea
