#include "tests/support/TinySnapshot.h"
#include "ui/plot/MapScale.h"
#include "ui/views/HeadsView.h"
#include <QComboBox>
#include <QHelpEvent>
#include <QLabel>
#include <QScrollArea>
#include <QScrollBar>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <set>

using namespace fovea;
using namespace fovea::ui;

namespace {

struct Window {
    RequestModel requests;
    SelectionModel selection;
    RunController runs{requests, selection};
    HeadsView view{ViewContext{runs, requests, selection}};

    explicit Window(SnapshotPtr snapshot = {}) : requests(start(snapshot)) {
        view.resize(320, 420);
        view.show();
        if (snapshot)
            runs.adopt(std::move(snapshot));
    }
    static Request start(const SnapshotPtr& snapshot) {
        Request request;
        request.modelPath = "no such file";
        if (snapshot)
            request = *snapshot->request;
        return request;
    }
    [[nodiscard]] QRgb pixel(int layer, int head) {
        const QRectF cell = view.grid().cellRect(layer, head);
        return view.grid().grab().toImage().pixel((cell.center() - QPointF(2, -2)).toPoint());
    }
};

} // namespace

class tst_HeadsView : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// The list keeps its row when the numbers change, and tells the selection when the user moves it.
    void theListFollowsAndLeads() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        QTest::mouseClick(w.view.findChild<QToolButton*>(QStringLiteral("heads.ranked")), Qt::LeftButton);
        auto* list = w.view.findChild<QTableView*>(QStringLiteral("heads.list"));
        const auto shown = [list] {
            return list->currentIndex().isValid()
                       ? list->model()->index(list->currentIndex().row(), 1).data().toString()
                       : QString();
        };
        list->setFocus();
        w.selection.setCell(2, 3);
        QCOMPARE(shown(), QStringLiteral("L2 H3"));
        QVERIFY(list->selectionModel()->isSelected(list->currentIndex()));
        test::TinyOptions options;
        options.policy.local.window = 5; // other values, another order
        options.generation = 2;
        w.runs.adopt(test::tinySnapshot(options));
        QCOMPARE(shown(), QStringLiteral("L2 H3"));
        QCOMPARE(w.selection.layer(), 2);
        const int row = list->currentIndex().row();
        QTest::keyClick(list, row > 0 ? Qt::Key_Up : Qt::Key_Down);
        QVERIFY(list->currentIndex().row() != row);
        QCOMPARE(shown(), QStringLiteral("L%1 H%2").arg(w.selection.layer()).arg(w.selection.head()));
    }

    /// Shift+click, and Shift+Return on the selected head, choose the heads of the map.
    void headsAreChosenWithShift() {
        Window w(test::tinySnapshot());
        const auto at = [&](int layer, int head) {
            return w.view.grid().cellRect(layer, head).center().toPoint();
        };
        const QImage before = w.view.grid().grab().toImage();
        QTest::mouseClick(&w.view.grid(), Qt::LeftButton, Qt::ShiftModifier, at(0, 2));
        QVERIFY((w.selection.heads() == std::set<std::pair<int, int>>{{0, 2}}));
        QVERIFY(w.view.grid().grab().toImage() != before);
        w.selection.setCell(1, 1);
        QTest::keyClick(&w.view.grid(), Qt::Key_Return, Qt::ShiftModifier);
        QVERIFY((w.selection.heads() == std::set<std::pair<int, int>>{{0, 2}, {1, 1}}));
        QTest::mouseClick(&w.view.grid(), Qt::LeftButton, Qt::ShiftModifier, at(0, 2));
        QVERIFY((w.selection.heads() == std::set<std::pair<int, int>>{{1, 1}}));
    }

    void aSwatchIsTheRampOfItsMetric() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        const Ramp& ramp = Ramp::weights(Theme::light());
        double least = 1, largest = 0;
        for (const LayerFidelity& f : snapshot->isolated->layers)
            for (const float m : f.headMass) {
                least = std::min(least, double(m));
                largest = std::max(largest, double(m));
            }
        for (int l = 0; l < 3; ++l)
            for (int h = 0; h < 4; ++h) {
                const double m = double(snapshot->isolated->layers[std::size_t(l)].headMass[std::size_t(h)]);
                QCOMPARE(w.pixel(l, h), ramp.at(float((m - least) / (largest - least))));
            }
    }

    /// The grid of a deep model scrolls; what its colours mean does not.
    void theLegendStaysInSight() {
        test::TinyOptions options;
        options.layers = 40;
        Window w(test::tinySnapshot(options));
        w.view.resize(300, 300);
        QCoreApplication::processEvents();
        const auto* scroll = w.view.findChild<QScrollArea*>();
        QVERIFY(scroll->verticalScrollBar()->maximum() > 0);
        auto* legend = w.view.findChild<QWidget*>(QStringLiteral("heads.legend"));
        QVERIFY(legend && legend->isVisible() && !scroll->isAncestorOf(legend));
        QVERIFY(legend->geometry().bottom() <= w.view.height());
        const auto colours = [&] {
            const QImage image = legend->grab().toImage();
            std::set<QRgb> found;
            for (int x = 0; x < image.width(); ++x)
                found.insert(image.pixel(x, 21)); // the ramp
            return found.size();
        };
        QVERIFY(colours() > 30);
        scroll->verticalScrollBar()->setValue(0);
        QVERIFY(colours() > 30);
    }

    void everyMetricIsThere() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        auto* combo = w.view.findChild<QComboBox*>(QStringLiteral("heads.metric"));
        QCOMPARE(combo->count(), int(headMetrics().size()));
        QCOMPARE(combo->currentText(), QStringLiteral("kept mass"));
        combo->setFocus();
        for (int i = 1; i < combo->count(); ++i) {
            QTest::keyClick(combo, Qt::Key_Down);
            QCOMPARE(w.view.metric(), headMetrics()[std::size_t(i)].metric);
            QVERIFY(w.view.metric() == HeadMetric::Picture
                        ? w.view.grid().scene().picture(2, 3) != nullptr
                        : headValue(*snapshot, w.view.metric(), 2, 3).has_value());
        }
        QCOMPARE(*headValue(*snapshot, HeadMetric::MeanDistance, 2, 3),
                 double(snapshot->full->headStats[2][3].meanDistance));
    }

    void aPictureIsTheHeadsMap() {
        test::TinyOptions options;
        options.tokens = 300; // cells of 8 tokens
        const auto snapshot = test::tinySnapshot(options);
        Window w(snapshot);
        w.view.findChild<QComboBox*>(QStringLiteral("heads.metric"))
            ->setCurrentText(QStringLiteral("attention map"));
        const AttentionCells& cells = snapshot->full->layers[2]->picture;
        QCOMPARE(cells.cell, std::size_t{8});
        QCOMPARE(w.view.grid().scene().pictureCell, cells.cell);
        const QImage* picture = w.view.grid().scene().picture(2, 3);
        QVERIFY(picture);
        const MapScale scale(ScaleKind::Log);
        const auto& lse = snapshot->full->layers[2]->lse;
        const AttentionInput in = snapshot->attentionInput(2);
        float sink = 0; // of queries 288 to 295 on keys 0 to 7
        Matrix logits(8, 8);
        logitTile(in, 3, 288, 0, logits.view(), Isa::Portable);
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t j = 0; j < 8; ++j)
                sink = std::max(sink, std::exp(logits.view()(i, j) - lse[(288 + i) * 4 + 3]));
        QVERIFY(std::abs(int(picture->constScanLine(36)[0]) - 1 - int(scale.index(sink))) <= 1);
        QCOMPARE(int(picture->constScanLine(0)[30]), 0); // above the diagonal
        // Above the diagonal the paper of what cannot be; on the sink's column its colour.
        const QRectF cell = w.view.grid().cellRect(2, 3);
        const QImage shown = w.view.grid().grab().toImage();
        QCOMPARE(shown.pixel((cell.topRight() + QPointF(-4, 3)).toPoint()), Theme::light().impossible.rgb());
        const QRgb first = shown.pixel((cell.bottomLeft() + QPointF(0.5, -3)).toPoint());
        const auto place = [&](QRgb color) {
            const auto& table = Ramp::weights(Theme::light()).table();
            return int(std::find(table.begin(), table.end(), color) - table.begin());
        };
        int most = 0; // the pixel covers one or two cells each way
        for (int row = 35; row < 38; ++row)
            most = std::max({most, picture->constScanLine(row)[0] - 1, picture->constScanLine(row)[1] - 1});
        QVERIFY(place(first) >= int(scale.index(sink)) / 2 && place(first) <= most);
        QVERIFY(cell.width() >= 16 && cell.width() == cell.height());
        QVERIFY(w.view.grid().minimumHeight() >= 3 * 16);
    }

    void picturesFollowTheViewsWidth() {
        Window w(test::tinySnapshot());
        w.view.findChild<QComboBox*>(QStringLiteral("heads.metric"))
            ->setCurrentText(QStringLiteral("attention map"));
        const auto* scroll = w.view.findChild<QScrollArea*>();
        const auto widthAt = [&](int width) {
            w.view.resize(width, 300);
            QCoreApplication::processEvents();
            return w.view.grid().cellRect(0, 0).width();
        };
        const double narrow = widthAt(260), wide = widthAt(420);
        QVERIFY(wide > narrow);
        QCOMPARE(scroll->horizontalScrollBar()->maximum(), 0);
        QCOMPARE(widthAt(260), narrow);
        QCOMPARE(scroll->horizontalScrollBar()->maximum(), 0);
    }

    void aClickAndTheArrowsChooseTheHead() {
        Window w(test::tinySnapshot());
        QTest::mouseClick(&w.view.grid(), Qt::LeftButton, {},
                          w.view.grid().cellRect(2, 3).center().toPoint());
        QCOMPARE(w.selection.layer(), 2);
        QCOMPARE(w.selection.head(), 3);
        QTest::keyClick(&w.view.grid(), Qt::Key_Up);
        QCOMPARE(w.selection.layer(), 1);
        QTest::keyClick(&w.view.grid(), Qt::Key_Right);
        QCOMPARE(w.selection.head(), 3);
        QTest::keyClick(&w.view.grid(), Qt::Key_Home);
        QCOMPARE(w.selection.head(), 0);
        QVERIFY(w.view.grid().accessibleName().contains(QStringLiteral("L1 H0")));
    }

    void groupsStandApart() {
        Window w(test::tinySnapshot());
        HeadsGrid& g = w.view.grid();
        QCOMPARE(g.cellRect(0, 1).left(), g.cellRect(0, 0).right());
        QCOMPARE(g.cellRect(0, 2).left(), g.cellRect(0, 1).right() + 4); // the next key-value head
    }

    void aLayerKeptFullIsMarked() {
        test::TinyOptions options;
        options.policy.mix.fullLayers = {2};
        Window w(test::tinySnapshot(options));
        QVERIFY(w.view.grid().scene().full[2]);
        QVERIFY(!w.view.grid().scene().full[1]);
    }

    void oldValuesStayAndSaySo() {
        test::TinyOptions options;
        auto complete = std::make_shared<Snapshot>(*test::tinySnapshot(options));
        complete->propagated = std::make_shared<PropagatedResult>();
        Window w(complete);
        auto next = std::make_shared<Snapshot>(*complete);
        next->isolated = nullptr;
        next->visible = nullptr;
        next->propagated = nullptr;
        const QRgb before = w.pixel(0, 1);
        w.runs.dragStarted();
        w.requests.setParam(*findParam("window"), ParamValue(std::int64_t{5}));
        w.runs.adopt(next);
        QVERIFY(w.view.grid().scene().old);
        QCOMPARE(w.view.findChild<QLabel*>(QStringLiteral("heads.title"))->text(),
                 QStringLiteral("updating"));
        QCOMPARE(w.pixel(0, 1), before);
    }

    void rowsAppearAsLayersArrive() {
        test::TinyOptions options;
        options.layersDone = 1;
        Window w(test::tinySnapshot(options));
        w.view.findChild<QComboBox*>(QStringLiteral("heads.metric"))->setCurrentIndex(2);
        QCOMPARE(w.view.findChild<QLabel*>(QStringLiteral("heads.title"))->text(),
                 QStringLiteral("1 of 3 layers"));
        QVERIFY(w.view.grid().scene().value(0, 0));
        QVERIFY(!w.view.grid().scene().value(1, 0));
    }

    void withoutAModelItSaysWhatItWaitsFor() {
        Window w;
        QVERIFY(w.view.grid().scene().empty.contains(QStringLiteral("waits for the model")));
        QTest::keyClick(&w.view.grid(), Qt::Key_Down);
        QVERIFY(!w.view.grab().isNull());
    }

    void theTooltipGivesDefinitionAndExactValue() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        const QPoint at = w.view.grid().cellRect(1, 2).center().toPoint();
        QHelpEvent help(QEvent::ToolTip, at, w.view.grid().mapToGlobal(at));
        QCoreApplication::sendEvent(&w.view.grid(), &help);
        const double value = double(snapshot->isolated->layers[1].headMass[2]);
        QVERIFY2(QToolTip::text().contains(QString::number(value, 'g', 9)), qPrintable(QToolTip::text()));
        QVERIFY(QToolTip::text().contains(QStringLiteral("keys that the plan keeps")));
    }

    void everyControlHasAName() {
        Window w(test::tinySnapshot());
        QVERIFY(w.view.findChild<HeadsGrid*>(QStringLiteral("heads.grid")));
        for (const QWidget* widget : w.view.findChildren<QWidget*>(QString(), Qt::FindDirectChildrenOnly))
            QVERIFY2(!widget->objectName().isEmpty(), widget->metaObject()->className());
    }
};

QTEST_MAIN(tst_HeadsView)
#include "tst_HeadsView.moc"
