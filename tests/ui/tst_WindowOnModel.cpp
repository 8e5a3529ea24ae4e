// The whole window on the real model: nothing stands in for the engine.
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/window/ModelCard.h"
#include "ui/window/StatusLine.h"
#include <QAbstractButton>
#include <QComboBox>
#include <QElapsedTimer>
#include <QFile>
#include <QLabel>
#include <QSignalSpy>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class TestWindowOnModel : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void runsTheSample_endToEnd() {
        const auto model = findModel("");
        if (!model)
            QSKIP("the default model is not cached: run app/fetch-model smollm2");
        Stage s{LatestWorker::Runner{}};
        s.window.documents().setText("The harbour master wrote the code. \xFF The harbour master",
                                     QStringLiteral("short"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(*model));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete(), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        const QString status = s.find<StatusLine>("status")->sentence();
        QVERIFY2(status.startsWith(QStringLiteral("propagated")), qPrintable(status));
        QVERIFY2(!status.contains(QStringLiteral("...")), qPrintable(status));
        QVERIFY(s.find<QLabel>("text.notice")->text().contains(QStringLiteral("not UTF-8")));
        // The same status numbers as the snapshot's.
        const auto& kl = s.runs.lastComplete()->propagated->fidelity.nextTokenKl;
        QCOMPARE(s.find<QAbstractButton>("status.kl")->text(), QStringLiteral("KL ") + threeDigits(kl));
        // A layer by key, and a drag of the real slider.
        const int layer = s.selection.layer();
        QTest::keyClick(&s.window, Qt::Key_PageDown);
        QCOMPARE(s.selection.layer(), layer + 1);
        auto* slider = s.find<QSlider>("params.local.window.slider");
        QTest::mousePress(slider, Qt::LeftButton, {}, QPoint(slider->width() / 2, slider->height() / 2));
        for (int x = slider->width() / 2; x > 20; x -= 4) {
            QTest::mouseMove(slider, QPoint(x, slider->height() / 2));
            QTest::qWait(5);
            QVERIFY(s.runs.lastComplete());
        }
        QTest::mouseRelease(slider, Qt::LeftButton, {}, QPoint(20, slider->height() / 2));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
        QCOMPARE(s.runs.lastComplete()->request->policy.local.window,
                 s.requests.request().policy.local.window);
        QVERIFY(s.find<StatusLine>("status")->sentence().startsWith(QStringLiteral("propagated")));
        // The card tells the truth about the open model.
        QTest::mouseClick(s.find<QWidget>("top.model"), Qt::LeftButton);
        QVERIFY(s.find<ModelCard>("model.card")->isVisible());
        // Numbers of an older policy are marked.
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{5}));
        QVERIFY(s.find<StatusLine>("status")->sentence().startsWith(QStringLiteral("updating")));
        QTRY_VERIFY_WITH_TIMEOUT(!s.runs.updating(), 60'000);
    }

    /// Picks every row of the preset list. FOVEA_PRESETS_TEXT=FILE takes a longer text than the gate has time
    /// for, and says what each preset took.
    void runsEveryPreset() {
        const auto model = findModel("");
        if (!model)
            QSKIP("the default model is not cached: run app/fetch-model smollm2");
        Stage s{LatestWorker::Runner{}};
        std::string text = "The harbour master wrote the code in the log.\nThe code was forgotten.";
        const bool longText = qEnvironmentVariableIsSet("FOVEA_PRESETS_TEXT");
        if (longText) {
            QFile in(qEnvironmentVariable("FOVEA_PRESETS_TEXT"));
            QVERIFY(in.open(QIODevice::ReadOnly));
            text = in.readAll().toStdString();
        }
        s.window.documents().setText(text, QStringLiteral("text"), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(*model));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && !s.runs.updating(), 120'000);
        QSignalSpy failures(&s.runs, &RunController::failed);
        const int patience = longText ? 1'800'000 : 300'000;
        auto* list = s.find<QComboBox>("params.preset");
        int refused = 0;
        for (int row = 0; row < list->count(); ++row) {
            const QVariant at = list->itemData(row, Qt::UserRole);
            if (!at.isValid()) // a family's heading
                continue;
            const PolicyPreset& preset = policyPresets()[static_cast<std::size_t>(at.toInt())];
            const std::string name(preset.name);
            const AttentionPolicy before = s.requests.request().policy;
            QElapsedTimer watch;
            watch.start();
            emit list->activated(row);
            if (preset.policy.bidirectional()) { // refused in one sentence, and nothing changes
                QVERIFY2(s.requests.request().policy == before, name.c_str());
                const QString sentence = s.find<QLabel>("params.preset.error")->text();
                QVERIFY2(sentence.contains(QString::fromStdString(name)) &&
                             sentence.contains(QStringLiteral("this model is causal")),
                         qPrintable(sentence));
                ++refused;
                continue;
            }
            QVERIFY2(sameButName(s.requests.request().policy, preset.policy), name.c_str());
            QTRY_VERIFY2_WITH_TIMEOUT(!s.runs.updating(), name.c_str(), patience);
            QVERIFY2(failures.isEmpty(),
                     qPrintable(QString::fromStdString(name) + QStringLiteral(": ") +
                                (failures.isEmpty() ? QString() : failures[0][0].toString())));
            const SnapshotPtr done = s.runs.lastComplete();
            QVERIFY2(sameButName(done->request->policy, preset.policy), name.c_str());
            if (longText)
                qInfo("%s: %.1f s", name.c_str(), static_cast<double>(watch.elapsed()) / 1000);
            QVERIFY2(std::isfinite(done->propagated->fidelity.nextTokenKl), name.c_str());
            QVERIFY2(s.find<StatusLine>("status")->sentence().startsWith(QStringLiteral("propagated")),
                     name.c_str());
        }
        QCOMPARE(refused, 4);
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestWindowOnModel)
#include "tst_WindowOnModel.moc"
