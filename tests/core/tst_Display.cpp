#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include <QtTest>

using namespace fovea;

class tst_Display : public QObject {
    Q_OBJECT
private slots:
    void shown_data();
    void shown();
    void longText_isCutWithAnEllipsis();
    void repairedText_leadsBackToTheBytes();
};

void tst_Display::shown_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("screen");
    QTest::addColumn<QString>("file");
    QTest::newRow("leading space") << QByteArray(" the end") << QString::fromUtf8("\u00B7the end")
                                   << " the end";
    QTest::newRow("newline and tab") << QByteArray("\n\t") << QString::fromUtf8("\u21B5\u21E5") << "\\n\\t";
    QTest::newRow("loose byte") << QByteArray("\xE2\x82") << "<E2><82>"
                                << "\\xE2\\x82";
    QTest::newRow("markup stays text") << QByteArray("<img src=x>") << "<img src=x>"
                                       << "<img src=x>";
    QTest::newRow("backslash") << QByteArray("\\") << "\\"
                               << "\\\\";
    QTest::newRow("right-to-left override") << QByteArray("\xE2\x80\xAE") << "\\u{202E}"
                                            << "\\u{202E}";
    QTest::newRow("zero-width joiner") << QByteArray("\xE2\x80\x8D") << "\\u{200D}"
                                       << "\\u{200D}";
    QTest::newRow("NUL") << QByteArray("a\0b", 3) << "a\\u{0}b"
                         << "a\\u{0}b";
    QTest::newRow("private use") << QByteArray("\xEE\x80\x80") << "\\u{E000}"
                                 << "\\u{E000}";
    QTest::newRow("emoji stays") << QByteArray("\xF0\x9F\x91\xA9") << QString::fromUtf8("\U0001F469")
                                 << QString::fromUtf8("\U0001F469");
}

void tst_Display::shown() {
    QFETCH(QByteArray, bytes);
    QFETCH(QString, screen);
    QFETCH(QString, file);
    QCOMPARE(QString::fromStdString(displayText(bytes.toStdString())), screen);
    QCOMPARE(QString::fromStdString(escapedText(bytes.toStdString())), file);
}

void tst_Display::longText_isCutWithAnEllipsis() {
    const std::string text = "abcdefgh";
    QCOMPARE(displayText(text, 8), text);
    QCOMPARE(QString::fromStdString(displayText(text, 7)), QString::fromUtf8("abcdef\u2026"));
    QCOMPARE(QString::fromStdString(displayText("a\xE2\x80\xAE", 5)),
             QString::fromUtf8("a\u2026")); // no half escape
    QCOMPARE(displayText(text, 0), std::string());
}

void tst_Display::repairedText_leadsBackToTheBytes() {
    const RepairedText repaired("a\xFF\x80z");
    QCOMPARE(QByteArray::fromStdString(std::string(repaired.text())),
             QByteArray("a\xEF\xBF\xBD\xEF\xBF\xBDz"));
    const std::vector<std::size_t> origins{0, 1, 2, 2, 2, 3, 3, 3, 4};
    for (std::size_t i = 0; i < origins.size(); ++i)
        QCOMPARE(repaired.original(i), origins[i]);
    QVERIFY(!isUtf8("\xFF"));
    QVERIFY(isUtf8("\xF4\x8F\xBF\xBF"));
}

QTEST_APPLESS_MAIN(tst_Display)
#include "tst_Display.moc"
