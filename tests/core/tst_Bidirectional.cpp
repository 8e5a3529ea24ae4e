// Plans of bidirectional layers: their keys restated here query by query, and the fused kernel against the
// oracle on every instruction set. Causal models refuse all of it with a sentence. Outputs of public
// implementations: tst_Peers.
#include "core/kernels/Attention.h"
#include "core/plan/BidirectionalPlan.h"
#include "core/policy/SignalSpec.h"
#include "tests/support/AttentionCase.h"
#include <QtTest>
#include <map>

using namespace fovea;
using test::Case;
using test::LayerOutput;

namespace {

ModelShape shapeOf(int heads) {
    ModelShape shape;
    shape.family = "bert";
    shape.layers = 4;
    shape.heads = heads;
    shape.kvHeads = heads;
    shape.headDim = 8;
    return shape;
}

std::shared_ptr<TokenFacts> factsOf(std::size_t tokens) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    return facts;
}

AttentionPolicy symmetric(std::int64_t window) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.local.sides = Sides::Both;
    return policy;
}

AttentionPolicy parity(std::int64_t block, std::int64_t random) {
    AttentionPolicy policy = symmetric(3 * block);
    policy.always.sinks = block;
    policy.routed.page = policy.routed.queryBlock = block;
    policy.routed.randomBlocks = random;
    policy.mix.parity = Parity::BigBird;
    return policy;
}

AttentionPlan planOf(const AttentionPolicy& policy, std::size_t tokens, int heads = 1,
                     std::span<const BlockDraws> draws = {}) {
    const Result<AttentionPolicy> legal = validated(policy);
    if (!legal)
        qFatal("%s", legal.error().message.c_str());
    Result<AttentionPlan> plan = makeBidirectionalPlan(std::make_shared<const AttentionPolicy>(*legal),
                                                       shapeOf(heads), 0, factsOf(tokens), draws);
    if (!plan)
        qFatal("%s", plan.error().message.c_str());
    return std::move(*plan);
}

/// How often each key is read by `query`, straight from the items.
std::map<std::uint32_t, std::uint32_t> timesOf(const HeadPlan& plan, std::size_t query) {
    HeadPlan one = plan;
    std::map<std::uint32_t, std::uint32_t> times;
    std::vector<std::uint32_t> counts;
    for (const PlanItem& item : plan.items)
        counts.push_back(item.multiplicity);
    std::sort(counts.begin(), counts.end());
    counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
    for (const std::uint32_t count : counts) {
        // The plan without items of another multiplicity.
        one.items.clear();
        one.blocks = plan.blocks;
        for (QueryBlock& block : one.blocks) {
            const auto begin = static_cast<std::uint32_t>(one.items.size());
            for (std::uint32_t i = block.itemBegin; i < block.itemEnd; ++i)
                if (plan.items[i].multiplicity == count)
                    one.items.push_back(plan.items[i]);
            block.itemBegin = begin;
            block.itemEnd = static_cast<std::uint32_t>(one.items.size());
        }
        for (const std::uint32_t key : one.keysOf(query))
            times[key] += count;
    }
    return times;
}

/// What HeadPlan promises beside its keys.
bool inOrder(const HeadPlan& plan) {
    std::vector<int> written(plan.tokens, 0);
    std::uint32_t before = 0;
    for (const QueryBlock& block : plan.blocks) {
        if (block.queryBegin < before || block.itemBegin >= block.itemEnd)
            return false;
        before = block.queryBegin;
        for (std::uint32_t i = block.itemBegin + 1; i < block.itemEnd; ++i) {
            const bool gather = plan.items[i].kind == ItemKind::Gather;
            const bool gatherBefore = plan.items[i - 1].kind == ItemKind::Gather;
            if ((gatherBefore && !gather) ||
                (gather == gatherBefore && plan.items[i].key < plan.items[i - 1].key))
                return false;
        }
        for (std::uint32_t t = 0; t < block.queryCount; ++t)
            if ((block.activeLanes >> t & 1U) != 0)
                ++written[block.queryList < 0
                              ? block.queryBegin + t
                              : plan.queryLists[static_cast<std::size_t>(block.queryList) + t]];
    }
    return std::all_of(written.begin(), written.end(), [](int times) { return times == 1; });
}

struct Symmetric {
    const char* name;
    std::size_t tokens;
    AttentionPolicy policy;
    std::vector<std::size_t> keys, queries; ///< global tokens by role
};

