#include "core/base/SplitMix64.h"
#include "core/text/Tokenizer.h"
#include "tests/support/SmallVocabulary.h"
#include <QtTest>

using namespace fovea;
using test::smallVocabulary;

namespace {

const std::vector<std::pair<std::string, std::string>> kMerges{{"a", "b"}, {"ab", "c"}, {"b", "c"},
                                                               {" ", "t"}, {" t", "h"}, {" th", "e"},
                                                               {"!", "!"}, {"1", "2"},  {" ", " "}};

std::shared_ptr<const Tokenizer> make(const Vocabulary& vocabulary) {
    auto made = makeTokenizer(vocabulary);
    if (!made)
        qFatal("%s", made.error().message.c_str());
    return *made;
}

Tokens encode(const Tokenizer& tokenizer, std::string_view text, bool special = false) {
    auto tokens = tokenizer.encode(text, {.specialTokens = special}, {});
    if (!tokens)
        qFatal("%s", tokens.error().message.c_str());
    return *tokens;
}

QString joined(const Tokens& tokens) {
    QStringList parts;
    for (const std::string& piece : tokens.pieces)
        parts << QString::fromStdString(piece);
    return parts.join('|');
}

bool spansCover(const Tokens& tokens, std::size_t bytes) {
    std::size_t at = 0;
    for (const Span& span : tokens.spans) {
        if (span.begin != at || span.end < span.begin)
            return false;
        at = span.end;
    }
    return tokens.spans.empty() || at == bytes;
}

} // namespace

class tst_Tokenizer : public QObject {
    Q_OBJECT
private slots:
    void pieces_followThePattern_data();
    void pieces_followThePattern();
    void merge_takesLowestRankThenLeftmost();
    void merge_skipsAPairThatIsGone();
    void merge_longPieceWithoutSpace_isWhole();
    void unknownBytes_areCountedAndJoinTheTokenBefore();
    void unknownBytes_atTheStart_joinTheFirstToken();
    void unknownBytesOnly_giveNoToken();
    void invalidUtf8_isReplacedByteByByte_data();
    void invalidUtf8_isReplacedByteByByte();
    void specialTokens_areTextUnlessAsked();
    void userTokens_areMatchedAlways();
    void beginAndEndOfText_haveEmptySpans();
    void randomText_roundTripsAndSpansCover();
    void badVocabulary_isRefused_data();
    void badVocabulary_isRefused();
    void duplicateText_lowestIdEncodes_withWarning();
    void cancelledWork_stops();
    void firstTokens_areTheBeginningOfAll_data();
    void firstTokens_areTheBeginningOfAll();
};

void tst_Tokenizer::pieces_followThePattern_data() {
    QTest::addColumn<QString>("pre");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("tokens");
    // Merges never cross a piece, so "12" stays apart under smollm and joins under gpt-2.
    QTest::newRow("empty") << "smollm"
                           << ""
                           << "";
    QTest::newRow("digits alone") << "smollm"
                                  << "a12b"
                                  << "a|1|2|b";
    QTest::newRow("digits together") << "gpt-2"
                                     << "a12b"
                                     << "a|12|b";
    QTest::newRow("space goes with the word") << "smollm"
                                              << " the abc"
                                              << " the| |abc";
    QTest::newRow("last of a run of spaces goes with the word") << "gpt-2"
                                                                << "   the"
                                                                << "  | the";
    QTest::newRow("run of spaces before a digit is whole") << "smollm"
                                                           << "a  1"
                                                           << "a|  |1";
    QTest::newRow("run of spaces before a number gives its last away") << "gpt-2"
                                                                       << "a   1"
                                                                       << "a|  | |1";
    QTest::newRow("newlines") << "gpt-2"
                              << "a\r\nb"
                              << "a|\r|\n|b";
    QTest::newRow("contraction") << "gpt-2"
                                 << "ab'll"
                                 << "ab|'|l|l";
    QTest::newRow("punctuation run") << "gpt-2"
                                     << "ab!!"
                                     << "ab|!!";
}

