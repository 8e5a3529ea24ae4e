#include "core/text/TokenGroups.h"
#include <QTest>
#include <string>

using namespace fovea;

namespace {

Tokens tokensOf(const std::vector<std::string>& parts, bool bos = false) {
    Tokens tokens;
    std::uint32_t at = 0;
    if (bos) {
        tokens.ids.push_back(1);
        tokens.pieces.emplace_back("<s>");
        tokens.spans.push_back({0, 0});
    }
    for (const std::string& part : parts) {
        const auto end = at + static_cast<std::uint32_t>(part.size());
        tokens.ids.push_back(7);
        tokens.pieces.push_back(part);
        tokens.spans.push_back({at, end});
        at = end;
    }
    return tokens;
}

/// "The| harbour|." : the pieces of the groups.
QString shown(const Tokens& tokens, TextUnit unit) {
    const TokenGroups groups = groupTokens(tokens, unit);
    const Tokens merged = mergedTokens(tokens, groups);
    QStringList parts;
    for (const std::string& piece : merged.pieces)
        parts << QString::fromStdString(piece);
    return parts.join(QLatin1Char('|')).replace(QLatin1Char('\n'), QLatin1String("\\n"));
}

} // namespace

class tst_TokenGroups : public QObject {
    Q_OBJECT
private slots:
    void words() {
        QCOMPARE(
            shown(tokensOf({"The", " harb", "our", " mas", "ter", ",", " don", "'t", "!?", "\n", "\n", "x1"}),
                  TextUnit::Word),
            QStringLiteral("The| harbour| master|,| don't|!?|\\n|\\n|x1"));
        QCOMPARE(shown(tokensOf({"a", "  ", " b", "->", "c"}), TextUnit::Word),
                 QStringLiteral("a|   b|->|c"));
        QCOMPARE(shown(tokensOf({"one two", " three"}), TextUnit::Word), QStringLiteral("one two| three"));
        // One character in two tokens stays whole.
        QCOMPARE(shown(tokensOf({" caf", "\xC3", "\xA9", " \xE4\xB8", "\xAD"}), TextUnit::Word),
                 QString::fromUtf8(" caf\xC3\xA9| \xE4\xB8\xAD"));
    }
    void sentences() {
        QCOMPARE(
            shown(tokensOf({"One", " is", " 3", ".", "5", ".", " Two", "?", "\"", " Three", "\n", "Four"}),
                  TextUnit::Sentence),
            QStringLiteral("One is 3.5.| Two?\"| Three\\n|Four"));
        QCOMPARE(
            shown(tokensOf({"\xE4\xB8\x80\xE3\x80\x82", "\xE4\xBA\x8C\xE3\x80\x82"}), TextUnit::Sentence),
            QString::fromUtf8("\xE4\xB8\x80\xE3\x80\x82|\xE4\xBA\x8C\xE3\x80\x82"));
    }
    void addedTokens_standAlone() {
        QCOMPARE(shown(tokensOf({"a", "b", " c"}, true), TextUnit::Word), QStringLiteral("<s>|ab| c"));
        QCOMPARE(shown(tokensOf({"a", "b", " c"}, true), TextUnit::Sentence), QStringLiteral("<s>|ab c"));
    }
    void groups_coverTheTextOnce() {
        const Tokens tokens = tokensOf({"x", ".", " ", " y", "\xFF", "\n", "\xE2", "z"});
        for (const TextUnit g : {TextUnit::Token, TextUnit::Word, TextUnit::Sentence}) {
            const TokenGroups groups = groupTokens(tokens, g);
            QCOMPARE(groups.starts.front(), 0U);
            QCOMPARE(groups.starts.back(), 8U);
            for (std::size_t i = 0; i < groups.size(); ++i) {
                QVERIFY(groups.first(i) < groups.last(i));
                for (std::size_t t = groups.first(i); t < groups.last(i); ++t)
                    QCOMPARE(groups.of(t), i);
            }
        }
        QCOMPARE(groupTokens(tokens, TextUnit::Token).size(), std::size_t{8});
        QCOMPARE(groupTokens(Tokens(), TextUnit::Word).size(), std::size_t{0});
        QCOMPARE(groupTokens(Tokens(), TextUnit::Token).size(), std::size_t{0});
    }
};

QTEST_GUILESS_MAIN(tst_TokenGroups)
#include "tst_TokenGroups.moc"
