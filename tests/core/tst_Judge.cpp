// Policies judged on sampled queries: the numbers are those of the isolated run over the same queries.
#include "core/engine/Engine.h"
#include "core/model/Forward.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include "core/tune/Judge.h"
#include "tests/support/SmallModel.h"
#include <QTest>
#include <cmath>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

double squared(const float* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
}

bool close(double a, double b, double relative, double absolute = 1e-9) {
    return std::abs(a - b) <= absolute + relative * std::max(std::abs(a), std::abs(b));
}

/// Presets for causal models, with budgets that choose on a text of 300 tokens.
std::vector<AttentionPolicy> policies(const Snapshot& text) {
    std::vector<AttentionPolicy> out;
    for (const PolicyPreset& preset : policyPresets()) {
        AttentionPolicy policy = preset.policy;
        policy.name = std::string(preset.name);
        policy.mix.fullHeads = 0; // needs scores of the model, which another test has
        policy.eachParts([](HeadParts& parts) {
            if (parts.local.window > 24 && parts.local.window != kAll)
                parts.local.window = 24;
            if (parts.routed.budgetKind == BudgetKind::Count && parts.routed.budget > 16)
                parts.routed.budget = 16;
        });
        const Result<AttentionPolicy> legal = validated(policy);
        if (legal && policyFits(*legal, text.model->shape, text.tokens->size()))
            out.push_back(*legal);
    }
    return out;
}

} // namespace

class tst_Judge : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void sample_standsForAllRows_data();
    void sample_standsForAllRows();
    void allRows_areTheIsolatedRun();
    void someRows_areThoseOfTheIsolatedRun();
    void pairs_areEstimatedClosely();
    void sameBits_atAnyThreadCount();
    void droppedLayers_giveTheSameNumbers();
    void misfit_isRefusedBeforeAnythingRuns();

private:
    test::SmallModelFile m_model;
    SnapshotPtr m_text;
};

void tst_Judge::initTestCase() {
    Request request;
    request.text = std::make_shared<const std::string>(test::smallText(300));
    request.modelPath = m_model.path();
    Engine engine;
    Result<SnapshotPtr> run = engine.run(request, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    m_text = *run;
}

void tst_Judge::sample_standsForAllRows_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("count");
    for (const int tokens : {1, 3, 127, 128, 129, 200, 4096, 100000})
        for (const int count : {1, 8, 128})
            QTest::addRow("T=%d of %d", tokens, count) << tokens << count;
}

void tst_Judge::sample_standsForAllRows() {
    QFETCH(int, tokens);
    QFETCH(int, count);
    const RowSample sample = sampleRows(static_cast<std::size_t>(tokens), static_cast<std::size_t>(count));
    double weight = 0;
    std::size_t last = 0, late = 0;
    QCOMPARE(sample.weight.size(), sample.ranges.size());
    for (std::size_t n = 0; n < sample.ranges.size(); ++n) {
        const RowRange rows = sample.ranges[n];
        QVERIFY(rows.first >= last && rows.first < rows.last);
        last = rows.last;
        weight += sample.weight[n] * static_cast<double>(rows.last - rows.first);
        late += rows.first * 3 >= static_cast<std::size_t>(tokens) * 2 ? 1U : 0U;
    }
    QVERIFY(last <= static_cast<std::size_t>(tokens));
    QVERIFY(close(weight, tokens, 1e-12));
    QVERIFY(sample.rows() <= static_cast<std::size_t>(std::max(count, 4)));
    if (tokens >= 4096 && count == 128)
        QVERIFY(late * 5 >= sample.ranges.size() * 2); // a third of the text has two fifths of the ranges
}

void tst_Judge::allRows_areTheIsolatedRun() {
    const std::vector<AttentionPolicy> asked = policies(*m_text);
    QVERIFY(asked.size() > 30);
    const RowSample all = sampleRows(m_text->tokens->size(), 1000);
    const Result<std::vector<Judgement>> judged = judgePolicies(*m_text, asked, all, {});
    QVERIFY2(judged, judged ? "" : judged.error().message.c_str());
    for (std::size_t p = 0; p < asked.size(); ++p) {
        const Result<IsolatedResult> isolated = runIsolated(*m_text, asked[p], nullptr, {}, {});
        QVERIFY(isolated);
        const Judgement& one = (*judged)[p];
        for (std::size_t l = 0; l < isolated->layers.size(); ++l) {
            const LayerFidelity& f = isolated->layers[l];
            QVERIFY2(close(one.layers[l].outputError, f.outputError, 1e-4, 1e-6),
                     qPrintable(QString("%1 layer %2: %3 instead of %4")
                                    .arg(asked[p].name.c_str())
                                    .arg(l)
                                    .arg(one.layers[l].outputError)
                                    .arg(f.outputError)));
            QVERIFY2(close(one.layers[l].mass, f.massRecall, 1e-5), asked[p].name.c_str());
        }
        QCOMPARE(one.cost.hybrid.pairs, isolated->cost.hybrid.pairs);
        QCOMPARE(one.cost.hybrid.routerMacs, isolated->cost.hybrid.routerMacs);
        QCOMPARE(one.cost.pairsRatio, isolated->cost.pairsRatio);
        QCOMPARE(one.cost.kvBytesRatio, isolated->cost.kvBytesRatio);
    }
}

