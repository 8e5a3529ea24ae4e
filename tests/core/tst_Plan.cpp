#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/plan/PlanDifference.h"
#include "tests/support/CausalPairs.h"
#include <QtTest>
#include <map>
#include <set>

using namespace fovea;
using fovea::test::causalPairs;

namespace {

ModelShape shapeOf(int heads, int kvHeads) {
    ModelShape shape;
    shape.family = "llama";
    shape.layers = 4;
    shape.heads = heads;
    shape.kvHeads = kvHeads;
    shape.headDim = 8;
    return shape;
}

/// A stream of small numbers from one seed.
struct Draw {
    std::uint64_t state;
    std::size_t below(std::size_t n) {
        return static_cast<std::size_t>((state = splitMix64(state)) >> 33) % n;
    }
    bool chance(std::size_t percent) { return below(100) < percent; }
};

/// The keys that a query reads, with one reason each, written down a second time with sets. Shares no code
/// with core.
std::map<std::size_t, Reason> restated(const AttentionPolicy& p, const TokenFacts& facts,
                                       const RoutedChoices* routed, std::size_t i) {
    std::map<std::size_t, Reason> kept;
    const auto put = [&](std::size_t j, Reason reason) {
        if (j <= i)
            kept.emplace(j, reason);
    };
    if (p.local.window == kAll && p.local.dilation == 1) {
        for (std::size_t j = 0; j <= i; ++j)
            put(j, Reason::Local);
        return kept;
    }
    for (std::int64_t t = 0; t < std::min<std::int64_t>(p.local.window, 100000); ++t)
        if (const std::int64_t j = static_cast<std::int64_t>(i) - p.local.dilation * t; j >= 0)
            put(static_cast<std::size_t>(j), Reason::Local);
    if (p.local.chunk > 0)
        for (std::size_t j = 0; j <= i; ++j) {
            const auto own = static_cast<std::int64_t>(i) / p.local.chunk;
            const auto of = static_cast<std::int64_t>(j) / p.local.chunk;
            if (of == own || (p.local.chunkPrevious != 0 && of == own - 1))
                put(j, Reason::Local);
        }
    bool pinnedQuery = false;
    for (std::size_t j = 0; j <= i; ++j) {
        bool always = static_cast<std::int64_t>(j) < p.always.sinks;
        for (const PinnedRange& range : p.always.pinned) {
            const bool inside =
                static_cast<std::int64_t>(j) >= range.first && static_cast<std::int64_t>(j) <= range.last;
            always = always || (inside && range.role != Role::Queries);
            pinnedQuery = pinnedQuery || (inside && j == i && range.role != Role::Keys);
        }
        always = always || (p.always.special && facts.special[j] != 0);
        always = always || (p.always.punctuation && facts.punctuation[j] != 0);
        if (always)
            put(j, Reason::Always);
    }
    if (pinnedQuery)
        for (std::size_t j = 0; j <= i; ++j)
            put(j, Reason::Always);
    if (routed != nullptr) {
        for (const std::uint32_t j : routed->row(i))
            put(j, Reason::Routed);
        if (!routed->queryRole.empty() && routed->queryRole[i] != 0)
            for (std::size_t j = 0; j <= i; ++j)
                put(j, Reason::Routed);
    }
    if (kept.empty())
        put(i, Reason::Local);
    return kept;
}

/// The pairs of a plan as (query, key) counts, read off the items by the words of PlanItem.h.
std::map<std::pair<std::size_t, std::size_t>, int> pairsOf(const HeadPlan& plan) {
    std::map<std::pair<std::size_t, std::size_t>, int> pairs;
    for (const QueryBlock& block : plan.blocks)
        for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
            if ((block.activeLanes >> lane & 1U) == 0)
                continue;
            const std::size_t query = block.queryList < 0
                                          ? block.queryBegin + lane
                                          : plan.queryLists[static_cast<std::size_t>(block.queryList) + lane];
            for (std::size_t n = block.itemBegin; n < block.itemEnd; ++n) {
                const PlanItem& item = plan.items[n];
                for (std::size_t k = 0; k < item.count; ++k) {
                    std::size_t key = item.key + k * item.stride;
                    bool read = true;
                    if (item.kind == ItemKind::Bound)
                        read =
                            key >= plan.bounds[item.data + lane].lo && key < plan.bounds[item.data + lane].hi;
                    if (item.kind == ItemKind::Bitmask)
                        read = (plan.masks[item.data + k] >> lane & 1U) != 0;
                    if (item.kind == ItemKind::Gather) {
                        key = plan.gatherKeys[item.data + k];
                        read = (plan.gatherLanes[item.data + k] >> lane & 1U) != 0;
                    }
                    if (read)
                        ++pairs[{query, key}];
                }
            }
        }
    return pairs;
}