std::vector<Symmetric> symmetricCases() {
    std::vector<Symmetric> cases;
    cases.push_back({"window 16", 300, symmetric(16), {}, {}});
    cases.push_back({"window 1: each itself", 70, symmetric(1), {}, {}});
    cases.push_back({"an odd window", 130, symmetric(7), {}, {}});
    cases.push_back({"wider than the text", 90, symmetric(400), {}, {}});
    Symmetric both{"two-role tokens", 517, symmetric(64), {0, 200, 201, 516}, {0, 200, 201, 516}};
    both.policy.always.pinned = {{0, 0, Role::Both}, {200, 201, Role::Both}, {516, 516, Role::Both}};
    cases.push_back(both);
    Symmetric keys{"keys only", 200, symmetric(8), {3, 150}, {}};
    keys.policy.always.pinned = {{3, 3, Role::Keys}, {150, 150, Role::Keys}};
    cases.push_back(keys);
    Symmetric queries{"queries only", 200, symmetric(8), {}, {10, 199}};
    queries.policy.always.pinned = {{10, 10, Role::Queries}, {199, 199, Role::Queries}};
    cases.push_back(queries);
    Symmetric many{"whole blocks of globals behind", 260, symmetric(20), {}, {}};
    many.policy.always.pinned = {{128, 220, Role::Both}};
    many.policy.always.sinks = 2;
    many.keys = {0, 1};
    for (std::size_t i = 128; i <= 220; ++i) {
        many.keys.push_back(i);
        many.queries.push_back(i);
    }
    cases.push_back(many);
    cases.push_back({"one token", 1, symmetric(32), {}, {}});
    return cases;
}

struct Way {
    const char* name;
    AttentionOptions options;
    double error;
};

std::vector<Way> ways() {
    std::vector<Way> all;
    for (const Isa isa : availableIsas())
        all.push_back({isaName(isa).data(), {isa, -1, Precision::F32, false}, 5e-6});
    all.push_back({"bf16 in plain code", {Isa::Portable, -1, Precision::BF16, true}, 1e-2});
    if (bf16AttentionAvailable(availableIsas().back()))
        all.push_back({"bf16", {availableIsas().back(), -1, Precision::BF16, false}, 1e-2});
    return all;
}

double largest(const Matrix& m) {
    double top = 0;
    for (std::size_t r = 0; r < m.rows(); ++r)
        for (std::size_t c = 0; c < m.cols(); ++c)
            top = std::max(top, static_cast<double>(std::abs(m.view()(r, c))));
    return top;
}

double difference(const Matrix& a, const Matrix& b) {
    double top = 0;
    for (std::size_t r = 0; r < a.rows(); ++r)
        for (std::size_t c = 0; c < a.cols(); ++c) {
            const double d =
                std::abs(static_cast<double>(a.view()(r, c)) - static_cast<double>(b.view()(r, c)));
            top = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(top, d);
        }
    return top;
}

/// Kernel against oracle on one plan.
void compare(const AttentionPlan& plan, const Case& c, const char* name) {
    LayerOutput slow(c, -7.0F);
    attendOracle(plan, c.input(), slow.output());
    for (const Way& way : ways()) {
        LayerOutput fast(c, -7.0F);
        const Result<> done = attend(plan, c.input(), fast.output(), way.options, WorkContext{});
        QVERIFY2(done.has_value(), done ? "" : done.error().message.c_str());
        QVERIFY2(difference(fast.o, slow.o) <= way.error * largest(slow.o),
                 qPrintable(QString("%1, %2: %3").arg(name, way.name).arg(difference(fast.o, slow.o))));
        for (std::size_t i = 0; i < slow.lse.size(); ++i)
            QVERIFY2(std::abs(fast.lse[i] - slow.lse[i]) <= (way.error < 1e-4 ? 2e-5F : 2e-2F), name);
    }
}

} // namespace

class tst_Bidirectional : public QObject {
    Q_OBJECT
private slots:
    void symmetric_readsItsKeys();
    void parity_readsItsBlocks();
    void draws_areTheReferencesCandidates();
    void givenDraws_areTaken();
    void fullLayersAndShortTexts_readEverything();
    void kernel_equalsOracle();
    void causalModels_refuse();
    void whatHasNoSecondSide_isRefused_data();
    void whatHasNoSecondSide_isRefused();
};

