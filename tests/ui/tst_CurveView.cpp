#include "core/engine/Sweep.h"
#include "core/files/AtomicFile.h"
#include "core/policy/PolicyJson.h"
#include "core/tune/Front.h"
#include "tests/support/SmallModel.h"
#include "tests/support/TinyGguf.h"
#include "tests/support/TinySnapshot.h"
#include "ui/models/TunePointsModel.h"
#include "ui/plot/CurvePlot.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/plot/TornadoPlot.h"
#include "ui/views/CurvePrediction.h"
#include "ui/views/CurveView.h"
#include "ui/views/SensitivityView.h"
#include "ui/views/TuneView.h"
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QMenu>
#include <QPushButton>
#include <QScopeGuard>
#include <QSignalSpy>
#include <QStyleOptionComboBox>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QUndoStack>
#include <cmath>
#include <future>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// A finished run of `tokens` tokens.
SnapshotPtr finished(std::size_t tokens) {
    test::TinyOptions options;
    options.tokens = tokens;
    auto snapshot = test::tinySnapshot(options);
    auto propagated = std::make_shared<PropagatedResult>();
    propagated->cost.pairsRatio = 0.5;
    propagated->fidelity.nextTokenKl = 0.1;
    snapshot->propagated = propagated;
    auto full = std::make_shared<FullRun>(*snapshot->full);
    full->cost.total.median = 0.5;
    snapshot->full = full;
    return snapshot;
}

