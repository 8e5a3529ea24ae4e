#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/files/Sha256.h"
#include "tests/support/TinyGguf.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include "ui/window/Recovery.h"
#include "ui/window/RunWindow.h"
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QLabel>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <set>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class TestSessions : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    /// Unsaved work is given up when the window has it, not before.
    void leftWork_staysUntilItIsTaken() {
        QTemporaryDir folder;
        const auto leave = [&](const std::string& session) {
            Recovery gone(folder.path(), [&] { return session; });
            QVERIFY(gone.write());
        };
        std::string good;
        {
            Stage s;
            s.window.documents().setText("typed and never saved", QStringLiteral("x"),
                                         QStringLiteral("typing"));
            good = s.window.documents().unsavedSession();
            QVERIFY(!good.empty());
        }
        leave(R"({"fovea":"session","version":99})");
        Stage s;
        Recovery mine(folder.path(), [&] { return s.window.documents().unsavedSession(); });
        offerLeftWork(s.window, mine);
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton);
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible()); // says why it is refused
        const auto left = mine.left();
        QVERIFY(left); // and is still there
        mine.discard(*left);
        QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete); // the buttons of before
        leave(good);
        offerLeftWork(s.window, mine);
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton);
        QCOMPARE(s.text(), std::string("typed and never saved"));
        QVERIFY(!mine.left());
        QCOMPARE(QDir(folder.path()).entryList({QStringLiteral("*.json")}, QDir::Files).size(), 1); // mine
    }

    void recentFiles_areOfferedAndTellWhatIsGone() {
        Stage s;
        const QString here = m_dir.filePath(QStringLiteral("a & b.txt"));
        const QString gone = m_dir.filePath(QStringLiteral("gone.txt"));
        for (const QString& path : {gone, here}) {
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly));
            file.write("one two three");
            file.close();
            dropFiles(s, {path});
        }
        QVERIFY(QFile::remove(gone));
        auto* menu = s.find<QMenu>("menu.recent");
        emit menu->aboutToShow();
        QStringList shown;
        QAction* first = nullptr;
        for (QAction* action : menu->actions()) {
            if (action->isSeparator())
                continue;
            shown << action->text();
            if (first == nullptr)
                first = action;
        }
        QCOMPARE(shown.mid(0, 2),
                 (QStringList{QStringLiteral("a && b.txt"),
                              QStringLiteral("gone.txt: not found at %1").arg(QFileInfo(gone).path())}));
        s.window.documents().openSample();
        first->trigger();
        QCOMPARE(s.text(), std::string("one two three"));
    }

    void session_savesAndOpensAgain() {
        const QString path = m_dir.filePath(QStringLiteral("one.json"));
        {
            Stage s;
            s.window.documents().setText("kept words", QStringLiteral("x"), QStringLiteral("typing"));
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{17}));
            s.selection.setCell(3, 1);
            s.window.documents().saveSession(path);
            QVERIFY(!s.window.documents().dirty());
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
            QVERIFY(s.window.isWindowModified());
            QTest::keyClick(&s.window, Qt::Key_S, Qt::ControlModifier); // to the same file
            QVERIFY(!s.window.isWindowModified());
        }
        Stage s;
        s.window.documents().open({path});
        QCOMPARE(s.text(), std::string("kept words"));
        QCOMPARE(s.requests.request().policy.local.window, 18);
        QCOMPARE(s.selection.layer(), 3);
        QCOMPARE(s.selection.head(), 1);
        QVERIFY(!s.window.isWindowModified());
    }

    void session_ofABidirectionalPolicy_isRefusedAndChangesNothing() {
        const QString path = m_dir.filePath(QStringLiteral("both.json"));
        Session session;
        session.request.policy = *presetPolicy("bigbird-parity");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray::fromStdString(sessionToJson(session)));
        file.close();
        Stage s;
        const AttentionPolicy before = s.requests.request().policy;
        s.window.documents().open({path});
        QVERIFY(s.requests.request().policy == before);
    }

    void session_ofAnotherModel_saysSoAndGoesOn() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("other-model.json"));
        Stage s;
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.window.documents().inspected() &&
                    !s.window.documents().inspected()->info.sha256.empty());
        const std::string mine = s.window.documents().inspected()->info.sha256;
        s.window.documents().saveSession(saved);
        auto* bar = s.find<MessageBar>("error.bar");
        s.window.documents().open({saved});
        QVERIFY(!bar->isVisible()); // the same model: nothing to say
        auto bytes = readWholeFile(saved.toStdString(), 1 << 20);
        QVERIFY(bytes);
        const std::string other(64, 'd');
        bytes->replace(bytes->find(mine), mine.size(), other);
        QVERIFY(writeFileAtomically(saved.toStdString(), *bytes));
        s.window.documents().open({saved});
        QVERIFY(bar->isVisible());
        const QString said = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(said.contains(QStringLiteral("dddddddd")) &&
                     said.contains(QString::fromStdString(mine.substr(0, 8))) &&
                     said.contains(QStringLiteral("tiny.gguf")),
                 qPrintable(said));
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton); // go on
        QVERIFY(!bar->isVisible());
        QCOMPARE(s.requests.request().modelPath, path.toStdString());
    }

    /// A session's pin is of its own text and model and survives their arrival.
    void session_keepsItsPin() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("pinned.json"));
        {
            Stage s{LatestWorker::Runner{}};
            s.window.documents().setText("abcabcabab", QStringLiteral("x"), QStringLiteral("typing"));
            s.window.documents().openModel(path);
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            s.selection.pin(2);
            s.window.documents().saveSession(saved);
            s.window.documents().setText("cccccccccc", QStringLiteral("y"), QStringLiteral("typing"));
            QCOMPARE(s.selection.query(), -1); // another text: the pin would mean another word
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            s.window.documents().open({saved});
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            QCOMPARE(s.selection.query(), 2);
        }
        Stage s{LatestWorker::Runner{}}; // and where the model comes after the session
        s.window.documents().open({saved});
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        QCOMPARE(s.selection.query(), 2);
    }

    void session_unwritable_saysWhy() {
        Stage s;
        s.window.documents().saveSession(m_dir.filePath(QStringLiteral("no/such/folder/x.json")));
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QVERIFY(s.find<QLabel>("error.bar.text")->text().contains(QStringLiteral("no/such/folder")));
    }

    void close_withUnsavedChanges_asksInTheWindow() {
        Stage s;
        s.window.documents().saveSession(m_dir.filePath(QStringLiteral("two.json")));
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
        QVERIFY(!s.window.close());
        QVERIFY(s.window.isVisible());
        auto* bar = s.find<MessageBar>("error.bar");
        QVERIFY(bar->isVisible());
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton); // save
        QTRY_VERIFY(!s.window.isVisible());
        const auto saved = readWholeFile(m_dir.filePath(QStringLiteral("two.json")).toStdString(), 1 << 20);
        QVERIFY(saved);
        QVERIFY(QByteArray::fromStdString(*saved).contains("\"window\": 18"));
    }

    /// A text that is in no file is not lost with the window.
    void close_withTextThatIsInNoFile_asks_data() {
        QTest::addColumn<QString>("how");
        for (const char* how : {"pasted", "typed", "being typed"})
            QTest::newRow(how) << QString::fromLatin1(how);
    }

    void close_withTextThatIsInNoFile_asks() {
        QFETCH(QString, how);
        Stage s;
        if (how == QLatin1String("pasted")) {
            QApplication::clipboard()->setText(QStringLiteral("from the clipboard"));
            s.window.action("file.paste")->trigger();
        } else {
            s.window.action("edit.text")->trigger();
            auto* editor = s.find<QPlainTextEdit>("text.editor");
            editor->selectAll();
            QTest::keyClicks(editor, "my words");
            if (how == QLatin1String("typed"))
                QTest::mouseClick(s.find<QWidget>("text.apply"), Qt::LeftButton);
        }
        QVERIFY(!s.window.close());
        QVERIFY(s.window.isVisible());
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QCOMPARE(s.text(), how == QLatin1String("pasted") ? "from the clipboard" : "my words");
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.1"), Qt::LeftButton); // without saving
        QTRY_VERIFY(!s.window.isVisible());
    }

    void close_withAFileOrTheSample_asksNothing() {
        for (const bool sample : {false, true}) {
            Stage s;
            if (!sample)
                s.window.documents().open({file("kept.txt", "kept in a file")});
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
            QVERIFY(s.window.close());
        }
    }

    void session_keepsNameOfTextPinsAndMap() {
        const QString path = m_dir.filePath(QStringLiteral("view.json"));
        {
            Stage s;
            s.window.documents().open({file("notes.txt", "some words of a file")});
            s.selection.pin(5);
            s.selection.togglePin(2);
            s.selection.togglePin(9);
            s.selection.togglePin(4);
            s.find<MapView>("map")->setMode(MapQuantity::Kept);
            s.find<MapView>("map")->setLogarithmic(false);
            s.window.documents().saveSession(path);
        }
        Stage s;
        s.window.documents().open({path});
        QCOMPARE(s.window.documents().textName(), QStringLiteral("notes.txt"));
        QCOMPARE(s.selection.pins(), (std::set<int>{2, 4, 5, 9}));
        QCOMPARE(s.selection.query(), 4);
        QCOMPARE(s.find<MapView>("map")->mode(), MapQuantity::Kept);
        QVERIFY(!s.find<MapView>("map")->exportOptions().logarithmic);
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

QTEST_MAIN(TestSessions)
#include "tst_Sessions.moc"
