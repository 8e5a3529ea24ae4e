#include "core/measure/MapTile.h"
#include "tests/support/RandomLayer.h"
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>

using namespace fovea;

namespace {

using Layer = test::RandomLayer;

/// One cell by the definition, in double.
struct Cell {
    double value = 0;
    double kept = 0;
    CellState state = CellState::Impossible;
};

Cell cellOf(const Layer& layer, const TileKey& key, std::size_t r, std::size_t c) {
    const std::size_t side = std::size_t{1} << key.level;
    const std::size_t query = (key.row * kTile + r) * side;
    const std::size_t keyAt = (key.col * kTile + c) * side;
    Cell cell;
    std::size_t pairs = 0, rows = 0;
    for (std::size_t i = query; i < std::min(query + side, layer.tokens); ++i) {
        ++rows;
        const auto& row = layer.row(key.head, i);
        for (std::size_t j = keyAt; j < std::min(keyAt + side, i + 1); ++j) {
            ++pairs;
            const bool kept = row[j].reason != Reason::Skipped;
            cell.kept += kept ? 1 : 0;
            cell.state = std::min(cell.state, static_cast<CellState>(row[j].reason));
            const double x = key.quantity == MapQuantity::Full     ? row[j].full
                             : key.quantity == MapQuantity::Hybrid ? row[j].hybrid
                                                                   : row[j].hybrid - row[j].full;
            if (key.pooling == Pooling::Mass)
                cell.value += x;
            else if (key.quantity == MapQuantity::Difference)
                cell.value = std::abs(x) > std::abs(cell.value) ? x : cell.value;
            else
                cell.value = std::max(cell.value, x);
        }
    }
    if (pairs == 0)
        return cell;
    cell.kept /= static_cast<double>(pairs);
    if (key.quantity == MapQuantity::Kept)
        cell.value = cell.kept;
    else if (key.pooling == Pooling::Mass)
        cell.value /= static_cast<double>(rows);
    return cell;
}

} // namespace

class tst_MapTile : public QObject {
    Q_OBJECT
private slots:
    void everyCellIsItsPairs_data();
    void everyCellIsItsPairs();
    void rowsThatThePlanDoesNotCover_areUnknown();
    void threadsDoNotChangeABit();
    void tileOutsideTheText_isImpossible();
    void row_sumsToOneAndKeepsReasons();
    void withoutPlan_onlyFullIsKnown();
};

void tst_MapTile::everyCellIsItsPairs_data() {
    QTest::addColumn<int>("quantity");
    QTest::addColumn<int>("pooling");
    QTest::addColumn<int>("level");
    QTest::addColumn<int>("col");
    QTest::addColumn<int>("tokens");
    const char* quantities[] = {"full", "hybrid", "difference", "kept"};
    for (int quantity = 0; quantity < 4; ++quantity)
        for (int pooling = 0; pooling < 2; ++pooling)
            for (const auto& [level, col, tokens] :
                 {std::array{0, 0, 300}, std::array{0, 0, 1}, std::array{1, 0, 300}, std::array{3, 0, 300},
                  std::array{7, 0, 300}})
                QTest::addRow("%s %s level %d T=%d", quantities[quantity], pooling ? "mass" : "max", level,
                              tokens)
                    << quantity << pooling << level << col << tokens;
}

void tst_MapTile::everyCellIsItsPairs() {
    QFETCH(int, quantity);
    QFETCH(int, pooling);
    QFETCH(int, level);
    QFETCH(int, col);
    QFETCH(int, tokens);
    const Layer layer(static_cast<std::size_t>(tokens), 20, 3);
    const TileKey key{0,     1, static_cast<MapQuantity>(quantity), static_cast<Pooling>(pooling),
                      level, 0, static_cast<std::uint32_t>(col)};
    const MapTile tile = makeTile(key, layer.source(), 2);
    QCOMPARE(tile.value.size(), kTile * kTile);
    QCOMPARE(tile.keptShare.empty(), level == 0);
    std::size_t compared = 0;
    for (std::size_t r = 0; r < kTile; r += level == 0 ? 7 : 1)
        for (std::size_t c = 0; c < kTile; c += level == 0 ? 3 : 1) {
            const Cell want = cellOf(layer, key, r, c);
            const std::size_t at = r * kTile + c;
            if (!(tile.state[at] == want.state))
                QFAIL(qPrintable(QString("row %1 col %2").arg(r).arg(c)));
            const double error = std::abs(static_cast<double>(tile.value[at]) - want.value);
            if (!(error <= 2e-6 + 4e-6 * std::abs(want.value)))
                QFAIL(qPrintable(
                    QString("row %1 col %2: %3, want %4").arg(r).arg(c).arg(tile.value[at]).arg(want.value)));
            if (level > 0)
                QVERIFY(std::abs(static_cast<double>(tile.keptShare[at]) - want.kept) < 1e-6);
            compared += want.state == CellState::Impossible ? 0 : 1;
        }
    QVERIFY(compared > 0);
}

