#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/files/Sha256.h"
#include "tests/support/TinyGguf.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/window/ArmPicker.h"
#include "ui/window/Documents.h"
#include "ui/window/FileKind.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include "ui/window/ModelCard.h"
#include "ui/window/StatusLine.h"
#include "ui/window/WorkStrip.h"
#include <QApplication>
#include <QClipboard>
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScopeGuard>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <atomic>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class TestDocuments : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    void drop_text_replacesAndUndoes() {
        Stage s;
        const std::string before = s.text();
        dropFiles(s, {file("words.txt", "three small words")});
        QCOMPARE(s.text(), std::string("three small words"));
        QCOMPARE(s.window.documents().textName(), QStringLiteral("words.txt"));
        s.requests.undoStack().undo();
        QCOMPARE(s.text(), before);
        QVERIFY(s.window.documents().textName() != QStringLiteral("words.txt"));
    }

    /// A drag of words into a text field, also one that began in it, is the field's; nothing is replaced.
    void dropOfText_onAField_goesIntoTheField() {
        Stage s;
        const std::string before = s.text();
        s.window.action("edit.text")->trigger();
        auto* editor = s.find<QPlainTextEdit>("text.editor");
        QVERIFY(editor->isVisible());
        QMimeData data;
        data.setText(QStringLiteral("dragged words"));
        const QPoint at(2, 2);
        QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &enter);
        QVERIFY(!s.find<QLabel>("drop.overlay")->isVisible());
        QDropEvent drop(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &drop);
        QVERIFY(editor->toPlainText().contains(QStringLiteral("dragged words")));
        QCOMPARE(s.text(), before);
    }

    void dropOfNothing_isRefused() {
        Stage s;
        const std::string before = s.text();
        for (const bool emptyText : {false, true}) {
            QMimeData data;
            if (emptyText)
                data.setText(QString());
            QDragEnterEvent enter(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, {});
            enter.ignore();
            QApplication::sendEvent(&s.window, &enter);
            QVERIFY(!enter.isAccepted());
            QDropEvent drop(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(&s.window, &drop);
            QCOMPARE(s.text(), before);
        }
    }

    /// A selected layer that the next model lacks is not asked of it, and is selected again with a model that
    /// has it.
    void smallerModel_getsNoLayerThatItLacks() {
        const QString small = file("small.gguf", QByteArray::fromStdString(tinyModel(2).bytes()));
        const QString large = file("large.gguf", QByteArray::fromStdString(tinyModel(4).bytes()));
        Stage s{LatestWorker::Runner{}};
        s.selection.setCell(12, 5); // as at the first launch
        s.window.documents().setText("abc ab a b c abc", QStringLiteral("text"), QStringLiteral("test"));
        const auto run = [&](const QString& path, int layers) {
            s.window.documents().openModel(path);
            return QTest::qWaitFor(
                [&] {
                    return s.runs.snapshot() && s.runs.snapshot()->model &&
                           s.runs.snapshot()->model->shape.layers == layers && !s.runs.updating();
                },
                60'000);
        };
        QVERIFY(run(small, 2));
        QCOMPARE(s.selection.layer(), 1);
        QCOMPARE(s.selection.head(), 1);
        QVERIFY(run(large, 4));
        s.selection.setCell(3, 0);
        QVERIFY(run(small, 2));
        QCOMPARE(s.selection.layer(), 1);
        QVERIFY(run(large, 4));
        QCOMPARE(s.selection.layer(), 3);
    }

    void drop_rubbish_isRefusedInOneLine_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("says");
        QTest::newRow("zero bytes") << QByteArray("ab\0cd", 5) << QStringLiteral("zero bytes");
        QTest::newRow("broken policy")
            << QByteArray(R"({"fovea":"policy","version":1,"local":{"window":-3}})")
            << QStringLiteral("window");
        QTest::newRow("empty file") << QByteArray() << QStringLiteral("empty");
        QTest::newRow("unknown key") << QByteArray(R"({"fovea":"policy","version":1,"loco":{}})")
                                     << QStringLiteral("loco");
        QTest::newRow("broken session")
            << QByteArray(R"({"fovea":"session","version":1,)") << QStringLiteral("rubbish");
    }

    void drop_rubbish_isRefusedInOneLine() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, says);
        Stage s;
        const Request before = s.requests.request();
        dropFiles(s, {file("rubbish.bin", bytes)});
        auto* bar = s.find<MessageBar>("error.bar");
        QTRY_VERIFY(bar->isVisible());
        const QString said = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(said.contains(says), qPrintable(said));
        QCOMPARE(s.text(), *before.text);
        QVERIFY(s.requests.request().policy == before.policy);
        QTest::mouseClick(s.find<QWidget>("error.bar.close"), Qt::LeftButton);
        QVERIFY(!bar->isVisible());
    }

    void drop_brokenModel_leavesTheCardWithItsReason() {
        Stage s;
        s.requests.setModelPath("old.gguf");
        dropFiles(s, {file("broken.gguf", QByteArray("GGUF\3\0\0\0", 8))});
        auto* card = s.find<ModelCard>("model.card");
        QTRY_VERIFY(card->isVisible());
        QVERIFY(!s.find<QLabel>("model.card.error")->text().isEmpty());
        QCOMPARE(s.requests.request().modelPath, std::string("old.gguf"));
        QTest::keyClick(&s.window, Qt::Key_Escape);
        QVERIFY(!card->isVisible());
    }

    /// The card of a large model does not wait for its hash. The hash is cancelled by its button, by another
    /// model and by leaving.
    void model_hashOfALargeFile_holdsNothingUp() {
        // A whole model with nothing after it for hours of hashing: a sparse file.
        const QString path = m_dir.filePath(QStringLiteral("huge.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        QVERIFY(QFile::resize(path, qint64{1} << 40));
        const QString small = file("small.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        Stage s;
        Documents& documents = s.window.documents();
        QSignalSpy told(&documents, &Documents::hashProgressed);
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.openModel(path);
        QTRY_VERIFY(documents.inspected());
        QVERIFY(documents.inspected()->info.sha256.empty());
        QTest::mouseClick(s.find<QToolButton>("top.model"), Qt::LeftButton);
        QVERIFY(s.find<ModelCard>("model.card")->isVisible());
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text(), QStringLiteral("being computed"));
        QTRY_VERIFY(!told.isEmpty());
        auto* strip = s.find<WorkStrip>("work.strip");
        QVERIFY(strip->running(QStringLiteral("hash")));
        auto* cancel = s.find<QPushButton>("work.cancel.hash");
        QTRY_VERIFY(cancel->isVisible());
        QTest::mouseClick(cancel, Qt::LeftButton);
        QTRY_COMPARE(hashed.size(), 1);
        QVERIFY(!strip->running(QStringLiteral("hash")));
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text(), QStringLiteral("cancelled"));
        told.clear();
        documents.openModel(path);
        QTRY_VERIFY(!told.isEmpty());
        documents.openModel(small);
        QTRY_COMPARE(hashed.size(), 2);
        QCOMPARE(documents.inspected()->info.path, small.toStdString());
        QCOMPARE(documents.inspected()->info.sha256, sha256Hex(tinyModel().bytes()));
        QVERIFY(!strip->running(QStringLiteral("hash")));
        told.clear();
        documents.openModel(path); // and leaving does not wait for it
        QTRY_VERIFY(!told.isEmpty());
        QVERIFY(QFile::remove(path));
    }

    /// Before the hash is there a session is saved without it, with a word, and a session is not yet
    /// compared. The runner keeps the engine thread busy until the gate opens, and the hash waits behind it.
    void model_hashComesLater() {
        const QString path = file("tiny.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("early.json"));
        const QString foreign = m_dir.filePath(QStringLiteral("foreign.json"));
        const std::string sha256 = sha256Hex(tinyModel().bytes());
        const auto hashIn = [](const QString& session) {
            const auto bytes = readWholeFile(session.toStdString(), 1 << 20);
            return sessionFromJson(*bytes)->modelSha256;
        };
        std::atomic<bool> gate{false};
        Stage s{echo([&gate](const Request&) { gate.wait(false); })};
        const auto open = [&gate] {
            gate = true;
            gate.notify_all();
        };
        const auto atTheEnd = qScopeGuard(open);
        Documents& documents = s.window.documents();
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.openModel(path);
        QTRY_VERIFY(documents.inspected());
        QVERIFY(documents.inspected()->info.sha256.empty());
        auto* bar = s.find<MessageBar>("error.bar");
        auto* said = s.find<QLabel>("error.bar.text");
        documents.saveSession(saved);
        QVERIFY(bar->isVisible());
        QVERIFY2(said->text().contains(QStringLiteral("early.json is saved without the SHA-256")),
                 qPrintable(said->text()));
        QVERIFY(hashIn(saved).empty());
        Session session;
        session.request = s.requests.request();
        session.modelSha256 = std::string(64, 'd');
        QVERIFY(writeFileAtomically(foreign.toStdString(), sessionToJson(session)));
        documents.open({foreign});
        QVERIFY(!bar->isVisible());
        QTest::mouseClick(s.find<QToolButton>("top.model"), Qt::LeftButton);
        QCOMPARE(hashed.size(), 0);

        open();
        QTRY_COMPARE(hashed.size(), 1);
        QCOMPARE(documents.inspected()->info.sha256, sha256);
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text().remove(QLatin1Char('\n')).toStdString(), sha256);
        QVERIFY(bar->isVisible());
        QVERIFY2(said->text().contains(QStringLiteral("dddddddd")), qPrintable(said->text()));
        documents.saveSession(saved);
        QVERIFY(!bar->isVisible());
        QCOMPARE(hashIn(saved), sha256);
    }

    /// A run that loads the model tells its hash, so the file is not read for it once more. The runner keeps
    /// the engine thread after the run, so that no question of the hash can have been answered.
    void model_hashComesFromTheRun() {
        const QString path = file("tiny.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        std::atomic<bool> gate{false};
        LatestWorker::Runner runner;
        runner.run = [&gate, engine = std::make_shared<Engine>()](
                         const Request& request, const Engine::Deliver& deliver, const WorkContext& work) {
            auto done = engine->run(request, deliver, work);
            gate.wait(false);
            return done;
        };
        Stage s{runner};
        const auto atTheEnd = qScopeGuard([&gate] {
            gate = true;
            gate.notify_all();
        });
        Documents& documents = s.window.documents();
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.setText("abcabcabab", QStringLiteral("x"), QStringLiteral("typing"));
        documents.openModel(path);
        QTRY_COMPARE(hashed.size(), 1);
        QCOMPARE(documents.inspected()->info.sha256, sha256Hex(tinyModel().bytes()));
    }

    void drop_policy_becomesB() {
        Stage s;
        dropFiles(s, {file("p.json", R"({"fovea":"policy","version":1,"local":{"window":33}})")});
        QCOMPARE(s.requests.request().policy.local.window, 33);
        QVERIFY(s.find<ArmPicker>("top.b")->title().contains(QStringLiteral("33")));
    }

    void fileKind_goesByBytesNotByName() {
        QCOMPARE(fileKind(file("b.txt", QByteArray("GGUF\3\0\0\0", 8))).kind, FileKind::Model);
        QCOMPARE(fileKind(file("b2.txt", "GGUF is a format.")).kind, FileKind::Text);
        QCOMPARE(fileKind(file("empty.txt", "")).kind, FileKind::Refused);
        for (const auto& [name, bytes] :
             {std::pair("text.gguf", "plain words"), std::pair("plain.json", R"({"other": 1})")}) {
            const FileKind kind = fileKind(file(name, bytes));
            QCOMPARE(kind.kind, FileKind::Text);
            QVERIFY2(kind.surprise.startsWith(QString::fromUtf8(name)),
                     qPrintable(kind.surprise)); // not without a word
        }
        QCOMPARE(fileKind(file("c.txt", R"(  {"fovea": "session"})")).kind, FileKind::Session);
        QCOMPARE(fileKind(file("d.txt", R"({"other": 1})")).kind, FileKind::Text);
        QCOMPARE(fileKind(m_dir.filePath(QStringLiteral("absent"))).kind, FileKind::Refused);
        QCOMPARE(fileKind(m_dir.path()).kind, FileKind::Refused);
    }

    void paste_replacesTheText() {
        Stage s;
        QApplication::clipboard()->setText(QStringLiteral("from the clipboard"));
        s.window.setFocus();
        QTest::keyClick(&s.window, Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(s.text(), std::string("from the clipboard"));
    }

    void longText_isEstimatedByItsTokenizer() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        Stage s;
        std::string text;
        while (text.size() < 90'000)
            text += "abc"; // one token each
        s.window.documents().setText(text, QStringLiteral("long"), QStringLiteral("typing"));
        auto* said = s.find<QLabel>("error.bar.text");
        QVERIFY2(!said->text().contains(QStringLiteral("about")),
                 qPrintable(said->text())); // nobody knows yet
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.window.documents().inspected());
        s.window.documents().setText(text + "a", QStringLiteral("long"), QStringLiteral("typing"));
        QVERIFY2(said->text().contains(QStringLiteral("about 30,0")), qPrintable(said->text()));
    }

    void status_ofAnotherLength_isNotShown() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        Stage s{LatestWorker::Runner{}};
        s.window.documents().setText("abcabcabababcabbacab", QStringLiteral("x"), QStringLiteral("typing"));
        s.requests.setMaxTokens(5, QStringLiteral("length"));
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        auto* status = s.find<StatusLine>("status");
        const QString five = status->sentence();
        QVERIFY2(five.startsWith(QStringLiteral("propagated")) && !five.contains(QStringLiteral("...")),
                 qPrintable(five));
        s.requests.setMaxTokens(0, QStringLiteral("all"));
        const QString waiting = status->sentence(); // before anything of the new length is there
        QVERIFY2(waiting.contains(QStringLiteral("KL ...")) &&
                     waiting.contains(QStringLiteral("B costs ...")) &&
                     waiting.contains(QStringLiteral("kept mass ...")),
                 qPrintable(waiting));
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        QVERIFY(!status->sentence().contains(QStringLiteral("...")));
    }

    void longText_runsItsFirstTokens_andAsks() {
        Stage s;
        s.window.documents().setText(std::string(200'000, 'a'), QStringLiteral("long"),
                                     QStringLiteral("open"));
        QCOMPARE(s.requests.request().maxTokens, std::size_t{4096});
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.1"), Qt::LeftButton); // all
        QCOMPARE(s.requests.request().maxTokens, std::size_t{0});
    }

    void noModel_textAndParametersWork() {
        Stage s;
        s.window.showModelMissing(QStringLiteral("no model is cached"));
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QVERIFY(!s.runs.updating());
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{64}));
        QCOMPARE(s.find<QLineEdit>("params.local.window.value")->text(), QStringLiteral("64"));
        QVERIFY(!s.runs.updating());
    }

private:
    QString file(const char* name, const QByteArray& bytes) {
        const QString path = m_dir.filePath(QLatin1String(name));
        QFile out(path);
        if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size())
            qFatal("cannot write %s", name);
        return path;
    }
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestDocuments)
#include "tst_Documents.moc"
