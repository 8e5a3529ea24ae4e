// Two arms in the window, on a whole small model: nothing stands in for the engine.
#include "core/engine/ArmComparison.h"
#include "core/engine/Engine.h"
#include "core/engine/RunComparison.h"
#include "core/files/AtomicFile.h"
#include "core/measure/PairFacts.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PolicyTitle.h"
#include "tests/support/ProgramSays.h"
#include "tests/support/SmallModel.h"
#include "tests/support/TinyModel.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/views/HeadsView.h"
#include "ui/views/InspectorModels.h"
#include "ui/views/MapView.h"
#include "ui/views/OtherMap.h"
#include "ui/window/ArmPicker.h"
#include "ui/window/StatusLine.h"
#include <QAbstractButton>
#include <QApplication>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QSlider>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

constexpr int kQuery = 230;

std::string policyFile(const QTemporaryDir& folder, const char* name, const AttentionPolicy& policy) {
    const std::string path = folder.filePath(QLatin1String(name)).toStdString();
    if (!writeFileAtomically(path, policyToJson(policy)))
        qFatal("cannot write %s", path.c_str());
    return path;
}

/// The action of a menu by name, also in submenus.
QAction* actionOf(const QMenu* menu, const QString& name) {
    for (QAction* action : menu->actions()) {
        if (action->objectName() == name)
            return action;
        if (action->menu() != nullptr)
            if (QAction* inner = actionOf(action->menu(), name))
                return inner;
    }
    return nullptr;
}

/// Opens the picker with the keyboard and goes down, and into a submenu, to the action of that name.
void chooseByKeys(Stage& s, const char* picker, const QString& name) {
    auto* button = s.find<ArmPicker>(picker);
    button->setFocus(Qt::TabFocusReason);
    QTest::keyClick(button, Qt::Key_Down);
    auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
    QVERIFY(menu != nullptr && menu->objectName() == QLatin1String(picker) + QStringLiteral(".menu"));
    QAction* const wanted = actionOf(menu, name);
    QVERIFY2(wanted != nullptr, qPrintable(name));
    for (QMenu* at = menu;;) {
        const auto leads = [&](const QAction* action) {
            return action == wanted ||
                   (action != nullptr && action->menu() != nullptr && actionOf(action->menu(), name));
        };
        for (int n = 0; n < 200 && !leads(at->activeAction()); ++n)
            QTest::keyClick(at, Qt::Key_Down);
        QVERIFY(leads(at->activeAction()));
        if (at->activeAction() == wanted) {
            QTest::keyClick(at, Qt::Key_Return);
            return;
        }
        QMenu* const inner = at->activeAction()->menu();
        QTest::keyClick(at, Qt::Key_Right);
        QTRY_VERIFY(inner->isVisible());
        at = inner;
    }
}

} // namespace