void tst_Bidirectional::symmetric_readsItsKeys() {
    for (const Symmetric& one : symmetricCases()) {
        const AttentionPlan plan = planOf(one.policy, one.tokens);
        const HeadPlan& head = *plan.heads[0];
        QVERIFY2(inOrder(head), one.name);
        std::array<std::uint64_t, 4> counted{};
        const auto in = [](const std::vector<std::size_t>& list, std::size_t x) {
            return std::find(list.begin(), list.end(), x) != list.end();
        };
        for (std::size_t i = 0; i < one.tokens; ++i) {
            std::vector<KeptKey> expected;
            const std::size_t half = static_cast<std::size_t>(one.policy.local.window) / 2;
            for (std::size_t j = 0; j < one.tokens; ++j) {
                const bool local = (i > j ? i - j : j - i) <= half;
                if (local || in(one.keys, j) || in(one.queries, i))
                    expected.push_back(
                        {static_cast<std::uint32_t>(j), local ? Reason::Local : Reason::Always});
            }
            if (!(plan.keptKeys(0, i) == expected))
                QFAIL(qPrintable(QString("%1, query %2").arg(one.name).arg(i)));
            for (const KeptKey& kept : expected)
                ++counted[static_cast<std::size_t>(kept.reason)];
        }
        QVERIFY2(counted == head.pairsByReason, one.name);
        QCOMPARE(head.pairs, counted[0] + counted[1]);
        QVERIFY(head.pairsComputed >= head.pairs);
    }
}

void tst_Bidirectional::parity_readsItsBlocks() {
    struct One {
        std::size_t tokens, block, random;
    };
    for (const One& one : {One{64 * 12, 64, 3}, One{64 * 12 + 5, 64, 3}, One{84 * 9 - 1, 84, 1},
                           One{16 * 8, 16, 1}, One{5 * 9 + 2, 5, 1}, One{100 * 6, 100, 0}}) {
        const AttentionPlan plan =
            planOf(parity(static_cast<std::int64_t>(one.block), static_cast<std::int64_t>(one.random)),
                   one.tokens, 2);
        const std::size_t blocks = (one.tokens + one.block - 1) / one.block;
        const std::size_t last = blocks - 1;
        QCOMPARE(*plan.heads[0] == *plan.heads[1], one.random == 0); // heads draw their own
        for (int h = 0; h < 2; ++h) {
            const HeadPlan& head = *plan.heads[static_cast<std::size_t>(h)];
            const BlockDraws draws = drawBlocks(blocks, one.random, 1, 0, h);
            QVERIFY(inOrder(head));
            std::array<std::uint64_t, 4> counted{};
            for (std::size_t i = 0; i < one.tokens; ++i) {
                const std::size_t q = i / one.block;
                std::map<std::uint32_t, std::uint32_t> expected;
                std::vector<KeptKey> kept;
                for (std::size_t j = 0; j < one.tokens; ++j) {
                    const std::size_t k = j / one.block;
                    const bool local = k + 1 >= q && k <= q + 1;
                    const bool always = q == 0 || q == last || k == 0 || k == last;
                    const auto drawn =
                        std::count(draws[q].begin(), draws[q].end(), static_cast<std::uint32_t>(k));
                    const auto times =
                        static_cast<std::uint32_t>(local || always) + static_cast<std::uint32_t>(drawn);
                    if (times == 0)
                        continue;
                    const Reason reason = local ? Reason::Local : always ? Reason::Always : Reason::Routed;
                    expected[static_cast<std::uint32_t>(j)] = times;
                    kept.push_back({static_cast<std::uint32_t>(j), reason, times});
                    ++counted[static_cast<std::size_t>(reason)];
                }
                if (!(timesOf(head, i) == expected))
                    QFAIL(qPrintable(QString("block %1 query %2").arg(one.block).arg(i)));
                QVERIFY(plan.keptKeys(h, i) == kept);
            }
            QVERIFY(counted == head.pairsByReason);
            QCOMPARE(head.pairs, counted[0] + counted[1] + counted[2]);
        }
    }
}

void tst_Bidirectional::draws_areTheReferencesCandidates() {
    constexpr std::size_t kBlocks = 12;
    std::array<std::array<int, kBlocks>, kBlocks> seen{};
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const BlockDraws draws = drawBlocks(kBlocks, 3, seed, 2, 1);
        QVERIFY(draws.front().empty() && draws.back().empty());
        for (std::size_t q = 1; q + 1 < kBlocks; ++q) {
            QCOMPARE(draws[q].size(), std::size_t{3});
            QVERIFY(draws[q][0] != draws[q][1] && draws[q][0] != draws[q][2] && draws[q][1] != draws[q][2]);
            for (const std::uint32_t k : draws[q])
                ++seen[q][k];
        }
        QVERIFY(draws == drawBlocks(kBlocks, 3, seed, 2, 1));
    }
    QVERIFY(drawBlocks(kBlocks, 3, 1, 2, 1) != drawBlocks(kBlocks, 3, 1, 2, 2));
    QVERIFY(drawBlocks(kBlocks, 3, 1, 2, 1) != drawBlocks(kBlocks, 3, 1, 3, 1));
    // As _bigbird_block_rand_mask slices: the window is left out, but not for query blocks n-3 and n-2.
    for (std::size_t q = 1; q + 1 < kBlocks; ++q)
        for (std::size_t k = 0; k < kBlocks; ++k) {
            const bool middle = k >= 1 && k <= kBlocks - 2;
            const bool window = k + 1 >= q && k <= q + 1;
            QCOMPARE(seen[q][k] > 0, middle && (q >= kBlocks - 3 || !window));
        }
}

