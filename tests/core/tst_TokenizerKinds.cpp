// Every kind of vocabulary against tests/golden/tokenizers.json (made by make_tokenizers.py there with the
// reference libraries), and what is refused.
#include "SourceDir.h"
#include "core/files/TokenizerJson.h"
#include "core/text/PreTokenizer.h"
#include "core/text/Tokenizer.h"
#include "core/text/Unicode.h"
#include <QFile>
#include <QtTest>
#include <limits>
#include <nlohmann/json.hpp>

using namespace fovea;
using Ids = std::vector<std::int32_t>;

namespace {

std::shared_ptr<const Tokenizer> make(Vocabulary vocabulary) {
    auto made = makeTokenizer(std::move(vocabulary));
    if (!made)
        qFatal("%s", made.error().message.c_str());
    return *made;
}

Vocabulary readJson(const std::string& text) {
    auto files = readTokenizerJson(text, nullptr, {});
    if (!files)
        qFatal("%s", files.error().message.c_str());
    return files->vocabulary;
}

Tokens encode(const Tokenizer& tokenizer, std::string_view text, bool special = false) {
    auto tokens = tokenizer.encode(text, {.specialTokens = special}, {});
    if (!tokens)
        qFatal("%s", tokens.error().message.c_str());
    return *tokens;
}

/// Spans of the tokens that stand for text: in order, without gaps, to the end.
bool spansCover(const Tokens& tokens, std::size_t bytes) {
    std::size_t at = 0;
    bool any = false;
    for (const Span& span : tokens.spans) {
        if (span.begin != at || span.end < span.begin)
            return false;
        any = any || span.end > span.begin;
        at = span.end;
    }
    return !any || at == bytes;
}

/// A SentencePiece vocabulary small enough to follow by hand. Scores fall with the id.
Vocabulary spacedVocabulary() {
    Vocabulary v;
    v.model = "llama";
    v.tokens = {"<unk>", "<s>", "</s>"};
    v.kinds = {2, 3, 3};
    for (int byte = 0; byte < 256; ++byte) {
        constexpr std::string_view hex = "0123456789ABCDEF";
        v.tokens.push_back(std::string("<0x") + hex[static_cast<std::size_t>(byte >> 4)] +
                           hex[static_cast<std::size_t>(byte & 15)] + ">");
        v.kinds.push_back(6);
    }
    for (const char* token : {"\xE2\x96\x81", "a", "b", "c", "ab", "bc",
                              "\xE2\x96\x81"
                              "ab",
                              "x", "xx", "xxxx", "<", "/", "s", ">", "</", "s>"}) {
        v.tokens.emplace_back(token);
        v.kinds.push_back(1);
    }
    v.tokens.emplace_back("<br>");
    v.kinds.push_back(4);
    for (std::size_t id = 0; id < v.tokens.size(); ++id)
        v.scores.push_back(-static_cast<float>(id));
    v.bos = 1, v.eos = 2, v.unknown = 0;
    return v;
}

QString joined(const Tokens& tokens) {
    QStringList parts;
    for (const std::string& piece : tokens.pieces)
        parts << QString::fromStdString(piece);
    return parts.join('|');
}

} // namespace

class tst_TokenizerKinds : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void pieces_areThoseOfTheReference_data();
    void pieces_areThoseOfTheReference();
    void ids_areThoseOfTheReference_data();
    void ids_areThoseOfTheReference();
    void firstTokens_areTheBeginningOfAll_data();
    void firstTokens_areTheBeginningOfAll();
    void everyPiece_takesText();
    void sentencePiece_spacesAndNames();
    void sentencePiece_tiesAreLeftmost();
    void sentencePiece_tokenAcrossASpace();
    void sentencePiece_namesInTextAreText();
    void sentencePiece_unknownCharacters();
    void sentencePiece_longWord_isWhole();
    void composedText_keepsBlockedMarks();
    void wordPiece_categoriesAreThoseOfTheReference();
    void strippedNames_takeTheSpaceBesideThem();
    void badVocabulary_isRefused_data();
    void badVocabulary_isRefused();
    void badJson_isRefused_data();
    void badJson_isRefused();
    void config_namesTokensAndTemplate();
    void padding_fillsToTheEmbedding();