class TestCompareArms : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    void ask07_compareTwoRuns() {
        Stage s{LatestWorker::Runner{}};
        s.window.resize(1280, 800);
        const std::string words = tinyText(400);
        s.window.documents().setText(words, QStringLiteral("letters"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(m_model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 60'000);
        QVERIFY(s.runs.lastComplete()->tokens->size() > kQuery);
        QCOMPARE(s.find<ArmPicker>("top.a")->title(), QStringLiteral("full attention"));
        s.requests.undoStack().clear();

        // A by keyboard, B by dragging a slider.
        chooseByKeys(s, "top.a", QStringLiteral("top.a.preset.window"));
        const AttentionPolicy a = *presetPolicy("window");
        QVERIFY(s.requests.request().against && sameButName(*s.requests.request().against, a));
        QCOMPARE(s.requests.undoStack().count(), 1);
        QVERIFY(s.find<ArmPicker>("top.a")->accessibleName().contains(QStringLiteral("window")));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        const std::shared_ptr<const AgainstResult> before = s.runs.lastComplete()->against;
        QVERIFY(before && before->propagated);
        auto* slider = s.find<QSlider>("params.local.window.slider");
        QTest::mousePress(slider, Qt::LeftButton, {}, QPoint(slider->width() / 2, slider->height() / 2));
        for (int x = slider->width() / 2; x > 30; x -= 8)
            QTest::mouseMove(slider, QPoint(x, slider->height() / 2));
        QTest::mouseRelease(slider, Qt::LeftButton, {}, QPoint(30, slider->height() / 2));
        QVERIFY(s.requests.request().policy.local.window < 100);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        const SnapshotPtr shown = s.runs.lastComplete();
        QVERIFY(shown->against->propagated == before->propagated); // A was not run again
        QCOMPARE(s.requests.undoStack().count(), 2);

        // An engine of its own gives the same figures and weights.
        Request same = s.requests.request();
        const auto alone = Engine().run(same, {}, {});
        QVERIFY(alone.has_value());
        const std::optional<ArmComparison> figures = compareArms(**alone);
        QVERIFY(figures && figures->klDifference != 0);
        const QString kl = s.find<QAbstractButton>("status.kl")->text();
        QCOMPARE(kl, QStringLiteral("KL %1, A %2 (%3)")
                         .arg(threeDigits(figures->b.nextTokenKl), threeDigits(figures->a.nextTokenKl),
                              signedThreeDigits(figures->klDifference)));
        QVERIFY(s.find<QAbstractButton>("status.pairs")->text().contains(QStringLiteral("of A")));

        // The difference map shows what the command prints, at the pair where the arms differ most.
        auto* map = s.find<MapView>("map");
        QTest::mouseClick(s.find<QAbstractButton>("map.mode.difference"), Qt::LeftButton);
        const TileSource source = *(*alone)->tileSource(s.selection.layer());
        const AttentionRow rowB = makeRow(s.selection.head(), kQuery, source);
        const AttentionRow rowA = makeRow(s.selection.head(), kQuery, againstSource(source));
        int key = 0;
        for (int k = 0; k <= kQuery; ++k) {
            const auto apart = [&](int at) {
                return std::fabs(rowB.hybrid[static_cast<std::size_t>(at)] -
                                 rowA.hybrid[static_cast<std::size_t>(at)]);
            };
            key = apart(k) > apart(key) ? k : key;
        }
        const PairFacts facts = pairFacts(source, s.selection.head(), kQuery, static_cast<std::size_t>(key));
        QVERIFY(facts.against && facts.hybrid);
        s.selection.pinPair({kQuery, key});
        map->canvas().setFocus();
        QTest::keyClick(&map->canvas(), Qt::Key_F); // the cell fills a part of the view
        QCOMPARE(map->canvas().scene().panes.front().quantity, MapQuantity::ArmDifference);
        QTRY_VERIFY_WITH_TIMEOUT(map->tiles().settled(), 30'000);
        const double difference = *facts.hybrid - *facts.against;
        QVERIFY2(std::fabs(difference) > 0.001, "the cell lies in no neutral band");
        const MapScale scale(ScaleKind::Signed, *map->exportOptions().differenceLimit);
        const auto& table = Ramp::signedDifference(Theme::light()).table();
        const QPointF place = map->canvas().cellCentre({kQuery, key}, 0) -
                              QPointF(map->canvas().viewport().cell, map->canvas().viewport().cell) / 4;
        const auto painted = [&] { return map->canvas().grab().toImage().pixel(place.toPoint()); };
        const auto near = [&] {
            const int at = scale.index(static_cast<float>(difference));
            for (const int i : {at - 1, at, at + 1})
                if (i >= 0 && i < 256 && painted() == table[static_cast<std::size_t>(i)])
                    return true;
            return false;
        };
        QTRY_VERIFY(near());
        compareWithProgram(same, words, s.selection.layer(), s.selection.head(), facts);

        // The inspector's columns are the arms.
        auto* reads = s.find<QTableView>("inspector.reads");
        QTRY_VERIFY(reads->model()->rowCount() > 0);
        QTRY_VERIFY(reads->model()
                        ->index(0, ReadsModel::FullColumn)
                        .data(Qt::ToolTipRole)
                        .toString()
                        .contains(QStringLiteral("attention")));

        // The heads overview shows either arm.
        auto* heads = s.find<HeadsView>("heads");
        const auto mass = [&] { return *heads->grid().scene().value(0, 1); };
        QCOMPARE(mass(), static_cast<double>((*alone)->isolated->layers[0].headMass[1]));
        QTest::mouseClick(s.find<QAbstractButton>("heads.armA"), Qt::LeftButton);
        QCOMPARE(mass(), static_cast<double>((*alone)->against->isolated->layers[0].headMass[1]));
        QTest::mouseClick(s.find<QAbstractButton>("heads.armA"), Qt::LeftButton);

        // C shows A while it is held, X exchanges.
        const auto pane = [&] { return map->canvas().scene().panes.front(); };
        QTest::keyPress(&map->canvas(), Qt::Key_C);
        QVERIFY(pane().quantity == MapQuantity::Hybrid && pane().arm == MapArm::A);
        QTest::keyRelease(&map->canvas(), Qt::Key_C);
        QCOMPARE(pane().quantity, MapQuantity::ArmDifference);
        const AttentionPolicy b = s.requests.request().policy;
        QTest::keyClick(&map->canvas(), Qt::Key_X);
        QCOMPARE(s.requests.undoStack().count(), 3);
        QVERIFY(sameButName(s.requests.request().policy, a));
        QVERIFY(s.requests.request().against && sameButName(*s.requests.request().against, b));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        const auto exchanged = compareArms(*s.runs.lastComplete());
        QVERIFY(exchanged);
        QCOMPARE(exchanged->klDifference, -figures->klDifference);
        s.window.activateWindow(); // the menus took it
        QVERIFY(QTest::qWaitForWindowActive(&s.window));
        QTest::keyClick(&map->canvas(), Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(sameButName(s.requests.request().policy, b));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);

        // A pinned run can be chosen, and full attention again.
        QTest::keyClick(&map->canvas(), Qt::Key_D, Qt::ControlModifier);
        const QString name = QStringLiteral("r%1").arg(s.runs.lastComplete()->generation);
        chooseByKeys(s, "top.a", QStringLiteral("top.a.full"));
        QVERIFY(!s.requests.request().against);
        chooseByKeys(s, "top.b", QStringLiteral("top.b.preset.window"));
        QVERIFY(sameButName(s.requests.request().policy, a));
        chooseByKeys(s, "top.a", QStringLiteral("top.a.run.") + name);
        QVERIFY(s.requests.request().against && sameButName(*s.requests.request().against, b));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);

        // The session keeps A and the pinned runs.
        const QString path = m_dir.filePath(QStringLiteral("arms.json"));
        s.window.documents().saveSession(path);
        Stage again{LatestWorker::Runner{}};
        again.window.documents().open({path});
        QVERIFY(again.requests.request().against && sameButName(*again.requests.request().against, b));
        chooseByKeys(again, "top.b", QStringLiteral("top.b.run.") + name);
        QVERIFY(sameButName(again.requests.request().policy, b));
    }

    /// A run that is pinned after a session was opened gets a name of its own, and is a change to be saved.
    void pinnedRuns_haveNamesOfTheirOwn() {
        PinnedRuns runs;
        Snapshot snapshot;
        snapshot.generation = 43;
        auto request = std::make_shared<Request>();
        request->policy = *presetPolicy("window");
        snapshot.request = request;
        runs.restore({{"run.r43", policyToJson(*presetPolicy("streaming"))}});
        QCOMPARE(runs.pin(snapshot, {}).name, QStringLiteral("r43-2"));
        QCOMPARE(runs.pin(snapshot, {}).name, QStringLiteral("r43-2")); // the same policy
        std::map<std::string, std::string> view;
        runs.save(view);
        QCOMPARE(view.size(), std::size_t{2});

        Stage s{LatestWorker::Runner{}};
        s.window.documents().setText(tinyText(40), QStringLiteral("letters"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(m_model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 60'000);
        s.window.documents().saveSession(m_dir.filePath(QStringLiteral("before pinning.json")));
        QVERIFY(!s.window.documents().dirty());
        QTest::keyClick(&s.window, Qt::Key_D, Qt::ControlModifier);
        QVERIFY(s.window.documents().dirty());
    }

    void exchange_withFullAttention() {
        Stage s;
        const AttentionPolicy b = s.requests.request().policy;
        s.window.action("compare.exchange")->trigger();
        QVERIFY(sameButName(s.requests.request().policy, fullPolicy()));
        QVERIFY(s.requests.request().against && sameButName(*s.requests.request().against, b));
        s.window.action("compare.exchange")->trigger();
        QVERIFY(!s.requests.request().against && sameButName(s.requests.request().policy, b));
        QCOMPARE(s.requests.undoStack().count(), 2);
        s.window.action("compare.freeze")->trigger();
        QVERIFY(s.requests.request().against && sameButName(*s.requests.request().against, b));
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{19}));
        QVERIFY(sameButName(*s.requests.request().against, b)); // as it was
        s.window.action("compare.full")->trigger();
        QVERIFY(!s.requests.request().against);
        s.requests.undoStack().undo();
        QVERIFY(s.requests.request().against);
    }

    /// Figures of another arm A are greyed until its own are there.
    void olderArmA_isMarked() {
        Stage s{LatestWorker::Runner{}};
        s.window.documents().setText(tinyText(300), QStringLiteral("letters"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(m_model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 60'000);
        s.requests.setAgainst(*presetPolicy("window"), QStringLiteral("test"));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        auto* status = s.find<StatusLine>("status");
        QVERIFY2(!status->sentence().contains(QStringLiteral("(old)")), qPrintable(status->sentence()));
        s.requests.setAgainst(*presetPolicy("streaming"), QStringLiteral("test"));
        QVERIFY2(status->sentence().contains(QStringLiteral("(old)")), qPrintable(status->sentence()));
        QVERIFY(s.find<MapView>("map")->pictureIsOld());
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        QVERIFY(!status->sentence().contains(QStringLiteral("(old)")));
    }

    /// Another text under the same policy: its map stands beside the present one, hover and pins go through
    /// equal words, and the verdict names what differs.
    void otherText_sideBySide() {
        Stage s{LatestWorker::Runner{}};
        s.window.resize(1700, 900);
        const std::string words = wordsOf(70, 0, -1), changed = wordsOf(70, 3, 30);
        s.window.documents().setText(words, QStringLiteral("letters"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(m_small.path()));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 60'000);
        s.requests.undoStack().clear();
        const std::string path = m_dir.filePath(QStringLiteral("changed.txt")).toStdString();
        QVERIFY(writeFileAtomically(path, changed).has_value());
        chooseByKeys(s, "top.a", QStringLiteral("top.a.text"));
        chooseFile(s, path);
        QVERIFY(s.requests.request().other && !s.requests.request().against);
        QCOMPARE(s.requests.undoStack().count(), 1);
        QCOMPARE(s.find<ArmPicker>("top.a")->title(), QStringLiteral("text changed.txt"));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);

        // Both runs are what an engine gives each text alone.
        const SnapshotPtr shown = s.runs.lastComplete();
        QVERIFY(shown->other && shown->other->final);
        const auto alone = Engine().run(requestOfA(s.requests.request()), {}, {});
        QVERIFY(alone.has_value());
        QCOMPARE(shown->other->propagated->fidelity.nextTokenKl, (*alone)->propagated->fidelity.nextTokenKl);
        const std::optional<RunComparison> both = compareRuns(*shown);
        QVERIFY(both);
        const QString kl = s.find<QAbstractButton>("status.kl")->text();
        QCOMPARE(kl, QStringLiteral("KL %1, A %2")
                         .arg(threeDigits(both->b.nextTokenKl), threeDigits(both->a.nextTokenKl)));
        auto* status = s.find<StatusLine>("status");
        QVERIFY2(status->sentence().contains(QStringLiteral("two texts")), qPrintable(status->sentence()));

        // Two maps, each of its own run; no difference map, and why.
        auto* map = s.find<MapView>("map");
        auto* own = &map->canvas();
        auto* other = s.find<MapCanvas>("map.other.canvas");
        QTRY_VERIFY(other->isVisible() && own->isVisible());
        QCOMPARE(other->scene().count, static_cast<int>(shown->other->tokens->size()));
        QCOMPARE(own->scene().count, static_cast<int>(shown->tokens->size()));
        QVERIFY(other->scene().count != own->scene().count);
        const auto* title = s.find<QLabel>("map.other.title");
        QVERIFY2(title->text().contains(QStringLiteral("aligned by equal words")), qPrintable(title->text()));
        QVERIFY(!s.find<QAbstractButton>("map.mode.difference")->isEnabled());
        QVERIFY(
            s.find<QAbstractButton>("map.mode.difference")->toolTip().contains(QStringLiteral("two texts")));
        QTRY_VERIFY_WITH_TIMEOUT(map->other().tiles().settled() && map->tiles().settled(), 30'000);
        QCOMPARE(map->other().tiles().snapshot()->textHash, shown->other->textHash);

        // Over a word of A the same word of B is hovered, and back.
        const TokenAlignment& alignment = *shown->alignment;
        const AlignedPart& query = alignment.parts[alignment.parts.size() - 4];
        const AlignedPart& key = alignment.parts[20];
        QVERIFY(query.a.first != query.b.first);
        const SelectionModel::Pair inA{static_cast<int>(query.a.last) - 1, static_cast<int>(key.a.first)};
        const SelectionModel::Pair inB{static_cast<int>(query.b.last) - 1, static_cast<int>(key.b.first)};
        QTest::mouseMove(other, other->cellCentre(inA).toPoint());
        QTRY_COMPARE(s.selection.hoveredPair(), inB);
        QCOMPARE(own->scene().hovered, inB);
        QCOMPARE(other->scene().hovered, inA);
        QTest::mouseClick(other, Qt::LeftButton, {}, other->cellCentre(inA).toPoint());
        QCOMPARE(s.selection.pinnedPair(), inB);
        QCOMPARE(other->scene().pinned, inA);
        QTest::mouseMove(own, own->cellCentre({inB.query, 0}).toPoint());
        QTRY_COMPARE(own->scene().hovered, (SelectionModel::Pair{inB.query, 0}));
        QTRY_COMPARE(other->scene().hovered,
                     (SelectionModel::Pair{inA.query, static_cast<int>(alignment.toA(0)->first)}));
        // A word of A alone has no partner, and says so.
        std::size_t lonely = 0;
        while (alignment.toB(lonely))
            ++lonely;
        QTest::mouseClick(other, Qt::LeftButton, {},
                          other->cellCentre({inA.query, static_cast<int>(lonely)}).toPoint());
        QCOMPARE(s.selection.pinnedPair(), inB); // as it was
        QVERIFY(s.find<QLabel>("error.bar.text")->text().contains(QStringLiteral("has no partner in B")));

        // One map: B, A while C is held, A by its button.
        QTest::mouseClick(s.find<QAbstractButton>("map.layout.1"), Qt::LeftButton);
        QVERIFY(own->isVisible() && !other->isVisible());
        s.window.activateWindow(); // the menus took it
        QVERIFY(QTest::qWaitForWindowActive(&s.window));
        own->setFocus();
        QTest::keyPress(own, Qt::Key_C);
        QVERIFY(!own->isVisible() && other->isVisible());
        QVERIFY(other->hasFocus());
        QTest::keyRelease(other, Qt::Key_C);
        QVERIFY(own->isVisible() && !other->isVisible());
        QTest::mouseClick(s.find<QAbstractButton>("map.mode.full"), Qt::LeftButton);
        QVERIFY(!own->isVisible() && other->isVisible());
        QTest::mouseClick(s.find<QAbstractButton>("map.mode.hybrid"), Qt::LeftButton);
        QTest::mouseClick(s.find<QAbstractButton>("map.layout.2"), Qt::LeftButton);

        // Another layer and the policy reach both.
        QTest::keyClick(own, Qt::Key_PageDown);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating() && s.runs.snapshot()->other->visible &&
                                     s.runs.snapshot()->other->visible->layer == s.selection.layer(),
                                 60'000);
        QTRY_COMPARE(other->scene().panes.front().layer, s.selection.layer());

        // X exchanges the texts, and nothing is computed again.
        const std::shared_ptr<const PropagatedResult> before = s.runs.lastComplete()->other->propagated;
        own->setFocus();
        QTest::keyClick(own, Qt::Key_X);
        QCOMPARE(s.text(), changed);
        QCOMPARE(*s.requests.request().other->text, words);
        QCOMPARE(s.find<ArmPicker>("top.a")->title(), QStringLiteral("text letters"));
        QCOMPARE(s.window.documents().textName(), QStringLiteral("changed.txt"));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        QCOMPARE(s.runs.lastComplete()->propagated, before);
        s.requests.undoStack().undo();
        QCOMPARE(s.text(), words);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);

        // The session keeps it; full attention as A ends it.
        const QString session = m_dir.filePath(QStringLiteral("two texts.json"));
        s.window.documents().saveSession(session);
        {
            Stage again{LatestWorker::Runner{}};
            again.window.documents().open({session});
            QVERIFY(again.requests.request().other && *again.requests.request().other->text == changed);
        }
        chooseByKeys(s, "top.a", QStringLiteral("top.a.full"));
        QVERIFY(!s.requests.request().other);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        QTRY_VERIFY(!other->isVisible());
        QVERIFY(s.find<QAbstractButton>("map.mode.difference")->isEnabled());
    }

    /// Two models on one text whose tokens agree: both maps show the same part; a layer that one has not is
    /// refused by name.
    void otherModel_sideBySide() {
        Stage s{LatestWorker::Runner{}};
        s.window.resize(1700, 900);
        s.window.documents().setText(tinyText(60), QStringLiteral("letters"), QStringLiteral("test"));
        TinyModelFile larger(3, 7);
        s.window.documents().openModel(QString::fromStdString(larger.path()));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 60'000);
        chooseByKeys(s, "top.a", QStringLiteral("top.a.model"));
        chooseFile(s, m_model.path());
        QTRY_VERIFY(s.requests.request().other);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating() && s.runs.lastComplete()->other, 60'000);
        auto* map = s.find<MapView>("map");
        auto* own = &map->canvas();
        auto* other = s.find<MapCanvas>("map.other.canvas");
        QTRY_VERIFY(other->isVisible());
        QVERIFY(s.find<QLabel>("map.other.title")->text().contains(QStringLiteral("agree one to one")));
        QVERIFY(s.find<StatusLine>("status")->sentence().contains(QStringLiteral("two models")));
        own->setFocus();
        s.selection.pinPair({20, 10});
        QTest::keyClick(own, Qt::Key_F);
        QVERIFY(!own->fitted());
        QCOMPARE(other->viewport(), own->viewport());
        QTest::keyClick(other, Qt::Key_F);
        QTest::keyClick(other, Qt::Key_F);
        s.selection.setCell(2, 0);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        QTRY_VERIFY2(other->scene().empty.contains(QStringLiteral("has 2 layers: it has no layer 2")),
                     qPrintable(other->scene().empty));
        QVERIFY(own->scene().empty.isEmpty());
        s.selection.setCell(1, 1);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating() && !other->scene().panes.empty(), 60'000);
        // The difference is made pair by pair: B's weight minus A's is painted.
        QTest::mouseClick(s.find<QAbstractButton>("map.mode.difference"), Qt::LeftButton);
        QCOMPARE(own->scene().panes.front().quantity, MapQuantity::ArmDifference);
        QTRY_VERIFY_WITH_TIMEOUT(map->tiles().settled(), 30'000);
        const SnapshotPtr shown = s.runs.snapshot();
        const AttentionRow ofB = makeRow(1, 20, *shown->tileSource(1));
        const AttentionRow ofA = makeRow(1, 20, *shown->other->tileSource(1));
        int key = 0;
        for (int k = 0; k <= 20; ++k) {
            const auto apart = [&](int at) {
                return std::fabs(ofB.hybrid[static_cast<std::size_t>(at)] -
                                 ofA.hybrid[static_cast<std::size_t>(at)]);
            };
            key = apart(k) > apart(key) ? k : key;
        }
        const float difference =
            ofB.hybrid[static_cast<std::size_t>(key)] - ofA.hybrid[static_cast<std::size_t>(key)];
        QVERIFY2(std::fabs(difference) > 0.001F, "the cell lies in no neutral band");
        own->setFocus();
        s.selection.pinPair({20, key});
        QTest::keyClick(own, Qt::Key_F);
        const auto& table = Ramp::signedDifference(Theme::light()).table();
        const auto painted = [&] {
            const MapScale scale(ScaleKind::Signed, *map->exportOptions().differenceLimit);
            const QPointF place =
                own->cellCentre({20, key}) - QPointF(own->viewport().cell, own->viewport().cell) / 4;
            const QRgb pixel = own->grab().toImage().pixel(place.toPoint());
            const int at = scale.index(difference);
            return std::any_of(table.begin() + std::max(0, at - 1), table.begin() + std::min(256, at + 2),
                               [&](QRgb one) { return one == pixel; });
        };
        QTRY_VERIFY(painted());
        QVERIFY(s.find<QLabel>("map.own.title")->text().startsWith(QStringLiteral("B \u2212 A")));
        map->savePicture(m_dir.filePath(QStringLiteral("difference.png")));
        QVERIFY(s.find<QLabel>("error.bar.text")->text().contains(QStringLiteral("cannot be saved")));
        QTest::mouseClick(s.find<QAbstractButton>("map.layout.3"), Qt::LeftButton);
        QCOMPARE(own->scene().panes.size(), std::size_t{2}); // beside A's: B and the difference
        QTest::mouseClick(s.find<QAbstractButton>("map.layout.2"), Qt::LeftButton);
        QTest::mouseClick(s.find<QAbstractButton>("map.mode.hybrid"), Qt::LeftButton);
        own->setFocus();
        // The exchange makes A's model the one that is open.
        QTest::keyClick(own, Qt::Key_X);
        QCOMPARE(s.requests.request().modelPath, m_model.path());
        QCOMPARE(s.requests.request().other->modelPath, larger.path());
        QTRY_VERIFY_WITH_TIMEOUT(s.window.documents().inspected() &&
                                     s.window.documents().inspected()->info.path == m_model.path() &&
                                     !s.runs.updating(),
                                 60'000);
        QTRY_COMPARE(s.runs.lastComplete()->model->shape.layers, 2);
        // What is no model is refused and changes nothing.
        const std::string noModel = m_dir.filePath(QStringLiteral("none.gguf")).toStdString();
        QVERIFY(writeFileAtomically(noModel, std::string("no model")).has_value());
        const std::string before = s.requests.request().other->modelPath;
        s.window.documents().openOtherModel(QString::fromStdString(noModel));
        QTRY_VERIFY(s.find<QLabel>("error.bar.text")->text().contains(QStringLiteral("none.gguf")));
        QCOMPARE(s.requests.request().other->modelPath, before);
    }

private:
    /// `count` words of five letters with a comma after each; `more` in front, and the one of number `other`
    /// is another word.
    static std::string wordsOf(int count, int more, int other) {
        std::string text;
        for (int i = -more; i < count; ++i) {
            for (std::uint64_t letter = 0; letter < 5; ++letter)
                text += static_cast<char>('a' + splitMix64(i < 0 || i == other ? 77 : 5,
                                                           static_cast<std::uint64_t>(i + 10) * 5 + letter) %
                                                    26);
            text += ',';
        }
        return text;
    }
    /// Chooses a file in the dialog of arm A's text or model.
    static void chooseFile(Stage& s, const std::string& path) {
        QTRY_VERIFY(s.window.findChild<QFileDialog*>(QStringLiteral("other.dialog")) != nullptr);
        auto* dialog = s.find<QFileDialog>("other.dialog");
        auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"));
        QVERIFY(name != nullptr);
        name->setText(QString::fromStdString(path));
        QTest::keyClick(name, Qt::Key_Return);
        QTRY_VERIFY(s.window.findChild<QFileDialog*>(QStringLiteral("other.dialog")) == nullptr);
    }

    /// The program, asked for the same pair of the same text, model and policies, prints these numbers.
    void compareWithProgram(const Request& request, const std::string& words, int layer, int head,
                            const PairFacts& facts) {
        const QString program = qEnvironmentVariable("FOVEA_PROGRAM");
        if (program.isEmpty()) {
            qWarning("FOVEA_PROGRAM is not set: the program's own print was not compared");
            return;
        }
        const auto text = [](const std::string& s) { return QString::fromStdString(s); };
        const QJsonObject doc =
            programSays({QStringLiteral("attention"), QStringLiteral("--text"), text(words),
                         QStringLiteral("--model"), text(request.modelPath), QStringLiteral("--layer"),
                         QString::number(layer), QStringLiteral("--head"), QString::number(head),
                         QStringLiteral("--pair"), QStringLiteral("%1,%2").arg(facts.query).arg(facts.key),
                         QStringLiteral("--policy"), text(policyFile(m_dir, "b.json", request.policy)),
                         QStringLiteral("--against"), text(policyFile(m_dir, "a.json", *request.against))});
        QCOMPARE(static_cast<float>(doc[QStringLiteral("hybrid")].toDouble()),
                 static_cast<float>(*facts.hybrid));
        QCOMPARE(static_cast<float>(doc[QStringLiteral("against")].toDouble()),
                 static_cast<float>(*facts.against));
    }

    QTemporaryDir m_dir;
    TinyModelFile m_model;
    SmallModelFile m_small;
};

QTEST_MAIN(TestCompareArms)
#include "tst_CompareArms.moc"
