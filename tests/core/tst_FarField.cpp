#include "SourceDir.h"
#include "core/engine/LayerRun.h"
#include "core/kernels/LinearState.h"
#include "core/kernels/RecurrentState.h"
#include "core/policy/PolicyJson.h"
#include "tests/support/AttentionCase.h"
#include <QFile>
#include <QTest>
#include <nlohmann/json.hpp>

using namespace fovea;
using namespace fovea::test;

namespace {

ModelShape shapeOf(int heads, int kvHeads, int dim) {
    ModelShape shape;
    shape.layers = 1;
    shape.heads = heads;
    shape.kvHeads = kvHeads;
    shape.headDim = dim;
    return shape;
}

struct Run {
    Matrix o;
    std::vector<float> lse, exact;
    HybridLayer layer;
};

/// One layer of `policy` over rows of a case; the rows of an earlier run stay in `run`.
Result<> runInto(Run& run, const Case& c, const AttentionPolicy& policy, RowRange rows,
                 std::shared_ptr<LayerState> state = nullptr, int threads = 0, Isa isa = defaultIsa()) {
    const ModelShape shape = shapeOf(c.heads, c.kvHeads, c.dim);
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = rows.last;
    facts->special.resize(rows.last);
    facts->punctuation.resize(rows.last);
    AttentionInput in = c.input();
    in.q.rows = in.k.rows = in.v.rows = rows.last;
    WorkContext work;
    work.threads = threads;
    LayerTask task{shape, std::make_shared<const AttentionPolicy>(policy), facts, 0, -1, rows, isa};
    task.state = std::move(state);
    Result<HybridLayer> done = runLayer(task, in, {}, {run.o.view(), run.lse}, work, run.exact);
    FOVEA_TRY(done);
    run.layer = std::move(*done);
    return {};
}

Run emptyRun(const Case& c) {
    const std::size_t rows = c.tokens * static_cast<std::size_t>(c.heads);
    return {Matrix(c.tokens, static_cast<std::size_t>(c.heads * c.dim)),
            std::vector<float>(rows),
            std::vector<float>(rows),
            {}};
}

double furthest(ConstMatrixView a, ConstMatrixView b, std::size_t rows) {
    double most = 0;
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t col = 0; col < a.cols; ++col) {
            const double off = std::abs(static_cast<double>(a(r, col)) - static_cast<double>(b(r, col)));
            if (!(off <= most))
                most = off;
        }
    return most;
}

AttentionPolicy linearPolicy(FeatureMap map, std::int64_t window, std::int64_t sinks, bool routed = false) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    policy.far.far = Far::Linear;
    policy.far.map = map;
    policy.far.features = 64;
    policy.combine.combine = Combine::Shared;
    if (routed) {
        policy.routed.signal = "group_dot";
        policy.routed.budget = 5;
    }
    return policy;
}

std::vector<std::pair<QString, AttentionPolicy>> policies() {
    std::vector<std::pair<QString, AttentionPolicy>> all;
    const char* names[] = {"elu1", "performer", "trig", "taylor2", "hedgehog"};
    for (int map = 0; map < 5; ++map) {
        const auto m = static_cast<FeatureMap>(map);
        all.emplace_back(QString("%1 alone").arg(names[map]), linearPolicy(m, 0, 0));
        all.emplace_back(QString("%1 window").arg(names[map]), linearPolicy(m, 20, 4));
        all.emplace_back(QString("%1 routed").arg(names[map]), linearPolicy(m, 20, 4, true));
        all.emplace_back(QString("%1 gated").arg(names[map]), linearPolicy(m, 20, 4));
        all.back().second.combine.combine = Combine::Gated;
    }
    AttentionPolicy recurrent = linearPolicy(FeatureMap::Elu1, 20, 0);
    recurrent.far.far = Far::Recurrent;
    recurrent.combine.combine = Combine::Gated;
    all.emplace_back("recurrent", recurrent);
    AttentionPolicy summaries = linearPolicy(FeatureMap::Elu1, 20, 4, true);
    summaries.far.far = Far::Summaries;
    summaries.combine.combine = Combine::Union;
    summaries.always.sinkLogit = 0.5;
    all.emplace_back("summaries, sink logit", summaries);
    summaries.far.top = 3;
    summaries.far.m = 4;
    all.emplace_back("summaries, top", summaries);
    return all;
}

} // namespace

class tst_FarField : public QObject {
    Q_OBJECT
private slots:
    void equalsTheRestatement();
    void linearState_matchesItsOracle_data();
    void linearState_matchesItsOracle();
    void recurrence_matchesItsOracle();
    void rowByRow_equalsTheWholeText();
    void memory_isBoundedBeforehand();
    void merge_losesNoNaN();
    void futureTokensMoveNothing();
    void sameBitsAtAnyThreadCount();
    void everythingRead_isFullAttention();
    void exactKeysWeighWhatTheLogSumExpSays();
    void performer_isUnbiased();
};