struct Case {
    AttentionPolicy policy;
    std::shared_ptr<TokenFacts> facts = std::make_shared<TokenFacts>();
    std::shared_ptr<LayerRouting> routing; // two units: even and odd heads
    RowRange rows;
};

Case randomCase(std::uint64_t seed) {
    Draw draw{seed};
    Case c;
    const std::size_t tokens = 1 + draw.below(330);
    c.facts->tokens = tokens;
    for (std::size_t j = 0; j < tokens; ++j) {
        c.facts->special.push_back(draw.chance(3));
        c.facts->punctuation.push_back(draw.chance(12));
    }
    AttentionPolicy& p = c.policy;
    p.local.window =
        static_cast<std::int64_t>(draw.chance(20) ? 0 : 1 + draw.below(draw.chance(50) ? 12 : 200));
    p.local.dilation = static_cast<std::int64_t>(draw.chance(70) ? 1 : 1 + draw.below(7));
    p.local.chunk = static_cast<std::int64_t>(draw.chance(70) ? 0 : 1 + draw.below(90));
    p.local.chunkPrevious = draw.chance(50) ? 1 : 0;
    p.always.sinks = static_cast<std::int64_t>(draw.chance(40) ? 0 : draw.below(9));
    p.always.special = draw.chance(40);
    p.always.punctuation = draw.chance(30);
    for (std::size_t n = draw.below(4); n > 0; --n) {
        const auto first = static_cast<std::int64_t>(draw.below(tokens));
        const auto last = std::min<std::int64_t>(first + static_cast<std::int64_t>(draw.below(40)),
                                                 static_cast<std::int64_t>(tokens) - 1);
        p.always.pinned.push_back({first, last, static_cast<Role>(draw.below(3))});
    }
    c.rows = {0, tokens};
    if (draw.chance(40)) {
        c.rows.first = draw.below(tokens);
        c.rows.last = c.rows.first + draw.below(tokens - c.rows.first + 1);
    }
    if (draw.chance(70)) {
        p.routed.signal = "key_norm";
        c.routing = std::make_shared<LayerRouting>();
        const std::size_t style = draw.below(3);
        for (int unit = 0; unit < 2; ++unit) {
            auto choices = std::make_shared<RoutedChoices>();
            choices->rows = c.rows;
            choices->rowBegin.push_back(0);
            RunList list;
            for (std::size_t i = c.rows.first; i < c.rows.last; ++i) {
                std::set<std::size_t> chosen; // deliberately overlapping local and always
                if (style == 0)
                    for (std::size_t n = draw.below(9); n > 0; --n)
                        chosen.insert(draw.below(i + 1));
                else if (style == 1)
                    for (std::size_t j = 0; j <= i; ++j)
                        chosen.insert(j);
                else
                    for (std::size_t j = draw.below(i + 1) / 2; j <= i; ++j)
                        if (draw.chance(60))
                            chosen.insert(j);
                for (const std::size_t j : chosen) // runs of one score and rank, and single keys
                    list.add(j, j + 1, 0,
                             static_cast<std::uint16_t>(draw.chance(70) ? 1 : 1 + draw.below(3)));
                list.endRow();
                choices->rowBegin.push_back(static_cast<std::uint32_t>(list.runs.size()));
            }
            choices->runs = std::move(list.runs);
            if (draw.chance(50))
                for (std::size_t i = 0; i < c.rows.last; ++i)
                    choices->queryRole.push_back(draw.chance(20));
            c.routing->units.push_back({{unit, unit + 2}, c.policy.routed.signal, std::move(choices)});
        }
    }
    return c;
}

Result<AttentionPlan> planOf(const AttentionPolicy& policy, std::size_t tokens, RowRange rows,
                             int layer = 0) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    return makePlan(std::make_shared<AttentionPolicy>(policy), shapeOf(4, 2), layer, std::move(facts),
                    nullptr, rows);
}

} // namespace