private:
    /// "llama", or the kind of JSON: "sentencepiece", "wordpiece", "bytelevel".
    [[nodiscard]] Vocabulary vocabularyOf(const std::string& kind) const;
    nlohmann::json m_golden;
};

void tst_TokenizerKinds::initTestCase() {
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/tokenizers.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    m_golden = nlohmann::json::parse(file.readAll().toStdString());
}

Vocabulary tst_TokenizerKinds::vocabularyOf(const std::string& kind) const {
    if (kind != "llama")
        return readJson(m_golden[kind]["json"].get<std::string>());
    const auto& golden = m_golden["sentencepiece"];
    Vocabulary v;
    v.model = "llama";
    v.tokens = golden["tokens"].get<std::vector<std::string>>();
    v.scores = golden["scores"].get<std::vector<float>>();
    v.kinds = golden["kinds"].get<std::vector<std::int32_t>>();
    v.bos = 1, v.eos = 2, v.unknown = 0, v.addBos = true;
    return v;
}

void tst_TokenizerKinds::pieces_areThoseOfTheReference_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("as");
    for (const auto& [as, rows] : m_golden["pieces"].items())
        QTest::newRow(as.c_str()) << QString::fromStdString(as) << QString::fromStdString(as);
    for (const auto& [name, as] : {std::pair{"deepseek-r1-qwen", "qwen2"},
                                   {"smaug-bpe", "dbrx"},
                                   {"olmo", "gpt-2"},
                                   {"falcon3", "llama-bpe"}})
        QTest::newRow(name) << QString(name) << QString(as);
}

void tst_TokenizerKinds::pieces_areThoseOfTheReference() {
    QFETCH(QString, name);
    QFETCH(QString, as);
    const auto tokenizer = PreTokenizer::named(name.toStdString());
    QVERIFY2(tokenizer.has_value(), tokenizer ? "" : tokenizer.error().message.c_str());
    const auto& rows = m_golden["pieces"][as.toStdString()];
    QVERIFY(rows.size() > 150);
    for (std::size_t n = 0; n < rows.size(); ++n) {
        const auto text = m_golden["texts"][n].get<std::string>();
        const auto ends = tokenizer->pieceEnds(text);
        QVERIFY(ends.has_value());
        QVERIFY2(*ends == rows[n].get<std::vector<std::size_t>>(), m_golden["texts"][n].dump().c_str());
    }
}

void tst_TokenizerKinds::ids_areThoseOfTheReference_data() {
    QTest::addColumn<QString>("kind");
    for (const char* kind : {"llama", "sentencepiece", "wordpiece", "bytelevel"})
        QTest::newRow(kind) << kind;
}

void tst_TokenizerKinds::ids_areThoseOfTheReference() {
    QFETCH(QString, kind);
    const auto tokenizer = make(vocabularyOf(kind.toStdString()));
    const bool spaced = kind == "llama" || kind == "sentencepiece";
    const auto& golden = m_golden[spaced ? "sentencepiece" : kind.toStdString()];
    for (std::size_t n = 0; n < golden["texts"].size(); ++n) {
        const auto text = golden["texts"][n].get<std::string>();
        auto expected = golden["ids"][n].get<Ids>();
        if (spaced)
            expected.insert(expected.begin(), 1); // bos
        const Tokens tokens = encode(*tokenizer, text, true);
        QVERIFY2(tokens.ids == expected, golden["texts"][n].dump().c_str());
        QVERIFY2(spansCover(tokens, text.size()), golden["texts"][n].dump().c_str());
        if (spaced && !text.empty())
            QCOMPARE(tokenizer->decode(tokens.ids), "<s> " + text);
    }
}

