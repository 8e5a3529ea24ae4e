// Token ids of the default model's vocabulary against tests/golden/tokens.json (made by make_tokens.py
// there).
#include "SourceDir.h"
#include "core/model/Model.h"
#include <QCryptographicHash>
#include <QFile>
#include <QRegularExpression>
#include <QtTest>
#include <nlohmann/json.hpp>

using namespace fovea;

class tst_TokensGolden : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void shortTexts_data();
    void shortTexts();
    void longTexts_data();
    void longTexts();
    void samples_haveTheirStoredT();

private:
    [[nodiscard]] Tokens encode(const std::string& text) const {
        auto tokens = m_tokenizer->encode(text, {}, {});
        return tokens ? *tokens : Tokens{};
    }
    std::shared_ptr<const Tokenizer> m_tokenizer;
    nlohmann::json m_golden;
};

void tst_TokensGolden::initTestCase() {
    const auto path = findModel("");
    if (!path)
        QSKIP(qPrintable("needs the default model: " + QString::fromStdString(path.error().message)));
    const auto model = inspectModel(*path, {});
    QVERIFY2(model.has_value(), model ? "" : model.error().message.c_str());
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/tokens.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    m_golden = nlohmann::json::parse(file.readAll().toStdString());
    if ((*model)->info.sha256 != m_golden["model_sha256"].get<std::string>())
        QSKIP("the model at hand is not the one that the golden ids are of");
    m_tokenizer = (*model)->tokenizer;
}

void tst_TokensGolden::shortTexts_data() {
    QTest::addColumn<QString>("list");
    QTest::newRow("tokenizers and llama.cpp agree") << "agreed";
    QTest::newRow("they disagree: ids of tokenizers") << "disagreements";
}

void tst_TokensGolden::shortTexts() {
    QFETCH(QString, list);
    const auto& rows = m_golden[list.toStdString()];
    QVERIFY(rows.size() >= 7);
    for (const auto& row : rows) {
        const auto text = row[0].get<std::string>();
        const Tokens tokens = encode(text);
        QVERIFY2(tokens.ids == row[1].get<std::vector<std::int32_t>>(), row.dump().c_str());
        if (tokens.unknownBytes == 0)
            QCOMPARE(m_tokenizer->decode(tokens.ids), text);
        std::uint32_t at = 0;
        for (const Span& span : tokens.spans) {
            QCOMPARE(span.begin, at);
            at = span.end;
        }
        QVERIFY(tokens.ids.empty() || at == text.size());
    }
}

void tst_TokensGolden::longTexts_data() {
    QTest::addColumn<int>("row");
    for (int row = 0; row < static_cast<int>(m_golden["long"].size()); ++row)
        QTest::newRow(m_golden["long"][static_cast<std::size_t>(row)]["name"].get<std::string>().c_str())
            << row;
}

void tst_TokensGolden::longTexts() {
    QFETCH(int, row);
    const auto& golden = m_golden["long"][static_cast<std::size_t>(row)];
    const auto unit = golden["unit"].get<std::string>();
    std::string text;
    for (int n = 0; n < golden["count"].get<int>(); ++n)
        text += unit;
    const Tokens tokens = encode(text);
    QCOMPARE(tokens.size(), golden["tokens"].get<std::size_t>());
    QCryptographicHash hash(QCryptographicHash::Sha256);
    for (const std::int32_t id : tokens.ids) {
        const char bytes[4] = {static_cast<char>(id), static_cast<char>(id >> 8), static_cast<char>(id >> 16),
                               static_cast<char>(id >> 24)};
        hash.addData(QByteArrayView(bytes, 4));
    }
    QCOMPARE(hash.result().toHex().toStdString(), golden["sha256"].get<std::string>());
}

void tst_TokensGolden::samples_haveTheirStoredT() {
    QFile readme(FOVEA_SOURCE_DIR "/samples/README.md");
    QVERIFY(readme.open(QIODevice::ReadOnly));
    const QRegularExpression row(R"(^\| `([^`]+\.txt)` \| ([0-9,]+) \|)",
                                 QRegularExpression::MultilineOption);
    int count = 0;
    for (auto it = row.globalMatch(QString::fromUtf8(readme.readAll())); it.hasNext(); ++count) {
        const auto match = it.next();
        QFile sample(FOVEA_SOURCE_DIR "/samples/" + match.captured(1));
        QVERIFY2(sample.open(QIODevice::ReadOnly), qPrintable(match.captured(1)));
        const Tokens tokens = encode(sample.readAll().toStdString());
        QVERIFY2(static_cast<qsizetype>(tokens.size()) == match.captured(2).remove(',').toLongLong(),
                 qPrintable(QString("%1 has %2 tokens").arg(match.captured(1)).arg(tokens.size())));
        QCOMPARE(tokens.unknownBytes, std::uint64_t{0});
    }
    QVERIFY(count >= 4);
}

QTEST_GUILESS_MAIN(tst_TokensGolden)
#include "tst_TokensGolden.moc"
