#include "core/export/RecipeCsv.h"
#include "tests/support/MapWindow.h"
#include "tests/support/TextSnapshot.h"
#include "ui/plot/NumberText.h"
#include <QFileDialog>
#include <QFileInfo>
#include <QTest>

using namespace fovea;
using namespace fovea::ui;
using Window = test::MapWindow;

namespace {

/// The same run once more, as the next snapshot brings it.
std::shared_ptr<Snapshot> again(const std::shared_ptr<Snapshot>& snapshot) {
    auto next = std::make_shared<Snapshot>(*snapshot);
    ++next->generation;
    return next;
}

/// With a policy as arm A too.
std::shared_ptr<Snapshot> twoPolicies() {
    auto snapshot = test::tinySnapshot();
    test::TinyOptions other;
    other.policy.local.window = 3;
    other.policy.routed = {};
    auto armA = std::make_shared<AgainstResult>();
    armA->policy = other.policy;
    armA->visible = test::tinySnapshot(other)->visible;
    snapshot->against = armA;
    auto request = std::make_shared<Request>(*snapshot->request);
    request->against = other.policy;
    snapshot->request = request;
    return snapshot;
}

/// The keys [first, last), of every query, are chosen and left out.
void leaveOut(Window& w, int first, int last) {
    w.selection.setBlock({0, 1, first, last});
    w.canvas().setFocus();
    w.key(Qt::Key_H);
}

} // namespace

