#include "core/route/LayerRouting.h"
#include "core/route/Selection.h"
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

void RunList::addBits(std::size_t first, std::uint64_t bits) {
    for (std::size_t half = 0; half < 2; ++half, first += 32, bits >>= 32) {
        const auto word = static_cast<std::uint32_t>(bits);
        if (word == 0)
            continue;
        const int low = std::countr_zero(word);
        runs.push_back({static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(low),
                        static_cast<std::uint16_t>(32 - std::countl_zero(word) - low), kRankOfBits,
                        std::bit_cast<float>(word >> low)});
    }
}

std::size_t RunList::endRow() {
    const std::size_t added = runs.size() - m_rowBegin;
    m_rowBegin = runs.size();
    return added;
}

void RanksByScore::explain(std::size_t query, std::span<ChosenKey> keys) const {
    std::vector<Ranked> ranked; // of pages, by their first key here
    for (std::size_t n = 0; n < keys.size(); ++n)
        if (n == 0 || keys[n].key / m_page != keys[n - 1].key / m_page)
            ranked.push_back(rankedOf(keys[n].score, keys[n].key));
    std::vector<std::pair<std::uint32_t, std::uint16_t>> ranks; // first key, rank
    std::sort(ranked.begin(), ranked.end(), std::greater<>());
    for (std::size_t place = 0; place < ranked.size(); ++place)
        ranks.emplace_back(tokenOf(ranked[place]), storedRank(place + 1));
    std::sort(ranks.begin(), ranks.end());
    auto page = ranks.begin();
    for (std::size_t n = 0; n < keys.size(); ++n) {
        if (n > 0 && keys[n].key / m_page != keys[n - 1].key / m_page)
            ++page;
        keys[n].rank = page->second;
        if (!m_factors.empty()) // one zero, one NaN
            keys[n].score = m_factors[query - m_rows.first] * scoreOf(rankedOf(keys[n].score, keys[n].key));
    }
}

std::vector<std::uint32_t> RoutedChoices::row(std::size_t query) const {
    std::vector<std::uint32_t> keys;
    for (const ChosenRun& run : runsOf(query))
        run.forEachKey([&](std::uint32_t key) { keys.push_back(key); });
    return keys;
}

std::vector<ChosenKey> RoutedChoices::chosenKeys(std::size_t query) const {
    const std::size_t r = query - rows.first;
    std::vector<ChosenKey> keys, asked; // those that are explained on request
    for (const ChosenRun& run : runsOf(query))
        run.forEachKey([&](std::uint32_t key) {
            keys.push_back({key, run.score, threshold[r], run.rank, budget[r], run.rank == kRankDrawn});
            if (run.asks())
                asked.push_back(keys.back());
        });
    if (!asked.empty())
        details->explain(query, asked);
    auto next = asked.begin();
    for (ChosenKey& key : keys) {
        if (next != asked.end() && next->key == key.key)
            key = *next++;
        if (!tokenThreshold.empty()) {
            key.threshold = tokenThreshold[key.key];
            key.budget = tokenBudget[key.key];
        }
        if (key.drawn)
            key.rank = 0;
        if (key.rank == 0)
            key.threshold = std::numeric_limits<float>::quiet_NaN();
    }
    return keys;
}

RoutedChoices RoutedChoices::explained() const {
    RoutedChoices all = *this;
    RunList list;
    all.rowBegin.assign(1, 0);
    for (std::size_t query = rows.first; query < rows.last; ++query) {
        for (const ChosenKey& key : chosenKeys(query))
            list.add(key.key, key.key + std::size_t{1}, key.score,
                     key.drawn ? kRankDrawn : storedRank(key.rank));
        list.endRow();
        all.rowBegin.push_back(static_cast<std::uint32_t>(list.runs.size()));
    }
    all.runs = std::move(list.runs);
    all.details = nullptr;
    return all;
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
