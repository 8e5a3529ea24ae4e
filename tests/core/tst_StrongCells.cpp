#include "core/measure/StrongCells.h"
#include "tests/support/TinySnapshot.h"
#include <QTest>
#include <algorithm>
#include <cmath>

using namespace fovea;

namespace {

constexpr std::size_t kTokens = 50;

struct Fixture {
    std::shared_ptr<Snapshot> snapshot = [] {
        test::TinyOptions options;
        options.tokens = kTokens;
        return test::tinySnapshot(options);
    }();
    LayerSources sources = [this](int layer) -> Result<TileSource> { return *snapshot->tileSource(layer); };
    StrongCellsWish wish;
    Fixture() {
        wish.recipe.heads = {{1, 2}};
        wish.queries = wish.keys = {0, kTokens};
        wish.most = 10;
    }
    [[nodiscard]] StrongCells get() const { return strongCells(wish, sources, {}).value(); }
};

} // namespace

class tst_StrongCells : public QObject {
    Q_OBJECT
private slots:
    /// The same as sorting every pair of the rectangle, whatever counts as strong.
    void areTheFirstOfAll() {
        Fixture f;
        f.wish.queries = {10, 40};
        f.wish.keys = {3, 30};
        for (const MapQuantity by : {MapQuantity::Full, MapQuantity::Hybrid, MapQuantity::Difference}) {
            f.wish.by = by;
            struct Plain {
                double weight;
                std::size_t query, key;
            };
            std::vector<Plain> all;
            double sum = 0;
            for (std::size_t query = 10; query < 40; ++query) {
                const AttentionRow row = makeRow(2, query, *f.snapshot->tileSource(1));
                for (std::size_t key = 3; key < std::min<std::size_t>(30, query + 1); ++key) {
                    const auto full = static_cast<double>(row.full[key]),
                               hybrid = static_cast<double>(row.hybrid[key]);
                    const double weight = by == MapQuantity::Full     ? full
                                          : by == MapQuantity::Hybrid ? hybrid
                                                                      : std::abs(hybrid - full);
                    all.push_back({weight, query, key});
                    sum += weight;
                }
            }
            std::stable_sort(all.begin(), all.end(),
                             [](const Plain& a, const Plain& b) { return a.weight > b.weight; });
            const StrongCells strong = f.get();
            QCOMPARE(strong.of, static_cast<std::uint64_t>(all.size()));
            QCOMPARE(strong.cells.size(), f.wish.most);
            double held = 0;
            for (std::size_t i = 0; i < f.wish.most; ++i) {
                QCOMPARE(strong.cells[i].query, all[i].query);
                QCOMPARE(strong.cells[i].key, all[i].key);
                QVERIFY(strong.cells[i].hybrid);
                QVERIFY(!strong.cells[i].against);
                held += all[i].weight;
            }
            QVERIFY(std::abs(strong.share - held / sum) < 1e-9);
        }
    }

    void leftOut_isNotThere() {
        Fixture f;
        const StrongCell first = f.get().cells.front();
        std::vector<std::uint8_t> keys(kTokens), queries(kTokens);
        keys[first.key] = 1;
        queries[30] = 1;
        f.wish.hiddenKeys = keys;
        f.wish.hiddenQueries = queries;
        f.wish.most = kTokens * kTokens;
        const StrongCells strong = f.get();
        QCOMPARE(strong.cells.size(), static_cast<std::size_t>(strong.of));
        QCOMPARE(strong.share, 1.0);
        for (const StrongCell& cell : strong.cells)
            QVERIFY(cell.key != first.key && cell.query != 30);
    }

    /// Of a layer that no policy was run on only full attention is known.
    void anUnknownArm_isEmpty() {
        Fixture f;
        f.wish.recipe.heads = {{2, 0}};
        f.wish.by = MapQuantity::Hybrid;
        f.wish.policies = true;
        const StrongCells strong = f.get();
        QCOMPARE(strong.cells.size(), f.wish.most);
        for (const StrongCell& cell : strong.cells)
            QVERIFY(cell.full > 0 && !cell.hybrid && !cell.against);
        f.wish.most = 0;
        QVERIFY(f.get().cells.empty());
    }

    void words_areCells() {
        Fixture f;
        f.wish.recipe.unit = TextUnit::Sentence;
        f.wish.recipe.groups =
            std::make_shared<const TokenGroups>(groupTokens(*f.snapshot->tokens, TextUnit::Sentence));
        const std::size_t cells = f.wish.recipe.groups->size();
        f.wish.queries = f.wish.keys = {0, cells};
        f.wish.most = 1000;
        const StrongCells strong = f.get();
        QCOMPARE(strong.of, static_cast<std::uint64_t>(cells * (cells + 1) / 2));
        std::vector<double> rows(cells);
        for (const StrongCell& cell : strong.cells)
            rows[cell.query] += cell.full;
        for (const double row : rows)
            QVERIFY(std::abs(row - 1) < 1e-5);
    }
};

QTEST_GUILESS_MAIN(tst_StrongCells)
#include "tst_StrongCells.moc"
