#include "ui/window/Recovery.h"
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace fovea::ui;

namespace {
QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}
} // namespace

class tst_Recovery : public QObject {
    Q_OBJECT
private slots:
    void init() { m_dir = std::make_unique<QTemporaryDir>(); }

    void aChange_isWrittenAndAClosedWindowLeavesNothing() {
        std::string session = "one";
        Recovery recovery(m_dir->filePath("kept"), [&] { return session; });
        recovery.changed();
        QVERIFY(recovery.write());
        QVERIFY(!recovery.left()); // its own file is no loss
        const QDir folder(m_dir->filePath("kept"));
        QCOMPARE(folder.entryList({"*.json"}).size(), 1);
        QCOMPARE(contentOf(folder.filePath(folder.entryList({"*.json"}).first())), QByteArray("one"));
        session = "two";
        QVERIFY(recovery.write());
        QCOMPARE(folder.entryList({"*.json"}).size(), 1);
        recovery.closed();
        QVERIFY(folder.entryList(QDir::Files).isEmpty());
        session.clear(); // nothing worth keeping
        QVERIFY(recovery.write());
        QVERIFY(folder.entryList(QDir::Files).isEmpty());
    }

    void aFileWithoutAnOwner_isFound_andARunningOneIsNot() {
        const QString kept = m_dir->filePath("kept");
        Recovery running(kept, [] { return std::string("running"); });
        QVERIFY(running.write());
        {
            Recovery killed(kept, [] { return std::string("killed"); });
            QVERIFY(killed.write());
        } // ended without closing its window
        Recovery next(kept, [] { return std::string("next"); });
        const auto left = next.left();
        QVERIFY(left);
        QCOMPARE(contentOf(left->path), QByteArray("killed"));
        next.discard(*left);
        QVERIFY(!next.left());
        QVERIFY(QDir(kept).entryList({"*.json"}).size() == 1); // the running one's
    }

    void aFolderThatCannotBeMade_isNoReasonToStop() {
        QFile file(m_dir->filePath("file"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.close();
        Recovery recovery(m_dir->filePath("file/below"), [] { return std::string("x"); });
        QVERIFY(!recovery.write());
        QVERIFY(!recovery.left());
        recovery.closed();
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
};

QTEST_MAIN(tst_Recovery)
#include "tst_Recovery.moc"
