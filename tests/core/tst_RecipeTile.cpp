#include "core/measure/RecipeTile.h"
#include "tests/support/TinySnapshot.h"
#include <QTest>

using namespace fovea;

namespace {

struct Fixture {
    std::shared_ptr<Snapshot> snapshot;
    LayerSources sources;

    explicit Fixture(std::size_t tokens = 300, std::function<void(test::TinyOptions&)> edit = {}) {
        test::TinyOptions options;
        options.tokens = tokens;
        if (edit)
            edit(options);
        snapshot = test::tinySnapshot(options);
        sources = [this](int layer) -> Result<TileSource> { return *snapshot->tileSource(layer); };
    }
    [[nodiscard]] MapRecipe words(std::vector<HeadAt> heads, HeadCombine combine = HeadCombine::Mean) const {
        MapRecipe recipe;
        recipe.heads = std::move(heads);
        recipe.combine = combine;
        recipe.unit = TextUnit::Word;
        recipe.groups = std::make_shared<const TokenGroups>(groupTokens(*snapshot->tokens, TextUnit::Word));
        return recipe;
    }
    [[nodiscard]] MapTile tile(const MapRecipe& recipe, MapQuantity quantity, Pooling pooling, int level,
                               std::uint32_t row = 0, std::uint32_t column = 0) const {
        return makeRecipeTile({0, 0, quantity, pooling, level, row, column}, recipe, sources, 1, {}).value();
    }
};

float at(const MapTile& tile, std::size_t row, std::size_t column) {
    return tile.value[row * kTile + column];
}

} // namespace

class tst_RecipeTile : public QObject {
    Q_OBJECT
private slots:
    /// One head by tokens is the plain map.
    void aPlainRecipe_isTheMap() {
        const Fixture f;
        MapRecipe recipe;
        recipe.heads = {{1, 1}};
        QVERIFY(recipe.plain());
        for (const MapQuantity quantity :
             {MapQuantity::Full, MapQuantity::Hybrid, MapQuantity::Difference, MapQuantity::Kept})
            for (const Pooling pooling : {Pooling::Max, Pooling::Mass})
                for (const int level : {0, 1}) {
                    const TileKey key{1, 1, quantity, pooling, level, 0, 0};
                    const MapTile plain = makeTile(key, *f.snapshot->tileSource(1), 1);
                    const MapTile made = f.tile(recipe, quantity, pooling, level);
                    for (std::size_t i = 0; i < kTile * kTile; ++i) {
                        QVERIFY(std::abs(plain.value[i] - made.value[i]) < 2e-6F);
                        QCOMPARE(made.state[i], plain.state[i]);
                    }
                }
    }

    /// Every cell of a word map of several heads, against rows of attention.
    void words_ofSeveralHeads_data() {
        QTest::addColumn<bool>("mean");
        QTest::addColumn<bool>("hybrid");
        QTest::newRow("mean, full") << true << false;
        QTest::newRow("mean, hybrid") << true << true;
        QTest::newRow("max, full") << false << false;
        QTest::newRow("max, hybrid") << false << true;
    }
    void words_ofSeveralHeads() {
        QFETCH(bool, mean);
        QFETCH(bool, hybrid);
        const Fixture f;
        const MapRecipe recipe =
            f.words({{1, 0}, {1, 1}, {1, 3}}, mean ? HeadCombine::Mean : HeadCombine::Max);
        const MapQuantity quantity = hybrid ? MapQuantity::Hybrid : MapQuantity::Full;
        const std::size_t cells = recipe.cells(300);
        QVERIFY(cells > 200 && cells < 300);
        const MapTile tile = f.tile(recipe, quantity, Pooling::Max, 0);
        for (std::size_t row = 0; row < std::min(cells, kTile); row += 7) {
            const RecipeRow expected = makeRecipeRow(row, recipe, f.sources).value();
            QVERIFY(expected.covered);
            double sum = 0;
            for (std::size_t column = 0; column <= row; ++column) {
                const double value = hybrid ? expected.hybrid[column] : expected.full[column];
                QVERIFY2(std::abs(value - static_cast<double>(at(tile, row, column))) < 2e-6,
                         qPrintable(QStringLiteral("%1 %2").arg(row).arg(column)));
                sum += value;
            }
            if (mean)
                QVERIFY(std::abs(sum - 1) < 1e-4); // a row still sums to 1
            for (std::size_t column = row + 1; column < kTile; ++column)
                QCOMPARE(tile.state[row * kTile + column], CellState::Impossible);
        }
    }

