#include "core/kernels/Summaries.h"
#include "core/plan/RowRuns.h"
#include "tests/support/AttentionCase.h"
#include <QTest>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Pattern {
    const char* name;
    Reads reads;
};

std::vector<Pattern> patterns() {
    return {{"window", windowAndSinks(20, 0)},
            {"window and sinks", windowAndSinks(33, 4)},
            {"routed", routed(24, 3, 9)},
            {"nearly nothing", windowAndSinks(1, 0)},
            {"all", causal()}};
}

BlockSums sumsOf(const Case& c, std::size_t m) {
    BlockSums sums(m, c.k.cols());
    sums.extend(c.k.view(), c.v.view());
    return sums;
}

/// Largest |a - b| over the branch's outputs, and over log-sum-exps where one is finite.
double distance(const Branch& a, const Branch& b) {
    double most = 0;
    for (std::size_t r = 0; r < a.o.rows(); ++r)
        for (std::size_t c = 0; c < a.o.cols(); ++c)
            most = std::max(most, std::abs(static_cast<double>(a.o.view()(r, c)) -
                                           static_cast<double>(b.o.view()(r, c))));
    for (std::size_t n = 0; n < a.lse.size(); ++n) {
        if (std::isinf(a.lse[n]) != std::isinf(b.lse[n]))
            return 1e30;
        if (!std::isinf(a.lse[n]))
            most = std::max(most, std::abs(static_cast<double>(a.lse[n]) - static_cast<double>(b.lse[n])));
    }
    return most;
}

} // namespace

class tst_Summaries : public QObject {
    Q_OBJECT
private slots:
    void matchesItsOracle_data();
    void matchesItsOracle();
    void longText_hasMorePooledKeysThanOnePart();
    void oneRowEqualsTheWholeText();
    void anEntryNeverClaimsMoreThanItsTokensHold();
    void union_isOneSoftmaxOverKeysAndMeans();
    void headsMayDiffer();
    void sameBitsAtAnyThreadCount();
    void sums_growRowByRow();
    void futureTokensMoveNothing();
    void runs_areWhatThePlanReads();
};

void tst_Summaries::matchesItsOracle_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("dim");
    QTest::addColumn<int>("m");
    QTest::addColumn<int>("top");
    for (const int tokens : {1, 2, 17, 64, 65, 200, 333})
        for (const int m : {2, 4, 16, 50, 128})
            QTest::addRow("T=%d D=64 m=%d", tokens, m) << tokens << 64 << m << 0;
    for (const int dim : {32, 80, 128, 256})
        QTest::addRow("T=150 D=%d m=16", dim) << 150 << dim << 16 << 0;
    for (const int top : {1, 3, 7, 1000})
        QTest::addRow("T=200 D=64 m=4 top=%d", top) << 200 << 64 << 4 << top;
}

void tst_Summaries::matchesItsOracle() {
    QFETCH(int, tokens);
    QFETCH(int, dim);
    QFETCH(int, m);
    QFETCH(int, top);
    const auto t = static_cast<std::size_t>(tokens);
    const Case c(t, dim, 4, 2);
    for (const Isa isa : availableIsas())
        for (const Pattern& pattern : patterns())
            for (const bool logCount : {true, false}) {
                const AttentionPlan plan = layerPlan(headPlan(t, {0, t}, pattern.reads), 4);
                const SummaryOptions options{static_cast<std::size_t>(m), logCount,
                                             static_cast<std::size_t>(top)};
                const std::vector<std::uint8_t> wanted(4, 1);
                Branch fast(0, t, 4, static_cast<std::size_t>(dim)),
                    slow = Branch(0, t, 4, static_cast<std::size_t>(dim));
                const Result<std::uint64_t> entries =
                    attendSummaries(plan, c.input(), sumsOf(c, options.m), options, wanted, isa, fast, {});
                QVERIFY(entries);
                attendSummariesOracle(plan, c.input(), options, wanted, slow);
                const double off = distance(fast, slow);
                QVERIFY2(
                    off < 2e-5,
                    qPrintable(QString("%1 %2: %3").arg(pattern.name).arg(static_cast<int>(isa)).arg(off)));
                std::uint64_t counted = 0;
                for (int h = 0; h < 4; ++h)
                    for (std::size_t i = 0; i < t; ++i)
                        counted +=
                            summaryEntries(*plan.heads[static_cast<std::size_t>(h)], c.input(), h, i, options)
                                .size();
                QCOMPARE(*entries, counted);
            }
}

/// More than 1,024 summaries before a query block: pooled keys are an ordinary plan of many rows.
void tst_Summaries::longText_hasMorePooledKeysThanOnePart() {
    const std::size_t t = 2600;
    const Case c(t, 32, 2, 1);
    const AttentionPlan plan = layerPlan(headPlan(t, {0, t}, windowAndSinks(20, 0)), 2);
    const SummaryOptions options{2, true, 0};
    const std::vector<std::uint8_t> wanted(2, 1);
    Branch fast(0, t, 2, 32), slow(0, t, 2, 32);
    QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 2), options, wanted, defaultIsa(), fast, {}));
    attendSummariesOracle(plan, c.input(), options, wanted, slow);
    QVERIFY(distance(fast, slow) < 2e-5);
}