class tst_Plan : public QObject {
    Q_OBJECT
private slots:
    void randomPolicies_planExactlyTheUnion();
    void windowOnly_keepsTheDiagonalBand();
    void windowOnly_touchesNoTileWithoutAPair();
    void fullPlan_isTheTriangle_data();
    void fullPlan_isTheTriangle();
    void fullLayers_readEverything();
    void fullChoices_joinTheBandIntoTiles();
    void sinksAndScatteredKeys_shareGatherItems();
    void scatteredButDense_isABitmask();
    void dilatedWindow_isDenseByPhases_data();
    void dilatedWindow_isDenseByPhases();
    void queryRows_haveBlocksOfTheirOwn();
    void firstReplanned_isTheEarliestOfAChangedBlock();
    void pinnedBeyondTheText_isNamed();
    void missingLayer_isNamed();
    void unaskedUnit_plansNothing();
};

void tst_Plan::randomPolicies_planExactlyTheUnion() {
    const ModelShape shape = shapeOf(4, 2);
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        const Case c = randomCase(seed);
        const auto plan =
            makePlan(std::make_shared<AttentionPolicy>(c.policy), shape, 1, c.facts, c.routing, c.rows);
        QVERIFY2(plan.has_value(), plan ? "" : plan.error().message.c_str());
        for (int head = 0; head < 2; ++head) {
            const HeadPlan& headPlan = *plan->heads[static_cast<std::size_t>(head)];
            const RoutedChoices* choices = c.routing ? c.routing->choicesOf(head) : nullptr;
            auto pairs = pairsOf(headPlan);
            std::uint64_t expectedPairs = 0;
            std::array<std::uint64_t, 4> expectedReasons{};
            for (std::size_t i = c.rows.first; i < c.rows.last; ++i) {
                const auto expected = restated(c.policy, *c.facts, choices, i);
                const auto kept = plan->keptKeys(head, i);
                QCOMPARE(kept.size(), expected.size());
                const RowRange some{i / 3, i / 3 + (i + seed) % 40}; // any keys, to the query or beyond
                std::vector<std::uint8_t> marked(some.last - some.first, 9), wantedMarks = marked;
                plan->markReasons(head, i, some, marked);
                for (const auto& [key, reason] : expected)
                    if (key >= some.first && key < some.last)
                        wantedMarks[key - some.first] = static_cast<std::uint8_t>(reason);
                QCOMPARE(marked, wantedMarks);
                auto wanted = expected.begin();
                for (const KeptKey& key : kept) {
                    QCOMPARE(std::size_t{key.key}, wanted->first);
                    if (key.reason != wanted->second)
                        qWarning() << "seed" << seed << "query" << i << "key" << key.key;
                    QCOMPARE(key.reason, wanted->second);
                    const auto pair = pairs.find({i, key.key});
                    QVERIFY(pair != pairs.end());
                    QCOMPARE(pair->second, 1); // never twice
                    pairs.erase(pair);
                    ++expectedPairs;
                    ++expectedReasons[static_cast<std::size_t>(wanted->second)];
                    ++wanted;
                }
            }
            QVERIFY(pairs.empty()); // nothing else, so nothing ahead of the query
            QCOMPARE(headPlan.pairs, expectedPairs);
            QVERIFY(headPlan.pairsByReason == expectedReasons);
            QVERIFY(headPlan.pairsComputed >= headPlan.pairs);
        }
    }
}

void tst_Plan::windowOnly_keepsTheDiagonalBand() {
    AttentionPolicy policy;
    policy.local.window = 3;
    const auto plan = planOf(policy, 70, {0, 70});
    QVERIFY(plan.has_value());
    QVERIFY(!plan->asModel);
    QCOMPARE(plan->heads[0]->pairs, std::uint64_t{70 * 3 - 3});
    for (std::size_t i = 0; i < 70; ++i) {
        const auto kept = plan->keptKeys(0, i);
        QCOMPARE(kept.size(), std::min<std::size_t>(i + 1, 3));
        QCOMPARE(std::size_t{kept.back().key}, i);
    }
}