void tst_TokenizerKinds::firstTokens_areTheBeginningOfAll_data() {
    ids_areThoseOfTheReference_data();
}

void tst_TokenizerKinds::firstTokens_areTheBeginningOfAll() {
    QFETCH(QString, kind);
    const auto tokenizer = make(vocabularyOf(kind.toStdString()));
    std::string text;
    for (const auto& part : m_golden["texts"])
        text += part.get<std::string>();
    // The second text has more spaces than the first look takes in.
    for (const std::string& whole : {text, 'a' + std::string(5000, ' ') + 'a'}) {
        const Tokens all = encode(*tokenizer, whole);
        for (const std::size_t most : {1, 2, 3, 10, 57, 300, 900}) {
            const auto first = tokenizer->encodeFirst(whole, most, {}, {});
            QVERIFY(first.has_value());
            QCOMPARE(first->size(), std::min(most, all.size()));
            for (std::size_t t = 0; t < first->size(); ++t)
                if (!(first->ids[t] == all.ids[t] && first->spans[t] == all.spans[t]))
                    QFAIL(qPrintable(QString("token %1 of the first %2").arg(t).arg(most)));
        }
    }
}

/// A piece that were only the mark before a text would never come to an end.
void tst_TokenizerKinds::everyPiece_takesText() {
    Vocabulary v = spacedVocabulary();
    v.spaces.prefix = SpaceRules::Prefix::EachPart;
    v.spaces.split = true;
    v.spaces.unlessSpace = false;
    const Tokens tokens = encode(*make(v), " ab");
    QVERIFY(!tokens.ids.empty());
    QCOMPARE(tokens.spans.back().end, 3U);
}

void tst_TokenizerKinds::sentencePiece_spacesAndNames() {
    Vocabulary v = spacedVocabulary();
    const auto tokenizer = make(v);
    QCOMPARE(joined(encode(*tokenizer, "ab")), QString(" ab"));
    QCOMPARE(joined(encode(*tokenizer, "abc")), QString(" ab|c")); // "ab" before "bc"
    QCOMPARE(joined(encode(*tokenizer, "")), QString());
    // A user token is found in the raw text, and a space is put before the text after it.
    QCOMPARE(joined(encode(*tokenizer, "ab<br>ab")), QString(" ab|<br>| ab"));
    const Tokens tokens = encode(*tokenizer, "ab  ab");
    QCOMPARE(joined(tokens), QString(" ab| | ab"));
    QCOMPARE(tokens.spans[0], (Span{0, 2}));
    QCOMPARE(tokens.spans[1], (Span{2, 3}));
    v.spaces.prefix = SpaceRules::Prefix::None;
    QCOMPARE(joined(encode(*make(v), "ab<br>ab")), QString("ab|<br>|ab"));
    v.spaces.prefix = SpaceRules::Prefix::First;
    QCOMPARE(joined(encode(*make(v), "ab<br>ab")), QString(" ab|<br>|ab"));
    v.spaces.unlessSpace = true;
    QCOMPARE(joined(encode(*make(v), " ab")), QString(" ab"));
}

void tst_TokenizerKinds::sentencePiece_tiesAreLeftmost() {
    QCOMPARE(joined(encode(*make(spacedVocabulary()), "xxx")), QString(" |xx|x"));
}

void tst_TokenizerKinds::sentencePiece_tokenAcrossASpace() {
    Vocabulary v = spacedVocabulary();
    v.spaces.prefix = SpaceRules::Prefix::None;
    for (const char* token : {"\xE2\x96\x81"
                              "b",
                              "a\xE2\x96\x81"
                              "b"}) {
        v.tokens.emplace_back(token);
        v.kinds.push_back(1);
        v.scores.push_back(-1);
    }
    QCOMPARE(joined(encode(*make(v), "a b")), QString("a b"));
    QCOMPARE(joined(encode(*make(v), "c b")), QString("c| b"));
}

