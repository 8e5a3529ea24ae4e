// Outputs against public implementations on the same inputs: transformers' Longformer and BigBird,
// local-attention and performer-pytorch. tests/golden/make_peers.py ran them, and says where each differs
// from Fovea and what was done.
#include "SourceDir.h"
#include "core/engine/LayerRun.h"
#include "core/plan/BidirectionalPlan.h"
#include "core/policy/PolicyJson.h"
#include "tests/support/AttentionCase.h"
#include <QtTest>
#include <nlohmann/json.hpp>

using namespace fovea;
using test::Case;
using test::LayerOutput;

namespace {

constexpr double kTolerance = 1e-5; // values are below 1.5; the reference ran in double

ModelShape shapeOf(const Case& c) {
    ModelShape shape;
    shape.family = "bert";
    shape.layers = 1;
    shape.heads = c.heads;
    shape.kvHeads = c.kvHeads;
    shape.headDim = c.dim;
    return shape;
}

std::shared_ptr<TokenFacts> factsOf(const Case& c) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = c.tokens;
    return facts;
}

Matrix matrixOf(const nlohmann::json& values, std::size_t rows, std::size_t cols, float unit) {
    Matrix m(rows, cols);
    if (values.size() != rows * cols)
        qFatal("a golden matrix has %zu values, not %zu", values.size(), rows * cols);
    for (std::size_t n = 0; n < values.size(); ++n)
        m.view()(n / cols, n % cols) = values[n].get<float>() * unit;
    return m;
}

Case caseOf(const nlohmann::json& golden) {
    const int heads = golden["heads"].get<int>();
    Case c(golden["tokens"].get<std::size_t>(), golden["head_dim"].get<int>(), heads, heads);
    for (const auto& [name, matrix] : {std::pair("q", &c.q), std::pair("k", &c.k), std::pair("v", &c.v)})
        *matrix = matrixOf(golden[name], c.tokens, c.q.cols(), 1.0F / 64);
    return c;
}

Matrix outputOf(const nlohmann::json& golden, const Case& c, const char* name = "out") {
    return matrixOf(golden[name], c.tokens, c.q.cols(), 1);
}

double difference(const Matrix& a, const Matrix& b) {
    double top = 0;
    for (std::size_t r = 0; r < a.rows(); ++r)
        for (std::size_t col = 0; col < a.cols(); ++col) {
            const double d =
                std::abs(static_cast<double>(a.view()(r, col)) - static_cast<double>(b.view()(r, col)));
            top = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(top, d);
        }
    return top;
}

/// Oracle and every kernel give the golden outputs under this plan.
void outputsAgree(const AttentionPlan& plan, const Case& c, const nlohmann::json& golden) {
    const Matrix expected = outputOf(golden, c);
    LayerOutput slow(c);
    attendOracle(plan, c.input(), slow.output());
    QVERIFY2(difference(slow.o, expected) < kTolerance,
             qPrintable(QString::number(difference(slow.o, expected))));
    for (const Isa isa : availableIsas()) {
        LayerOutput fast(c);
        const Result<> done = attend(plan, c.input(), fast.output(), {isa}, WorkContext{});
        QVERIFY(done.has_value());
        QVERIFY2(difference(fast.o, expected) < kTolerance,
                 qPrintable(QString("%1: %2").arg(isaName(isa).data()).arg(difference(fast.o, expected))));
    }
}

Result<AttentionPlan> bidirectional(const AttentionPolicy& policy, const Case& c,
                                    std::span<const BlockDraws> draws = {}) {
    const Result<AttentionPolicy> legal = validated(policy);
    FOVEA_TRY(legal);
    return makeBidirectionalPlan(std::make_shared<const AttentionPolicy>(*legal), shapeOf(c), 0, factsOf(c),
                                 draws);
}

} // namespace

class tst_Peers : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        QFile file(FOVEA_SOURCE_DIR "/tests/golden/peers.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        m_golden = nlohmann::json::parse(file.readAll().toStdString());
    }
    void longformer_data() { addGolden("longformer"); }
    void longformer();
    void bigbird_data() { addGolden("bigbird"); }
    void bigbird();
    void localAttention_data() { addGolden("local_attention"); }
    void localAttention();
    void performer_data() { addGolden("performer"); }
    void performer();