/// The view and what it works on.
struct Shown {
    explicit Shown(const Request& request) : requests(request) {}
    void show(int width, int height) {
        view.resize(width, height);
        view.show();
    }
    /// Runs the request to its end.
    [[nodiscard]] bool run() {
        runs.submitNow();
        return QTest::qWaitFor([&] { return !runs.updating() && runs.lastComplete(); }, 120000);
    }
    template <class T>
    [[nodiscard]] T* find(const char* name) const {
        return view.findChild<T*>(QLatin1String(name));
    }
    [[nodiscard]] QString said() const { return find<ElidedLabel>("curve.state")->toolTip(); }
    [[nodiscard]] CurvePlot* plot() const { return find<CurvePlot>("curve.plot"); }
    [[nodiscard]] std::size_t marks(std::initializer_list<CurveMark> kinds) const {
        const std::vector<CurvePoint>& all = plot()->points();
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const CurvePoint& p) {
            return std::find(kinds.begin(), kinds.end(), p.mark) != kinds.end();
        }));
    }

    RequestModel requests;
    SelectionModel selection;
    RunController runs{requests, selection};
    CurveView view{ViewContext{runs, requests, selection}};
};

} // namespace

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

    /// The names in the two lists are never cut, however narrow the dock.
    void namesOfTheListsFit() {
        Shown s(*test::tinySnapshot()->request);
        s.view.show();
        s.view.resize(s.view.minimumSizeHint());
        QCoreApplication::processEvents();
        for (const char* name : {"curve.cost", "curve.fidelity"}) {
            auto* box = s.find<QComboBox>(name);
            QStyleOptionComboBox option;
            option.initFrom(box);
            const int room =
                box->style()
                    ->subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxEditField, box)
                    .width();
            for (int i = 0; i < box->count(); ++i)
                QVERIFY2(box->fontMetrics().horizontalAdvance(box->itemText(i)) <= room,
                         qPrintable(QStringLiteral("%1 needs more than %2").arg(box->itemText(i)).arg(room)));
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

    /// Values that no loss has neither press the others together nor leave the plot.
    void wildPredictions_standAtTheEdge() {
        CurvePlot plot;
        plot.resize(500, 300);
        plot.setAxes("pairs", {"next-token KL", true, true, 0});
        plot.setPoints({{1.0, 0.0, CurveMark::Full, -1},
                        {0.2, 0.1, CurveMark::Front, 0},
                        {0.4, 0.01, CurveMark::Front, 1},
                        {0.5, 1e6, CurveMark::Front, 2},
                        {0.6, 1e-19, CurveMark::Front, 3}});
        plot.show();
        QVERIFY(QTest::qWaitForWindowExposed(&plot));
        plot.grab();
        QVERIFY(plot.positionOf(0).y() - plot.positionOf(1).y() > 15);
        QVERIFY(plot.positionOf(2).y() > plot.positionOf(0).y() && plot.positionOf(2).y() < plot.height());
        QVERIFY(plot.positionOf(3).y() >= 0 && plot.positionOf(3).y() < plot.positionOf(1).y());
        plot.setPoints({{0.5, 1e6, CurveMark::Front, 0}}); // nothing else
        QVERIFY(plot.positionOf(0).y() > 0 && plot.positionOf(0).y() < plot.height());
    }

    void nothingIsSweptUnasked_andTheButtonSaysWhatItCosts() {
        const auto snapshot = finished(60);
        Shown s(*snapshot->request);
        s.runs.adopt(snapshot);
        QVERIFY(!s.runs.sweeping());
        const QString button = s.find<QPushButton>("curve.start")->text();
        const auto points = sweepPolicies(CurveView::plan(snapshot->request->policy, 60));
        QVERIFY2(button.contains(QStringLiteral("%1 runs").arg(points->size())) &&
                     button.contains(QStringLiteral("about ")),
                 qPrintable(button));
        QVERIFY2(s.said().contains(QStringLiteral("predicted curve takes about ")), qPrintable(s.said()));
    }

    /// A model that predicts no tokens has no predicted curve, so no time of one is told.
    void anEncoderIsToldOfNoPrediction() {
        auto snapshot = std::make_shared<Snapshot>(*finished(60));
        auto model = std::make_shared<Model>(*snapshot->model);
        model->shape.causal = false;
        snapshot->model = model;
        Shown s(*snapshot->request);
        s.runs.adopt(snapshot);
        QVERIFY(s.find<QPushButton>("curve.predict")->isHidden());
        QCOMPARE(s.said(), QStringLiteral("not swept yet"));
    }

    void aResultOfAnotherPolicyOrTextIsNotThePolicyNow() {
        const auto snapshot = finished(60);
        Shown s(*snapshot->request);
        const std::size_t none = 0, one = 1;
        s.runs.adopt(snapshot);
        QCOMPARE(s.marks({CurveMark::Current}), one);
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{3}));
        QCOMPARE(s.marks({CurveMark::Current}), none);
        QCOMPARE(s.marks({CurveMark::Full}), one);
        s.requests.undoStack().undo();
        QCOMPARE(s.marks({CurveMark::Current}), one);
        s.requests.setText("another text", QStringLiteral("typing"));
        QCOMPARE(s.marks({CurveMark::Current}), none);
        QCOMPARE(s.marks({CurveMark::Full}), none);
        QVERIFY(!s.find<QPushButton>("curve.start")->isEnabled()); // its full run is not there
    }

    /// The real engine on a tiny model.
    void aSweepFromItsButtonToItsFile() {
        QTemporaryDir folder;
        const QString path = folder.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), test::tinyModel().bytes()));
        Request request;
        request.modelPath = path.toStdString();
        request.text = std::make_shared<const std::string>("abcabacbabcabcbbacabacbbca");
        request.policy.local.window = 4;
        request.policy.routed.signal = "key_norm";
        request.policy.routed.budget = 2;
        Shown s(request);
        s.show(900, 300);
        QVERIFY(s.run());
        RunController& runs = s.runs;
        auto* start = s.find<QPushButton>("curve.start");
        QTest::mouseClick(start, Qt::LeftButton);
        QVERIFY(runs.sweeping());
        QVERIFY2(s.said().contains(QStringLiteral("of %1 runs").arg(runs.sweepTotal())),
                 qPrintable(s.said()));
        QTRY_VERIFY(!runs.sweeping());
        const std::vector<SweepPoint>& points = runs.sweepPoints();
        QCOMPARE(static_cast<int>(points.size()), runs.sweepTotal());
        // A control stands above or below its point, not beside it.
        int controls = 0;
        for (const CurvePoint& mark : s.plot()->points()) {
            if (mark.mark != CurveMark::Random && mark.mark != CurveMark::Oracle)
                continue;
            ++controls;
            const SweepPoint& control = points[static_cast<std::size_t>(mark.id)];
            const auto point = std::find_if(points.begin(), points.end(), [&](const SweepPoint& p) {
                return p.kind == PointKind::Policy && p.values == control.values;
            });
            QVERIFY(point != points.end());
            QCOMPARE(mark.cost, point->cost.pairsRatio);
        }
        QVERIFY(controls > 0);
        // Saving asks in a dialog that the window goes on beside.
        s.view.exportNumbers();
        auto* dialog = s.find<QFileDialog>("curve.saveNumbers");
        QVERIFY(dialog && dialog->isVisible());
        const QString csv = folder.filePath(QStringLiteral("points.csv"));
        emit dialog->fileSelected(csv);
        dialog->close();
        QVERIFY(QFile::exists(csv));
        QVERIFY(s.said().contains(QStringLiteral("saved")));
        // Of another text none of this is said.
        s.requests.setText("bbbcaca", QStringLiteral("typing"));
        QVERIFY(!s.find<QToolButton>("curve.save")->isEnabled());
        QVERIFY(s.plot()->points().empty());
        QTRY_VERIFY(!runs.updating());
        QSignalSpy finished(&runs, &RunController::sweepFinished);
        QTest::mouseClick(start, Qt::LeftButton);
        QTest::mouseClick(s.find<QToolButton>("curve.cancel"), Qt::LeftButton);
        QTRY_VERIFY(!runs.sweeping());
        const QString said = s.said();
        // A sweep of a tiny model may be through before the button is reached.
        const bool cancelled = finished.back().at(0).toBool();
        QVERIFY2(!cancelled ? !said.contains(QStringLiteral("cancelled"))
                 : runs.sweepPoints().empty()
                     ? said.contains(QStringLiteral("before its first"))
                     : said.contains(QStringLiteral("%1 points stay").arg(runs.sweepPoints().size())),
                 qPrintable(said));
    }

    /// Predictions come without a sweep, are drawn apart from what is measured, and load like points of it.
    void aPredictedCurveFromItsButton() {
        Request request = onSmallModel(90);
        request.policy.local.window = 8;
        request.policy.routed.signal = "group_dot";
        request.policy.routed.budget = 4;
        Shown s(request);
        s.show(1000, 400);
        auto* predict = s.find<QPushButton>("curve.predict");
        QVERIFY(!predict->isEnabled()); // no full run yet
        QVERIFY(s.run());
        CurvePlot* plot = s.plot();
        QVERIFY(predict->isEnabled());
        QVERIFY2(s.said().contains(QStringLiteral("curve takes about ")), qPrintable(s.said()));
        const std::size_t none = 0;
        QCOMPARE(s.marks({CurveMark::Predicted, CurveMark::PredictedFront}), none);
        QTest::mouseClick(predict, Qt::LeftButton);
        QVERIFY(!predict->isEnabled());
        QTRY_VERIFY_WITH_TIMEOUT(s.marks({CurveMark::PredictedFront}) > 1, 120000);
        const SweepPlan grid = CurveView::plan(request.policy, s.runs.snapshot()->tokens->size());
        QCOMPARE(s.marks({CurveMark::Predicted, CurveMark::PredictedFront}),
                 grid.axes[0].values.size() * grid.axes[1].values.size());
        QCOMPARE(s.marks({CurveMark::Front, CurveMark::Policy}), none); // nothing was measured
        QVERIFY2(s.said().contains(QStringLiteral("rank correlation")), qPrintable(s.said()));
        QVERIFY(plot->findChild<QObject*>(QStringLiteral("curve.bands")) != nullptr);
        int id = -1;
        for (const CurvePoint& mark : plot->points())
            if (mark.mark == CurveMark::PredictedFront) {
                QVERIFY(mark.low <= mark.fidelity && mark.fidelity <= mark.high);
                if (mark.fidelity > 0)
                    id = mark.id;
            }
        // A click loads the policy; measuring it changes no prediction.
        const AttentionPolicy before = s.requests.request().policy;
        emit plot->clicked(id);
        QVERIFY(!sameButName(s.requests.request().policy, before));
        QVERIFY(s.marks({CurveMark::PredictedFront}) > 1);
        // Seconds are not predicted, and of another text nothing is known.
        s.find<QComboBox>("curve.cost")->setCurrentIndex(2);
        QCOMPARE(s.marks({CurveMark::Predicted, CurveMark::PredictedFront}), none);
        s.find<QComboBox>("curve.cost")->setCurrentIndex(0);
        QVERIFY(s.marks({CurveMark::PredictedFront}) > 1);
        s.requests.setText(test::smallText(60), QStringLiteral("typing"));
        QCOMPARE(s.marks({CurveMark::Predicted, CurveMark::PredictedFront}), none);
    }

    /// A goal is chosen from the menu; its answer becomes B, and what was run for it is drawn as measured.
    void aSearchLoadsItsAnswer() {
        const Request request = onSmallModel(90);
        Shown s(request);
        s.show(1000, 400);
        auto* find = s.find<QToolButton>("curve.find");
        QVERIFY(!find->isEnabled()); // no full run yet
        QVERIFY(s.run());
        QVERIFY(find->isEnabled());
        QAction* within = nullptr;
        for (QAction* action : s.find<QMenu>("curve.goals")->actions())
            if (action->text().contains(QStringLiteral("within KL 0.1")))
                within = action;
        QVERIFY(within != nullptr);
        within->trigger();
        QVERIFY(!find->isEnabled()); // one at a time
        auto* prediction = s.view.findChild<CurvePrediction*>();
        QTRY_VERIFY_WITH_TIMEOUT(!prediction->running(), 120000);
        const Tuning* tuning = prediction->tuning();
        QVERIFY(tuning != nullptr && tuning->best);
        const TunePoint& best = tuning->points[*tuning->best];
        QVERIFY(best.measuredKl() <= 0.1);
        QVERIFY(sameButName(s.requests.request().policy, best.candidate.policy));
        QVERIFY2(s.said().contains(QStringLiteral("cheapest within KL 0.1")), qPrintable(s.said()));
        for (const CurvePoint& mark : s.plot()->points())
            if (mark.mark == CurveMark::Front || mark.mark == CurveMark::Policy)
                QVERIFY(std::isnan(mark.low)); // no band: it was measured
        QCOMPARE(s.marks({CurveMark::Front, CurveMark::Policy}), tuning->runs);
        s.requests.undoStack().undo();
        QVERIFY(sameButName(s.requests.request().policy, request.policy));
        // Its points belong to no base policy, so they do not belong to another one either.
        QVERIFY2(s.said().contains(QStringLiteral("click a point")), qPrintable(s.said()));
    }

    /// An answer that is on its way when the search is given up loads nothing: it is of another text, or was
    /// not wanted any more.
    void anAnswerThatWasGivenUpLoadsNothing_data() {
        QTest::addColumn<bool>("cancelled");
        QTest::newRow("Cancel") << true;
        QTest::newRow("another text") << false;
    }
    void anAnswerThatWasGivenUpLoadsNothing() {
        QFETCH(bool, cancelled);
        const Request request = onSmallModel(90);
        Shown s(request);
        s.show(1000, 400);
        QVERIFY(s.run());
        s.view.startSearch({0.1, {}});
        // Questions of one urgency are answered in turn: when this one is asked, the search has ended. The
        // window has not looked yet.
        std::promise<void> ended;
        s.runs.fetch<int>(
            &s.view, {"test", Urgency::Background},
            [&ended](const WorkContext&) -> Result<int> {
                ended.set_value();
                return 0;
            },
            [](const Result<int>&) {});
        ended.get_future().wait();
        if (cancelled)
            s.find<QToolButton>("curve.cancel")->click();
        else
            s.requests.setText(test::smallText(60), QStringLiteral("typing"));
        auto* prediction = s.view.findChild<CurvePrediction*>();
        QTRY_VERIFY_WITH_TIMEOUT(!prediction->running(), 120000);
        QVERIFY(sameButName(s.requests.request().policy, request.policy));
        QVERIFY2(s.said().contains(cancelled ? QStringLiteral("search cancelled")
                                             : QStringLiteral("text or model changed")),
                 qPrintable(s.said()));
    }

    /// A prediction around another policy does not make the points of a sweep belong to that policy.
    void aPredictionLeavesTheSweepItsBase() {
        Request request = onSmallModel(40);
        request.policy.local.window = 8;
        Shown s(request);
        s.show(1000, 400);
        QVERIFY(s.run());
        QTest::mouseClick(s.find<QPushButton>("curve.start"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.sweeping() && !s.runs.sweepPoints().empty(), 120000);
        QVERIFY2(s.said().contains(QStringLiteral("click a point")), qPrintable(s.said()));
        AttentionPolicy other = s.requests.request().policy;
        other.always.sinks = 3;
        s.requests.setPolicy(other, QStringLiteral("sinks"));
        QVERIFY2(s.said().contains(QStringLiteral("another base policy")), qPrintable(s.said()));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 120000);
        QTest::mouseClick(s.find<QPushButton>("curve.predict"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(s.marks({CurveMark::PredictedFront}) > 0, 120000);
        QVERIFY2(s.said().contains(QStringLiteral("another base policy")), qPrintable(s.said()));
    }

    /// The Tune workspace: what is known as a list, its answers, and what the user says of a policy.
    void theTunePanelHasTheAnswersOfCore() {
        Shown s(onSmallModel(90));
        TuneView tune(ViewContext{s.runs, s.requests, s.selection}, s.view);
        tune.takeCurve();
        const auto back = qScopeGuard([&] { s.view.setParent(nullptr); }); // Shown has it as a value
        s.view.setFew(true);
        tune.resize(640, 640);
        tune.show();
        const auto find = [&](const char* name) { return tune.findChild<QWidget*>(QLatin1String(name)); };
        const auto click = [&](const char* name) { QTest::mouseClick(find(name), Qt::LeftButton); };
        QVERIFY(!find("tune.kl.find")->isEnabled()); // no full run yet
        QVERIFY(s.run());
        auto* bound = tune.findChild<QDoubleSpinBox*>(QStringLiteral("tune.kl.bound"));
        bound->setValue(0.1);
        QVERIFY(!find("tune.kl.load")->isEnabled());
        click("tune.kl.find");
        auto* prediction = s.view.findChild<CurvePrediction*>();
        QTRY_VERIFY_WITH_TIMEOUT(!prediction->running(), 120000);
        const Tuning& tuning = *prediction->tuning();
        QVERIFY(tuning.best);
        const AttentionPolicy best = tuning.points[*tuning.best].candidate.policy;
        QVERIFY(sameButName(s.requests.request().policy, best));
        // The same answer stands beside the bound, and the knee is that of core.
        auto* model = tune.findChild<TunePointsModel*>();
        QCOMPARE(static_cast<std::size_t>(model->rowCount()), s.view.knownPoints().size());
        const std::optional<std::size_t> within = bestMeasured(model->points(), {0.1, {}});
        QVERIFY(within && sameButName(model->points()[*within].candidate.policy, best));
        QVERIFY(!find("tune.kl.load")->isEnabled()); // it is B already
        auto* answer = tune.findChild<ElidedLabel*>(QStringLiteral("tune.kl.answer"));
        QVERIFY2(answer->text().contains(threeDigits(model->points()[*within].measuredKl())),
                 qPrintable(answer->text()));
        bound->setValue(1e-4);
        QVERIFY2(answer->text().contains(QStringLiteral("no measured policy")) ||
                     bestMeasured(model->points(), {1e-4, {}}),
                 qPrintable(answer->text()));
        const std::optional<std::size_t> knee = kneeMeasured(model->points());
        QCOMPARE(find("tune.knee.load")->isEnabled(),
                 knee && !sameButName(model->points()[*knee].candidate.policy, best));
        if (find("tune.knee.load")->isEnabled()) {
            click("tune.knee.load");
            QVERIFY(sameButName(s.requests.request().policy, model->points()[*knee].candidate.policy));
        }
        // The list: sorted by pairs, pinned ones first, deleted ones neither here nor in the plot.
        auto* table = tune.findChild<QTableView*>(QStringLiteral("tune.table"));
        const QAbstractItemModel* const order = table->model();
        const auto pairs = [&](int row) {
            return order->index(row, TunePointsModel::Pairs).data(TunePointsModel::kSortRole).toDouble();
        };
        for (int row = 1; row < order->rowCount(); ++row)
            QVERIFY(pairs(row - 1) <= pairs(row));
        const int last = order->rowCount() - 1;
        const QString name = order->index(last, TunePointsModel::Policy).data(Qt::ToolTipRole).toString();
        table->selectRow(last);
        click("tune.pin");
        QCOMPARE(order->index(0, TunePointsModel::Policy).data(Qt::ToolTipRole).toString(), name);
        table->model()->setData(order->index(0, TunePointsModel::Note), QStringLiteral("keep"), Qt::EditRole);
        QCOMPARE(order->index(0, TunePointsModel::Note).data().toString(), QStringLiteral("keep"));
        const std::size_t marks = s.plot()->points().size();
        table->selectRow(1);
        const std::string gone = [&] {
            const auto* proxy = tune.findChild<TunePointsOrder*>();
            return model->pointAt(proxy->mapToSource(proxy->index(1, 0)).row())->candidate.hash;
        }();
        click("tune.remove");
        QCOMPARE(order->rowCount(), last);
        QCOMPARE(s.plot()->points().size(), marks - 1);
        QVERIFY(std::none_of(model->points().begin(), model->points().end(),
                             [&](const TunePoint& p) { return p.candidate.hash == gone; }));
        click("tune.restore");
        QCOMPARE(order->rowCount(), last + 1);
        QCOMPARE(s.plot()->points().size(), marks);
        // A row becomes B, and B is taken away as a file and as a command.
        table->selectRow(0);
        QTest::keyClick(table, Qt::Key_Return);
        QCOMPARE(QString::fromStdString(s.requests.request().policy.summary()), name);
        click("tune.copyPolicy");
        const Result<AttentionPolicy> copied =
            policyFromJson(QApplication::clipboard()->text().toStdString());
        QVERIFY(copied && sameButName(*copied, s.requests.request().policy));
        click("tune.copyCommand");
        QVERIFY(QApplication::clipboard()->text().startsWith(QStringLiteral("fovea analyze FILE")));
        // Of another text nothing is known.
        s.requests.setText(test::smallText(60), QStringLiteral("typing"));
        QCOMPARE(order->rowCount(), 0);
    }

    /// The tornado has the numbers of core, in their order, and is asked for.
    void sensitivityIsThatOfCore() {
        Request request = onSmallModel(90);
        request.policy.local.window = 8;
        request.policy.routed.signal = "group_dot";
        request.policy.routed.budget = 4;
        Shown s(request);
        SensitivityView view(ViewContext{s.runs, s.requests, s.selection}, s.view);
        view.resize(420, 300);
        view.show();
        s.show(800, 300);
        auto* start = view.findChild<QPushButton*>(QStringLiteral("tune.sensitivity.start"));
        QVERIFY(s.run());
        QVERIFY(!start->isEnabled()); // nothing is calibrated
        QTest::mouseClick(s.find<QPushButton>("curve.predict"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(start->isEnabled(), 120000);
        QTest::mouseClick(start, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(view.found(), 120000);
        const Snapshot& text = *s.runs.lastComplete();
        const Result<std::vector<Sensitivity>> rows =
            sensitivity(text, request.policy, s.view.tuning()->calibrations.front(),
                        sampleRows(text.tokens->size(), TuneOptions().sampledRows), {});
        QVERIFY(rows && !rows->empty());
        const auto* plot = view.findChild<TornadoPlot*>(QStringLiteral("tune.tornado"));
        QCOMPARE(plot->rows().size(), rows->size());
        for (std::size_t n = 0; n < rows->size(); ++n) {
            const Sensitivity& row = (*rows)[n];
            QCOMPARE(plot->rows()[n].name, QString::fromStdString(row.param));
            QCOMPARE(plot->rows()[n].doesNothing, row.doesNothing());
            if (row.up) {
                QCOMPARE(plot->rows()[n].up->loss, row.up->predicted.kl.value / row.klAt);
                QCOMPARE(plot->rows()[n].up->cost, row.up->pairsRatio / row.pairsAt);
            }
        }
        // The step that loses more has its bar further to the right.
        std::size_t compared = 0;
        for (std::size_t n = 0; n < rows->size(); ++n) {
            const TornadoRow& row = plot->rows()[n];
            if (row.doesNothing || !row.down || !row.up || row.down->loss == row.up->loss)
                continue;
            const QRectF down = plot->bar(n, false, true), up = plot->bar(n, true, true);
            if (down.isEmpty() || up.isEmpty())
                continue; // no room for this row
            ++compared;
            QCOMPARE(down.center().x() > up.center().x(), row.down->loss > row.up->loss);
        }
        QVERIFY(compared > 0);
        s.requests.setText(test::smallText(60), QStringLiteral("typing"));
        QVERIFY(!view.found() && !start->isEnabled());
    }

    void theCommandIsThePolicyNow() {
        Request request = *test::tinySnapshot()->request;
        request.policy.local.window = 64;
        request.policy.always.sinks = 4;
        Shown s(request);
        s.show(760, 240);
        QTest::mouseClick(s.find<QToolButton>("curve.copy"), Qt::LeftButton);
        const QString command = QApplication::clipboard()->text();
        QVERIFY2(command.contains("--window 64") && command.contains("--sinks 4"), qPrintable(command));
        // Nothing to sweep before a full run is there.
        QVERIFY(!s.find<QPushButton>("curve.start")->isEnabled());
        QVERIFY(!s.find<QToolButton>("curve.save")->isEnabled());
    }

private:
    [[nodiscard]] Request onSmallModel(std::size_t tokens) const {
        Request request;
        request.modelPath = m_model.path();
        request.text = std::make_shared<const std::string>(test::smallText(tokens));
        return request;
    }
    test::SmallModelFile m_model;
};

QTEST_MAIN(tst_CurveView)
#include "tst_CurveView.moc"
