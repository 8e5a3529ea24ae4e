// The tokens that a policy predicts worse: what is said of each is what the runs have.
#include "core/engine/Engine.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/export/FailureReport.h"
#include "core/export/Session.h"
#include "core/policy/SignalSpec.h"
#include "core/probe/Failures.h"
#include "tests/support/SmallModel.h"
#include <QTest>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

AttentionPolicy narrow() {
    AttentionPolicy policy;
    policy.local.window = 12;
    policy.always.sinks = 2;
    return policy;
}

/// Tokens of one byte each.
Tokens bytesOf(const std::string& text) {
    Tokens tokens;
    for (std::uint32_t i = 0; i < text.size(); ++i) {
        tokens.ids.push_back(static_cast<unsigned char>(text[i]));
        tokens.spans.push_back({i, i + 1});
        tokens.pieces.emplace_back(1, text[i]);
    }
    return tokens;
}

} // namespace

class tst_Failures : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void failures_areTheWorstTokens();
    void source_isWhatTheRowDoesNotRead();
    void wouldKeep_namesTheSignalsThatDo();
    void fullAttention_hasNone();
    void kinds_followFromTheText_data();
    void kinds_followFromTheText();
    void repeated_countsTheTokensBefore();
    void session_opensOnTheRow();

private:
    std::vector<PolicyFailure> found(const AttentionPolicy& policy, FailureOptions options = {}) const {
        Result<std::vector<PolicyFailure>> failures = findFailures(*m_text, policy, options, {});
        if (!failures)
            qFatal("%s", failures.error().message.c_str());
        return *failures;
    }

    test::SmallModelFile m_model;
    SnapshotPtr m_text;
};

void tst_Failures::initTestCase() {
    Request request;
    request.text = std::make_shared<const std::string>(test::smallText(240));
    request.modelPath = m_model.path();
    Engine engine;
    Result<SnapshotPtr> run = engine.run(request, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    m_text = *run;
}

void tst_Failures::failures_areTheWorstTokens() {
    const std::vector<PolicyFailure> failures = found(narrow());
    QCOMPARE(failures.size(), std::size_t{10});
    const Result<PropagatedResult> run = runPropagated(*m_text, narrow(), {});
    QVERIFY(run);
    const PropagatedFidelity& f = run->fidelity;
    double worst = 0;
    for (std::size_t t = 1; t < f.kl.size(); ++t)
        worst = std::max(worst, static_cast<double>(f.hybridNll[t]) - static_cast<double>(f.fullNll[t]));
    QCOMPARE(failures.front().lossChange, worst);
    std::vector<int> covered(f.kl.size(), 0);
    for (std::size_t n = 0; n < failures.size(); ++n) {
        const PolicyFailure& one = failures[n];
        QVERIFY(n == 0 || one.lossChange <= failures[n - 1].lossChange);
        QCOMPARE(one.lossChange,
                 static_cast<double>(f.hybridNll[one.token]) - static_cast<double>(f.fullNll[one.token]));
        QCOMPARE(one.kl, static_cast<double>(f.kl[one.token - 1]));
        QVERIFY(one.first <= one.token && one.token < one.last);
        for (std::size_t t = one.first; t < one.last; ++t)
            QCOMPARE(++covered[t], 1); // spans are apart
    }
    FailureOptions strict;
    strict.leastChange = failures[2].lossChange;
    QCOMPARE(found(narrow(), strict).size(), std::size_t{3});
}

void tst_Failures::source_isWhatTheRowDoesNotRead() {
    for (const PolicyFailure& one : found(narrow())) {
        const std::size_t query = one.token - 1;
        if (query < 14) {
            QVERIFY(!one.hasSource || one.source + 12 <= query);
            continue;
        }
        QVERIFY(one.hasSource);
        QVERIFY(one.source >= 2 && one.source + 12 <= query); // neither a sink nor in the window
        const AttentionRow row = makeRow(one.head, query, *m_text->tileSource(one.layer));
        QCOMPARE(one.lostMass, static_cast<double>(row.full[one.source]));
        double kept = 0;
        for (std::size_t key = 0; key <= query; ++key)
            kept += key < 2 || key + 12 > query ? static_cast<double>(row.full[key]) : 0;
        QVERIFY(std::abs(one.keptMass - kept) < 1e-6);
        for (int layer = 0; layer < m_text->model->shape.layers; ++layer)
            for (int head = 0; head < m_text->model->shape.heads; ++head)
                QVERIFY(
                    static_cast<double>(makeRow(head, query, *m_text->tileSource(layer)).full[one.source]) <=
                    one.lostMass);
    }
}

/// A router of each signal, run in the same place, reads the source exactly where it is said to.
void tst_Failures::wouldKeep_namesTheSignalsThatDo() {
    FailureOptions options;
    options.routed = 24;
    std::size_t named = 0, asked = 0;
    for (const PolicyFailure& one : found(narrow(), options)) {
        if (!one.hasSource)
            continue;
        for (const char* signal : {"group_dot", "head_dot", "key_norm", "value_norm"}) {
            AttentionPolicy routed = narrow();
            routed.routed.signal = signal;
            routed.routed.budget = 24;
            const std::size_t query = one.token - 1;
            const Result<VisibleLayer> layer =
                runVisible(*m_text, routed, one.layer, -1, {query, query + 1}, {}, nullptr);
            QVERIFY2(layer, layer ? "" : layer.error().message.c_str());
            const std::vector<KeptKey> kept = layer->plan->keptKeys(one.head, query);
            const bool reads = std::any_of(kept.begin(), kept.end(),
                                           [&](const KeptKey& key) { return key.key == one.source; });
            const bool says =
                std::find(one.wouldKeep.begin(), one.wouldKeep.end(), signal) != one.wouldKeep.end();
            QVERIFY2(says == reads, signal);
            named += says ? 1U : 0U;
            ++asked;
        }
    }
    QVERIFY2(named > 0 && named < asked, qPrintable(QString("%1 of %2").arg(named).arg(asked)));
}

void tst_Failures::fullAttention_hasNone() {
    QVERIFY(found(AttentionPolicy()).empty());
}

void tst_Failures::kinds_followFromTheText_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("token");
    QTest::addColumn<int>("repeated");
    QTest::addColumn<int>("kind");
    const auto row = [](const char* name, const char* text, int token, int repeated, LostKind kind) {
        QTest::newRow(name) << QString(text) << token << repeated << static_cast<int>(kind);
    };
    row("number", "it is 4711 then", 8, 0, LostKind::Number);
    row("name", "we met Anna there", 8, 1, LostKind::Name);
    row("first of a sentence", "So. Anna left", 5, 0, LostKind::Word);
    row("first of the text", "Anna left", 1, 0, LostKind::Word);
    row("word", "we met them", 8, 0, LostKind::Word);
    row("mark", "we met, then", 6, 0, LostKind::Word);
    row("quotation", "so he said that they came", 12, 5, LostKind::Quotation);
    row("not long enough", "so he said that they came", 12, 4, LostKind::Word);
    row("line", "a line of it\na line of it\n", 20, 7, LostKind::RepeatedLine);
    row("line begins otherwise", "a line of it\nb line of it\n", 20, 6, LostKind::Quotation);
    row("digits in a quotation", "so it is 4711 then 4711", 20, 1, LostKind::Number);
}