void tst_TokenizerKinds::sentencePiece_namesInTextAreText() {
    const auto tokenizer = make(spacedVocabulary());
    // Merging "</" and "s>" would give the control token.
    QCOMPARE(joined(encode(*tokenizer, "</s>")), QString(" |</|s>"));
    QCOMPARE(encode(*tokenizer, "</s>", true).ids, (Ids{2}));
}

void tst_TokenizerKinds::sentencePiece_unknownCharacters() {
    Vocabulary v = spacedVocabulary();
    const Tokens bytes = encode(*make(v), "a\xC3\xA9");
    QCOMPARE(bytes.ids, (Ids{259, 260, 3 + 0xC3, 3 + 0xA9}));
    QCOMPARE(bytes.unknownBytes, std::uint64_t{0});
    QCOMPARE(bytes.spans[2], (Span{1, 2}));
    v.tokens[3 + 0xA9] = "gone";
    const Tokens unknown = encode(*make(v), "a\xC3\xA9\xC3\xA9z\xC3\xA9");
    QCOMPARE(unknown.ids, (Ids{259, 260, 0, 3 + 'z', 0})); // neighbours give one
    QCOMPARE(unknown.unknownBytes, std::uint64_t{6});
    QCOMPARE(unknown.firstUnknownByte.value(), std::uint64_t{1});
    QVERIFY(spansCover(unknown, 8));
}

void tst_TokenizerKinds::sentencePiece_longWord_isWhole() {
    const auto tokenizer = make(spacedVocabulary());
    const std::string text(std::size_t{1} << 20, 'x');
    const Tokens tokens = encode(*tokenizer, text);
    QCOMPARE(tokens.size(), std::size_t{1} + (text.size() >> 2));
    QVERIFY(spansCover(tokens, text.size()));
    WorkContext work;
    work.cancel.cancel();
    QCOMPARE(tokenizer->encode(text, {}, work).error().code, ErrorCode::Cancelled);
}

void tst_TokenizerKinds::composedText_keepsBlockedMarks() {
    // U+0313 joins no "a" and stands in the way of U+0301, which has the same class.
    QCOMPARE(std::string(ComposedText("a\xCC\x93\xCC\x81").text()), std::string("a\xCC\x93\xCC\x81"));
    const ComposedText text("xe\xCC\x81y");
    QCOMPARE(std::string(text.text()), std::string("x\xC3\xA9y"));
    QCOMPARE(text.original(1), std::size_t{1});
    QCOMPARE(text.original(3), std::size_t{4});
}

void tst_TokenizerKinds::wordPiece_categoriesAreThoseOfTheReference() {
    // Marks, punctuation and control characters that came after the tables of the reference are plain
    // characters to it (ids from tokenizers 0.23.3); one mark and one sign it knows otherwise.
    const auto tokenizer = make(vocabularyOf("wordpiece"));
    for (const char* word : {"a\u0898b", "a\u061Db", "a\u0890b", "a\U00011938b"})
        QCOMPARE(encode(*tokenizer, word).ids, (Ids{2, 1, 3}));
    for (const char* word : {"a\u1734b", "a\u0301b", "a\u200Bb", "ab"})
        QCOMPARE(encode(*tokenizer, word).ids, (Ids{2, 495, 3}));
    QCOMPARE(encode(*tokenizer, "a\u166Db").ids, (Ids{2, 28, 1, 29, 3}));
}

void tst_TokenizerKinds::strippedNames_takeTheSpaceBesideThem() {
    Vocabulary v = spacedVocabulary();
    v.strips.assign(v.tokens.size(), 0);
    v.strips.back() = 2;
    const Tokens after = encode(*make(v), "ab<br> \n ab");
    QCOMPARE(joined(after), QString(" ab|<br>| ab"));
    QCOMPARE(after.spans[1], (Span{2, 9}));
    v.strips.back() = 1;
    const Tokens before = encode(*make(v), "ab \n<br>ab");
    QCOMPARE(joined(before), QString(" ab|<br>| ab"));
    QCOMPARE(before.spans[1], (Span{2, 8}));
}

