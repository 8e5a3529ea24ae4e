#include "core/measure/HiddenMass.h"
#include "tests/support/TinySnapshot.h"
#include <QTest>
#include <cmath>

using namespace fovea;

namespace {

constexpr std::size_t kTokens = 40;

std::shared_ptr<Snapshot> snapshotOf40() {
    test::TinyOptions options;
    options.tokens = kTokens;
    return test::tinySnapshot(options);
}

LayerSources sourcesOf(const Snapshot& snapshot) {
    return [&snapshot](int layer) -> Result<TileSource> { return *snapshot.tileSource(layer); };
}

} // namespace

class tst_HiddenMass : public QObject {
    Q_OBJECT
private slots:
    /// The sum over the hidden keys of each row, and its mean over the queries.
    void ofOneHead_isTheSumOfItsRows() {
        const auto snapshot = snapshotOf40();
        MapRecipe recipe;
        recipe.heads = {{1, 2}};
        std::vector<std::uint8_t> hidden(kTokens);
        for (const std::size_t key : {0, 1, 7, 30})
            hidden[key] = 1;
        const HiddenMass mass = hiddenMass(recipe, hidden, sourcesOf(*snapshot), {}).value();
        QCOMPARE(mass.full.size(), kTokens);
        QCOMPARE(mass.hybrid.size(), kTokens);
        QVERIFY(mass.meanHybrid);
        double full = 0, hybrid = 0;
        for (std::size_t query = 0; query < kTokens; ++query) {
            const AttentionRow row = makeRow(2, query, *snapshot->tileSource(1));
            double ofFull = 0, ofHybrid = 0;
            for (std::size_t key = 0; key <= query; ++key)
                if (hidden[key] != 0) {
                    ofFull += static_cast<double>(row.full[key]);
                    ofHybrid += static_cast<double>(row.hybrid[key]);
                }
            QVERIFY(std::abs(static_cast<double>(mass.full[query]) - ofFull) < 1e-6);
            QVERIFY(std::abs(static_cast<double>(mass.hybrid[query]) - ofHybrid) < 1e-6);
            full += ofFull / kTokens;
            hybrid += ofHybrid / kTokens;
        }
        QVERIFY(std::abs(full - hybrid) > 1e-3);
        QVERIFY(std::abs(mass.meanFull - full) < 1e-6);
        QVERIFY(std::abs(*mass.meanHybrid - hybrid) < 1e-6);
    }

    /// A cell of several tokens counts for the mean with each of its queries.
    void ofWords_weighsEachQuery() {
        const auto snapshot = snapshotOf40();
        MapRecipe recipe;
        recipe.heads = {{1, 0}, {1, 3}};
        recipe.unit = TextUnit::Sentence;
        recipe.groups =
            std::make_shared<const TokenGroups>(groupTokens(*snapshot->tokens, TextUnit::Sentence));
        const std::size_t cells = recipe.groups->size();
        QVERIFY(cells > 1 && cells < kTokens);
        std::vector<std::uint8_t> hidden(cells);
        hidden[0] = 1;
        const HiddenMass mass = hiddenMass(recipe, hidden, sourcesOf(*snapshot), {}).value();
        double mean = 0;
        for (const int head : {0, 3})
            for (std::size_t query = 0; query < kTokens; ++query) {
                const AttentionRow row = makeRow(head, query, *snapshot->tileSource(1));
                for (std::size_t key = 0; key < std::min(recipe.groups->last(0), query + 1); ++key)
                    mean += static_cast<double>(row.full[key]) / (2 * kTokens);
            }
        QVERIFY2(std::abs(mass.meanFull - mean) < 1e-6,
                 qPrintable(QStringLiteral("%1 %2").arg(mass.meanFull).arg(mean)));
    }

    /// Where a policy is not known of a layer, its share is not a number and has no mean.
    void anUnknownHybrid_hasNoShare() {
        const auto snapshot = snapshotOf40();
        MapRecipe recipe;
        recipe.heads = {{2, 0}}; // the plan is of layer 1
        std::vector<std::uint8_t> hidden(kTokens);
        hidden[0] = 1;
        const HiddenMass mass = hiddenMass(recipe, hidden, sourcesOf(*snapshot), {}).value();
        QVERIFY(mass.meanFull > 0);
        QVERIFY(!mass.meanHybrid);
        QVERIFY(std::isnan(mass.hybrid.back()));
    }

    void sinks_takeMassOnShortValues() {
        const auto snapshot = snapshotOf40();
        const TileSource source = *snapshot->tileSource(1);
        const int head = 3; // reads the second key-value head
        const SinkFacts facts = sinkFacts(source, head, 2, {}).value();
        std::vector<double> norms(kTokens);
        for (std::size_t key = 0; key < kTokens; ++key) {
            const float* value = source.input.v.row(key) + source.input.headDim;
            double sum = 0;
            for (int d = 0; d < source.input.headDim; ++d)
                sum += static_cast<double>(value[d]) * static_cast<double>(value[d]);
            norms[key] = std::sqrt(sum);
        }
        SinkFacts expected;
        for (std::size_t key = 0; key < kTokens; ++key)
            (key < 2 ? expected.sinkNorm : expected.otherNorm) += norms[key] / (key < 2 ? 2 : kTokens - 2);
        for (std::size_t query = 0; query < kTokens; ++query) {
            const AttentionRow row = makeRow(head, query, source);
            double mass = 0, weighted = 0, all = 0;
            for (std::size_t key = 0; key <= query; ++key) {
                const auto p = static_cast<double>(row.full[key]);
                all += p * norms[key];
                mass += key < 2 ? p : 0;
                weighted += key < 2 ? p * norms[key] : 0;
            }
            expected.mass += mass / kTokens;
            expected.weightedMass += weighted / all / kTokens;
        }
        QVERIFY(std::abs(facts.mass - expected.mass) < 1e-6);
        QVERIFY(std::abs(facts.weightedMass - expected.weightedMass) < 1e-5);
        QVERIFY(std::abs(facts.sinkNorm - expected.sinkNorm) < 1e-5);
        QVERIFY(std::abs(facts.otherNorm - expected.otherNorm) < 1e-5);
        // More sinks than tokens are all of them.
        const SinkFacts all = sinkFacts(source, head, 10 * kTokens, {}).value();
        QVERIFY(std::abs(all.mass - 1) < 1e-5);
        QCOMPARE(all.otherNorm, 0.0);
    }

    void cancelled_isSaid() {
        const auto snapshot = snapshotOf40();
        WorkContext work;
        work.cancel.cancel();
        MapRecipe recipe;
        recipe.heads = {{1, 0}};
        const std::vector<std::uint8_t> hidden(kTokens);
        const auto mass = hiddenMass(recipe, hidden, sourcesOf(*snapshot), work);
        QVERIFY(!mass && mass.error().code == ErrorCode::Cancelled);
        const auto facts = sinkFacts(*snapshot->tileSource(1), 0, 2, work);
        QVERIFY(!facts && facts.error().code == ErrorCode::Cancelled);
    }
};

QTEST_GUILESS_MAIN(tst_HiddenMass)
#include "tst_HiddenMass.moc"