void tst_Failures::kinds_followFromTheText() {
    QFETCH(QString, text);
    QFETCH(int, token);
    QFETCH(int, repeated);
    QFETCH(int, kind);
    const std::string bytes = text.toStdString();
    QCOMPARE(static_cast<int>(lostKindOf(bytes, bytesOf(bytes), static_cast<std::size_t>(token),
                                         static_cast<std::size_t>(repeated))),
             kind);
}

void tst_Failures::repeated_countsTheTokensBefore() {
    const std::vector<std::int32_t> ids = {5, 1, 2, 3, 9, 8, 1, 2, 3, 9};
    QCOMPARE(repeatedBefore(ids, 9, 4), std::size_t{3}); // 1 2 3 before both nines, then 5 and 8
    QCOMPARE(repeatedBefore(ids, 9, 3), std::size_t{0});
    QCOMPARE(repeatedBefore(ids, 8, 0), std::size_t{0});
    QCOMPARE(repeatedBefore(std::vector<std::int32_t>(6, 7), 5, 2), std::size_t{2}); // the text begins
}

void tst_Failures::session_opensOnTheRow() {
    TextFailures text;
    text.name = "page.txt";
    text.snapshot = m_text;
    text.failures = found(narrow());
    const PolicyFailure& one = text.failures.front();
    const Result<Session> session = sessionFromJson(failureSession(text, one, narrow()));
    QVERIFY2(session, session ? "" : session.error().message.c_str());
    QVERIFY(session->request.policy == narrow());
    QCOMPARE(*session->request.text, *m_text->request->text);
    QCOMPARE(session->request.visible.layer, one.layer);
    QCOMPARE(session->request.visible.head, one.head);
    QCOMPARE(session->view.at("pinned"), std::to_string(one.token - 1));
    const AttentionPolicy policy = narrow();
    DocumentHead head;
    head.policy = &policy;
    const nlohmann::json doc = nlohmann::json::parse(failuresJson(head, {text}));
    QCOMPARE(doc["texts"][0]["failures"].size(), text.failures.size());
    std::size_t kinds = 0;
    for (const auto& [name, count] : doc["kinds"].items())
        kinds += count.get<std::size_t>();
    QCOMPARE(kinds, text.failures.size());
    QCOMPARE(doc["texts"][0]["failures"][0]["lost"]["query"].get<std::size_t>(), one.token - 1);
}

QTEST_GUILESS_MAIN(tst_Failures)
#include "tst_Failures.moc"