void tst_Tokenizer::pieces_followThePattern() {
    QFETCH(QString, pre);
    QFETCH(QString, text);
    QFETCH(QString, tokens);
    const auto tokenizer = make(smallVocabulary(kMerges, {}, pre.toStdString()));
    const Tokens got = encode(*tokenizer, text.toStdString());
    QCOMPARE(joined(got), tokens);
    QVERIFY(spansCover(got, static_cast<std::size_t>(text.toUtf8().size())));
}

void tst_Tokenizer::merge_takesLowestRankThenLeftmost() {
    const auto tokenizer = make(smallVocabulary(kMerges));
    QCOMPARE(joined(encode(*tokenizer, "abc")), QString("abc")); // "a b" before "b c"
    QCOMPARE(joined(encode(*tokenizer, "bcab")), QString("bc|ab"));
    QCOMPARE(joined(encode(*tokenizer, "!!!")), QString("!!|!")); // ties: leftmost
}

void tst_Tokenizer::merge_skipsAPairThatIsGone() {
    const auto tokenizer = make(smallVocabulary({{"b", "c"}, {"a", "b"}, {"c", "d"}}));
    QCOMPARE(joined(encode(*tokenizer, "abc")), QString("a|bc")); // the right of "a b" has grown
    QCOMPARE(joined(encode(*tokenizer, "bcd")), QString("bc|d")); // the left of "c d" has gone
    QCOMPARE(joined(encode(*tokenizer, "abcd")), QString("a|bc|d"));
}

void tst_Tokenizer::merge_longPieceWithoutSpace_isWhole() {
    std::vector<std::pair<std::string, std::string>> doubling;
    for (std::string s = "x"; s.size() < 1024; s += s)
        doubling.push_back({s, s});
    const auto tokenizer = make(smallVocabulary(doubling));
    const std::string text(std::size_t{1} << 20, 'x');
    const Tokens tokens = encode(*tokenizer, text);
    QCOMPARE(tokens.size(), std::size_t{1024});
    QVERIFY(spansCover(tokens, text.size()));
    QCOMPARE(tokenizer->decode(tokens.ids), text);
}

void tst_Tokenizer::unknownBytes_areCountedAndJoinTheTokenBefore() {
    const auto tokenizer = make(smallVocabulary(kMerges, "\x04\x06"));
    const Tokens tokens = encode(*tokenizer, std::string("ab\x04\x06") + "c");
    QCOMPARE(joined(tokens), QString("ab|c"));
    QCOMPARE(tokens.unknownBytes, std::uint64_t{2});
    QCOMPARE(tokens.firstUnknownByte.value(), std::uint64_t{2});
    QCOMPARE(tokens.spans[0], (Span{0, 4}));
    QCOMPARE(tokens.spans[1], (Span{4, 5}));
    // Left out before merging, as the reference does: the neighbours inside one piece merge over it.
    QCOMPARE(joined(encode(*tokenizer, "!\x04!")), QString("!!"));
    QVERIFY(!tokenizer->warnings().empty());
}

void tst_Tokenizer::unknownBytes_atTheStart_joinTheFirstToken() {
    const auto tokenizer = make(smallVocabulary(kMerges, "\x04"));
    const Tokens tokens = encode(*tokenizer, "\x04!c");
    QCOMPARE(tokens.firstUnknownByte.value(), std::uint64_t{0});
    QCOMPARE(tokens.spans[0], (Span{0, 2}));
    QVERIFY(spansCover(tokens, 3));
}

void tst_Tokenizer::unknownBytesOnly_giveNoToken() {
    const auto tokenizer = make(smallVocabulary(kMerges, "\x04"));
    const Tokens tokens = encode(*tokenizer, "\x04\x04");
    QCOMPARE(tokens.size(), std::size_t{0});
    QCOMPARE(tokens.unknownBytes, std::uint64_t{2});
}

