#include "core/engine/Sweep.h"
#include "tests/support/TinySnapshot.h"
#include "ui/plot/CurvePlot.h"
#include "ui/plot/Theme.h"
#include "ui/views/CurveView.h"
#include <QApplication>
#include <QClipboard>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

using namespace fovea;
using namespace fovea::ui;

class tst_CurveView : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// In a low dock the words get shorter; none is cut.
    void labelsFitALowPlot() {
        CurvePlot plot;
        plot.setAxes(QStringLiteral("pairs, counted, router included"),
                     {QStringLiteral("next-token KL, nats")});
        plot.show();
        const QFontMetrics metrics(Theme::axis());
        for (const QSize size : {QSize(700, 96), QSize(300, 130), QSize(700, 400)}) {
            plot.resize(size);
            QCoreApplication::processEvents();
            int words = 0;
            for (const QObject* part : plot.findChildren<QObject*>()) {
                const bool axis = part->inherits("QCPAxis");
                const QString said = part->property(axis                            ? "label"
                                                    : part->inherits("QCPItemText") ? "text"
                                                                                    : "")
                                         .toString();
                if (said.isEmpty())
                    continue;
                ++words;
                const bool along = said.startsWith(QStringLiteral("pairs"));
                QVERIFY2(metrics.horizontalAdvance(said) <= (along ? size.width() - 100 : size.height() - 40),
                         qPrintable(said));
            }
            QVERIFY(words >= 1);
            if (size.height() == 400)
                QCOMPARE(words, 3);
        }
    }

    void theGridVariesWindowAndCountAroundThePolicy() {
        AttentionPolicy base;
        base.local.window = 100;
        base.always.sinks = 3;
        base.routed.signal = "key_norm";
        base.routed.budget = 7;
        const SweepPlan plan = CurveView::plan(base, 700);
        QCOMPARE(plan.axes.size(), std::size_t{2});
        QCOMPARE(plan.axes[0].values.size(), std::size_t{6}); // 16 .. 512
        QCOMPARE(plan.axes[1].values.size(), std::size_t{4}); // 0, 8, 32, 128
        const auto points = sweepPolicies(plan);
        QVERIFY(points);
        for (const SweepPoint& p : *points) {
            QCOMPARE(p.policy.always.sinks, std::int64_t{3});
            QVERIFY(p.kind != PointKind::Policy || p.policy.routed.budget == 0 ||
                    p.policy.routed.signal == "key_norm");
        }
        // A text of five tokens still has a grid, and nothing wider than the text.
        const auto tiny = sweepPolicies(CurveView::plan(base, 5));
        QVERIFY(tiny && !tiny->empty());
    }

    void aMarkIsClickedWhereItIsDrawn() {
        CurvePlot plot;
        plot.resize(500, 300);
        plot.setAxes("pairs", {"next-token KL", true, true, 0});
        plot.setPoints({{1.0, 0.0, CurveMark::Full, -1},
                        {0.2, 0.05, CurveMark::Front, 0},
                        {0.4, 0.01, CurveMark::Front, 1},
                        {0.5, 0.5, CurveMark::Policy, 2}});
        plot.show();
        QVERIFY(QTest::qWaitForWindowExposed(&plot));
        plot.grab();
        // Dearer is right, better is up: KL 0.01 above KL 0.05.
        QVERIFY(plot.positionOf(1).x() > plot.positionOf(0).x());
        QVERIFY(plot.positionOf(1).y() < plot.positionOf(0).y());
        QSignalSpy clicks(&plot, &CurvePlot::clicked);
        QWidget* canvas = plot.findChild<QWidget*>(QString(), Qt::FindDirectChildrenOnly);
        QTest::mouseClick(canvas, Qt::LeftButton, {}, plot.positionOf(1).toPoint());
        QCOMPARE(clicks.size(), 1);
        QCOMPARE(clicks.front().front().toInt(), 1);
        QTest::mouseClick(canvas, Qt::LeftButton, {}, QPoint(5, 5));
        QCOMPARE(clicks.size(), 1);
    }

    void theCommandIsThePolicyNow() {
        const auto snapshot = test::tinySnapshot();
        Request request = *snapshot->request;
        request.policy.local.window = 64;
        request.policy.always.sinks = 4;
        RequestModel requests(request);
        SelectionModel selection;
        RunController runs(requests, selection);
        CurveView view(ViewContext{runs, requests, selection});
        view.resize(760, 240);
        view.show();
        QTest::mouseClick(view.findChild<QToolButton*>("curve.copy"), Qt::LeftButton);
        const QString command = QApplication::clipboard()->text();
        QVERIFY2(command.contains("--window 64") && command.contains("--sinks 4"), qPrintable(command));
        // Nothing to sweep before a full run is there.
        QVERIFY(!view.findChild<QPushButton*>("curve.start")->isEnabled());
        QVERIFY(!view.findChild<QToolButton*>("curve.save")->isEnabled());
    }
};

QTEST_MAIN(tst_CurveView)
#include "tst_CurveView.moc"