void tst_TokenizerKinds::badVocabulary_isRefused_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<QString>("says");
    QTest::newRow("good neighbour") << "none"
                                    << "";
    QTest::newRow("NaN score") << "nan"
                               << "tokenizer.ggml.scores of token 7 is nan; accepted: finite numbers";
    QTest::newRow("infinite score") << "inf"
                                    << "scores of token 7 is inf";
    QTest::newRow("scores one short") << "short"
                                      << "tokenizer.ggml.scores has";
    QTest::newRow("WordPiece without unknown") << "words"
                                               << "unknown_token_id is missing";
}

void tst_TokenizerKinds::badVocabulary_isRefused() {
    QFETCH(QString, what);
    QFETCH(QString, says);
    Vocabulary v = spacedVocabulary();
    if (what == "nan")
        v.scores[7] = std::numeric_limits<float>::quiet_NaN();
    else if (what == "inf")
        v.scores[7] = std::numeric_limits<float>::infinity();
    else if (what == "short")
        v.scores.pop_back();
    else if (what == "words")
        v.model = "bert", v.unknown = -1;
    const auto made = makeTokenizer(v);
    QCOMPARE(made.has_value(), says.isEmpty());
    if (made)
        return;
    QCOMPARE(made.error().code, ErrorCode::Inconsistent);
    QVERIFY2(QString::fromStdString(made.error().message).contains(says), made.error().message.c_str());
}

void tst_TokenizerKinds::badJson_isRefused_data() {
    QTest::addColumn<QString>("from"); // replaced in a good document
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("says"); // empty: still good
    const auto row = [](const char* name, const char* from, const char* to, const char* says) {
        QTest::newRow(name) << from << to << says;
    };
    row("good", "", "", "");
    row("merges as pairs", R"("a b")", R"(["a","b"])", "");
    row("Unigram", R"("type":"BPE")", R"("type":"Unigram")", "model.type is \"Unigram\"; BPE and WordPiece");
    row("vocabulary as a list", R"({"a":0,"b":1,"ab":2})", R"([["a",0],["b",0]])", "is a list");
    row("negative id", R"("b":1)", R"("b":-1)", "gives \"b\" the id -1");
    row("text as id", R"("b":1)", R"("b":"1")", "gives \"b\" the id \"1\"");
    row("huge id", R"("b":1)", R"("b":9000000)", "the highest id is 9000000 with 4 tokens");
    row("two tokens with one id", R"("b":1)", R"("b":0)", "the id 0 to \"a\" and \"b\"");
    row("token twice", R"("b":1)", R"("b":1,"b":5)", "is given twice");
    row("merge of non-tokens", R"("a b")", R"("a z")", "\"z\" is not a token");
    row("merge of three", R"("a b")", R"(["a","b","c"])", "\"a b\" or [\"a\", \"b\"] is accepted");
    row("merge with a space", R"("a b")", R"(["a","b b"])", "no space");
    row("own pattern", "{\"type\":\"ByteLevel\"}",
        R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(a+)+b"},"behavior":"Isolated"},{"type":"ByteLevel","use_regex":false}]})",
        "is none of the patterns that are known");
    row("prefix space", "{\"type\":\"ByteLevel\"}", R"({"type":"ByteLevel","add_prefix_space":true})",
        "add_prefix_space true");
    row("no byte level", "{\"type\":\"ByteLevel\"}", "null", "neither ByteLevel nor spaces");
    row("normalizer", R"("normalizer":null)", R"("normalizer":{"type":"NFKC"})", "the normalizer \"NFKC\"");
    row("NFC", R"("normalizer":null)", R"("normalizer":{"type":"NFC"})", "");
    row("added token elsewhere", R"("id":3)", R"("id":1)", "the id 1 to \"<x>\" and \"b\"");
    row("single word", R"("id":3)", R"("single_word":true,"id":3)", "single_word true");
    row("dropout", R"("type":"BPE")", R"("type":"BPE","dropout":0.1)", "model.dropout is 0.1");
    row("suffix", R"("type":"BPE")", R"("type":"BPE","end_of_word_suffix":"</w>")", "end_of_word_suffix");
    row("post processor", R"("post_processor":null)", R"("post_processor":{"type":"Magic"})", "\"Magic\"");
    row("unknown ends", R"("post_processor":null)",
        R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<y>"}},{"Sequence":{"id":"A"}}]})",
        "post_processor adds \"<y>\", which is no token");
    row("not JSON", R"("type":"BPE")", R"("type":)", "tokenizer.json: byte");
    row("no model", "\"model\"", "\"modal\"", "model is missing");
}