void tst_Tokenizer::invalidUtf8_isReplacedByteByByte_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("bad");
    QTest::addColumn<int>("first");
    QTest::newRow("lone continuation") << QByteArray("a\x80z") << 1 << 1;
    QTest::newRow("cut sequence, a bad byte each") << QByteArray("a\xE2\x82") << 2 << 1;
    QTest::newRow("overlong") << QByteArray("\xC0\xAF") << 2 << 0;
    QTest::newRow("surrogate") << QByteArray("ab\xED\xA0\x80") << 3 << 2;
    QTest::newRow("past U+10FFFF") << QByteArray("\xF4\x90\x80\x80") << 4 << 0;
    QTest::newRow("bad, then good") << QByteArray("\xFF\xC3\xA9") << 1 << 0;
}

void tst_Tokenizer::invalidUtf8_isReplacedByteByByte() {
    QFETCH(QByteArray, text);
    QFETCH(int, bad);
    QFETCH(int, first);
    const auto tokenizer = make(smallVocabulary());
    const Tokens tokens = encode(*tokenizer, text.toStdString());
    QCOMPARE(tokens.invalidBytes, static_cast<std::uint64_t>(bad));
    QCOMPARE(tokens.firstInvalidByte.value(), static_cast<std::uint64_t>(first));
    QVERIFY(spansCover(tokens, static_cast<std::size_t>(text.size())));
    // Without merges each byte is a token, and U+FFFD is three: the first has the bad byte, the others
    // nothing.
    QCOMPARE(tokens.size(), static_cast<std::size_t>(text.size() + 2 * bad));
    const auto at = static_cast<std::size_t>(first);
    QCOMPARE(QByteArray::fromStdString(tokens.pieces[at] + tokens.pieces[at + 1] + tokens.pieces[at + 2]),
             QByteArray("\xEF\xBF\xBD"));
    QCOMPARE(tokens.spans[at],
             (Span{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first + 1)}));
    QCOMPARE(tokens.spans[at + 1].begin, tokens.spans[at + 1].end);
}

void tst_Tokenizer::specialTokens_areTextUnlessAsked() {
    const auto tokenizer = make(smallVocabulary());
    const std::string text = "a<|im_start|>b";
    QCOMPARE(encode(*tokenizer, text).size(), text.size());
    const Tokens tokens = encode(*tokenizer, text, true);
    QCOMPARE(joined(tokens), QString("a|<|im_start|>|b"));
    QCOMPARE(tokenizer->kind(tokens.ids[1]), TokenKind::Control);
    QCOMPARE(tokens.spans[1], (Span{1, 13}));
    QVERIFY(spansCover(tokens, text.size()));
}

void tst_Tokenizer::userTokens_areMatchedAlways() {
    const auto tokenizer = make(smallVocabulary());
    QCOMPARE(joined(encode(*tokenizer, "a<keep>b")), QString("a|<keep>|b"));
    Vocabulary v = smallVocabulary();
    v.tokens.emplace_back("<keep>>");
    v.kinds.push_back(static_cast<std::int32_t>(TokenKind::User));
    QCOMPARE(joined(encode(*make(v), "<keep>>")), QString("<keep>>")); // longest
}

void tst_Tokenizer::beginAndEndOfText_haveEmptySpans() {
    Vocabulary v = smallVocabulary();
    v.addBos = v.addEos = true;
    const Tokens tokens = encode(*make(v), "ab");
    QCOMPARE(joined(tokens), QString("<|im_start|>|a|b|<|im_end|>"));
    QCOMPARE(tokens.spans.front(), (Span{0, 0}));
    QCOMPARE(tokens.spans.back(), (Span{2, 2}));
    QVERIFY(spansCover(tokens, 2));
    QCOMPARE(joined(encode(*make(v), "")), QString("<|im_start|>|<|im_end|>"));
}