void tst_Plan::windowOnly_touchesNoTileWithoutAPair() {
    AttentionPolicy policy;
    policy.local.window = 64;
    const auto plan = planOf(policy, 1024, {0, 1024});
    const HeadPlan& head = *plan->heads[0];
    for (const QueryBlock& block : head.blocks)
        for (std::size_t n = block.itemBegin; n < block.itemEnd; ++n) {
            const PlanItem& item = head.items[n];
            QVERIFY(item.key + item.count > (block.queryBegin > 63 ? block.queryBegin - 63 : 0));
            QVERIFY(item.key + item.count <= block.queryBegin + block.queryCount);
            QVERIFY(item.key / kBlock ==
                    (item.key + item.count - 1) / kBlock); // tiles keep to the 64-key grid
        }
    QCOMPARE(head.pairsComputed, std::uint64_t{64 * 64 + 15 * 64 * 127});
}

void tst_Plan::fullPlan_isTheTriangle_data() {
    QTest::addColumn<int>("tokens");
    for (const int tokens : {1, 63, 64, 65, 128, 200})
        QTest::addRow("T=%d", tokens) << tokens;
}

void tst_Plan::fullPlan_isTheTriangle() {
    QFETCH(int, tokens);
    const auto count = static_cast<std::size_t>(tokens);
    const AttentionPlan plan = modelPlan(shapeOf(4, 2), 2, count);
    QVERIFY(plan.asModel);
    QCOMPARE(plan.layer, 2);
    QCOMPARE(plan.heads.size(), std::size_t{4});
    QCOMPARE(plan.heads[0]->pairs, causalPairs(count));
    QCOMPARE(plan.pairs(), 4 * causalPairs(count));
    QVERIFY(plan.heads[0] == plan.heads[3]); // one plan, shared
    QCOMPARE(pairsOf(*plan.heads[0]).size(), static_cast<std::size_t>(causalPairs(count)));
    QCOMPARE(plan.keptKeys(3, count - 1).size(), count);
}

void tst_Plan::fullLayers_readEverything() {
    AttentionPolicy policy;
    policy.local.window = 4;
    policy.mix.fullLayers = {1};
    policy.mix.fullEvery = 4;
    for (int layer = 0; layer < 4; ++layer) {
        const auto plan = planOf(policy, 100, {0, 100}, layer);
        QCOMPARE(plan->asModel, layer == 1 || layer == 3);
        QCOMPARE(plan->heads[0]->pairs, plan->asModel ? causalPairs(100) : std::uint64_t{100 * 4 - 6});
    }
    policy.mix.fullOffset = 0;
    QVERIFY(planOf(policy, 100, {0, 100}, 0)->asModel);
    QVERIFY(!planOf(policy, 100, {0, 100}, 3)->asModel);
}

void tst_Plan::fullChoices_joinTheBandIntoTiles() {
    Case c;
    c.facts->tokens = 256;
    c.policy.local.window = 5;
    c.policy.routed.signal = "key_norm";
    auto choices = std::make_shared<RoutedChoices>();
    choices->rows = {0, 256};
    choices->rowBegin.push_back(0);
    for (std::uint32_t i = 0; i < 256; ++i) {
        if (i >= 5)
            choices->runs.push_back({0, static_cast<std::uint16_t>(i - 4), 1, 0});
        choices->rowBegin.push_back(static_cast<std::uint32_t>(choices->runs.size()));
    }
    c.routing = std::make_shared<LayerRouting>();
    c.routing->units.push_back({{0, 1, 2, 3}, "key_norm", choices});
    const auto plan =
        makePlan(std::make_shared<AttentionPolicy>(c.policy), shapeOf(4, 2), 0, c.facts, c.routing, {0, 256});
    const HeadPlan& head = *plan->heads[0];
    QCOMPARE(head.pairs, causalPairs(256));
    for (const PlanItem& item : head.items)
        QVERIFY(item.kind != ItemKind::Gather);
    QCOMPARE(head.items.size(), modelPlan(shapeOf(4, 2), 0, 256).heads[0]->items.size());
}

void tst_Plan::sinksAndScatteredKeys_shareGatherItems() {
    AttentionPolicy policy;
    policy.local.window = 16;
    policy.always.sinks = 4;
    policy.always.pinned = {{100, 100, Role::Keys}, {200, 200, Role::Keys}, {300, 300, Role::Keys}};
    const auto plan = planOf(policy, 1024, {0, 1024});
    const HeadPlan& head = *plan->heads[0];
    const QueryBlock& last = head.blocks.back();
    const PlanItem& gather = head.items[last.itemEnd - 1];
    QCOMPARE(gather.kind, ItemKind::Gather);
    QCOMPARE(gather.count, 7U); // one item of seven keys, not four tiles of 64
    QCOMPARE(head.gatherLanes[gather.data], ~std::uint64_t{0});
}

