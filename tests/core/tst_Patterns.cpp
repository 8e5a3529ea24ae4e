// Fixed patterns against tests/golden/make_patterns.py, which restates them from the papers and shares no
// code with Fovea: every key of every query, through the one function that turns a policy into attention.
#include "SourceDir.h"
#include "core/base/SplitMix64.h"
#include "core/engine/LayerRun.h"
#include "core/policy/PolicyJson.h"
#include "core/route/PolicyFits.h"
#include <QtTest>
#include <nlohmann/json.hpp>

using namespace fovea;

class tst_Patterns : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        QFile file(FOVEA_SOURCE_DIR "/tests/golden/patterns.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        m_golden = nlohmann::json::parse(file.readAll().toStdString());
        m_tokens = m_golden["tokens"].get<std::size_t>();
        auto facts = std::make_shared<TokenFacts>();
        facts->tokens = m_tokens;
        facts->special.assign(m_tokens, 0);
        facts->punctuation.assign(m_tokens, 0);
        for (const std::size_t token : m_golden["special"].get<std::vector<std::size_t>>())
            facts->special[token] = 1;
        for (const std::size_t token : m_golden["punctuation"].get<std::vector<std::size_t>>())
            facts->punctuation[token] = 1;
        m_facts = std::move(facts);
        m_shape.family = "llama";
        m_shape.layers = 3;
        m_shape.heads = 4;
        m_shape.kvHeads = 2;
        m_shape.headDim = 8;
    }

    void keysAreThePapers_data() {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t n = 0; n < m_golden["cases"].size(); ++n)
            QTest::newRow(m_golden["cases"][n]["name"].get<std::string>().c_str()) << n;
    }
    void keysAreThePapers() {
        QFETCH(std::size_t, index);
        const nlohmann::json& golden = m_golden["cases"][index];
        const Result<AttentionPolicy> policy = policyFromJson(golden["policy"].dump());
        QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
        const auto heads = static_cast<std::size_t>(m_shape.heads);
        Matrix q(m_tokens, heads * 8), k(m_tokens, 16), v(m_tokens, 16), o(m_tokens, heads * 8);
        std::uint64_t n = 0;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t r = 0; r < m->rows(); ++r)
                for (std::size_t c = 0; c < m->cols(); ++c)
                    m->view()(r, c) = 2 * unitFloat(splitMix64(++n)) - 1;
        const int layer = golden["layer"].get<int>();
        const int head = golden["head"].get<int>();
        const LayerTask task{
            m_shape,      std::make_shared<const AttentionPolicy>(*policy), m_facts, layer, -1, {0, m_tokens},
            Isa::Portable};
        const AttentionInput input{q.view(), k.view(), v.view(), 4, 2, 8, 0.35F};
        const Result<HybridLayer> done = runLayer(task, input, {}, {o.view(), {}}, WorkContext{});
        QVERIFY2(done.has_value(), done ? "" : done.error().message.c_str());
        for (std::size_t i = 0; i < m_tokens; ++i) {
            std::vector<std::uint32_t> expected;
            const auto runs = golden["rows"][i].get<std::vector<std::uint32_t>>();
            for (std::size_t r = 0; r + 1 < runs.size(); r += 2)
                for (std::uint32_t key = runs[r]; key <= runs[r + 1]; ++key)
                    expected.push_back(key);
            std::vector<std::uint32_t> kept;
            for (const KeptKey& key : done->plan.keptKeys(head, i))
                kept.push_back(key.key);
            QVERIFY2(kept == expected, qPrintable(QStringLiteral("query %1: %2 keys instead of %3")
                                                      .arg(i)
                                                      .arg(kept.size())
                                                      .arg(expected.size())));
        }
        // The same rows one at a time, as cached decoding asks for them.
        Matrix single(m_tokens, heads * 8);
        for (std::size_t i = 0; i < m_tokens; i += 7) {
            LayerTask row = task;
            row.rows = {i, i + 1};
            row.head = head;
            const Result<HybridLayer> one = runLayer(row, input, {}, {single.view(), {}}, WorkContext{});
            QVERIFY(one.has_value());
            QCOMPARE(one->plan.heads[static_cast<std::size_t>(head)]->keysOf(i),
                     done->plan.heads[static_cast<std::size_t>(head)]->keysOf(i));
        }
    }

    void aPolicyThatDoesNotFitIsRefused_data() {
        QTest::addColumn<QString>("parts");
        QTest::addColumn<QString>("says"); // empty: it fits
        const auto row = [](const char* name, const char* parts, const char* says) {
            QTest::newRow(name) << parts << says;
        };
        row("a layer too many", R"("mix":{"layers":["","","","full"]})", "mix.layers names 4 layers");
        row("a layer too few", R"("mix":{"layers":["","full"]})", "mix.layers names 2 layers");
        row("every layer", R"("mix":{"layers":["","full",""]})", "");
        row("lists of heads for two layers", R"("mix":{"heads":[["full"],[""]]})",
            "mix.heads has lists for 2");
        row("lists of heads for each layer", R"("mix":{"heads":[["full"],[""],[]]})", "");
        row("one list of heads, the rest as the layer", R"("mix":{"heads":["full"]})", "");
        row("a head too many", R"("mix":{"heads":["full","","","",""]})", "mix.heads names 5 heads");
        row("a full layer too far", R"("mix":{"full_layers":[1,3]})", "layer 3 does not exist");
        row("the last layer full", R"("mix":{"full_layers":[2]})", "");
        row("a pin behind the text", R"("always":{"pinned":[{"tokens":[40]}]})",
            "always.pinned: position 40");
        row("a pin at its end", R"("always":{"pinned":[{"tokens":[39]}]})", "");
        row("a pin of a head policy", R"("head_policies":{"far":{"always":{"pinned":[{"tokens":[77]}]}}})",
            "head_policies.far.always.pinned: position 77");
        row("a bidirectional policy", R"("local":{"window":8,"sides":"both"})", "bidirectional");
    }

    void aPolicyThatDoesNotFitIsRefused() {
        QFETCH(QString, parts);
        QFETCH(QString, says);
        const QString local = parts.contains("local") ? "" : R"("local":{"window":8},)";
        const Result<AttentionPolicy> policy =
            policyFromJson((R"({"fovea":"policy","version":1,)" + local + parts + "}").toStdString());
        QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
        const std::size_t tokens = 40;
        const Result<> fits = policyFits(*policy, m_shape, tokens);
        QCOMPARE(fits.has_value(), says.isEmpty());
        QVERIFY2(fits || fits.error().message.find(says.toStdString()) != std::string::npos,
                 fits ? "" : fits.error().message.c_str());
        // A layer's run says the same.
        Matrix q(tokens, 32), k(tokens, 16), o(tokens, 32);
        auto facts = std::make_shared<TokenFacts>();
        facts->tokens = tokens;
        const LayerTask task{
            m_shape,      std::make_shared<const AttentionPolicy>(*policy), facts, 0, -1, {0, tokens},
            Isa::Portable};
        const Result<HybridLayer> done =
            runLayer(task, {q.view(), k.view(), k.view(), 4, 2, 8, 1}, {}, {o.view(), {}}, WorkContext{});
        QCOMPARE(done.has_value(), fits.has_value());
        QVERIFY(done || done.error().message == fits.error().message);
    }

private:
    nlohmann::json m_golden;
    std::size_t m_tokens = 0;
    std::shared_ptr<const TokenFacts> m_facts;
    ModelShape m_shape;
};

QTEST_GUILESS_MAIN(tst_Patterns)
#include "tst_Patterns.moc"
