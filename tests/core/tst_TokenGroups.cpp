#include "core/base/SplitMix64.h"
#include "core/text/TokenAlignment.h"
#include "core/text/TokenGroups.h"
#include <QTest>
#include <functional>
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

    void alignment_ofTheSameTokensIsOneToOne() {
        const std::vector<std::string> parts{"The", " harb", "our", " log"};
        Tokens a = tokensOf(parts, true), b = tokensOf(parts, true);
        b.ids = {9, 8, 7, 6, 5}; // another vocabulary
        const TokenAlignment same = alignTokens(a, "The harbour log", b, "The harbour log");
        QVERIFY(same.by == AlignedBy::Tokens);
        QCOMPARE(same.parts.size(), std::size_t{5});
        for (std::size_t t = 0; t < 5; ++t) {
            QVERIFY(same.toB(t) == RowRange({t, t + 1}));
            QVERIFY(same.toA(t) == RowRange({t, t + 1}));
        }
        QVERIFY(!same.toA(5) && !same.toB(5));
        // As many tokens, cut elsewhere.
        b = tokensOf({"The", " har", "bour", " log"}, true);
        QVERIFY(alignTokens(a, "The harbour log", b, "The harbour log").by == AlignedBy::Words);
        QVERIFY(alignTokens(Tokens(), "", Tokens(), "").parts.empty());
    }
    void alignment_ofOneTextEndsAtTheSameBytes() {
        const std::string text = "The harbour, the log.";
        const Tokens a = tokensOf({"The", " har", "bour", ",", " the", " log", "."}, true);
        const Tokens b = tokensOf({"The h", "arbour", ", ", "the", " l", "og."}); // two words in a token
        const TokenAlignment found = alignTokens(a, text, b, text);
        QVERIFY(found.by == AlignedBy::Words);
        QVERIFY(!found.toB(0)); // only A has a beginning
        // "The h|arbour" is one word of B's tokens; A's two words are one part with it.
        QVERIFY(found.toB(1) == RowRange({0, 2}) && found.toB(3) == RowRange({0, 2}));
        QVERIFY(found.toA(1) == RowRange({1, 4}));
        for (const AlignedPart& part : found.parts) {
            QCOMPARE(a.spans[part.a.first].begin, b.spans[part.b.first].begin);
            QCOMPARE(a.spans[part.a.last - 1].end, b.spans[part.b.last - 1].end);
        }
        QCOMPARE(found.alignedA(), std::size_t{7});
        QCOMPARE(found.alignedB(), std::size_t{6});
        // A text that is cut off has no partner behind the cut.
        Tokens cut = b;
        cut.ids.resize(2), cut.spans.resize(2), cut.pieces.resize(2);
        QCOMPARE(alignTokens(a, text, cut, text).alignedA(), std::size_t{3});
    }
    void alignment_ofTwoTextsFindsEqualWordsInOrder() {
        const std::string textA = "the capital of France is Paris",
                          textB = "Ask: the capital of Italy is Rome";
        const Tokens a = tokensOf({"the", " cap", "ital", " of", " France", " is", " Paris"});
        const Tokens b = tokensOf({"Ask", ":", " the", " capital", " of", " Italy", " is", " Rome"});
        const TokenAlignment found = alignTokens(a, textA, b, textB);
        QVERIFY(found.by == AlignedBy::Words);
        QVERIFY(found.toB(0) == RowRange({2, 3})); // the spaces before a word do not count
        QVERIFY(found.toB(1) == RowRange({3, 4}) && found.toA(3) == RowRange({1, 3}));
        QVERIFY(found.toB(5) == RowRange({6, 7}));
        QVERIFY(!found.toB(4) && !found.toB(6) && !found.toA(0) && !found.toA(5));
        QCOMPARE(found.alignedA(), std::size_t{5});
    }
    /// Against the definition: a longest common subsequence, found by trying both choices.
    void alignment_isALongestCommonSubsequence() {
        const auto wordsOf = [](std::uint64_t seed, std::size_t count) {
            std::vector<std::string> words;
            for (std::size_t i = 0; i < count; ++i)
                words.push_back(std::string(" ") + static_cast<char>('a' + splitMix64(seed, i) % 4));
            return words;
        };
        const auto joined = [](const std::vector<std::string>& words) {
            std::string text;
            for (const std::string& word : words)
                text += word;
            return text;
        };
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const auto x = wordsOf(seed, 9), y = wordsOf(seed + 100, 11);
            const std::function<std::size_t(std::size_t, std::size_t)> longest =
                [&](std::size_t i, std::size_t j) -> std::size_t {
                if (i == x.size() || j == y.size())
                    return 0;
                return x[i] == y[j] ? 1 + longest(i + 1, j + 1)
                                    : std::max(longest(i + 1, j), longest(i, j + 1));
            };
            const TokenAlignment found = alignTokens(tokensOf(x), joined(x), tokensOf(y), joined(y));
            QCOMPARE(found.parts.size(), longest(0, 0));
            for (std::size_t p = 0; p < found.parts.size(); ++p) {
                QCOMPARE(x[found.parts[p].a.first], y[found.parts[p].b.first]);
                QVERIFY(p == 0 || (found.parts[p - 1].a.last <= found.parts[p].a.first &&
                                   found.parts[p - 1].b.last <= found.parts[p].b.first));
            }
        }
    }
    /// Too large for one table: words that occur once anchor it, and what has no anchor has no partner.
    void alignment_ofLongTextsIsBounded() {
        std::vector<std::string> x, y;
        std::string textX, textY;
        const auto add = [](std::vector<std::string>& words, std::string& text, const std::string& word) {
            words.push_back(word);
            text += word;
        };
        for (int i = 0; i < 3000; ++i) {
            add(x, textX, " w" + std::to_string(i));
            add(y, textY, (i % 10 == 0 ? " new" : " w") + std::to_string(i));
        }
        const TokenAlignment anchored = alignTokens(tokensOf(x), textX, tokensOf(y), textY);
        QCOMPARE(anchored.parts.size(), std::size_t{2700});
        QVERIFY(anchored.toB(1234) == RowRange({1234, 1235}));
        QVERIFY(!anchored.toB(1230));
        x.clear(), y.clear(), textX.clear(), textY.clear();
        for (int i = 0; i < 3000; ++i) {
            add(x, textX, i % 2 == 0 ? " a" : " b");
            add(y, textY, i % 3 == 0 ? " b" : " a");
        }
        add(x, textX, " x"), add(y, textY, " y");
        const TokenAlignment none = alignTokens(tokensOf(x), textX, tokensOf(y), textY);
        QVERIFY(none.parts.size() < 10); // only what both begin with
    }
};

QTEST_GUILESS_MAIN(tst_TokenGroups)
#include "tst_TokenGroups.moc"
