// The panels at the foot of the window that show runs and what they cost, with a real engine on a tiny model.
#include "core/engine/ArmComparison.h"
#include "tests/support/TinyModel.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/RooflineView.h"
#include <QAbstractButton>
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QLabel>
#include <QTableView>
#include <QTest>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

struct Window : Stage {
    TinyModelFile model;
    Window() : Stage(LatestWorker::Runner{}) {
        window.resize(1280, 800);
        requests.setPolicy(tinyRequest(model).policy, QStringLiteral("test"));
        requests.setText(tinyText(60), QStringLiteral("test"));
        window.documents().openModel(QString::fromStdString(model.path()));
    }
    [[nodiscard]] bool atRest() {
        return QTest::qWaitFor([this] { return runs.lastComplete() && !runs.updating(); }, 60'000);
    }
    QTableView* openPanel(const char* button, const char* table) {
        QTest::mouseClick(find<QWidget>(button), Qt::LeftButton);
        return find<QTableView>(table);
    }
};

QString at(const QTableView* table, int row, int column) {
    return table->model()->index(row, column).data().toString();
}

/// The row whose first cell is `name`, -1: none.
int rowOf(const QTableView* table, const QString& name) {
    for (int row = 0; row < table->model()->rowCount(); ++row)
        if (at(table, row, 0) == name)
            return row;
    return -1;
}

} // namespace