void tst_FarField::equalsTheRestatement() {
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/far.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto doc = nlohmann::json::parse(file.readAll().toStdString());
    const auto tokens = doc["tokens"].get<std::size_t>();
    Case c(tokens, doc["dim"].get<int>(), doc["heads"].get<int>(), doc["kv_heads"].get<int>());
    const auto fill = [&](Matrix& m, const char* name) {
        for (std::size_t r = 0; r < m.rows(); ++r)
            for (std::size_t col = 0; col < m.cols(); ++col)
                m.view()(r, col) = doc[name][r][col].get<float>();
    };
    fill(c.q, "q");
    fill(c.k, "k");
    fill(c.v, "v");
    QVERIFY(doc["cases"].size() >= 15);
    for (const auto& example : doc["cases"]) {
        const auto policy = policyFromJson(example["policy"].dump());
        QVERIFY2(policy, policy ? "" : policy.error().message.c_str());
        for (const Isa isa : availableIsas()) {
            Run run = emptyRun(c);
            const auto done = runInto(run, c, *policy, {0, tokens}, nullptr, 0, isa);
            QVERIFY2(done, done ? "" : done.error().message.c_str());
            for (std::size_t i = 0; i < tokens; ++i)
                for (std::size_t col = 0; col < run.o.cols(); ++col) {
                    const double expected = example["o"][i][col].get<double>();
                    const double got = static_cast<double>(run.o.view()(i, col));
                    if (!(std::abs(got - expected) < 2e-5 * std::max(1.0, std::abs(expected))))
                        QFAIL(qPrintable(QString("%1 row %2 column %3: %4, not %5")
                                             .arg(example["name"].get<std::string>().c_str())
                                             .arg(i)
                                             .arg(col)
                                             .arg(got)
                                             .arg(expected)));
                }
        }
    }
}

void tst_FarField::linearState_matchesItsOracle_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("dim");
    for (const int tokens : {1, 2, 64, 65, 150, 200})
        QTest::addRow("T=%d D=32", tokens) << tokens << 32;
    for (const int dim : {16, 64, 80})
        QTest::addRow("T=130 D=%d", dim) << 130 << dim;
}

void tst_FarField::linearState_matchesItsOracle() {
    QFETCH(int, tokens);
    QFETCH(int, dim);
    const auto t = static_cast<std::size_t>(tokens);
    const Case c(t, dim, 4, 2);
    const std::vector<std::uint8_t> wanted(4, 1);
    const auto d = static_cast<std::size_t>(dim);
    for (int map = 0; map < 5; ++map)
        for (const bool scattered : {false, true}) {
            LinearOptions options;
            options.map = static_cast<FeatureMap>(map);
            options.features = 64;
            options.local.window = 20;
            options.sinks = 3;
            options.subtracts = scattered;
            LinearState state(options, 2, d);
            const Reads reads = scattered ? routed(20, 3, 9) : windowAndSinks(20, 3);
            AttentionPlan plan = layerPlan(headPlan(t, {0, t}, reads), 4);
            LinearBranch fast(0, t, 4, d), slow(0, t, 4, d);
            QVERIFY(state.attend(plan, c.input(), wanted, defaultIsa(), fast, {}));
            linearOracle(plan, c.input(), state, wanted, slow);
            for (std::size_t i = 0; i < t; ++i)
                for (std::size_t h = 0; h < 4; ++h) {
                    const std::size_t at = i * 4 + h;
                    const double unit = std::exp(fast.exponent[at]);
                    // trig sums cancel: compare with what the positive parts would hold
                    const double size = std::max(1.0, std::abs(slow.denominator[at])) * (map == 2 ? 200 : 1);
                    if (!(std::abs(fast.denominator[at] * unit - slow.denominator[at]) < 2e-5 * size))
                        QFAIL(qPrintable(QString("map %1 row %2: %3, not %4")
                                             .arg(map)
                                             .arg(i)
                                             .arg(fast.denominator[at] * unit)
                                             .arg(slow.denominator[at])));
                    for (std::size_t n = 0; n < d; ++n)
                        QVERIFY(std::abs(static_cast<double>(fast.numerator.view()(i, h * d + n)) * unit -
                                         static_cast<double>(slow.numerator.view()(i, h * d + n))) <
                                5e-5 * size);
                }
        }
}