void tst_Bidirectional::givenDraws_areTaken() {
    const std::size_t tokens = 16 * 8;
    BlockDraws draws(8);
    for (std::size_t q = 1; q < 7; ++q)
        draws[q] = {static_cast<std::uint32_t>(q),
                    0}; // its own block and the first one: both stand there twice
    const std::vector<BlockDraws> ofHeads(2, draws);
    const AttentionPlan plan = planOf(parity(16, 1), tokens, 2, ofHeads);
    const auto times = timesOf(*plan.heads[1], 50); // of query block 3
    QCOMPARE(times.at(0), 2U);
    QCOMPARE(times.at(48), 2U);
    QCOMPARE(times.at(32), 1U);
    QVERIFY(times.find(16) == times.end());
    const auto refused = [&](const std::vector<BlockDraws>& wrong) {
        const Result<AttentionPlan> made = makeBidirectionalPlan(
            std::make_shared<const AttentionPolicy>(parity(16, 1)), shapeOf(2), 0, factsOf(tokens), wrong);
        return !made && made.error().code == ErrorCode::BadValue;
    };
    QVERIFY(refused({draws}));
    BlockDraws wrong = draws;
    wrong[3] = {8};
    QVERIFY(refused({draws, wrong}));
    wrong = draws;
    wrong[0] = {2};
    QVERIFY(refused({wrong, draws}));
    wrong = draws;
    wrong.pop_back();
    QVERIFY(refused({draws, wrong}));
}

void tst_Bidirectional::fullLayersAndShortTexts_readEverything() {
    AttentionPolicy mixed = symmetric(8);
    mixed.mix.fullLayers = {0};
    struct One {
        AttentionPolicy policy;
        std::size_t tokens;
        bool everything;
    };
    for (const One& one :
         {One{mixed, 130, true}, One{symmetric(8), 130, false}, One{symmetric(kAll), 130, true},
          One{parity(16, 1), 112, true}, One{parity(16, 1), 113, false}}) {
        const AttentionPlan plan = planOf(one.policy, one.tokens);
        QVERIFY(inOrder(*plan.heads[0]));
        QCOMPARE(plan.pairs() == std::uint64_t{one.tokens} * one.tokens, one.everything);
        if (one.everything)
            for (const KeptKey& kept : plan.keptKeys(0, 64))
                QVERIFY(kept.reason == Reason::Local);
    }
}

void tst_Bidirectional::kernel_equalsOracle() {
    for (const int dim : {64, 20}) {
        for (const Symmetric& one : symmetricCases()) {
            const Case c(one.tokens, dim, 4, 2);
            compare(planOf(one.policy, one.tokens, 4), c, one.name);
        }
        for (const std::int64_t block : {64, 84, 16})
            for (const std::size_t more : {std::size_t{0}, std::size_t{5}}) {
                const std::size_t tokens = static_cast<std::size_t>(block) * 8 + more;
                const Case c(tokens, dim, 4, 2);
                compare(planOf(parity(block, 1), tokens, 4), c, "parity");
            }
    }
}