    /// Coarse cells hold the largest, or the mass, of the cells under them.
    void coarserCells_poolCells() {
        const Fixture f;
        const MapRecipe recipe = f.words({{1, 0}, {1, 2}});
        const std::size_t cells = recipe.cells(300);
        std::vector<RecipeRow> rows;
        for (std::size_t row = 0; row < cells; ++row)
            rows.push_back(makeRecipeRow(row, recipe, f.sources).value());
        const MapTile most = f.tile(recipe, MapQuantity::Full, Pooling::Max, 2);
        const MapTile mass = f.tile(recipe, MapQuantity::Full, Pooling::Mass, 2);
        for (std::size_t row = 0; row * 4 < cells; ++row)
            for (std::size_t column = 0; column <= row; ++column) {
                double largest = 0, sum = 0;
                const std::size_t last = std::min(cells, row * 4 + 4);
                for (std::size_t r = row * 4; r < last; ++r)
                    for (std::size_t c = column * 4; c < std::min(r + 1, column * 4 + 4); ++c) {
                        largest = std::max(largest, rows[r].full[c]);
                        sum += rows[r].full[c] / static_cast<double>(last - row * 4);
                    }
                QVERIFY(std::abs(static_cast<double>(at(most, row, column)) - largest) < 2e-6);
                QVERIFY(std::abs(static_cast<double>(at(mass, row, column)) - sum) < 2e-6);
            }
    }

    /// A sentence may be longer than a tile of tokens, and its map is one of few cells.
    void aLongSentence_crossesTiles() {
        const Fixture f(600);
        MapRecipe recipe = f.words({{1, 1}});
        TokenGroups groups;
        groups.starts = {0, 30, 410, 600};
        recipe.groups = std::make_shared<const TokenGroups>(groups);
        recipe.unit = TextUnit::Sentence;
        const MapTile tile = f.tile(recipe, MapQuantity::Full, Pooling::Mass, 0);
        const MapTile kept = f.tile(recipe, MapQuantity::Kept, Pooling::Mass, 0);
        for (std::size_t row = 0; row < 3; ++row) {
            const RecipeRow expected = makeRecipeRow(row, recipe, f.sources).value();
            for (std::size_t column = 0; column <= row; ++column)
                QVERIFY(std::abs(expected.full[column] - static_cast<double>(at(tile, row, column))) < 1e-5);
        }
        std::size_t read = 0, pairs = 0;
        for (std::size_t query = 410; query < 600; ++query) {
            const AttentionRow row = makeRow(1, query, *f.snapshot->tileSource(1));
            for (std::size_t key = 30; key < 410; ++key) {
                ++pairs;
                read += row.reason[key] < Reason::Far ? 1 : 0;
            }
        }
        QVERIFY(std::abs(static_cast<double>(at(kept, 2, 1)) -
                         static_cast<double>(read) / static_cast<double>(pairs)) < 1e-6);
    }

    void threads_changeNoBit_andCancelStops() {
        const Fixture f;
        const MapRecipe recipe = f.words({{0, 0}, {1, 1}, {2, 3}});
        const TileKey key{0, 0, MapQuantity::Full, Pooling::Mass, 0, 0, 0};
        const MapTile one = makeRecipeTile(key, recipe, f.sources, 1, {}).value();
        const MapTile two = makeRecipeTile(key, recipe, f.sources, 2, {}).value();
        QVERIFY(one.value == two.value && one.state == two.state && one.keptShare == two.keptShare);
        WorkContext work;
        work.cancel.cancel();
        QCOMPARE(makeRecipeTile(key, recipe, f.sources, 1, work).error().code, ErrorCode::Cancelled);
        const LayerSources none = [](int) -> Result<TileSource> {
            return fail(ErrorCode::BadValue, "not there");
        };
        QCOMPARE(makeRecipeTile(key, recipe, none, 1, {}).error().message, std::string("not there"));
    }

    void itsText_isForTitlesAndFiles() {
        MapRecipe recipe;
        recipe.heads = {{12, 5}};
        QCOMPARE(recipe.text(), std::string("L12 H5"));
        recipe.heads = {{12, 0}, {12, 1}, {12, 2}};
        QCOMPARE(recipe.text(), std::string("mean of L12 H0 to H2"));
        recipe.combine = HeadCombine::Max;
        recipe.heads = {{3, 1}, {12, 5}};
        recipe.groups = std::make_shared<const TokenGroups>();
        recipe.unit = TextUnit::Word;
        QCOMPARE(recipe.text(), std::string("maximum of L3 H1, L12 H5, by word"));
    }
};

QTEST_GUILESS_MAIN(tst_RecipeTile)
#include "tst_RecipeTile.moc"