void tst_Tokenizer::randomText_roundTripsAndSpansCover() {
    const auto whole = make(smallVocabulary(kMerges));
    const auto gappy = make(smallVocabulary(kMerges, "\x04z\xF1"));
    constexpr std::string_view alphabet = "abc !12 th\n\tz\x04\xC3\xA9\xE2\x82\xAC\xF1\xFF<keep>";
    for (std::uint64_t round = 0; round < 2000; ++round) {
        std::string text;
        for (std::uint64_t n = splitMix64(round, 0) % 60, i = 0; i < n; ++i)
            text += alphabet[splitMix64(round, i + 1) % alphabet.size()];
        for (const auto& tokenizer : {whole, gappy}) {
            const Tokens tokens = encode(*tokenizer, text);
            QVERIFY2(spansCover(tokens, text.size()), text.c_str());
            std::string all;
            for (const std::string& piece : tokens.pieces)
                all += piece;
            QCOMPARE(all, tokenizer->decode(tokens.ids));
            if (tokens.unknownBytes == 0 && tokens.invalidBytes == 0)
                QCOMPARE(all, text);
            if (tokenizer == whole)
                QCOMPARE(tokens.unknownBytes, std::uint64_t{0});
        }
    }
}

void tst_Tokenizer::badVocabulary_isRefused_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<int>("code");
    QTest::addColumn<QString>("says");
    const int unsupported = static_cast<int>(ErrorCode::Unsupported);
    const int inconsistent = static_cast<int>(ErrorCode::Inconsistent);
    QTest::newRow("good neighbour") << "none" << -1 << "";
    QTest::newRow("other model") << "model" << unsupported << "tokenizer.ggml.model is \"t5\"";
    QTest::newRow("unknown pattern") << "pre" << unsupported << "\"cleverer\"; accepted: gpt-2, ";
    QTest::newRow("pattern with loose bytes") << "loose" << unsupported << "tokenizer.ggml.pre is \"<FF>\"";
    QTest::newRow("no tokens") << "empty" << inconsistent << "tokenizer.ggml.tokens is empty";
    QTest::newRow("kinds one short") << "kinds" << inconsistent
                                     << "tokenizer.ggml.token_type has 266 entries";
    QTest::newRow("kind 7") << "kind" << inconsistent << "token_type of token 3 is 7; accepted: 1 to 6";
    QTest::newRow("bos = V") << "bos" << inconsistent
                             << "bos_token_id is 268; the vocabulary has tokens 0 to 267";
    QTest::newRow("bos added but missing") << "addBos" << inconsistent << "bos_token_id is missing";
    QTest::newRow("merge of non-tokens") << "merge" << inconsistent << "\"zq\" is not a token";
    QTest::newRow("merge into a non-token") << "joined" << inconsistent << "\"ac\" is not a token";
    QTest::newRow("merge without a space")
        << "space" << inconsistent << "accepted: two tokens with a space between";
}

void tst_Tokenizer::badVocabulary_isRefused() {
    QFETCH(QString, what);
    QFETCH(int, code);
    QFETCH(QString, says);
    Vocabulary v = smallVocabulary(kMerges);
    if (what == "model")
        v.model = "t5";
    else if (what == "pre")
        v.pre = "cleverer";
    else if (what == "loose")
        v.pre = "\xFF";
    else if (what == "empty")
        v.tokens.clear(), v.kinds.clear();
    else if (what == "kinds")
        v.kinds.resize(266);
    else if (what == "kind")
        v.kinds[3] = 7;
    else if (what == "bos")
        v.bos = 268;
    else if (what == "addBos")
        v.bos = -1, v.addBos = true;
    else if (what == "merge")
        v.merges.emplace_back("a zq");
    else if (what == "joined")
        v.merges.emplace_back("a c");
    else if (what == "space")
        v.merges.emplace_back("ab");
    const auto made = makeTokenizer(v);
    if (code < 0) {
        QVERIFY(made.has_value());
        return;
    }
    QVERIFY(!made.has_value());
    QCOMPARE(static_cast<int>(made.error().code), code);
    QVERIFY2(QString::fromStdString(made.error().message).contains(says), made.error().message.c_str());
}