class tst_MapCells : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// G: words in the place of tokens. The heads of the layer as one. Each painted cell is the recipe's.
    void wordsAndHeadsAreCombined() {
        const auto snapshot = test::textSnapshot();
        Window w(snapshot);
        QCOMPARE(w.canvas().scene().count, static_cast<int>(snapshot->tokens->size()));
        w.canvas().setFocus();
        w.key(Qt::Key_G);
        w.choose("map.heads.layer-mean");
        MapRecipe recipe;
        recipe.heads = {{1, 0}, {1, 1}, {1, 2}, {1, 3}};
        recipe.unit = TextUnit::Word;
        recipe.groups = std::make_shared<const TokenGroups>(groupTokens(*snapshot->tokens, TextUnit::Word));
        const std::size_t words = recipe.groups->size();
        QVERIFY(words > 10 && words < snapshot->tokens->size());
        QCOMPARE(w.canvas().scene().count, static_cast<int>(words));
        QCOMPARE(w.canvas().scene().recipe->text(), recipe.text());
        QVERIFY(w.view.windowTitle().contains(QString::fromStdString(recipe.text())));
        QTRY_VERIFY(w.settled());
        const LayerSources sources = layerSources(*snapshot);
        const Ramp& ramp = Ramp::weights(Theme::light());
        const MapScale scale(ScaleKind::Log);
        for (std::size_t q = 0; q < words; q += 3) {
            const RecipeRow row = *makeRecipeRow(q, recipe, sources);
            double sum = 0;
            for (const double p : row.hybrid)
                sum += p;
            QVERIFY2(std::abs(sum - 1) < 1e-5, qPrintable(QString::number(sum)));
            for (const std::size_t k : {std::size_t{0}, q / 2, q}) {
                if (row.hybrid[k] == 0)
                    continue; // lines
                const QRgb pixel = w.pixel(static_cast<int>(q), static_cast<int>(k));
                const int index = scale.index(static_cast<float>(row.hybrid[k]));
                bool near = false;
                for (int i = std::max(0, index - 1); i <= std::min(255, index + 1); ++i)
                    near = near || pixel == ramp.table()[static_cast<std::size_t>(i)];
                QVERIFY2(near, qPrintable(QStringLiteral("%1 %2: %3").arg(q).arg(k).arg(pixel, 0, 16)));
            }
        }
        // The selection stays one of tokens; the inspector is asked for what the cell holds.
        const auto last = static_cast<int>(words) - 2;
        QTest::mouseClick(&w.canvas(), Qt::LeftButton, {}, w.at(last, 4));
        const auto token = [](std::size_t at) { return static_cast<int>(at); };
        QCOMPARE(w.selection.query(), token(recipe.groups->last(static_cast<std::size_t>(last))) - 1);
        QVERIFY((w.selection.block() ==
                 SelectionModel::Block{token(recipe.groups->first(static_cast<std::size_t>(last))),
                                       token(recipe.groups->last(static_cast<std::size_t>(last))),
                                       token(recipe.groups->first(4)), token(recipe.groups->last(4))}));
        w.key(Qt::Key_Up);
        QCOMPARE(w.canvas().scene().pinned.query, last - 1);
        // A session brings it back.
        Window other(snapshot);
        other.view.restore(w.view.state());
        QCOMPARE(other.canvas().scene().recipe->text(), recipe.text());
        w.canvas().setFocus();
        w.key(Qt::Key_G); // sentences
        QVERIFY(w.canvas().scene().count < static_cast<int>(words));
        w.key(Qt::Key_G);
        w.choose("map.heads.one");
        QVERIFY(w.canvas().scene().recipe == nullptr);
        QCOMPARE(w.canvas().scene().count, static_cast<int>(snapshot->tokens->size()));
    }

    /// Heads of several layers: full attention, because arm B is known of one layer.
    void aSetOverLayersShowsFullAttention() {
        Window w(test::tinySnapshot());
        w.selection.setHeads({{0, 3}, {2, 1}});
        QCOMPARE(w.canvas().scene().recipe->text(), std::string("mean of L0 H3, L2 H1"));
        QCOMPARE(w.canvas().scene().panes.size(), std::size_t{1});
        QCOMPARE(w.canvas().scene().panes.front().quantity, MapQuantity::Full);
        QVERIFY(!w.find<QToolButton>("map.mode.hybrid")->isEnabled());
        QTRY_VERIFY(w.settled());
        QVERIFY(w.pixel(20, 3) != Theme::light().panel.rgb());
        while (w.selection.clearOneLevel()) {
        }
        QVERIFY(w.canvas().scene().recipe == nullptr);
        QVERIFY(w.find<QToolButton>("map.mode.hybrid")->isEnabled());
    }

    /// I: the sinks in a strip, then left out, with their share of the mass. H: the chosen keys.
    void sinksAndChosenKeysAreLeftOut() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        w.canvas().setFocus();
        double mean = 0;
        std::vector<double> share;
        for (std::size_t q = 0; q < 64; ++q) {
            const AttentionRow row = makeRow(1, q, *snapshot->tileSource(1));
            share.push_back(static_cast<double>(row.full[0]) +
                            (q > 0 ? static_cast<double>(row.full[1]) : 0));
            mean += share.back() / 64;
        }
        w.key(Qt::Key_I);
        QTRY_COMPARE(w.canvas().scene().strip.size(), std::size_t{64});
        w.key(Qt::Key_M); // difference: the strip is of full attention
        QVERIFY(std::abs(static_cast<double>(w.canvas().scene().strip[40]) - share[40]) < 1e-6);
        w.key(Qt::Key_I);
        QVERIFY(w.canvas().scene().strip.empty());
        QTRY_VERIFY(w.settled());
        QCOMPARE(w.pixel(40, 0), Theme::light().panel.rgb());
        QCOMPARE(w.pixel(40, 1), Theme::light().panel.rgb());
        QVERIFY(w.pixel(40, 2) != Theme::light().panel.rgb());
        const QString said =
            QStringLiteral("sinks #0\u2013#1: %1 % of the mass").arg(threeDigits(100 * mean));
        QVERIFY2(w.canvas().scene().hidden.startsWith(said), qPrintable(w.canvas().scene().hidden));
        w.selection.pin(50);
        QVERIFY2(w.canvas().scene().hidden.endsWith(
                     QStringLiteral(", %1 % of #50").arg(threeDigits(100 * share[50]))),
                 qPrintable(w.canvas().scene().hidden));
        w.key(Qt::Key_I);
        QVERIFY(w.canvas().scene().hidden.isEmpty());
        w.selection.setBlock({30, 40, 5, 8});
        w.key(Qt::Key_H);
        QTRY_VERIFY(w.canvas().scene().hidden.startsWith(QStringLiteral("#5\u2013#7: ")));
        QTRY_VERIFY(w.settled());
        QCOMPARE(w.pixel(40, 6), Theme::light().panel.rgb());
        QCOMPARE(w.pixel(6, 3), Theme::light().panel.rgb()); // as a query too
        w.key(Qt::Key_H);
        QVERIFY(w.canvas().scene().hidden.isEmpty());
    }

    /// Partial snapshots and a new policy neither take the strip away nor move the map.
    void theStripStaysWhileSnapshotsArrive() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        w.canvas().setFocus();
        w.key(Qt::Key_I);
        const MapViewport view =
            w.canvas().viewport(); // with room for the strip, before its values are known
        const QRectF plot = w.canvas().mapLayout().plots.front();
        QTRY_COMPARE(w.canvas().scene().strip.size(), std::size_t{64});
        QCOMPARE(w.canvas().mapLayout().plots.front(), plot);
        const std::vector<float> strip = w.canvas().scene().strip;
        const QString said = w.canvas().scene().hidden;
        auto next = again(snapshot);
        w.runs.adopt(next);
        QCOMPARE(w.canvas().scene().strip, strip);
        QCOMPARE(w.canvas().scene().hidden, said); // nothing is asked again
        next = again(next);
        test::TinyOptions other;
        other.policy.local.window = 3;
        next->visible = test::tinySnapshot(other)->visible;
        w.runs.adopt(next);
        QCOMPARE(w.canvas().scene().strip, strip); // until that of the new policy is known
        QVERIFY(w.canvas().scene().hidden.contains(QStringLiteral("(B \u2026)")));
        QVERIFY(w.canvas().viewport() == view);
        QTRY_VERIFY(w.canvas().scene().strip != strip);
        QVERIFY(!w.canvas().scene().hidden.contains(QStringLiteral("\u2026")));
        QVERIFY(w.canvas().viewport() == view);
        QCOMPARE(w.canvas().mapLayout().plots.front(), plot);
        w.selection.setCell(2, 1); // another map: its strip is not known, but has its room
        QVERIFY(w.canvas().scene().strip.empty());
        QCOMPARE(w.canvas().mapLayout().plots.front(), plot);
    }

    /// The strip is of the arm whose map is beside it.
    void theStripIsOfTheMapBesideIt() {
        const auto snapshot = twoPolicies();
        Window w(snapshot);
        const TileSource source = *snapshot->tileSource(1);
        const auto sinks = [](const std::vector<float>& row) { return row[0] + row[1]; };
        const float b = sinks(makeRow(1, 40, source).hybrid),
                    a = sinks(makeRow(1, 40, againstSource(source)).hybrid),
                    full = sinks(makeRow(1, 40, source).full);
        QVERIFY(std::abs(a - b) > 1e-4F && std::abs(a - full) > 1e-4F && std::abs(b - full) > 1e-4F);
        const auto strip = [&] { return w.canvas().scene().strip[40]; };
        w.canvas().setFocus();
        w.key(Qt::Key_I);
        QTRY_COMPARE(w.canvas().scene().strip.size(), std::size_t{64});
        QVERIFY(std::abs(strip() - b) < 1e-6F);
        QTest::keyPress(&w.canvas(), Qt::Key_C);
        QVERIFY(std::abs(strip() - a) < 1e-6F);
        QTest::keyRelease(&w.canvas(), Qt::Key_C);
        w.view.setArrangement(MapView::Arrangement::Two); // A is the first
        QVERIFY(std::abs(strip() - a) < 1e-6F);
        w.view.setArrangement(MapView::Arrangement::One);
        w.view.setMode(MapQuantity::Difference);
        QVERIFY(std::abs(strip() - full) < 1e-6F);
    }

    void hiddenSpansAreThoseOfTheirText() {
        test::TextOptions other;
        other.text = "The log of the third anchor.";
        const auto snapshot = test::textSnapshot(), another = test::textSnapshot(other);
        std::map<std::string, std::string> state;
        {
            Window w(snapshot);
            leaveOut(w, 5, 8);
            state = w.view.state();
            QCOMPARE(state["map.hide"], std::string("5-8"));
            w.runs.adopt(another);
            QVERIFY(w.canvas().scene().hidden.isEmpty());
            w.requests.setRequest(*another->request);
            QVERIFY(!w.view.state().contains("map.hide")); // this session is of the other text
            w.runs.adopt(again(snapshot));
            QVERIFY(w.canvas().scene().hidden.startsWith(QStringLiteral("#5\u2013#7: ")));
        }
        Window w(another); // a session is opened while another text is shown
        w.requests.setRequest(*snapshot->request);
        w.view.restore(state);
        QVERIFY(w.canvas().scene().hidden.isEmpty());
        QCOMPARE(w.view.state()["map.hide"], std::string("5-8")); // saved before it has run
        w.runs.adopt(again(snapshot));
        QVERIFY(w.canvas().scene().hidden.startsWith(QStringLiteral("#5\u2013#7: ")));
        // The same tokens in another object are the same text.
        auto next = again(snapshot);
        next->tokens = std::make_shared<const Tokens>(*next->tokens);
        w.runs.adopt(next);
        leaveOut(w, 9, 10);
        QVERIFY(w.canvas().scene().hidden.startsWith(QStringLiteral("#5\u2013#7, #9: ")));
    }

    /// A word is left out with its first token: what is said is what is left out.
    void whatIsSaidIsLeftOut() {
        const auto snapshot = test::textSnapshot();
        const TokenGroups words = groupTokens(*snapshot->tokens, TextUnit::Word);
        std::size_t word = 0;
        while (words.last(word) - words.first(word) < 3)
            ++word;
        const auto first = static_cast<int>(words.first(word)), last = static_cast<int>(words.last(word));
        Window w(snapshot);
        leaveOut(w, first + 1, last); // the end of a word
        QVERIFY(w.canvas().scene().panes.front().hidden);
        w.key(Qt::Key_G);
        QVERIFY(!w.canvas().scene().panes.front().hidden);
        QVERIFY2(w.canvas().scene().hidden.isEmpty(), qPrintable(w.canvas().scene().hidden));
        leaveOut(w, first + 1, last);
        leaveOut(w, first, first + 1); // its first token
        const HiddenCells hidden = *w.canvas().scene().panes.front().hidden;
        for (std::size_t cell = 0; cell < words.size(); ++cell)
            QCOMPARE(hidden.keys[cell] != 0, cell == word);
        QVERIFY2(
            w.canvas().scene().hidden.startsWith(QStringLiteral("#%1\u2013#%2: ").arg(first).arg(last - 1)),
            qPrintable(w.canvas().scene().hidden));
        leaveOut(w, first, first + 1);
        w.key(Qt::Key_G); // by sentences the sinks take the first one with them
        w.key(Qt::Key_I);
        const TokenGroups sentences = groupTokens(*snapshot->tokens, TextUnit::Sentence);
        QVERIFY2(w.canvas().scene().hidden.startsWith(
                     QStringLiteral("sinks #0\u2013#%1: ").arg(sentences.last(0) - 1)),
                 qPrintable(w.canvas().scene().hidden));
    }

    void theChosenTokensAreOfferedWhenThereAreSome() {
        Window w(test::tinySnapshot());
        auto* entry = w.find<QAction>("map.hide.span");
        QVERIFY(!entry->isEnabled());
        w.selection.setBlock({3, 4, 1, 2});
        QVERIFY(entry->isEnabled());
        w.selection.setBlock({});
        QVERIFY(!entry->isEnabled());
    }

    /// Another text takes over with all layers of the set; a layer that was dropped is named.
    void aSetOverLayersWaitsForThemAll() {
        Window w(test::tinySnapshot());
        w.selection.setHeads({{0, 3}, {2, 1}});
        test::TinyOptions options;
        options.tokens = 90;
        options.seed = 4;
        options.layersDone = 2; // with the selected layer, without the last of the set
        options.generation = 5;
        w.runs.adopt(test::tinySnapshot(options));
        QCOMPARE(w.canvas().scene().count, 64);
        QVERIFY(!w.canvas().scene().panes.empty());
        options.layersDone = 3;
        const auto whole = test::tinySnapshot(options);
        auto dropped = again(whole);
        auto run = std::make_shared<FullRun>(*whole->full);
        run->layers[2] = nullptr;
        dropped->full = run;
        w.runs.adopt(dropped);
        QCOMPARE(w.canvas().scene().count, 90);
        QVERIFY2(w.canvas().scene().empty.startsWith(QStringLiteral("Layer 2 is not kept: ")),
                 qPrintable(w.canvas().scene().empty));
        QVERIFY(w.canvas().scene().empty.contains(QStringLiteral("memory limit")));
        w.runs.adopt(again(dropped));
        run->complete = false; // the same before the run is done
        w.runs.adopt(again(dropped));
        QVERIFY2(w.canvas().scene().empty.startsWith(QStringLiteral("Layer 2 is being computed.")),
                 qPrintable(w.canvas().scene().empty));
        w.runs.adopt(again(again(whole)));
        QVERIFY(w.canvas().scene().empty.isEmpty() && !w.canvas().scene().panes.empty());
    }

    /// Its title and marks are those of full attention, whatever the arms are.
    void aSetOverLayersIsOfNoArm() {
        Window w(twoPolicies());
        w.key(Qt::Key_K);
        QVERIFY(w.canvas().scene().panes.front().keptOverlay);
        QVERIFY(w.view.windowTitle().contains(QStringLiteral(", B ")));
        w.selection.setHeads({{0, 3}, {2, 1}});
        QVERIFY2(w.view.windowTitle().endsWith(QStringLiteral("L0 H3, L2 H1, full attention")),
                 qPrintable(w.view.windowTitle()));
        const MapScene& scene = w.canvas().scene();
        QVERIFY(!scene.panes.front().keptOverlay);
        QCOMPARE(paneTitle(scene, scene.panes.front()), QStringLiteral("full attention"));
        w.selection.setHeads({{0, 1}, {0, 3}}); // of one layer, of which the arms are not known
        QCOMPARE(w.canvas().scene().panes.front().quantity, MapQuantity::Full);
        w.selection.setHeads({{1, 1}, {1, 3}});
        QCOMPARE(w.canvas().scene().panes.front().quantity, MapQuantity::Hybrid);
    }

    void theLegendsWindowHoldsForAllLayers() {
        ModelShape shape;
        shape.layers = 3;
        shape.ownLayer(0).window = 16;
        shape.ownLayer(1).window = 8;
        shape.ownLayer(2).window = 0;
        QCOMPARE(nativeWindowOf(shape, {{1, 0}}), 8);
        QCOMPARE(nativeWindowOf(shape, {{0, 0}, {1, 0}}), 16);
        QCOMPARE(nativeWindowOf(shape, {{0, 0}, {1, 0}, {2, 0}}), 0);
    }

    void aCombinedMapIsSavedUnderItsName() {
        Window w(test::tinySnapshot());
        w.selection.setHeads({{0, 3}, {2, 1}});
        w.view.exportView();
        auto* dialog = w.find<QFileDialog>("map.save");
        QCOMPARE(QFileInfo(dialog->selectedFiles().front()).fileName(),
                 QStringLiteral("map-mean-of-L0-H3-L2-H1.png"));
        dialog->close();
    }
};

QTEST_MAIN(tst_MapCells)
#include "tst_MapCells.moc"
