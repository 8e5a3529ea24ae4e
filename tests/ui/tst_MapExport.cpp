#include "tests/support/TinySnapshot.h"
#include "ui/plot/MapExport.h"
#include "ui/plot/MapFacts.h"
#include <QDir>
#include <QImage>
#include <QSvgRenderer>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>
#include <bit>
#include <map>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// Tiles of any level, made when asked.
TileLookup everyTile(const std::shared_ptr<const Snapshot>& snapshot, int level) {
    auto made = std::make_shared<
        std::map<std::tuple<int, int, int, std::uint32_t, std::uint32_t>, std::shared_ptr<MapTile>>>();
    return [=](const TileKey& key) -> std::shared_ptr<const MapTile> {
        if (key.level != level)
            return nullptr;
        auto& tile = (*made)[{static_cast<int>(key.quantity), static_cast<int>(key.pooling), key.level,
                              key.row, key.col}];
        if (!tile)
            tile = std::make_shared<MapTile>(makeTile(key, *snapshot->tileSource(key.layer), 1));
        return tile;
    };
}

MapLayer contentOf(const Snapshot& snapshot, MapQuantity quantity, Pooling pooling = Pooling::Max) {
    MapLayer content;
    content.layer = 1;
    content.head = 1;
    content.quantity = quantity;
    content.pooling = pooling;
    content.tokens = static_cast<int>(snapshot.tokens->size());
    if (quantity == MapQuantity::Difference)
        content.scale = MapScale(ScaleKind::Signed, 0.2F);
    return content;
}

/// The exact cells, one tile-free row at a time: what a table of the map would hold.
struct Table {
    std::size_t tokens;
    std::vector<AttentionRow> rows;
    explicit Table(const Snapshot& s) : tokens(s.tokens->size()) {
        const auto source = s.tileSource(1);
        for (std::size_t q = 0; q < tokens; ++q)
            rows.push_back(makeRow(1, q, *source));
    }
    [[nodiscard]] float value(MapQuantity quantity, std::size_t q, std::size_t k) const {
        switch (quantity) {
        case MapQuantity::Full:
            return rows[q].full[k];
        case MapQuantity::Hybrid:
            return rows[q].hybrid[k];
        case MapQuantity::Difference:
            return rows[q].hybrid[k] - rows[q].full[k];
        case MapQuantity::Kept:
        case MapQuantity::ArmDifference: // not of one arm
            break;
        }
        return 0;
    }
};

/// What the pixel over cells [q0,q1) x [k0,k1) must show.
struct Wanted {
    CellLook look = CellLook::Outside;
    float value = 0; ///< of the kept mask: share of the causal pairs that are read
};
Wanted wanted(const Table& table, MapQuantity quantity, std::size_t q0, std::size_t q1, std::size_t k0,
              std::size_t k1) {
    Wanted w;
    int pairs = 0, kept = 0;
    for (std::size_t q = q0; q < std::min(q1, table.tokens); ++q)
        for (std::size_t k = k0; k < std::min(k1, table.tokens); ++k) {
            CellLook look = CellLook::Impossible;
            if (k <= q) {
                const Reason reason = table.rows[q].reason[k];
                look = reason == Reason::Skipped && quantity != MapQuantity::Full ? CellLook::Skipped
                                                                                  : CellLook::Attended;
                if (quantity == MapQuantity::Kept && reason != Reason::Skipped)
                    look = reason == Reason::Local    ? CellLook::Local
                           : reason == Reason::Always ? CellLook::Always
                                                      : CellLook::RoutedKey;
                ++pairs;
                kept += reason < Reason::Far ? 1 : 0;
                const float v = table.value(quantity, q, k);
                if (std::abs(v) > std::abs(w.value))
                    w.value = v;
            }
            w.look = std::min(w.look, look);
        }
    if (quantity == MapQuantity::Kept && pairs > 0)
        w.value = static_cast<float>(kept) / static_cast<float>(pairs);
    return w;
}