void tst_Summaries::oneRowEqualsTheWholeText() {
    // Rows [i, i+1), as cached decoding asks for them.
    const std::size_t t = 150;
    const Case c(t, 64, 4, 2);
    const SummaryOptions options;
    const std::vector<std::uint8_t> wanted(4, 1);
    for (const Pattern& pattern : patterns()) {
        Branch whole(0, t, 4, 64);
        QVERIFY(attendSummaries(layerPlan(headPlan(t, {0, t}, pattern.reads), 4), c.input(), sumsOf(c, 16),
                                options, wanted, defaultIsa(), whole, {}));
        BlockSums sums(16, c.k.cols());
        for (std::size_t i = 0; i < t; ++i) {
            AttentionInput in = c.input();
            in.k.rows = in.v.rows = i + 1;
            sums.extend(in.k, in.v);
            Branch row(i, 1, 4, 64);
            QVERIFY(attendSummaries(layerPlan(headPlan(i + 1, {i, i + 1}, pattern.reads), 4), in, sums,
                                    options, wanted, defaultIsa(), row, {}));
            for (std::size_t col = 0; col < whole.o.cols(); ++col)
                QVERIFY(std::abs(row.o.view()(0, col) - whole.o.view()(i, col)) < 1e-5F);
            for (std::size_t h = 0; h < 4; ++h)
                QVERIFY(row.lse[h] == whole.lse[i * 4 + h] ||
                        std::abs(row.lse[h] - whole.lse[i * 4 + h]) < 1e-5F);
        }
    }
}

void tst_Summaries::anEntryNeverClaimsMoreThanItsTokensHold() {
    // Mean of the logits + ln c <= log-sum-exp of the logits, by Jensen; equal when they are equal.
    const Case c(200, 64, 4, 2, 3.0);
    const auto plan = headPlan(200, {0, 200}, routed(24, 3, 9));
    for (int head = 0; head < 4; ++head)
        for (std::size_t i = 0; i < 200; ++i)
            for (const SummaryEntry& entry : summaryEntries(*plan, c.input(), head, i, {})) {
                double sum = 0;
                for (const std::uint32_t j : entry.members) {
                    double dot = 0;
                    for (std::size_t d = 0; d < 64; ++d)
                        dot +=
                            static_cast<double>(c.q.view()(i, static_cast<std::size_t>(head) * 64 + d)) *
                            static_cast<double>(c.k.view()(j, static_cast<std::size_t>(head / 2) * 64 + d));
                    sum += std::exp(dot * static_cast<double>(c.input().scale));
                }
                QVERIFY(entry.logit <= std::log(sum) + 1e-9);
                QCOMPARE(entry.count, static_cast<std::uint32_t>(entry.members.size()));
            }
}

void tst_Summaries::union_isOneSoftmaxOverKeysAndMeans() {
    const std::size_t t = 130;
    const Case c(t, 32, 2, 1);
    const AttentionPlan plan = layerPlan(headPlan(t, {0, t}, routed(16, 2, 7)), 2);
    LayerOutput out(c);
    QVERIFY(attend(plan, c.input(), out.output(), {}, {}));
    Branch branch(0, t, 2, 32);
    const std::vector<std::uint8_t> wanted(2, 1);
    QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 16), {}, wanted, defaultIsa(), branch, {}));
    for (std::size_t i = 0; i < t; ++i)
        for (std::size_t h = 0; h < 2; ++h) {
            // All in one go, in double.
            std::vector<double> o(32);
            double sum = 0, seen = 0;
            const auto add = [&](double logit, const std::vector<std::uint32_t>& members) {
                sum += std::exp(logit);
                seen += static_cast<double>(members.size());
                for (const std::uint32_t j : members)
                    for (std::size_t d = 0; d < 32; ++d)
                        o[d] += std::exp(logit) / static_cast<double>(members.size()) *
                                static_cast<double>(c.v.view()(j, d));
            };
            for (const std::uint32_t j : plan.heads[h]->keysOf(i)) {
                double dot = 0;
                for (std::size_t d = 0; d < 32; ++d)
                    dot += static_cast<double>(c.q.view()(i, h * 32 + d)) *
                           static_cast<double>(c.k.view()(j, d));
                add(dot * static_cast<double>(c.input().scale), {j});
            }
            for (const SummaryEntry& e :
                 summaryEntries(*plan.heads[h], c.input(), static_cast<int>(h), i, {}))
                add(e.logit, e.members);
            QCOMPARE(seen, static_cast<double>(i + 1)); // every key once
            mergeRow(out.o.view().row(i) + h * 32, out.lse[i * 2 + h], branch.o.view().row(i) + h * 32,
                     branch.lse[i * 2 + h], 32);
            QVERIFY(std::abs(static_cast<double>(out.lse[i * 2 + h]) - std::log(sum)) < 1e-5);
            for (std::size_t d = 0; d < 32; ++d)
                QVERIFY(std::abs(static_cast<double>(out.o.view()(i, h * 32 + d)) - o[d] / sum) < 1e-5);
        }
}