void tst_TokenizerKinds::badJson_isRefused() {
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, says);
    QString text = R"({"added_tokens":[{"id":3,"content":"<x>","special":true}],"normalizer":null,)"
                   R"("pre_tokenizer":{"type":"ByteLevel"},"post_processor":null,)"
                   R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})";
    if (!from.isEmpty()) {
        QVERIFY(text.contains(from));
        text.replace(from, to);
    }
    const auto files = readTokenizerJson(text.toStdString(), nullptr, {});
    std::string problem = files ? "" : files.error().message;
    if (files) {
        const auto made = makeTokenizer(files->vocabulary);
        problem = made ? "" : made.error().message;
        if (made)
            QCOMPARE(encode(**made, "ab").ids, (Ids{2}));
    }
    QCOMPARE(problem.empty(), says.isEmpty());
    QVERIFY2(QString::fromStdString(problem).contains(says), problem.c_str());
}

void tst_TokenizerKinds::config_namesTokensAndTemplate() {
    const std::string text =
        R"({"added_tokens":[{"id":1,"content":"<b>","special":true},{"id":2,"content":"<e>","special":true}],)"
        R"("pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})";
    const auto config = parseJson(
        R"({"bos_token":{"content":"<b>"},"eos_token":"<e>","pad_token":"<none>","add_bos_token":true,)"
        R"("chat_template":[{"name":"tools","template":"no"},{"name":"default","template":"yes"}]})");
    QVERIFY(config.has_value());
    const auto files = readTokenizerJson(text, &*config, {});
    QVERIFY2(files.has_value(), files ? "" : files.error().message.c_str());
    QCOMPARE(files->vocabulary.bos, std::int64_t{1});
    QCOMPARE(files->vocabulary.eos, std::int64_t{2});
    QVERIFY(files->vocabulary.addBos && !files->vocabulary.addEos);
    QCOMPARE(files->chatTemplate, std::string("yes"));
    QCOMPARE(files->warnings.size(), std::size_t{1}); // of the padding token
    QCOMPARE(encode(*make(files->vocabulary), "a").ids, (Ids{1, 0}));
}

void tst_TokenizerKinds::padding_fillsToTheEmbedding() {
    Vocabulary v = spacedVocabulary();
    const std::size_t count = v.tokens.size();
    QVERIFY(padVocabulary(v, count + 2).has_value());
    QCOMPARE(make(v)->vocabularySize(), static_cast<std::int32_t>(count + 2));
    QCOMPARE(make(v)->kind(static_cast<std::int32_t>(count + 1)), TokenKind::Unused);
    const auto fewer = padVocabulary(v, count);
    QVERIFY(!fewer.has_value());
    QVERIFY(QString::fromStdString(fewer.error().message).contains("at most as many tokens as rows"));
}

QTEST_APPLESS_MAIN(tst_TokenizerKinds)
#include "tst_TokenizerKinds.moc"