struct Run {
    QTemporaryDir folder;
    std::shared_ptr<Snapshot> snapshot = test::tinySnapshot();
    [[nodiscard]] std::string path(const char* name) const {
        return (folder.path() + QLatin1Char('/') + QLatin1String(name)).toStdString();
    }
};

/// Equal but for the rounding of a share.
bool alike(QRgb a, QRgb b) {
    return std::abs(qRed(a) - qRed(b)) <= 1 && std::abs(qGreen(a) - qGreen(b)) <= 1 &&
           std::abs(qBlue(a) - qBlue(b)) <= 1;
}

QByteArray bytesOf(const std::string& path) {
    QFile file(QString::fromStdString(path));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace

class tst_MapExport : public QObject {
    Q_OBJECT
private slots:
    void theTableOfColoursEqualsTheLogarithm() {
        const MapScale scale(ScaleKind::Log);
        const auto slow = [&](float v) {
            return static_cast<int>(std::clamp(scale.unit(v), 0.0F, 1.0F) * 255.0F + 0.5F);
        };
        // Every 97th float of the scale and those around each step.
        std::uint32_t bits = std::bit_cast<std::uint32_t>(0.5e-4F);
        int before = 0;
        for (; bits < std::bit_cast<std::uint32_t>(1.5F); bits += 97) {
            const float v = std::bit_cast<float>(bits);
            const int index = scale.index(v);
            if (index != slow(v) || index < before)
                QFAIL(qPrintable(QStringLiteral("%1 has index %2, not %3")
                                     .arg(static_cast<double>(v))
                                     .arg(index)
                                     .arg(slow(v))));
            before = index;
        }
        QCOMPARE(before, 255);
        QCOMPARE(int(scale.index(0)), 0);
        QCOMPARE(int(scale.index(-1)), 0);
        QCOMPARE(int(scale.index(1)), 255);
    }

    void aPixelIsTheRampOfTheTrueValue_data() {
        QTest::addColumn<double>("cell");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("quantity");
        QTest::addColumn<double>("ratio");
        for (const auto quantity :
             {MapQuantity::Full, MapQuantity::Hybrid, MapQuantity::Difference, MapQuantity::Kept})
            for (const auto& [cell, tokens] : std::vector<std::pair<double, int>>{
                     {24, 24}, {6, 65}, {1, 320}, {1.0 / 16, 700}, {0.3, 300}, {2.5, 100}})
                for (const double ratio : {1.0, 2.0})
                    QTest::addRow("quantity %d, %g px a cell, T=%d, ratio %g", static_cast<int>(quantity),
                                  cell, tokens, ratio)
                        << cell << tokens << static_cast<int>(quantity) << ratio;
    }
    void aPixelIsTheRampOfTheTrueValue() {
        QFETCH(double, cell);
        QFETCH(int, tokens);
        QFETCH(int, quantity);
        QFETCH(double, ratio);
        test::TinyOptions options;
        options.tokens = static_cast<std::size_t>(tokens);
        const auto snapshot = test::tinySnapshot(options);
        const Table table(*snapshot);
        MapLayer content = contentOf(*snapshot, static_cast<MapQuantity>(quantity));
        const Theme theme = Theme::light();
        const double side = cell * tokens;
        MapViewport view;
        view.cell = cell;
        view.query = tokens / 6; // not at the corner
        const MapFrame frame = MapFrame::of(
            view,
            QSizeF(std::min(side, tokens < 50 ? 576.0 : 300.0), std::min(side, tokens < 50 ? 480.0 : 200.0)),
            ratio);
        const QImage image = rasterMap(frame, content, theme, everyTile(snapshot, frame.level()));
        QCOMPARE(image.format(), QImage::Format_ARGB32_Premultiplied);
        const Ramp& ramp = content.quantity == MapQuantity::Difference ? Ramp::signedDifference(theme)
                                                                       : Ramp::weights(theme);
        const auto cells = [&](std::int64_t pixel) {
            const int level = frame.level();
            const PixelSpan span = pixelSpan(pixel, frame.cell * static_cast<double>(1 << level));
            return std::pair(static_cast<std::size_t>(std::max<std::int64_t>(0, span.first << level)),
                             static_cast<std::size_t>(std::max<std::int64_t>(0, span.last << level)));
        };
        int textured = 0, compared = 0;
        std::array<int, 10> seen{};
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) {
                const auto [q0, q1] = cells(frame.originY + y);
                const auto [k0, k1] = cells(frame.originX + x);
                const Wanted w = wanted(table, content.quantity, q0, q1, k0, k1);
                ++seen[static_cast<std::size_t>(w.look)];
                const QRgb pixel = image.pixel(x, y);
                if ((pixel == theme.texture().rgb() || pixel == theme.dot().rgb()) &&
                    (w.look == CellLook::Skipped || w.look == CellLook::Attended)) {
                    ++textured;
                    continue;
                }
                QRgb right = cellColor(content, theme, w.look, w.value);
                if (w.look == CellLook::Attended && pixel != right) {
                    // Tiles are made with the fast exponential: one step of 256 at most.
                    const int index = content.scale.index(w.value);
                    const int near =
                        pixel == ramp.table()[static_cast<std::size_t>(std::max(0, index - 1))] ? -1 : 1;
                    right = ramp.table()[static_cast<std::size_t>(std::clamp(index + near, 0, 255))];
                }
                const QRgb marked = blended(right, onColor(right).rgb(), w.value);
                const bool mark = w.look < CellLook::Attended && alike(pixel, marked);
                if (!(w.look < CellLook::Attended ? alike(pixel, right) : pixel == right) && !mark)
                    QFAIL(qPrintable(QStringLiteral("pixel (%1, %2) is %3, not %4; look %5, value %6")
                                         .arg(x)
                                         .arg(y)
                                         .arg(pixel, 0, 16)
                                         .arg(right, 0, 16)
                                         .arg(int(w.look))
                                         .arg(double(w.value))));
                ++compared;
            }
        QVERIFY(compared > textured);
        QVERIFY(seen[static_cast<std::size_t>(CellLook::Impossible)] > 0);
        if (content.quantity != MapQuantity::Full && cell >= 1)
            QVERIFY(seen[static_cast<std::size_t>(CellLook::Skipped)] > 0 && textured > 0);
    }

    void theKeptMaskIsAsStrongAsTheShareThatIsRead() {
        test::TinyOptions options;
        options.tokens = 600;
        options.policy.local.window = 2;
        options.policy.always.sinks = 0;
        options.policy.routed.budget = 4; // of 600: under 2 % of the pairs
        const auto snapshot = test::tinySnapshot(options);
        const MapLayer content = contentOf(*snapshot, MapQuantity::Kept);
        const Theme theme = Theme::light();
        MapViewport view;
        view.cell = 1.0 / 16;
        const MapFrame frame = MapFrame::of(view, QSizeF(600 * view.cell, 600 * view.cell), 1);
        const QImage image = rasterMap(frame, content, theme, everyTile(snapshot, frame.level()));
        // How far from paper the map is, as a share of a mask in which every pair is read.
        double ink = 0, most = 0, pairs = 0, read = 0;
        const double deepest = 255 - qGray(theme.reasonColor(Reason::Routed).rgb());
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < y; ++x) { // the diagonal's cells hold pairs that cannot be
                if (image.pixel(x, y) != theme.texture().rgb()) // lines say that nothing is read
                    ink += 255 - qGray(image.pixel(x, y));
                most += deepest;
            }
        for (std::size_t q = 0; q < 600; ++q)
            for (const KeptKey& key : snapshot->visible->plan->keptKeys(1, q))
                if (key.key / 16 < q / 16)
                    ++read;
        pairs = 37.0 * 38 / 2 * 256;
        QVERIFY2(ink / most < 3 * read / pairs + 0.01,
                 qPrintable(
                     QStringLiteral("%1 of the ink for %2 of the pairs").arg(ink / most).arg(read / pairs)));
        QVERIFY(ink > 0);
    }

    void texturesDoNotOutweighTheData_data() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void texturesDoNotOutweighTheData() {
        QFETCH(bool, dark);
        const Theme theme = dark ? Theme::darkTheme() : Theme::light();
        const int data = qGray(Ramp::weights(theme).at(MapScale(ScaleKind::Log).unit(1e-3F)));
        const int texture = qGray(theme.texture().rgb());
        QVERIFY2(dark ? texture <= data + 10 : texture >= data - 10,
                 qPrintable(QStringLiteral("texture %1, a weight of 0.001 %2").arg(texture).arg(data)));
    }

    void aPixelOfOneCellShowsExactlyTheTilesValue_data() {
        QTest::addColumn<double>("cell");
        for (const double cell : {24.0, 6.0, 1.0})
            QTest::addRow("%g px a cell", cell) << cell;
    }
    void aPixelOfOneCellShowsExactlyTheTilesValue() {
        QFETCH(double, cell);
        test::TinyOptions options;
        options.tokens = 40;
        const auto snapshot = test::tinySnapshot(options);
        const MapLayer content = contentOf(*snapshot, MapQuantity::Full);
        const MapTile tile =
            makeTile({1, 1, MapQuantity::Full, Pooling::Max, 0, 0, 0}, *snapshot->tileSource(1), 1);
        MapViewport view;
        view.cell = cell;
        const Theme theme = Theme::light();
        const QImage image = rasterMap(MapFrame::of(view, QSizeF(40 * cell, 40 * cell), 1), content, theme,
                                       everyTile(snapshot, 0));
        for (int q = 0; q < 40; ++q)
            for (int k = 0; k <= q; ++k) {
                const float v = tile.value[static_cast<std::size_t>(q) * kTile + static_cast<std::size_t>(k)];
                const QRgb pixel =
                    image.pixel(static_cast<int>(k * cell + cell / 6), static_cast<int>(q * cell + cell / 6));
                if (v >= kLogLow || cell > 1) // a dot of "about 0" covers a whole pixel of one
                    QCOMPARE(pixel, Ramp::weights(theme).at(content.scale.unit(v)));
            }
    }

    void massIsSharedOverPixelsAndNothingIsLost() {
        test::TinyOptions options;
        options.tokens = 300;
        const auto snapshot = test::tinySnapshot(options);
        const MapLayer content = contentOf(*snapshot, MapQuantity::Full, Pooling::Mass);
        // 5 values of a row of cells are pooled into one pixel; the sum over a pixel row is the mean row's
        // whole mass, 1.
        MapFrame frame;
        frame.cell = 0.2;
        frame.width = frame.height = 60;
        const int level = frame.level();
        QCOMPARE(level, 2);
        const MapTile tile =
            makeTile({1, 1, MapQuantity::Full, Pooling::Mass, level, 0, 0}, *snapshot->tileSource(1), 1);
        for (std::size_t r = 0; r < 300 / 4; ++r) {
            double sum = 0;
            for (std::size_t c = 0; c < kTile; ++c)
                sum += static_cast<double>(tile.value[r * kTile + c]);
            QVERIFY(std::abs(sum - 1) < 1e-4);
        }
        std::int64_t next = 0;
        for (int x = 0; x < frame.width; ++x) {
            const PixelSpan span = pixelSpan(x, frame.cell * 4);
            QCOMPARE(span.first, next);
            next = span.last;
        }
    }

    void theFourStatesDifferInGrey_data() {
        QTest::addColumn<bool>("dark");
        QTest::addColumn<double>("cell");
        for (const bool dark : {false, true})
            for (const double cell : {2.0, 6.0, 24.0})
                QTest::addRow("%s, %g px a cell", dark ? "dark" : "light", cell) << dark << cell;
    }
    void theFourStatesDifferInGrey() {
        QFETCH(bool, dark);
        QFETCH(double, cell);
        const Theme theme = dark ? Theme::darkTheme() : Theme::light();
        // One tile with all four states in blocks of ten cells.
        auto tile = std::make_shared<MapTile>();
        tile->value.assign(kTile * kTile, 0);
        tile->state.assign(kTile * kTile, CellState::Impossible);
        const auto block = [&](std::size_t k, CellState state, float value) {
            for (std::size_t q = 200; q < 210; ++q)
                for (std::size_t c = k; c < k + 10; ++c) {
                    tile->state[q * kTile + c] = state;
                    tile->value[q * kTile + c] = value;
                }
        };
        block(0, CellState::Local, 0.2F);
        block(10, CellState::Local, 0);
        block(20, CellState::Skipped, 0);
        MapLayer content;
        content.quantity = MapQuantity::Hybrid;
        content.tokens = 256;
        MapViewport view;
        view.query = 200;
        view.cell = cell;
        const QImage image = rasterMap(MapFrame::of(view, QSizeF(40 * cell, 10 * cell), 1), content, theme,
                                       [&](const TileKey&) { return tile; });
        // A block's picture in grey: its mean, and how much it varies (its texture).
        struct Grey {
            double mean = 0, deviation = 0;
        };
        std::array<Grey, 4> grey;
        for (int b = 0; b < 4; ++b) {
            double sum = 0, squares = 0;
            int n = 0;
            for (int y = 0; y < image.height(); ++y)
                for (int x = static_cast<int>(b * 10 * cell); x < static_cast<int>((b + 1) * 10 * cell);
                     ++x, ++n) {
                    const double g = qGray(image.pixel(x, y));
                    sum += g;
                    squares += g * g;
                }
            grey[static_cast<std::size_t>(b)] = {sum / n,
                                                 std::sqrt(std::max(0.0, squares / n - sum / n * sum / n))};
        }
        for (std::size_t a = 0; a < 4; ++a)
            for (std::size_t b = a + 1; b < 4; ++b)
                QVERIFY2(std::abs(grey[a].mean - grey[b].mean) > 6 ||
                             std::abs(grey[a].deviation - grey[b].deviation) > 4,
                         qPrintable(QStringLiteral("%1 and %2: %3 +- %4, %5 +- %6")
                                        .arg(a)
                                        .arg(b)
                                        .arg(grey[a].mean)
                                        .arg(grey[a].deviation)
                                        .arg(grey[b].mean)
                                        .arg(grey[b].deviation)));
        QCOMPARE(grey[0].deviation, 0.0);               // solid
        QCOMPARE(grey[3].deviation, 0.0);               // flat
        QVERIFY(grey[1].deviation > 0);                 // dots
        QVERIFY(grey[2].deviation > grey[1].deviation); // lines
    }

    void aMissingTileIsFilledFromACoarserOne() {
        test::TinyOptions options;
        options.tokens = 300;
        const auto snapshot = test::tinySnapshot(options);
        const MapLayer content = contentOf(*snapshot, MapQuantity::Full);
        MapFrame frame;
        frame.width = frame.height = 100;
        frame.originY = 150;
        frame.cell = 1;
        const QImage coarse = rasterMap(frame, content, Theme::light(), everyTile(snapshot, 1));
        const QImage none = rasterMap(frame, content, Theme::light(), [](const TileKey&) { return nullptr; });
        QCOMPARE(none.pixel(10, 90), Theme::light().panel.rgb());
        QCOMPARE(none.pixel(10, 0), Theme::light().panel.rgb());
        const MapTile tile =
            makeTile({1, 1, MapQuantity::Full, Pooling::Max, 1, 0, 0}, *snapshot->tileSource(1), 1);
        const float v = tile.value[(150 + 90) / 2 * kTile + 11 / 2];
        QVERIFY(v >= kLogLow);
        QCOMPARE(coarse.pixel(11, 90), Ramp::weights(Theme::light()).at(content.scale.unit(v)));
    }

    void theFactsOfAPairAreExact() {
        const auto snapshot = test::tinySnapshot();
        const auto source = snapshot->tileSource(1);
        const AttentionRow row = makeRow(1, 40, *source);
        int skipped = -1, routed = -1;
        for (int k = 0; k <= 40; ++k) {
            const auto facts = pairFacts(*snapshot, 1, 1, 40, k);
            QVERIFY(facts);
            QCOMPARE(facts->full, double(row.full[std::size_t(k)]));
            QCOMPARE(*facts->hybrid, double(row.hybrid[std::size_t(k)]));
            QCOMPARE(facts->kind == ReadKind::Skipped, row.reason[std::size_t(k)] == Reason::Skipped);
            QCOMPARE(facts->kind == ReadKind::RoutedKey, row.reason[std::size_t(k)] == Reason::Routed);
            if (facts->kind == ReadKind::Skipped)
                skipped = k;
            if (facts->kind == ReadKind::RoutedKey)
                routed = k;
        }
        QVERIFY(skipped >= 0 && routed >= 0);
        const QString text = pairText(*pairFacts(*snapshot, 1, 1, 40, routed), *snapshot->tokens, 1, 1);
        QVERIFY2(text.startsWith(QStringLiteral("query #40 \"\u00B7harbour")) ||
                     text.contains(QStringLiteral("query #40")),
                 qPrintable(text));
        QVERIFY2(text.contains(QStringLiteral("routed, key role: key_norm ")), qPrintable(text));
        QVERIFY2(text.contains(QStringLiteral(" of 4")), qPrintable(text));
        QVERIFY2(text.contains(QStringLiteral("distance %1").arg(40 - routed)), qPrintable(text));
        const QString lost = pairText(*pairFacts(*snapshot, 1, 1, 40, skipped), *snapshot->tokens, 1, 1);
        QVERIFY2(lost.contains(QStringLiteral("of mass lost, budget ")) &&
                     lost.contains(QStringLiteral("budget 4")),
                 qPrintable(lost));
        const QString after = pairText(*pairFacts(*snapshot, 1, 1, 3, 40), *snapshot->tokens, 1, 1);
        QVERIFY2(after.endsWith(QStringLiteral("comes after the query")), qPrintable(after));
        const QString sink = pairText(*pairFacts(*snapshot, 1, 1, 40, 0), *snapshot->tokens, 1, 1);
        QVERIFY2(sink.contains(QStringLiteral("always: sink")), qPrintable(sink));
        QVERIFY(!pairFacts(*snapshot, 1, 1, 64, 0));
        QVERIFY(!pairFacts(*snapshot, 9, 1, 4, 0));
    }

    void theFactsOfABlockAreThoseOfItsCells() {
        const auto snapshot = test::tinySnapshot();
        const auto source = snapshot->tileSource(1);
        const auto facts = blockFacts(*snapshot, 1, 1, MapQuantity::Full, {32, 36}, {8, 12});
        QVERIFY(facts);
        double largest = 0, sum = 0;
        int kept = 0;
        for (std::size_t q = 32; q < 36; ++q) {
            const AttentionRow row = makeRow(1, q, *source);
            for (std::size_t k = 8; k < 12; ++k) {
                largest = std::max(largest, double(row.full[k]));
                sum += double(row.full[k]);
                kept += row.reason[k] != Reason::Skipped;
            }
        }
        QCOMPARE(facts->values->largest, largest);
        QVERIFY(std::abs(facts->values->mass - sum / 4) < 1e-12);
        QCOMPARE(facts->keptShare(), kept / 16.0);
        QVERIFY(blockText(*facts, MapQuantity::Full).contains(QStringLiteral("% kept")));
    }

    void aPngHoldsLegendAndProvenance_data() {
        QTest::addColumn<double>("scale");
        for (const double scale : {1.0, 2.0, 4.0})
            QTest::addRow("%gx", scale) << scale;
    }
    void aPngHoldsLegendAndProvenance() {
        QFETCH(double, scale);
        const Run run;
        MapExportOptions options;
        options.size = QSize(640, 400);
        options.scale = scale;
        const auto done = exportMap(*run.snapshot, options, run.path("map.png"));
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const QImage image(QString::fromStdString(run.path("map.png")));
        QCOMPARE(image.width(), static_cast<int>((640 + 24) * scale));
        QVERIFY(image.text(QStringLiteral("Description"))
                    .contains(QString::fromStdString(run.snapshot->provenance())));
        // The legend's ramp and the last line are really there: ink below the maps.
        const int below = static_cast<int>((12 + 24 + 400 + 8) * scale);
        int ink = 0;
        for (int y = below; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x)
                ink += qGray(image.pixel(x, y)) < 128;
        QVERIFY(ink > 200);
    }

    void svgTextStaysTextAndSmallMapsAreVectors() {
        const Run run;
        MapExportOptions options;
        options.quantities = {MapQuantity::Hybrid};
        options.size = QSize(900, 860);
        QVERIFY(exportMap(*run.snapshot, options, run.path("map.svg")));
        const QByteArray svg = bytesOf(run.path("map.svg"));
        QXmlStreamReader reader(svg);
        QStringList texts;
        int images = 0, patterns = 0, clips = 0, rects = 0;
        while (!reader.atEnd()) {
            reader.readNext();
            if (reader.isStartElement()) {
                images += reader.name() == QLatin1String("image");
                patterns += reader.name() == QLatin1String("pattern");
                clips += reader.name() == QLatin1String("clipPath");
                rects += reader.name() == QLatin1String("rect") || reader.name() == QLatin1String("path");
            }
            if (reader.isCharacters() && !reader.isWhitespace())
                texts << reader.text().toString();
        }
        QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
        const QString all = texts.join(QLatin1Char('\n'));
        QVERIFY2(all.contains(QStringLiteral("key \u2192")) && all.contains(QStringLiteral("query \u2193")),
                 qPrintable(all));
        QVERIFY(all.contains(QStringLiteral("not routed")));
        QVERIFY(all.contains(QStringLiteral("T 64")));
        QVERIFY2(all.contains(QStringLiteral("<b>bold</b>").left(4)),
                 qPrintable(all)); // as text, never as markup
        QCOMPARE(images, 1);       // the colour bar's ramp
        QCOMPARE(patterns, 0);
        QVERIFY(rects > 500);
        Q_UNUSED(clips);
    }

    void svgCellsHaveTheColoursOfThePng() {
        const Run run;
        MapExportOptions options;
        options.quantities = {MapQuantity::Full};
        options.size = QSize(900, 860);
        QVERIFY(exportMap(*run.snapshot, options, run.path("map.svg")));
        QVERIFY(exportMap(*run.snapshot, options, run.path("map.png")));
        const QImage png(QString::fromStdString(run.path("map.png")));
        QImage drawn(png.size(), QImage::Format_ARGB32_Premultiplied);
        drawn.fill(Qt::white);
        QSvgRenderer renderer(QString::fromStdString(run.path("map.svg")));
        QVERIFY(renderer.isValid());
        QPainter painter(&drawn);
        renderer.render(&painter, QRectF(drawn.rect()));
        painter.end();
        int same = 0, compared = 0;
        for (int y = 200; y < 800; y += 3)
            for (int x = 150; x < 800; x += 3, ++compared)
                same += qAbs(qGray(png.pixel(x, y)) - qGray(drawn.pixel(x, y))) < 12;
        QVERIFY2(same > compared * 0.9, qPrintable(QStringLiteral("%1 of %2").arg(same).arg(compared)));
    }

    void aLargeMapIsAnImageUnderVectorAxes() {
        test::TinyOptions small;
        small.tokens = 400;
        Run run;
        run.snapshot = test::tinySnapshot(small);
        MapExportOptions options;
        options.size = QSize(700, 400);
        QVERIFY(exportMap(*run.snapshot, options, run.path("map.svg")));
        const QByteArray svg = bytesOf(run.path("map.svg"));
        QCOMPARE(svg.count("<image"), 3); // two maps and the ramp
        QVERIFY(svg.contains("not routed"));
    }

    void errorsNameFileFieldAndValue() {
        const Run run;
        const auto message = [&](const MapExportOptions& options, const std::string& path) {
            const auto result = exportMap(*run.snapshot, options, path);
            return result ? QString() : QString::fromStdString(result.error().message);
        };
        QVERIFY(message({}, run.path("map.bmp")).contains(QStringLiteral(".png, .svg or .pdf")));
        MapExportOptions options;
        options.layer = 7;
        QVERIFY(message(options, run.path("a.png")).contains(QStringLiteral("layer 7")));
        options = {};
        options.head = 4;
        QVERIFY(message(options, run.path("a.png")).contains(QStringLiteral("head 4")));
        options = {};
        options.scale = 9;
        QVERIFY(message(options, run.path("a.png")).contains(QStringLiteral("between 1 and 4")));
        options = {};
        options.layer = 2; // no hybrid of this layer
        QVERIFY(message(options, run.path("a.png")).contains(QStringLiteral("not computed")));
        QVERIFY(message({}, "/nowhere/at/all.png").contains(QStringLiteral("/nowhere/at")));
        QVERIFY(QDir(run.folder.path()).isEmpty());
    }

    void allPicturesOfAReport() {
        const Run run;
        const auto paths = exportPictures(*run.snapshot, run.folder.path().toStdString());
        QVERIFY2(paths, paths ? "" : paths.error().message.c_str());
        QCOMPARE(paths->size(), std::size_t{6});
        for (const std::string& path : *paths)
            QVERIFY(!QImage(QString::fromStdString(path)).isNull());
        // The small maps: their upper half cannot be, and is by far the commonest colour but the panel's.
        const QImage maps(QString::fromStdString(paths->back()));
        std::size_t impossible = 0;
        for (int y = 0; y < maps.height(); ++y)
            for (int x = 0; x < maps.width(); ++x)
                impossible += maps.pixel(x, y) == Theme::light().impossible.rgb() ? 1U : 0U;
        QVERIFY(impossible > std::size_t{12} * 64 * 64);
        // The notes below the heads end before the margin.
        for (const std::size_t of : {std::size_t{4}, std::size_t{5}}) {
            const QImage heads(QString::fromStdString((*paths)[of]));
            for (int y = heads.height() - 120; y < heads.height(); ++y)
                for (int x = heads.width() - 8; x < heads.width(); ++x)
                    QCOMPARE(heads.pixel(x, y), Theme::light().panel.rgb());
        }
    }

    void oneTokenAndAFullLayerAreDrawn() {
        Run run;
        test::TinyOptions one;
        one.tokens = 1;
        run.snapshot = test::tinySnapshot(one);
        QVERIFY(exportMap(*run.snapshot, {}, run.path("one.png")));
        test::TinyOptions full;
        full.policy = AttentionPolicy{};
        run.snapshot = test::tinySnapshot(full);
        MapExportOptions options;
        options.quantities = {MapQuantity::Full, MapQuantity::Hybrid, MapQuantity::Difference};
        QVERIFY(exportMap(*run.snapshot, options, run.path("full.svg")));
    }
};

QTEST_MAIN(tst_MapExport)
#include "tst_MapExport.moc"