void tst_Plan::scatteredButDense_isABitmask() {
    // Every third key for every query, beside a narrow band: no interval, 22 of 64 keys, each for all lanes.
    for (const std::uint32_t step : {2U, 3U, 9U}) {
        Case c;
        c.facts->tokens = 512;
        c.policy.local.window = 5;
        c.policy.routed.signal = "key_norm";
        auto choices = std::make_shared<RoutedChoices>();
        choices->rows = {0, 512};
        choices->rowBegin.push_back(0);
        for (std::uint32_t i = 0; i < 512; ++i) {
            for (std::uint32_t j = i % 2; j + 5 <= i; j += step)
                choices->runs.push_back({j, 1, 1, 0});
            choices->rowBegin.push_back(static_cast<std::uint32_t>(choices->runs.size()));
        }
        c.routing = std::make_shared<LayerRouting>();
        c.routing->units.push_back({{0, 1, 2, 3}, "key_norm", choices});
        const auto plan = makePlan(std::make_shared<AttentionPolicy>(c.policy), shapeOf(4, 2), 0, c.facts,
                                   c.routing, {0, 512});
        const HeadPlan& head = *plan->heads[0];
        const auto masked = std::count_if(head.items.begin(), head.items.end(), [](const PlanItem& item) {
            return item.kind == ItemKind::Bitmask;
        });
        // 64 x 64 pairs in a tile; alone, step 9 has 15 keys of 32 lanes: 15 x 64, which is less.
        QCOMPARE(masked > 8, step == 2);
        const auto pairs = pairsOf(head);
        QCOMPARE(pairs.size(), head.pairs);
        for (const auto& [pair, count] : pairs)
            QVERIFY(count == 1 && pair.second <= pair.first);
        for (const std::size_t query : {0U, 7U, 300U, 511U}) {
            std::vector<std::uint32_t> keys;
            for (auto at = pairs.lower_bound({query, 0}); at != pairs.end() && at->first.first == query; ++at)
                keys.push_back(static_cast<std::uint32_t>(at->first.second));
            QVERIFY(head.keysOf(query) == keys);
        }
    }
}

void tst_Plan::dilatedWindow_isDenseByPhases_data() {
    QTest::addColumn<int>("dilation");
    for (const int dilation : {2, 3, 5})
        QTest::addRow("dilation %d", dilation) << dilation;
}

void tst_Plan::dilatedWindow_isDenseByPhases() {
    QFETCH(int, dilation);
    AttentionPolicy policy;
    policy.local.window = 40;
    policy.local.dilation = dilation;
    policy.always.sinks = 3;
    policy.always.pinned = {{33, 33, Role::Keys}, {70, 70, Role::Queries}};
    const RowRange rows{10, 700};
    const auto plan = planOf(policy, 700, rows);
    const HeadPlan& head = *plan->heads[0];
    TokenFacts facts;
    facts.special.assign(700, 0);
    facts.punctuation.assign(700, 0);
    auto pairs = pairsOf(head);
    QCOMPARE(pairs.size(), head.pairs);
    for (std::size_t i = rows.first; i < rows.last; ++i) {
        const auto expected = restated(policy, facts, nullptr, i);
        const auto kept = plan->keptKeys(0, i);
        QCOMPARE(kept.size(), expected.size());
        for (const KeptKey& key : kept) {
            QVERIFY(expected.count(key.key) == 1 && expected.at(key.key) == key.reason);
            QCOMPARE((pairs[{i, key.key}]), 1);
        }
    }
    // As many computed pairs as a dense window of 40 over T / dilation tokens would take, not dilation times.
    QVERIFY(head.pairsComputed < 5 * head.pairs);
    QVERIFY(std::any_of(head.items.begin(), head.items.end(), [dilation](const PlanItem& item) {
        return item.stride == static_cast<std::uint32_t>(dilation) && item.count > 1;
    }));
}