void tst_Summaries::headsMayDiffer() {
    const std::size_t t = 100;
    const Case c(t, 32, 4, 2);
    AttentionPlan plan = layerPlan(headPlan(t, {0, t}, windowAndSinks(20, 0)), 4);
    plan.heads[1] = headPlan(t, {0, t}, routed(10, 1, 5));
    const std::vector<std::uint8_t> wanted{1, 1, 0, 1};
    Branch fast(0, t, 4, 32), slow(0, t, 4, 32);
    QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 16), {}, wanted, defaultIsa(), fast, {}));
    attendSummariesOracle(plan, c.input(), {}, wanted, slow);
    QVERIFY(distance(fast, slow) < 2e-5);
    QVERIFY(std::isinf(fast.lse[50 * 4 + 2])); // not asked for
}

void tst_Summaries::sameBitsAtAnyThreadCount() {
    const std::size_t t = 333;
    const Case c(t, 64, 4, 2);
    const AttentionPlan plan = layerPlan(headPlan(t, {0, t}, routed(24, 3, 9)), 4);
    const std::vector<std::uint8_t> wanted(4, 1);
    for (const std::size_t top : {std::size_t{0}, std::size_t{5}}) {
        std::vector<std::unique_ptr<Branch>> runs;
        for (const int threads : {1, 2, 5}) {
            WorkContext work;
            work.threads = threads;
            runs.push_back(std::make_unique<Branch>(0, t, 4, 64));
            QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 16), {16, true, top}, wanted, defaultIsa(),
                                    *runs.back(), work));
            QVERIFY(runs.back()->lse == runs[0]->lse);
            QVERIFY(std::equal(runs[0]->o.view().data, runs[0]->o.view().data + t * 256,
                               runs.back()->o.view().data));
        }
    }
}

void tst_Summaries::sums_growRowByRow() {
    const Case c(75, 32, 4, 2);
    const BlockSums whole = sumsOf(c, 16);
    BlockSums grown(16, c.k.cols());
    for (std::size_t i = 1; i <= 75; ++i)
        grown.extend(c.k.view().rowRange(0, i), c.v.view().rowRange(0, i));
    QCOMPARE(grown.keyMeans().rows, std::size_t{4});
    for (std::size_t r = 0; r < 75; ++r)
        for (std::size_t col = 0; col < 64; ++col)
            QVERIFY(grown.valueSums()(r, col) == whole.valueSums()(r, col));
    for (std::size_t r = 0; r < 4; ++r)
        for (std::size_t col = 0; col < 64; ++col)
            QVERIFY(grown.keyMeans()(r, col) == whole.keyMeans()(r, col));
}

void tst_Summaries::futureTokensMoveNothing() {
    const std::size_t t = 200;
    Case c(t, 64, 4, 2);
    const AttentionPlan plan = layerPlan(headPlan(t, {0, t}, routed(24, 3, 9)), 4);
    const std::vector<std::uint8_t> wanted(4, 1);
    Branch before(0, t, 4, 64), after(0, t, 4, 64);
    QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 16), {}, wanted, defaultIsa(), before, {}));
    for (std::size_t col = 0; col < c.k.cols(); ++col)
        c.k.view()(120, col) = c.v.view()(120, col) = 50;
    QVERIFY(attendSummaries(plan, c.input(), sumsOf(c, 16), {}, wanted, defaultIsa(), after, {}));
    for (std::size_t i = 0; i < 120; ++i)
        for (std::size_t col = 0; col < 256; ++col)
            QVERIFY(std::abs(before.o.view()(i, col) - after.o.view()(i, col)) < 1e-5F);
    double most = 0;
    for (std::size_t col = 0; col < 256; ++col)
        most = std::max(most,
                        static_cast<double>(std::abs(before.o.view()(160, col) - after.o.view()(160, col))));
    QVERIFY(most > 1e-2);
}

void tst_Summaries::runs_areWhatThePlanReads() {
    for (const Pattern& pattern : patterns()) {
        const auto plan = headPlan(200, {10, 190}, pattern.reads, [](std::size_t i) { return i % 37 == 5; });
        BlockRuns runs;
        std::size_t rows = 0;
        for (const QueryBlock& block : plan->blocks) {
            runs.load(*plan, block);
            for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
                if ((block.activeLanes >> lane & 1U) == 0)
                    continue;
                ++rows;
                std::vector<std::uint32_t> keys, all;
                std::vector<KeyRun> gaps;
                for (const KeyRun& run : runs.read(lane))
                    for (std::uint32_t j = run.lo; j < run.hi; ++j)
                        keys.push_back(j);
                QVERIFY(keys == plan->keysOf(runs.query(lane)));
                runs.unread(lane, gaps);
                for (const KeyRun& run : gaps)
                    for (std::uint32_t j = run.lo; j < run.hi; ++j)
                        keys.push_back(j);
                QCOMPARE(keys.size(), runs.query(lane) + 1);
            }
        }
        QCOMPARE(rows, std::size_t{180});
    }
}

QTEST_APPLESS_MAIN(tst_Summaries)
#include "tst_Summaries.moc"
