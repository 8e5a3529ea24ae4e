#include "core/text/TokenSearch.h"
#include <QTest>
#include <string>

using namespace fovea;

namespace {

/// One token per part.
Tokens tokensOf(const std::vector<std::string>& parts) {
    Tokens tokens;
    std::uint32_t at = 0;
    for (const std::string& part : parts) {
        const auto end = at + static_cast<std::uint32_t>(part.size());
        tokens.ids.push_back(static_cast<std::int32_t>(part.size()));
        tokens.pieces.push_back(part);
        tokens.spans.push_back({at, end});
        at = end;
    }
    return tokens;
}

std::string joined(const Tokens& tokens) {
    std::string text;
    for (const std::string& piece : tokens.pieces)
        text += piece;
    return text;
}

} // namespace

class tst_TokenSearch : public QObject {
    Q_OBJECT

    const Tokens m_tokens =
        tokensOf({"The", " co", "de", " of", " the", " CODE", "x", " \xC3", "\xA9t\xC3\xA9"});
    const std::string m_text = joined(m_tokens);

    std::vector<TokenMatch> find(std::string_view pattern) {
        const auto found = findTokens(m_tokens, m_text, pattern);
        return found ? *found : std::vector<TokenMatch>{{999, 999}};
    }
    std::string fault(std::string_view pattern) {
        const auto found = findTokens(m_tokens, m_text, pattern);
        return found ? std::string() : found.error().message;
    }

private slots:
    void aWord_acrossTokensAndInBothCases() {
        QVERIFY((find("code") == std::vector<TokenMatch>{{1, 3}, {5, 6}}));
        QVERIFY((find("the") == std::vector<TokenMatch>{{0, 1}, {4, 5}}));
        QVERIFY(find("harbour").empty());
        QVERIFY((find("e of t") == std::vector<TokenMatch>{{2, 5}}));
    }
    void positionsAndIds() {
        QVERIFY((find("#5") == std::vector<TokenMatch>{{5, 6}}));
        QVERIFY((find("#2-4") == std::vector<TokenMatch>{{2, 5}}));
        QVERIFY((find("id:2") == std::vector<TokenMatch>{{2, 3}, {7, 8}}));
        for (const char* bad : {"#", "#9", "#4-2", "#-1", "#x", "#99999999999999999999"})
            QVERIFY2(fault(bad).find("the text has #0 to #8") != std::string::npos, bad);
        QVERIFY(fault("id:x").find("whole number") != std::string::npos);
        QVERIFY(fault("").find("accepted") != std::string::npos);
    }
    void expressions() {
        QVERIFY((find("re:c.de") == std::vector<TokenMatch>{{1, 3}, {5, 6}}));
        QVERIFY((find("re:^the") == std::vector<TokenMatch>{{0, 1}}));
        QVERIFY((find("re:\xC3\xA9") == std::vector<TokenMatch>{{7, 9}})); // both are touched once
        QVERIFY(find("re:x*").size() == 1);                                // empty matches are skipped
        QVERIFY2(fault("re:(").find("fails at character") != std::string::npos, fault("re:(").c_str());
    }
    void anExpressionWithoutEnd_isGivenUp() {
        const std::string text(40, 'a');
        const Tokens tokens = tokensOf({text, "!"});
        const auto found = findTokens(tokens, text + "!", "re:(a+)+$");
        QVERIFY(!found);
        QVERIFY2(found.error().message.find("given up") != std::string::npos, found.error().message.c_str());
    }
    void bytesThatAreNoText() {
        const Tokens tokens = tokensOf({"a\xFF",
                                        "\xFE"
                                        "b",
                                        "c"});
        const std::string text = joined(tokens);
        QVERIFY((findTokens(tokens, text, "re:b").value() == std::vector<TokenMatch>{{1, 2}}));
        QVERIFY((findTokens(tokens, text, "c").value() == std::vector<TokenMatch>{{2, 3}}));
        QVERIFY(!findTokens(tokens, text, "re:\xFF"));
        QVERIFY(findTokens(Tokens(), "", "a").value().empty());
    }
};

QTEST_GUILESS_MAIN(tst_TokenSearch)
#include "tst_TokenSearch.moc"
