// Every family of tests/golden/families is dropped on the whole window, as a GGUF file and as a folder: it
// runs to its result, and its card tells what it is. Nothing stands in for the engine.
#include "SourceDir.h"
#include "tests/support/WindowStage.h"
#include <QDir>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

const QString kFamilies = QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/families/");
constexpr int kPatience = 60'000;

} // namespace

class TestFamiliesInWindow : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void droppedModel_runsAndTellsWhatItIs_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("config");
        const QStringList families = QDir(kFamilies).entryList(QDir::Dirs | QDir::NoDotAndDotDot);
        QVERIFY(families.size() >= 10);
        for (const QString& family : families) {
            const QString folder = kFamilies + family, config = folder + QStringLiteral("/config.json");
            QTest::addRow("%s, GGUF", qPrintable(family)) << folder + QStringLiteral("/model.gguf") << config;
            QTest::addRow("%s, folder", qPrintable(family)) << folder << config;
        }
    }
    void droppedModel_runsAndTellsWhatItIs() {
        QFETCH(QString, path);
        QFETCH(QString, config);
        QFile file(config);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonObject facts = QJsonDocument::fromJson(file.readAll()).object();
        QString type = facts[QStringLiteral("model_type")].toString();
        type =
            type == QLatin1String("mistral") ? QStringLiteral("llama") : type.remove(QStringLiteral("_text"));
        const int layers = facts.contains(QStringLiteral("n_layer"))
                               ? facts[QStringLiteral("n_layer")].toInt()
                               : facts[QStringLiteral("num_hidden_layers")].toInt();

        Stage s{LatestWorker::Runner{}};
        s.requests.setText("The harbour master wrote the code of the third anchor in the log.",
                           QStringLiteral("words"), 0);
        QSignalSpy failures(&s.runs, &RunController::failed);
        dropFiles(s, {path});
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete() && s.runs.lastComplete()->propagated, kPatience);
        QVERIFY2(failures.isEmpty(), failures.isEmpty() ? "" : qPrintable(failures[0][0].toString()));
        const Snapshot& done = *s.runs.lastComplete();
        QCOMPARE(QString::fromStdString(done.model->shape.family), type);
        QCOMPARE(done.model->shape.layers, layers);
        QCOMPARE(QString::fromStdString(done.request->modelPath), path);

        const QString all = cardWords(s);
        QVERIFY2(all.contains(type) && all.contains(QStringLiteral("%1 layers").arg(layers)),
                 qPrintable(all));
        QCOMPARE(all.contains(QStringLiteral("GGUF")), path.endsWith(QStringLiteral(".gguf")));
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestFamiliesInWindow)
#include "tst_FamiliesInWindow.moc"