class tst_Drawer : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    /// Each run that finishes is a row with its figures; a chosen one becomes B or A again.
    void runs_areListedAndChosenAgain() {
        Window w;
        QVERIFY(w.atRest());
        auto* table = w.openPanel("drawer.runs", "runs.table");
        QTRY_COMPARE(table->model()->rowCount(), 1);
        const AttentionPolicy first = w.requests.request().policy;
        const ArmFigures figures = *figuresOfB(*w.runs.lastComplete());
        QCOMPARE(at(table, 0, 4), threeDigits(figures.nextTokenKl));
        QCOMPARE(at(table, 0, 8), QStringLiteral("%1 %").arg(threeDigits(100 * figures.pairsRatio)));
        auto* toA = w.find<QAbstractButton>("runs.toA");
        QVERIFY(!toA->isEnabled());
        w.requests.setParam(*findParam("window"), ParamValue(std::int64_t{3}));
        QVERIFY(w.atRest());
        QTRY_COMPARE(table->model()->rowCount(), 2);
        const AttentionPolicy second = w.requests.request().policy;
        // Newest first; the older one is chosen with the mouse and made B with a key, as one undo step.
        const QPoint older = table->visualRect(table->model()->index(1, 1)).center();
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, older);
        QVERIFY(toA->isEnabled());
        QTest::keyClick(table, Qt::Key_Return);
        QVERIFY(sameButName(w.requests.request().policy, first));
        QVERIFY(w.atRest());
        QCOMPARE(table->model()->rowCount(), 2); // the same question is the same row
        QTest::keyClick(&w.window, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(sameButName(w.requests.request().policy, second));
        QVERIFY(w.atRest());
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {},
                          table->visualRect(table->model()->index(0, 1)).center());
        QTest::mouseClick(toA, Qt::LeftButton);
        QVERIFY(w.requests.request().against);
        QTest::keyClick(table, Qt::Key_C, Qt::ControlModifier);
        const QStringList copied = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QCOMPARE(copied.size(), 3);
        QVERIFY(copied[0].startsWith(QStringLiteral("run\tpolicy\ttext")));
        QCOMPARE(copied[2].section(QLatin1Char('\t'), 0, 0), at(table, 1, 0));
        // Of another text they stay, in the second ink, from the moment that it is set.
        QVERIFY(w.atRest());
        QVERIFY(!table->model()->index(0, 4).data(Qt::ForegroundRole).isValid());
        w.requests.setText(tinyText(40), QStringLiteral("test"));
        QCOMPARE(table->model()->index(0, 4).data(Qt::ForegroundRole).value<QColor>(), Theme::current().ink2);
        QVERIFY(w.atRest());
        QTRY_COMPARE(table->model()->rowCount(), 3);
        QCOMPARE(table->model()->index(2, 4).data(Qt::ForegroundRole).value<QColor>(), Theme::current().ink2);
        QVERIFY(!table->model()->index(0, 4).data(Qt::ForegroundRole).isValid());
    }

    /// The profile's counts are the run's; its layers sum to the whole.
    void profile_countsWhatTheRunCounted() {
        Window w;
        QVERIFY(w.atRest());
        auto* cost = w.openPanel("drawer.profile", "profile.cost");
        const Cost& counted = w.runs.lastComplete()->propagated->cost;
        const int pairs = rowOf(cost, QStringLiteral("pairs"));
        QVERIFY(pairs >= 0);
        QCOMPARE(at(cost, pairs, 1), QStringLiteral("counted"));
        QCOMPARE(at(cost, pairs, 2), groupedCount(counted.full.pairs));
        QCOMPARE(at(cost, pairs, 3), groupedCount(counted.hybrid.pairs));
        QCOMPARE(at(cost, rowOf(cost, QStringLiteral("attention")), 1), QStringLiteral("measured"));
        auto* layers = w.find<QTableView>("profile.layers");
        QCOMPARE(layers->model()->rowCount(), w.runs.lastComplete()->model->shape.layers);
        std::uint64_t full = 0, own = 0;
        for (int row = 0; row < layers->model()->rowCount(); ++row) {
            full += at(layers, row, 2).remove(QLatin1Char(',')).toULongLong();
            own += at(layers, row, 3).remove(QLatin1Char(',')).toULongLong();
        }
        QCOMPARE(full, counted.full.pairs);
        QCOMPARE(own, counted.hybrid.pairs);
    }

    /// The profile says what its figures are not of, as soon as that changes.
    void profile_saysOfWhichRunItIs() {
        Window w;
        QVERIFY(w.atRest());
        auto* cost = w.openPanel("drawer.profile", "profile.cost");
        const auto* state = w.find<QLabel>("profile.state");
        const auto isOld = [&] { return cost->model()->index(0, 2).data(Qt::ForegroundRole).isValid(); };
        QVERIFY(!isOld() && !state->text().contains(QStringLiteral("present one")));
        w.requests.setAgainst(*presetPolicy("default"), QStringLiteral("test"));
        QVERIFY2(isOld() && state->text().contains(QStringLiteral("another A")), qPrintable(state->text()));
        w.requests.setParam(*findParam("window"), ParamValue(std::int64_t{3}));
        QVERIFY2(isOld() && state->text().contains(QStringLiteral("another policy")),
                 qPrintable(state->text()));
        w.requests.setText(tinyText(40), QStringLiteral("test"));
        QVERIFY2(isOld() && state->text().contains(QStringLiteral("another text")),
                 qPrintable(state->text()));
    }

    /// A panel that was looked at and closed does not keep the activations of an earlier text.
    void profile_keepsNoRun() {
        Window w;
        QVERIFY(w.atRest());
        auto* cost = w.openPanel("drawer.profile", "profile.cost");
        QVERIFY(cost->model()->rowCount() > 0);
        const std::weak_ptr<const FullRun> before = w.runs.lastComplete()->full;
        w.openPanel("drawer.profile", "profile.cost"); // again: closes it
        QVERIFY(!cost->isVisible());
        w.requests.setText(tinyText(40), QStringLiteral("test"));
        QVERIFY(w.atRest());
        QTRY_VERIFY(before.expired());
    }

    /// The ladder is measured on a click, and old when the policy is another one.
    void ladder_isMeasuredWhenAsked() {
        Window w;
        QVERIFY(w.atRest());
        auto* ladder = w.openPanel("drawer.profile", "profile.ladder");
        QVERIFY(!ladder->isVisible());
        auto* measure = w.find<QAbstractButton>("profile.measure");
        QVERIFY(measure->isEnabled());
        QTest::mouseClick(measure, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(ladder->isVisible(), 60'000);
        QCOMPARE(ladder->model()->rowCount(), 4);
        for (int row = 0; row < 4; ++row)
            QVERIFY2(at(ladder, row, 1).endsWith(QStringLiteral(" s")), qPrintable(at(ladder, row, 1)));
        // The roofline has what the run counted and timed.
        const auto* roof = w.find<RooflineView>("profile.roofline");
        QVERIFY(roof->isVisible());
        const Snapshot& run = *w.runs.lastComplete();
        const std::vector<RoofPoint> points = roofPoints(run);
        QCOMPARE(points.size(), std::size_t{2});
        const ArmCost& own = run.propagated->cost.hybrid;
        QCOMPARE(points[1].gflops(), static_cast<double>(own.attentionFlops) / own.attention.median * 1e-9);
        const ModelShape& shape = run.model->shape;
        QCOMPARE(points[1].bytes, 4.0 * static_cast<double>(run.tokens->size()) * shape.layers *
                                      shape.headDim * 2 * (shape.heads + shape.kvHeads));
        const Peak peak{1, 100, 0, 10};
        QCOMPARE(roofAt(peak, 2), 20.0);
        QCOMPARE(roofAt(peak, 50), 100.0);
        for (const RoofPoint& point : points)
            QVERIFY2(roof->sentence().contains(threeDigits(point.gflops()) + QStringLiteral(" Gflop/s at ")),
                     qPrintable(roof->sentence()));
        // The pixel where B's point stands has its colour.
        const QPointF place = roof->placeOf(points[1].intensity(), points[1].gflops());
        const QImage picture = w.find<QWidget>("profile.roofline")->grab().toImage();
        QCOMPARE(QColor(picture.pixel((place * picture.devicePixelRatio()).toPoint())),
                 Theme::current().armB);
        const auto ink = [&] { return ladder->model()->index(0, 1).data(Qt::ForegroundRole); };
        QVERIFY(!ink().isValid());
        w.requests.setParam(*findParam("window"), ParamValue(std::int64_t{3}));
        QCOMPARE(ink().value<QColor>(), Theme::current().ink2);
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(tst_Drawer)
#include "tst_Drawer.moc"