void tst_Bidirectional::causalModels_refuse() {
    for (const auto& [name, words] : std::map<std::string, std::vector<const char*>>{
             {"longformer-sym",
              {"reads later keys", "this model is causal", "bidirectional (encoder)", "\"longformer\""}},
             {"bigbird-parity", {"reads later blocks", "this model is causal", "\"bigbird-itc\""}},
             {"linformer",
              {"E and F of k x n", "one fixed n", "later keys and values into earlier", "\"summaries\""}}}) {
        const Result<AttentionPolicy> policy = presetPolicy(name);
        QVERIFY(policy.has_value() && validated(*policy).has_value());
        QVERIFY(policy->bidirectional() && looksAhead(*policy));
        const Result<> runs = requireCausal(*policy);
        QVERIFY(!runs.has_value());
        QCOMPARE(runs.error().code, ErrorCode::Unsupported);
        const QString sentence = QString::fromStdString(runs.error().message);
        QVERIFY2(sentence.startsWith(QString::fromStdString(name) + " "), qPrintable(sentence));
        QVERIFY(!sentence.contains('\n') && !sentence.contains(". "));
        for (const char* word : words)
            QVERIFY2(sentence.contains(word), qPrintable(sentence));
        // And no causal plan is made of it, whoever asks.
        const Result<AttentionPlan> plan = makePlan(std::make_shared<const AttentionPolicy>(*policy),
                                                    shapeOf(1), 0, factsOf(40), nullptr, {0, 40});
        QVERIFY(!plan && plan.error().code == ErrorCode::Unsupported);
    }
    AttentionPolicy hidden = *presetPolicy("window");
    hidden.headPolicies.push_back({"wide", symmetric(64)});
    QVERIFY(requireCausal(hidden).error().message.rfind("this policy reads later keys", 0) == 0);
    for (const PolicyPreset& preset : policyPresets())
        QCOMPARE(requireCausal(preset.policy).has_value(), !preset.policy.bidirectional());
    // The other way round.
    for (const char* name : {"window", "linformer"}) {
        const Result<AttentionPlan> plan = makeBidirectionalPlan(
            std::make_shared<const AttentionPolicy>(*presetPolicy(name)), shapeOf(1), 0, factsOf(40));
        QVERIFY(!plan && plan.error().code == ErrorCode::Unsupported);
    }
    AttentionPolicy outside = symmetric(8);
    outside.always.pinned = {{40, 40, Role::Both}};
    const Result<AttentionPlan> plan =
        makeBidirectionalPlan(std::make_shared<const AttentionPolicy>(outside), shapeOf(1), 0, factsOf(40));
    QVERIFY(!plan && plan.error().code == ErrorCode::BadValue);
}

void tst_Bidirectional::whatHasNoSecondSide_isRefused_data() {
    QTest::addColumn<AttentionPolicy>("policy");
    QTest::addColumn<QString>("field");
    const auto row = [](const char* field, AttentionPolicy policy, auto change) {
        change(policy);
        QTest::addRow("%s %d", field, static_cast<int>(policy.mix.parity)) << policy << QString(field);
    };
    row("local.dilation", symmetric(9), [](AttentionPolicy& p) { p.local.dilation = 2; });
    row("local.chunk", symmetric(9), [](AttentionPolicy& p) { p.local.chunk = 8; });
    row("far.far", symmetric(9), [](AttentionPolicy& p) { p.far.far = Far::Summaries; });
    row("routed.signal", symmetric(9), [](AttentionPolicy& p) { p.routed.signal = "group_dot"; });
    row("routed.phase", symmetric(9), [](AttentionPolicy& p) { p.routed.phase = Phase::Decode; });
    row("routed.random_blocks", symmetric(9), [](AttentionPolicy& p) { p.routed.randomBlocks = 2; });
    row("always.special_cap", symmetric(9), [](AttentionPolicy& p) {
        p.always.special = true;
        p.always.specialCap = 3;
    });
    row("always.punctuation_cap", symmetric(9), [](AttentionPolicy& p) {
        p.always.punctuation = true;
        p.always.punctuationCap = 3;
    });
    row("local.sides", parity(16, 1), [](AttentionPolicy& p) { p.local.sides = Sides::Earlier; });
    row("local.window", parity(16, 1), [](AttentionPolicy& p) { p.local.window = 47; });
    row("always.sinks", parity(16, 1), [](AttentionPolicy& p) { p.always.sinks = 4; });
    row("routed.query_block", parity(16, 1), [](AttentionPolicy& p) { p.routed.queryBlock = 1; });
    row("always", parity(16, 1), [](AttentionPolicy& p) { p.always.pinned = {{1, 1, Role::Both}}; });
    AttentionPolicy projection = *presetPolicy("linformer");
    row("combine.combine", projection, [](AttentionPolicy& p) { p.combine.combine = Combine::Gated; });
}

void tst_Bidirectional::whatHasNoSecondSide_isRefused() {
    QFETCH(AttentionPolicy, policy);
    QFETCH(QString, field);
    const Result<AttentionPolicy> checked = validated(policy);
    QVERIFY(!checked.has_value());
    QCOMPARE(checked.error().code, ErrorCode::BadValue);
    QVERIFY2(QString::fromStdString(checked.error().message).startsWith(field + " is "),
             checked.error().message.c_str());
}

QTEST_APPLESS_MAIN(tst_Bidirectional)
#include "tst_Bidirectional.moc"