private:
    void addGolden(const char* section) {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t n = 0; n < m_golden[section].size(); ++n)
            QTest::newRow(m_golden[section][n]["name"].get<std::string>().c_str()) << n;
    }
    nlohmann::json m_golden;
};

/// LongformerSelfAttention has a second set of projections for global rows, here given the same weights, and
/// wants T to be a multiple of its window.
void tst_Peers::longformer() {
    QFETCH(std::size_t, index);
    const nlohmann::json& golden = m_golden["longformer"][index];
    AttentionPolicy policy;
    policy.local.window = golden["window"].get<std::int64_t>();
    policy.local.sides = Sides::Both;
    for (const std::int64_t token : golden["global"].get<std::vector<std::int64_t>>())
        policy.always.pinned.push_back({token, token, Role::Both});
    const Case c = caseOf(golden);
    const Result<AttentionPlan> plan = bidirectional(policy, c);
    QVERIFY2(plan.has_value(), plan ? "" : plan.error().message.c_str());
    outputsAgree(*plan, c, golden);
}

/// The random blocks are numpy's, or block 0 each in evaluation mode; the plan is given them.
void tst_Peers::bigbird() {
    QFETCH(std::size_t, index);
    const nlohmann::json& golden = m_golden["bigbird"][index];
    AttentionPolicy policy;
    const auto block = golden["block"].get<std::int64_t>();
    policy.local.window = 3 * block;
    policy.local.sides = Sides::Both;
    policy.always.sinks = policy.routed.page = policy.routed.queryBlock = block;
    policy.routed.randomBlocks = golden["random"].get<std::int64_t>();
    policy.mix.parity = Parity::BigBird;
    const auto draws = golden["draws"].get<std::vector<BlockDraws>>();
    const Case c = caseOf(golden);
    const Result<AttentionPlan> plan = bidirectional(policy, c, draws);
    QVERIFY2(plan.has_value(), plan ? "" : plan.error().message.c_str());
    const bool twice = std::any_of(plan->heads[0]->items.begin(), plan->heads[0]->items.end(),
                                   [](const PlanItem& item) { return item.multiplicity > 1; });
    QCOMPARE(twice, golden["counts_twice"].get<bool>());
    outputsAgree(*plan, c, golden);
}

/// Without its rotary embedding. Its default is a chunk and the one before, not a sliding window; exact
/// windows of w read w + 1 keys.
void tst_Peers::localAttention() {
    QFETCH(std::size_t, index);
    const nlohmann::json& golden = m_golden["local_attention"][index];
    const Result<AttentionPolicy> policy = policyFromJson(golden["policy"].dump());
    QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
    const Case c = caseOf(golden);
    const Result<AttentionPlan> plan = policy->bidirectional()
                                           ? bidirectional(*policy, c)
                                           : makePlan(std::make_shared<const AttentionPolicy>(*policy),
                                                      shapeOf(c), 0, factsOf(c), nullptr, {0, c.tokens});
    QVERIFY2(plan.has_value(), plan ? "" : plan.error().message.c_str());
    outputsAgree(*plan, c, golden);
}

/// With the same directions and without the 1e-4 that it adds to features. With it, as shipped, outputs
/// differ by more than any rounding, and its maximum over all keys, which then no longer cancels, looks
/// ahead.
void tst_Peers::performer() {
    QFETCH(std::size_t, index);
    const nlohmann::json& golden = m_golden["performer"][index];
    AttentionPolicy policy = *presetPolicy("performer");
    policy.far.features = golden["features"].get<std::int64_t>();
    const Case c = caseOf(golden);
    const Matrix expected = outputOf(golden, c);
    for (const Isa isa : availableIsas()) {
        Matrix o(c.tokens, c.q.cols());
        const ModelShape shape = shapeOf(c);
        const LayerTask task{
            shape, std::make_shared<const AttentionPolicy>(policy), factsOf(c), 0, -1, {0, c.tokens}, isa};
        const Result<HybridLayer> done = runLayer(task, c.input(), {}, {o.view(), {}}, WorkContext{});
        QVERIFY2(done.has_value(), done ? "" : done.error().message.c_str());
        QVERIFY2(difference(o, expected) < kTolerance, qPrintable(QString::number(difference(o, expected))));
        QVERIFY(difference(o, outputOf(golden, c, "shipped")) > 100 * kTolerance);
    }
}

QTEST_APPLESS_MAIN(tst_Peers)
#include "tst_Peers.moc"