void tst_MapTile::rowsThatThePlanDoesNotCover_areUnknown() {
    const Layer layer(200, 20, 3, {64, 128});
    const MapTile tile = makeTile({0, 0, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, layer.source(), 1);
    QVERIFY(std::isnan(tile.value[10 * kTile + 5]));
    QCOMPARE(tile.state[10 * kTile + 5], CellState::Skipped);
    QVERIFY(!std::isnan(tile.value[70 * kTile + 69]));
    QCOMPARE(tile.state[70 * kTile + 69], CellState::Local);
    QCOMPARE(tile.state[70 * kTile + 71], CellState::Impossible);
    // Full attention is known everywhere.
    const MapTile full = makeTile({0, 0, MapQuantity::Full, Pooling::Max, 0, 0, 0}, layer.source(), 1);
    QVERIFY(full.value[10 * kTile + 5] > 0);
}

void tst_MapTile::threadsDoNotChangeABit() {
    const Layer layer(700, 33, 4);
    for (const int level : {0, 1, 2}) {
        const TileKey key{0, 0, MapQuantity::Difference, Pooling::Mass, level, 0, 0};
        const MapTile one = makeTile(key, layer.source(), 1);
        const MapTile two = makeTile(key, layer.source(), 2);
        QVERIFY(one.value == two.value);
        QVERIFY(one.state == two.state);
        QVERIFY(one.keptShare == two.keptShare);
    }
}

void tst_MapTile::tileOutsideTheText_isImpossible() {
    const Layer layer(40, 8, 0);
    const MapTile tile = makeTile({0, 0, MapQuantity::Full, Pooling::Max, 0, 1, 0}, layer.source(), 1);
    QVERIFY(std::all_of(tile.state.begin(), tile.state.end(),
                        [](CellState s) { return s == CellState::Impossible; }));
}

void tst_MapTile::row_sumsToOneAndKeepsReasons() {
    const Layer layer(90, 10, 2);
    const AttentionRow row = makeRow(1, 77, layer.source());
    double full = 0, hybrid = 0;
    for (std::size_t j = 0; j <= 77; ++j) {
        full += static_cast<double>(row.full[j]);
        hybrid += static_cast<double>(row.hybrid[j]);
        if (row.reason[j] == Reason::Skipped)
            QCOMPARE(row.hybrid[j], 0.0F);
    }
    QVERIFY(std::abs(full - 1) < 1e-5);
    QVERIFY(std::abs(hybrid - 1) < 1e-5);
    QCOMPARE(row.reason[77], Reason::Local);
    QCOMPARE(row.reason[68], Reason::Local);
    QCOMPARE(row.reason[67], Reason::Skipped);
    QCOMPARE(row.reason[1], Reason::Always);
}

void tst_MapTile::withoutPlan_onlyFullIsKnown() {
    const Layer layer(30, 4, 0);
    TileSource source = layer.source();
    source.plan = nullptr;
    source.hybridLse = {};
    const MapTile full = makeTile({0, 0, MapQuantity::Full, Pooling::Max, 0, 0, 0}, source, 1);
    QCOMPARE(full.state[20 * kTile], CellState::Local);
    QVERIFY(full.value[20 * kTile] > 0);
    QVERIFY(std::isnan(
        makeTile({0, 0, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, source, 1).value[20 * kTile]));
}

QTEST_APPLESS_MAIN(tst_MapTile)
#include "tst_MapTile.moc"