void tst_Tokenizer::duplicateText_lowestIdEncodes_withWarning() {
    Vocabulary v = smallVocabulary();
    v.tokens.emplace_back("a");
    v.kinds.push_back(1);
    const auto tokenizer = make(v);
    QCOMPARE(encode(*tokenizer, "a").ids, (std::vector<std::int32_t>{'a'}));
    QVERIFY(QString::fromStdString(tokenizer->warnings().front()).contains("the lowest id is used"));
}

void tst_Tokenizer::cancelledWork_stops() {
    const auto tokenizer = make(smallVocabulary());
    WorkContext work;
    work.cancel.cancel();
    std::string text(200'000, ' ');
    text += "word";
    const auto tokens = tokenizer->encode(text, {}, work);
    QVERIFY(!tokens.has_value());
    QCOMPARE(tokens.error().code, ErrorCode::Cancelled);
}

void tst_Tokenizer::firstTokens_areTheBeginningOfAll_data() {
    QTest::addColumn<bool>("special");
    QTest::addColumn<bool>("ends");
    QTest::addColumn<QString>("pre");
    for (const char* pre : {"smollm", "gpt-2"})
        for (const bool special : {false, true})
            for (const bool ends : {false, true})
                QTest::addRow("%s%s%s", pre, special ? ", special" : "", ends ? ", bos and eos" : "")
                    << special << ends << pre;
}

/// A text of everything that pieces depend on, cut at every kind of place: the first tokens, spans and counts
/// are those of the whole text's.
void tst_Tokenizer::firstTokens_areTheBeginningOfAll() {
    QFETCH(bool, special);
    QFETCH(bool, ends);
    QFETCH(QString, pre);
    Vocabulary vocabulary = smallVocabulary(kMerges, "~", pre.toStdString());
    vocabulary.addBos = vocabulary.addEos = ends;
    const auto tokenizer = make(vocabulary);
    const std::string parts[] = {"abc",
                                 " the",
                                 "   ",
                                 "\n\n",
                                 "don't",
                                 "we'll",
                                 "12345",
                                 "~~",
                                 "\xFF",
                                 "\xC3\xA9",
                                 "<keep>",
                                 "<|im_end|>",
                                 "!!!",
                                 " ",
                                 "it's",
                                 "\xE2\x82",
                                 std::string(150, 'a')};
    std::string text;
    for (std::uint64_t n = 0; text.size() < 12'000; ++n)
        text += parts[splitMix64(3, n) % std::size(parts)];
    const Tokens all = encode(*tokenizer, text, special);
    for (std::size_t most = 1; most < all.size() + 3; most += most < 40 ? 1 : 97) {
        const auto first = tokenizer->encodeFirst(text, most, {.specialTokens = special}, {});
        QVERIFY(first.has_value());
        const std::size_t count = std::min(most, all.size());
        QCOMPARE(first->size(), count);
        for (std::size_t t = 0; t < count; ++t)
            if (!(first->ids[t] == all.ids[t] && first->spans[t] == all.spans[t] &&
                  first->pieces[t] == all.pieces[t]))
                QFAIL(qPrintable(QString("token %1 of the first %2").arg(t).arg(most)));
        if (count == all.size()) {
            QVERIFY(*first == all);
            continue;
        }
        // Counted are the bytes that these tokens cover.
        const std::string_view covered = std::string_view(text).substr(0, first->spans.back().end);
        std::uint64_t unknown = 0;
        std::size_t firstUnknown = std::string::npos;
        for (std::size_t at = covered.find('~'); at != std::string_view::npos;
             at = covered.find('~', at + 1)) {
            firstUnknown = std::min(firstUnknown, at);
            ++unknown;
        }
        QCOMPARE(first->unknownBytes, unknown);
        QCOMPARE(first->firstUnknownByte.value_or(std::string::npos), firstUnknown);
        QVERIFY(first->invalidBytes <= all.invalidBytes);
    }
}

QTEST_APPLESS_MAIN(tst_Tokenizer)
#include "tst_Tokenizer.moc"