/// Rows that lie apart skip the rows between them: states, rounded keys and choices must not notice.
void tst_Judge::someRows_areThoseOfTheIsolatedRun() {
    const RowSample sample = sampleRows(m_text->tokens->size(), 40);
    QVERIFY(sample.ranges.size() > 5);
    const std::vector<AttentionPolicy> asked = policies(*m_text);
    const Result<std::vector<Judgement>> judged = judgePolicies(*m_text, asked, sample, {});
    QVERIFY2(judged, judged ? "" : judged.error().message.c_str());
    constexpr int kLayer = 2;
    const LayerActivations& full = *m_text->full->layers[kLayer];
    const std::size_t tokens = m_text->tokens->size();
    double largest = 0;
    for (std::size_t p = 0; p < asked.size(); ++p) {
        Matrix o;
        QVERIFY(runVisible(*m_text, asked[p], kLayer, -1, {0, tokens}, {}, &o));
        Matrix difference(tokens, o.cols()),
            projected(tokens, static_cast<std::size_t>(m_text->model->shape.width));
        for (std::size_t t = 0; t < tokens; ++t)
            for (std::size_t c = 0; c < o.cols(); ++c)
                difference.view()(t, c) = full.o.view()(t, c) - o.view()(t, c);
        projectOutput(*m_text->model, kLayer, difference.view(), projected.view(), 1);
        double error = 0, weight = 0;
        for (std::size_t n = 0; n < sample.ranges.size(); ++n)
            for (std::size_t t = sample.ranges[n].first; t < sample.ranges[n].last; ++t) {
                const double x = static_cast<double>(full.hiddenNorm[t]);
                error += sample.weight[n] * squared(projected.view().row(t), projected.cols()) / (x * x);
                weight += sample.weight[n];
            }
        const double found = (*judged)[p].layers[kLayer].streamError;
        largest = std::max(largest, found);
        QVERIFY2(
            close(found, error / weight, 1e-3, 1e-9),
            qPrintable(
                QString("%1: %2 instead of %3").arg(asked[p].name.c_str()).arg(found).arg(error / weight)));
    }
    QVERIFY(largest > 1e-4);
}

void tst_Judge::pairs_areEstimatedClosely() {
    const std::vector<AttentionPolicy> asked = policies(*m_text);
    const Result<std::vector<Judgement>> judged =
        judgePolicies(*m_text, asked, sampleRows(m_text->tokens->size(), 128), {});
    QVERIFY(judged);
    for (std::size_t p = 0; p < asked.size(); ++p) {
        const Result<IsolatedResult> isolated = runIsolated(*m_text, asked[p], nullptr, {}, {});
        QVERIFY(isolated);
        QCOMPARE((*judged)[p].cost.hybrid.routerMacs, isolated->cost.hybrid.routerMacs);
        // Where few queries read everything, few of them are among the sampled ones.
        const bool scattered =
            asked[p].anyParts([](const HeadParts& parts) { return parts.routed.ranksQueries(); });
        QVERIFY2(close((*judged)[p].cost.pairsRatio, isolated->cost.pairsRatio, scattered ? 0.5 : 0.06),
                 qPrintable(QString("%1: %2 instead of %3")
                                .arg(asked[p].name.c_str())
                                .arg((*judged)[p].cost.pairsRatio)
                                .arg(isolated->cost.pairsRatio)));
        double heads = 0;
        for (const LayerJudgement& layer : (*judged)[p].layers)
            for (const double pairs : layer.headPairs)
                heads += pairs;
        const auto& arm = (*judged)[p].cost.hybrid;
        QVERIFY(close(heads, static_cast<double>(arm.pairs - arm.farEntries), 1e-6, 2));
    }
}

void tst_Judge::sameBits_atAnyThreadCount() {
    const std::vector<AttentionPolicy> asked = policies(*m_text);
    const RowSample sample = sampleRows(m_text->tokens->size(), 64);
    WorkContext one, three;
    one.threads = 1;
    three.threads = 3;
    const Result<std::vector<Judgement>> a = judgePolicies(*m_text, asked, sample, one);
    const Result<std::vector<Judgement>> b = judgePolicies(*m_text, asked, sample, three);
    QVERIFY(a && b);
    for (std::size_t p = 0; p < asked.size(); ++p)
        QVERIFY2((*a)[p].layers == (*b)[p].layers, asked[p].name.c_str());
}

void tst_Judge::droppedLayers_giveTheSameNumbers() {
    const std::vector<AttentionPolicy> asked = policies(*m_text);
    const RowSample sample = sampleRows(m_text->tokens->size(), 64);
    const std::span<const AttentionPolicy> few(asked.data(), 5);
    Snapshot dropped = *m_text;
    auto full = std::make_shared<FullRun>(*m_text->full);
    full->layers[1] = nullptr;
    full->layers[3] = nullptr;
    dropped.full = full;
    const Result<std::vector<Judgement>> a = judgePolicies(*m_text, few, sample, {});
    const Result<std::vector<Judgement>> b = judgePolicies(dropped, few, sample, {});
    QVERIFY(a && b);
    for (std::size_t p = 0; p < few.size(); ++p)
        QVERIFY((*a)[p].layers == (*b)[p].layers);
}

void tst_Judge::misfit_isRefusedBeforeAnythingRuns() {
    AttentionPolicy pinned;
    pinned.local.window = 8;
    pinned.always.pinned = {{100000, 100000, Role::Keys}};
    const Result<std::vector<Judgement>> judged =
        judgePolicies(*m_text, std::vector{AttentionPolicy(), pinned}, sampleRows(300), {});
    QVERIFY(!judged);
    QVERIFY(judged.error().message.find("always.pinned") != std::string::npos);
    Snapshot encoder = *m_text;
    auto model = std::make_shared<Model>(*m_text->model);
    model->shape.causal = false;
    encoder.model = model;
    const Result<std::vector<Judgement>> refused =
        judgePolicies(encoder, std::vector{AttentionPolicy()}, sampleRows(300), {});
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::Unsupported);
}

QTEST_GUILESS_MAIN(tst_Judge)
#include "tst_Judge.moc"