void tst_Plan::queryRows_haveBlocksOfTheirOwn() {
    AttentionPolicy policy;
    policy.local.window = 8;
    policy.always.pinned = {{70, 70, Role::Queries}, {200, 201, Role::Both}};
    const auto plan = planOf(policy, 256, {0, 256});
    const HeadPlan& head = *plan->heads[0];
    std::size_t gathered = 0;
    for (std::size_t n = 0; n < head.blocks.size(); ++n) {
        if (n > 0)
            QVERIFY(head.blocks[n - 1].queryBegin <= head.blocks[n].queryBegin);
        if (head.blocks[n].queryList >= 0) {
            ++gathered;
            QCOMPARE(head.blocks[n].queryCount, 3U);
        }
    }
    QCOMPARE(gathered, std::size_t{1});
    QCOMPARE(plan->keptKeys(0, 200).size(), std::size_t{201});
    QCOMPARE(plan->keptKeys(0, 71).size(), std::size_t{8}); // 70 has the query role only
    QCOMPARE(plan->keptKeys(0, 250).size(), std::size_t{10});
}

void tst_Plan::firstReplanned_isTheEarliestOfAChangedBlock() {
    const auto headOf = [](std::int64_t window, std::vector<PinnedRange> pinned) {
        AttentionPolicy policy;
        policy.local.window = window;
        policy.always.pinned = std::move(pinned);
        return *planOf(policy, 256, {0, 256})->heads[0];
    };
    const PinnedRange early{70, 70, Role::Queries}, late{200, 200, Role::Queries};
    const HeadPlan both = headOf(8, {early, late});
    QCOMPARE(firstReplanned(both, both, 256), std::size_t{256});
    // Query 200 joins the block of query 70, whose sums may be rounded otherwise from then on.
    QCOMPARE(firstReplanned(both, headOf(8, {early}), 192), std::size_t{70});
    QCOMPARE(firstReplanned(both, headOf(8, {early}), 70), std::size_t{70});
    QCOMPARE(firstReplanned(both, headOf(8, {early}), 64), std::size_t{64});
    // Without a query that reads everything, only the changed query's own block is another one.
    QCOMPARE(firstReplanned(headOf(8, {late}), headOf(8, {}), 256), std::size_t{192});
    // A longer window changes the first block in which it reaches further back.
    QCOMPARE(firstReplanned(headOf(80, {}), headOf(81, {}), 256), std::size_t{64});
    QCOMPARE(firstReplanned(headOf(8, {}), headOf(9, {}), 256), std::size_t{0});
}

void tst_Plan::pinnedBeyondTheText_isNamed() {
    AttentionPolicy policy;
    policy.local.window = 8;
    policy.always.pinned = {{3, 40, Role::Keys}};
    const auto plan = planOf(policy, 40, {0, 40});
    QVERIFY(!plan.has_value());
    QCOMPARE(plan.error().code, ErrorCode::BadValue);
    QVERIFY(plan.error().message.find("always.pinned") != std::string::npos);
    QVERIFY(plan.error().message.find("40") != std::string::npos);
    QVERIFY(plan.error().message.find("39") != std::string::npos);
}

void tst_Plan::missingLayer_isNamed() {
    AttentionPolicy policy;
    policy.local.window = 8;
    policy.mix.fullLayers = {4};
    const auto plan = planOf(policy, 40, {0, 40});
    QVERIFY(!plan.has_value());
    QVERIFY(plan.error().message.find("mix.full_layers") != std::string::npos);
}

void tst_Plan::unaskedUnit_plansNothing() {
    Case c = randomCase(2);
    c.policy.local = {7, 1, 0, 0};
    c.policy.routed.signal = "key_norm";
    c.rows = {0, c.facts->tokens};
    auto choices = std::make_shared<RoutedChoices>();
    choices->rows = c.rows;
    choices->rowBegin.assign(c.facts->tokens + 1, 0);
    c.routing = std::make_shared<LayerRouting>();
    c.routing->units = {{{0, 1}, "key_norm", nullptr}, {{2, 3}, "key_norm", choices}};
    const auto plan =
        makePlan(std::make_shared<AttentionPolicy>(c.policy), shapeOf(4, 2), 0, c.facts, c.routing, c.rows);
    QVERIFY(plan->heads[0] != nullptr);
    QVERIFY(plan->heads[0]->blocks.empty());
    QVERIFY(!plan->heads[2]->blocks.empty());
}

QTEST_APPLESS_MAIN(tst_Plan)
#include "tst_Plan.moc"
