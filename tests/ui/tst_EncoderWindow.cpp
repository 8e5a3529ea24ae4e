// The whole window on the tiny bert of tests/golden/families, opened by drop: its map is a full square, and
// whatever has no next token says so. Nothing stands in for the engine.
#include "SourceDir.h"
#include "core/policy/PolicyTitle.h"
#include "tests/support/TinyModel.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/MapCanvas.h"
#include "ui/plot/NumberText.h"
#include "ui/views/CurveView.h"
#include "ui/views/MapLegend.h"
#include "ui/views/MapView.h"
#include "ui/views/TokenTint.h"
#include "ui/window/MessageBar.h"
#include "ui/window/StatusLine.h"
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <memory>
#include <set>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

const QString kBert = QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/families/bert/model.gguf");
constexpr int kPatience = 60'000;

bool settled(const Stage& s) {
    const SnapshotPtr done = s.runs.lastComplete();
    return done && done->propagated && !s.runs.updating() && s.runs.standing(*done) == Standing::Current;
}

} // namespace

class TestEncoderWindow : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void droppedBert_showsTheFullSquare() {
        Stage s{LatestWorker::Runner{}};
        s.window.resize(1600, 1000);
        QSignalSpy failures(&s.runs, &RunController::failed);
        dropFiles(s, {kBert});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s), kPatience);
        QVERIFY2(failures.isEmpty(), failures.isEmpty() ? "" : qPrintable(failures[0][0].toString()));
        // The sample is longer than its positions, and the policy was a causal one: both are told.
        const Snapshot& done = *s.runs.lastComplete();
        QCOMPARE(done.tokens->size(), std::size_t{128});
        QVERIFY(sameButName(done.request->policy, *presetPolicy("encoder")));
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        const QString said = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(said.contains(QStringLiteral("both directions")) &&
                     said.contains(QStringLiteral("first 128")),
                 qPrintable(said));

        // The map: no cell is impossible, on either side of the diagonal.
        auto* map = s.find<MapView>("map");
        QTRY_VERIFY_WITH_TIMEOUT(!map->pictureIsOld(), kPatience);
        const MapScene& scene = map->canvas().scene();
        QVERIFY(!scene.panes.empty() && !scene.panes.front().causal);
        const TileSource source = *done.tileSource(scene.panes.front().layer);
        const TileLookup tiles = [&](const TileKey& key) {
            return std::make_shared<const MapTile>(makeTile(key, source, 1));
        };
        const MapSamples cells = sampleCells(scene.panes.front(), 0, scene.count, 0, scene.count, tiles);
        for (const CellLook look : cells.look)
            QVERIFY(look < CellLook::Unknown);
        const QImage picture = map->canvas().grab().toImage();
        const QRectF plot = map->canvas().mapLayout().plots.front();
        const QRgb impossible = Theme::current().impossible.rgb();
        int grey = 0;
        for (int y = static_cast<int>(plot.top()) + 2; y < static_cast<int>(plot.bottom()) - 2; ++y)
            for (int x = static_cast<int>(plot.left()) + 2; x < static_cast<int>(plot.right()) - 2; ++x)
                grey += picture.pixel(x, y) == impossible ? 1 : 0;
        QVERIFY2(grey < 50, qPrintable(QString("%1 pixels have the colour of impossible cells").arg(grey)));
        // No half is empty, so the legend stands in the margin.
        auto* legend = s.find<MapLegend>("map.legend");
        QVERIFY(legend->isVisible());
        QVERIFY(legend->geometry().top() >= map->canvas().geometry().top() + static_cast<int>(plot.bottom()));

        // The status line.
        const QString status = s.find<StatusLine>("status")->sentence();
        QVERIFY2(status.startsWith(QStringLiteral("propagated")) &&
                     status.contains(QStringLiteral("KL none (encoder)")),
                 qPrintable(status));
        QVERIFY(s.find<QAbstractButton>("status.kl")
                    ->toolTip()
                    .contains(QStringLiteral("predicts no next token")));
        QCOMPARE(s.find<QAbstractButton>("status.sentence")->text(),
                 QStringLiteral("sentence ") +
                     QString::number(done.propagated->fidelity.sentence->cosine, 'f', 4));
        QVERIFY(!s.find<QAbstractButton>("status.top1")->isVisible());
        // The colours of the words.
        for (const TintKind kind : {TintKind::LossDelta, TintKind::Surprisal}) {
            const TokenTint tint = makeTint({kind, 0, 0, 3}, s.runs.snapshot(), s.runs.lastComplete());
            QVERIFY2(tint.state.empty() && tint.wait.contains(QStringLiteral("predicts no next token")),
                     qPrintable(tint.wait));
        }
        QVERIFY(makeTint({TintKind::ReadBySelected, 0, 0, 3}, s.runs.snapshot(), nullptr).state.size() ==
                128);
        if (const QString path = qEnvironmentVariable("FOVEA_PICTURE"); !path.isEmpty())
            QVERIFY(s.window.grab().save(path));
    }

    void curve_offersTheSentenceVector() {
        Stage s{LatestWorker::Runner{}};
        dropFiles(s, {kBert});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s), kPatience);
        auto* measure = s.find<QComboBox>("curve.fidelity");
        QCOMPARE(measure->currentText(), QStringLiteral("sentence"));
        auto* curve = s.find<CurveView>("curve.view");
        curve->startSweep();
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.sweeping() && !s.runs.sweepPoints().empty(), kPatience);
        for (const SweepPoint& point : s.runs.sweepPoints())
            QVERIFY(point.done && point.fidelity.sentence && point.kind == PointKind::Policy);
        measure->setCurrentIndex(0);
        QVERIFY2(s.find<QLabel>("curve.state")->text().startsWith(QStringLiteral("no KL: this model reads")),
                 qPrintable(s.find<QLabel>("curve.state")->text()));
    }

    void policies_areThoseOfTheDirection() {
        Stage s{LatestWorker::Runner{}};
        dropFiles(s, {kBert});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s), kPatience);
        QSignalSpy failures(&s.runs, &RunController::failed);
        for (const PolicyPreset& preset : policyPresets()) {
            QSignalSpy rejected(&s.requests, &RequestModel::rejected);
            s.requests.setPolicy(preset.policy, QStringLiteral("test"));
            const std::string name(preset.name);
            // Some presets keep the first two layers full, and this model has no more.
            const bool full = preset.policy.fullInLayer(0) && preset.policy.fullInLayer(1);
            if (!preset.policy.bidirectional() && (!full || preset.policy.mixesHeads())) {
                QVERIFY2(rejected.size() == 1 &&
                             rejected[0][1].toString().contains(QStringLiteral("both directions")),
                         name.c_str());
                continue;
            }
            QVERIFY2(rejected.isEmpty(), name.c_str());
            QTRY_VERIFY2_WITH_TIMEOUT(settled(s), name.c_str(), kPatience);
            QVERIFY(sameButName(s.runs.lastComplete()->request->policy, preset.policy));
        }
        QVERIFY2(failures.isEmpty(), failures.isEmpty() ? "" : qPrintable(failures[0][0].toString()));
        // A model that reads from left to right brings its own default back, and the whole text.
        s.requests.setPolicy(*presetPolicy("linformer"), QStringLiteral("test"));
        const TinyModelFile decoder;
        dropFiles(s, {QString::fromStdString(decoder.path())});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s) && s.runs.lastComplete()->model->shape.causal, kPatience);
        QVERIFY(sameButName(s.requests.request().policy, *presetPolicy("default")));
        QCOMPARE(s.requests.request().maxTokens, std::size_t{0});
        QVERIFY(s.find<QAbstractButton>("status.top1")->isVisibleTo(&s.window));
        QVERIFY(!s.find<QAbstractButton>("status.sentence")->isVisibleTo(&s.window));
    }

    /// The picker of an arm and the palette offer what the model can run.
    void pickers_offerWhatTheModelRuns() {
        Stage s{LatestWorker::Runner{}};
        const auto offered = [&]() -> std::set<std::string> {
            std::set<std::string> names;
            QTest::mouseClick(s.find<QWidget>("top.b"), Qt::LeftButton);
            auto* menu = s.find<QMenu>("top.b.menu");
            const QString prefix = QStringLiteral("top.b.preset.");
            for (const QAction* action : menu->findChildren<QAction*>())
                if (action->objectName().startsWith(prefix))
                    names.insert(action->objectName().mid(prefix.size()).toStdString());
            QTest::keyClick(menu, Qt::Key_Escape);
            QCoreApplication::sendPostedEvents(menu, QEvent::DeferredDelete);
            return names;
        };
        const auto runnable = [&] {
            std::set<std::string> names;
            for (const PolicyPreset& preset : policyPresets())
                if (s.requests.runs(preset.policy) && !sameButName(preset.policy, fullPolicy()))
                    names.insert(std::string(preset.name));
            return names;
        };
        QVERIFY(!runnable().contains("linformer"));
        QVERIFY(offered() == runnable());
        dropFiles(s, {kBert});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s), kPatience);
        QVERIFY(runnable().contains("linformer"));
        QVERIFY(offered() == runnable());
        QTest::keyClick(&s.window, Qt::Key_K, Qt::ControlModifier);
        auto* field = s.find<QLineEdit>("palette.field");
        QTest::keyClicks(field, QStringLiteral("linformer"));
        QTest::keyClick(field, Qt::Key_Return);
        QVERIFY(sameButName(s.requests.request().policy, *presetPolicy("linformer")));
    }

    void card_tellsHowItReads() {
        Stage s{LatestWorker::Runner{}};
        dropFiles(s, {kBert});
        QTRY_VERIFY_WITH_TIMEOUT(settled(s), kPatience);
        const QString words = cardWords(s);
        QVERIFY2(words.contains(QStringLiteral("in both directions")) &&
                     words.contains(QStringLiteral("cosine of its sentence vector (pooling: mean)")),
                 qPrintable(words));
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestEncoderWindow)
#include "tst_EncoderWindow.moc"