void tst_FarField::recurrence_matchesItsOracle() {
    for (const std::size_t t : {std::size_t{1}, std::size_t{63}, std::size_t{130}}) {
        const Case c(t, 32, 4, 2);
        RecurrentState state(4, 32, 7, 3);
        Matrix fast(t, 128), slow(t, 128);
        const std::vector<std::uint8_t> wanted(4, 1);
        QVERIFY(state.run(c.input(), 0, wanted, defaultIsa(), fast.view(), {}));
        recurrentOracle(c.input(), 7, 3, slow.view());
        QVERIFY(furthest(fast.view(), slow.view(), t) < 1e-5);
        QVERIFY(furthest(fast.view(), Matrix(t, 128).view(), t) > 1e-2);
    }
}

void tst_FarField::merge_losesNoNaN() {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const auto& [mine, theirs] :
         {std::pair{nan, 1.0F}, std::pair{1.0F, nan}, std::pair{nan, kNoMass}, std::pair{kNoMass, nan}}) {
        float o = 1, lse = mine;
        const float other = std::isnan(theirs) ? nan : 2.0F;
        mergeRow(&o, lse, &other, theirs, 1);
        QVERIFY(std::isnan(lse));
        QVERIFY(std::isnan(logAdd(static_cast<double>(mine), static_cast<double>(theirs))));
    }
    float o = 1, lse = kNoMass;
    const float other = 2;
    mergeRow(&o, lse, &other, 0.5F, 1);
    QVERIFY(o == 2 && lse == 0.5F);
}

void tst_FarField::memory_isBoundedBeforehand() {
    const Case c(150, 32, 4, 2);
    for (const auto& [name, policy] : policies()) {
        Run run = emptyRun(c);
        QVERIFY(runInto(run, c, policy, {0, 150}));
        const LayerMemory memory = farFieldMemory(policy, shapeOf(4, 2, 32), 150);
        QVERIFY2(memory.state >= run.layer.far.stateBytes && run.layer.far.stateBytes > 0, qPrintable(name));
        // Summaries keep sums of every row, a recurrence its weights: at most the keys and values, and 5 D^2
        // a head.
        QVERIFY2(memory.state <=
                     run.layer.far.stateBytes + std::uint64_t{2 * 151 * 64 + 4 * 5 * 32 * 32} * sizeof(float),
                 qPrintable(name));
        QVERIFY2(memory.working >= run.o.rows() * run.o.cols() * sizeof(float), qPrintable(name));
    }
    const LayerMemory none = farFieldMemory(AttentionPolicy{}, shapeOf(4, 2, 32), 150);
    QVERIFY(none.state == 0 && none.working == 0);
}

void tst_FarField::rowByRow_equalsTheWholeText() {
    const Case c(150, 32, 4, 2);
    for (const auto& [name, policy] : policies()) {
        Run whole = emptyRun(c), grown = emptyRun(c);
        const auto done = runInto(whole, c, policy, {0, 150});
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const auto state = std::make_shared<LayerState>();
        QVERIFY(runInto(grown, c, policy, {0, 70}, state));
        for (std::size_t i = 70; i < 150; ++i)
            QVERIFY(runInto(grown, c, policy, {i, i + 1}, state));
        // o = n/d moves by o^2/n per change of d: where trig's signed denominator is near zero, the last bits
        // of the exact part are seen in o, and no more than that is.
        const bool isSigned = policy.far.far == Far::Linear && policy.far.map == FeatureMap::Trig;
        const auto offOf = [&](const Run& run, std::size_t i) {
            double largest = 1, off = 0;
            for (std::size_t col = 0; col < 128; ++col) {
                const auto a = static_cast<double>(whole.o.view()(i, col));
                largest = std::max(largest, std::abs(a));
                off = std::max(off, std::abs(a - static_cast<double>(run.o.view()(i, col))));
            }
            return off / (isSigned ? largest * largest : 1);
        };
        for (std::size_t i = 0; i < 150; ++i)
            QVERIFY2(offOf(grown, i) < 2e-5,
                     qPrintable(QString("%1 row %2: %3").arg(name).arg(i).arg(offOf(grown, i))));
        Run single = emptyRun(c); // without a state, as for a rectangle
        QVERIFY(runInto(single, c, policy, {100, 120}));
        for (std::size_t i = 100; i < 120; ++i)
            QVERIFY2(offOf(single, i) < 2e-5,
                     qPrintable(QString("%1 row %2 alone: %3").arg(name).arg(i).arg(offOf(single, i))));
    }
}

