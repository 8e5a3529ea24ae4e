#include "SourceDir.h"
#include "core/text/PreTokenizer.h"
#include "core/text/Utf8.h"
#include <QFile>
#include <QtTest>
#include <nlohmann/json.hpp>

using namespace fovea;

class tst_PreTokenizer : public QObject {
    Q_OBJECT
private slots:
    void everyCharacter_hasTheReferencesKind();
    void unknownName_isUnsupported();
    void pieces_endAtTheTextsEnd();
};

void tst_PreTokenizer::everyCharacter_hasTheReferencesKind() {
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/character_kinds.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    std::vector<char> kindOf(0x110000, 'O');
    for (const auto& run : nlohmann::json::parse(file.readAll().toStdString()))
        for (auto cp = run[0].get<std::size_t>(); cp <= run[1].get<std::size_t>(); ++cp)
            kindOf[cp] = run[2].get<std::string>().front();
    const auto tokenizer = PreTokenizer::named("gpt-2");
    QVERIFY(tokenizer.has_value());
    // All characters of a kind after one that is surely of it: one piece, unless a character is of another
    // kind.
    for (const auto& [kind, anchor] : {std::pair{'L', 'a'}, {'N', '1'}, {'S', '\n'}, {'O', '!'}}) {
        std::string text(1, anchor);
        std::size_t count = 0;
        for (std::size_t cp = 0; cp < kindOf.size(); ++cp) {
            if (kindOf[cp] != kind || (cp >= 0xD800 && cp < 0xE000))
                continue;
            appendUtf8(text, static_cast<char32_t>(cp));
            ++count;
        }
        QVERIFY(count >= 20);
        const auto ends = tokenizer->pieceEnds(text);
        QVERIFY(ends.has_value());
        const std::size_t odd = ends->front() < text.size() ? ends->front() : 0;
        QVERIFY2(ends->size() == 1,
                 qPrintable(QString("U+%1 is not of kind %2")
                                .arg(static_cast<unsigned>(decodeUtf8(text, odd).value), 4, 16)
                                .arg(QChar(kind))));
    }
}

void tst_PreTokenizer::unknownName_isUnsupported() {
    const auto made = PreTokenizer::named("kimi-k2");
    QVERIFY(!made.has_value());
    QCOMPARE(made.error().code, ErrorCode::Unsupported);
}

void tst_PreTokenizer::pieces_endAtTheTextsEnd() {
    const auto tokenizer = PreTokenizer::named("gpt-2");
    QVERIFY(tokenizer->pieceEnds("")->empty());
    const std::vector<std::size_t> ends{5, 7, 13};
    QCOMPARE(*tokenizer->pieceEnds("Hello   world"), ends);
    const std::string spaces(std::size_t{1} << 20, ' ');
    QCOMPARE(tokenizer->pieceEnds(spaces + "x")->size(), std::size_t{2});
}

QTEST_APPLESS_MAIN(tst_PreTokenizer)
#include "tst_PreTokenizer.moc"