void tst_FarField::futureTokensMoveNothing() {
    for (const auto& [name, policy] : policies()) {
        Case c(200, 32, 4, 2);
        Run before = emptyRun(c), after = emptyRun(c);
        QVERIFY(runInto(before, c, policy, {0, 200}));
        for (std::size_t col = 0; col < c.k.cols(); ++col) {
            c.k.view()(130, col) = 4; // exponents of random features jump
            c.v.view()(130, col) = 9;
        }
        QVERIFY(runInto(after, c, policy, {0, 200}));
        QVERIFY2(furthest(before.o.view(), after.o.view(), 128) == 0,
                 qPrintable(name)); // earlier blocks: no bit
        const double own = furthest(before.o.view(), after.o.view(), 130);
        QVERIFY2(own < 1e-4, qPrintable(name + ": " + QString::number(own)));
        QVERIFY2(furthest(before.o.view(), after.o.view(), 200) > 1e-3, qPrintable(name));
    }
}

void tst_FarField::sameBitsAtAnyThreadCount() {
    const Case c(200, 32, 4, 2);
    for (const auto& [name, policy] : policies()) {
        Run one = emptyRun(c);
        QVERIFY(runInto(one, c, policy, {0, 200}, nullptr, 1));
        for (const int threads : {2, 5}) {
            Run more = emptyRun(c);
            QVERIFY(runInto(more, c, policy, {0, 200}, nullptr, threads));
            QVERIFY2(std::equal(one.o.view().data, one.o.view().data + 200 * 128, more.o.view().data),
                     qPrintable(name));
        }
    }
}

void tst_FarField::everythingRead_isFullAttention() {
    const Case c(130, 32, 4, 2);
    Run full = emptyRun(c);
    QVERIFY(runInto(full, c, AttentionPolicy{}, {0, 130}));
    for (auto [name, policy] : policies()) {
        policy.always.sinkLogit.reset();
        policy.combine.gate = 1;
        for (const bool routed : {false, true}) {
            policy.routed = {};
            policy.local.window = routed ? 10 : 130;
            if (routed) {
                policy.routed.signal = "group_dot";
                policy.routed.budget = 130;
            }
            Run run = emptyRun(c);
            QVERIFY(runInto(run, c, policy, {0, 130}));
            const double off = furthest(run.o.view(), full.o.view(), 130);
            QVERIFY2(off < 1e-5, qPrintable(name + ": " + QString::number(off)));
        }
    }
}

void tst_FarField::exactKeysWeighWhatTheLogSumExpSays() {
    // With values that are 1 at one exact key and 0 elsewhere, the output is that key's weight.
    for (const auto& [name, policy] : policies()) {
        if (name.contains("alone") || name.contains("routed") || name.startsWith("trig"))
            continue; // trig's denominator may be negative: no logarithm
        Case c(120, 32, 4, 2);
        for (std::size_t r = 0; r < 120; ++r)
            for (std::size_t col = 0; col < 64; ++col)
                c.v.view()(r, col) = r == 100 ? 1.0F : 0.0F;
        Run run = emptyRun(c);
        QVERIFY(runInto(run, c, policy, {0, 120}));
        if (policy.far.far == Far::Recurrent)
            continue; // its state has seen the value too
        for (std::size_t h = 0; h < 4; ++h) {
            double logit = 0;
            for (std::size_t d = 0; d < 32; ++d)
                logit += static_cast<double>(c.q.view()(110, h * 32 + d)) *
                         static_cast<double>(c.k.view()(100, h / 2 * 32 + d));
            const double p = std::exp(logit * static_cast<double>(c.input().scale) -
                                      static_cast<double>(run.lse[110 * 4 + h]));
            QVERIFY2(std::abs(p - static_cast<double>(run.o.view()(110, h * 32))) < 1e-4, qPrintable(name));
            QVERIFY(run.exact[110 * 4 + h] <= run.lse[110 * 4 + h] + 1e-4F);
        }
    }
}

void tst_FarField::performer_isUnbiased() {
    // The mean of phi(q).phi(k) over many draws is e^(q.k scale).
    const Case c(2, 16, 1, 1, 0.7);
    const AttentionInput in = c.input();
    double exact = 0, sum = 0;
    for (std::size_t d = 0; d < 16; ++d)
        exact += static_cast<double>(in.q(1, d)) * static_cast<double>(in.k(0, d));
    exact = std::exp(exact * static_cast<double>(in.scale));
    const int draws = 1500;
    for (int seed = 0; seed < draws; ++seed)
        sum +=
            featureProduct(Features(FeatureMap::Performer, 16, 256, static_cast<std::uint64_t>(seed), 0, 0),
                           in.q.row(1), in.k.row(0), 16, in.scale);
    QVERIFY2(std::abs(sum / draws / exact - 1) < 0.1, qPrintable(QString::number(sum / draws / exact)));
}

QTEST_APPLESS_MAIN(tst_FarField)
#include "tst_FarField.moc"
