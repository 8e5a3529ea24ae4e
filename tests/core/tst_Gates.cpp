#include "core/engine/GateMeasure.h"
#include "core/engine/Gates.h"
#include "core/policy/SignalSpec.h"
#include "tests/support/RealModel.h"
#include "tests/support/SmallModel.h"
#include <QTest>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// The full run of the real model that gates start from.
SnapshotPtr fullRun() {
    static const SnapshotPtr shared = [] {
        Request request = test::requestOf(test::factText());
        request.depth = Depth::Visible;
        const Result<SnapshotPtr> done = Engine().run(request, {}, {});
        return done ? *done : nullptr;
    }();
    return shared;
}

/// The same of the small model, where a policy takes a fraction of a second instead of ten.
SnapshotPtr smallFullRun() {
    static const test::SmallModelFile model;
    static const SnapshotPtr shared = [] {
        Request request = test::requestOf(test::smallText(270));
        request.modelPath = model.path();
        request.depth = Depth::Visible;
        const Result<SnapshotPtr> done = Engine().run(request, {}, {});
        return done ? *done : nullptr;
    }();
    return shared;
}

/// A few policies are tried on the real model in every run, the others with FOVEA_LONG_TESTS=1 (tests/run
/// --full). The small model takes all of them.
bool alsoOnTheRealModel(const QByteArray& row) {
    static const QByteArrayList always{"group_dot", "cache positions", "8-bit cold tier"};
    return always.contains(row) || qEnvironmentVariable("FOVEA_LONG_TESTS") == "1";
}

AttentionPolicy policyOf(const std::string& signal, Role role, Choice choice = Choice::Query,
                         Scope scope = Scope::Prefix) {
    AttentionPolicy policy;
    policy.local.window = 24;
    policy.always.sinks = 2;
    policy.routed.signal = signal;
    policy.routed.role = role;
    policy.routed.choice = choice;
    policy.routed.scope = scope;
    policy.routed.budget = role == Role::Queries ? 0 : 6;
    policy.routed.queryBudget = role == Role::Keys ? 0 : 5;
    return policy;
}

} // namespace

class tst_Gates : public QObject {
    Q_OBJECT
    static void checkEveryGate(const Snapshot& full);

private slots:
    void everyGateHoldsOrSaysWhyNot_data();
    void everyGateHoldsOrSaysWhyNot();
    void everyGateHolds_onTheSmallModel_data() { everyGateHoldsOrSaysWhyNot_data(); }
    void everyGateHolds_onTheSmallModel();
    void aNumberThatIsNotFinite_isTheWorst();
    void lookAhead_isNotClaimed();
    void lookAhead_wouldBeCaught();
    void longText_isCut();
    void wrongTextHash_isCaught();
    void cancelStops();
};

void tst_Gates::everyGateHoldsOrSaysWhyNot_data() {
    QTest::addColumn<AttentionPolicy>("policy");
    AttentionPolicy window;
    window.local.window = 24;
    QTest::newRow("window") << window;
    AttentionPolicy pinned = window;
    pinned.always.pinned = {{5, 5, Role::Both}, {40, 44, Role::Keys}};
    pinned.local.dilation = 2;
    pinned.mix.fullEvery = 3;
    QTest::newRow("pinned, dilated, full layers") << pinned;
    AttentionPolicy chunks = window;
    chunks.local.window = 0;
    chunks.local.chunk = 30;
    chunks.always.punctuation = true;
    QTest::newRow("chunks and punctuation") << chunks;
    QTest::newRow("full") << AttentionPolicy{};
    for (const char* signal :
         {"group_dot", "head_dot", "key_norm", "value_norm", "surprisal", "random", "oracle"})
        QTest::newRow(signal) << policyOf(signal, Role::Keys);
    QTest::newRow("query_peak") << policyOf("query_peak", Role::Queries);
    QTest::newRow("random both") << policyOf("random", Role::Both);
    AttentionPolicy fraction = policyOf("group_dot", Role::Keys);
    fraction.routed.budgetKind = BudgetKind::Fraction;
    fraction.routed.budget = 0.1;
    QTest::newRow("fraction") << fraction;
    AttentionPolicy evicting = policyOf("accumulated", Role::Keys);
    evicting.routed.store = Store::Evict;
    QTest::newRow("eviction") << evicting;
    QTest::newRow("hidden_norm queries") << policyOf("hidden_norm", Role::Queries);
    AttentionPolicy summaries = window;
    summaries.far.far = Far::Summaries;
    summaries.far.m = 8;
    QTest::newRow("summaries") << summaries;
    AttentionPolicy streaming = window;
    streaming.always.sinks = 3;
    streaming.mix.positions = Positions::Cache;
    QTest::newRow("cache positions") << streaming;
    AttentionPolicy stored = policyOf("stored_dot", Role::Keys);
    stored.routed.store = Store::Direction8;
    stored.routed.granularity = Granularity::Page;
    stored.routed.page = 8;
    QTest::newRow("8-bit cold tier") << stored;
    AttentionPolicy blocks = policyOf("group_dot", Role::Keys);
    blocks.local.window = 24; // whole pages lie in the window of a block's first query and not of its last
    blocks.routed.granularity = Granularity::Block;
    blocks.routed.page = 8;
    blocks.routed.queryBlock = 32;
    QTest::newRow("blocks beside a window") << blocks;
    AttentionPolicy mixed = window;
    mixed.headPolicies = {{"routes", policyOf("key_norm", Role::Keys)}};
    mixed.mix.heads = {{"routes", "", "full"}};
    QTest::newRow("heads differ") << mixed;
}

void tst_Gates::aNumberThatIsNotFinite_isTheWorst() {
    Matrix a(2, 3), b(2, 3);
    QCOMPARE(largestDifference(a.view(), b.view(), 0, 2), 0.0);
    b.view()(1, 2) = std::numeric_limits<float>::quiet_NaN();
    QVERIFY(std::isinf(largestDifference(a.view(), b.view(), 0, 2)));
    QVERIFY(std::isinf(largest(b.view())));
    QCOMPARE(largestDifference(a.view(), b.view(), 0, 1), 0.0);
}

void tst_Gates::everyGateHoldsOrSaysWhyNot() {
    FOVEA_NEED_MODEL();
    if (!alsoOnTheRealModel(QTest::currentDataTag()))
        QSKIP("on the small model only; FOVEA_LONG_TESTS=1 runs it on the real one");
    QVERIFY(fullRun());
    checkEveryGate(*fullRun());
}

void tst_Gates::everyGateHolds_onTheSmallModel() {
    QVERIFY(smallFullRun());
    QVERIFY(smallFullRun()->tokens->size() > 100);
    checkEveryGate(*smallFullRun());
}

void tst_Gates::checkEveryGate(const Snapshot& full) {
    QFETCH(AttentionPolicy, policy);
    const auto heads = static_cast<std::size_t>(full.model->shape.heads);
    for (auto& row : policy.mix.heads)
        if (row.size() > heads)
            row = {row.front(), row.back()};
    // The ladder is a timing of both arms, and dear: two policies are enough.
    const QByteArray row = QTest::currentDataTag();
    const bool ladder = row == "window" || row == "group_dot";
    const Result<std::vector<GateResult>> gates = checkGates(full, policy, 100, {}, nullptr, ladder);
    QVERIFY2(gates, gates ? "" : gates.error().message.c_str());
    QCOMPARE(gates->size(), std::size_t{8});
    for (std::size_t i = 0; i < gates->size(); ++i) {
        const GateResult& g = (*gates)[i];
        QCOMPARE(g.gate, static_cast<int>(i + 1));
        QVERIFY(!g.name.empty() && !g.detail.empty());
        const bool noRouter = g.gate == 6 && ((!policy.routed.on() && policy.headPolicies.empty()) ||
                                              (policy.routed.on() && policy.routed.role != Role::Keys));
        QVERIFY2(g.ok.value_or(true), (g.name + ": " + g.detail).c_str());
        if (!noRouter && (g.gate != 4 || ladder))
            QVERIFY(g.ok.has_value());
        if (g.gate == 4 && !ladder) {
            QVERIFY(!g.ok && g.detail.find("not run") != std::string::npos);
            continue;
        }
        const bool recast =
            policy.mix.positions == Positions::Cache || policy.routed.store == Store::Direction8;
        const bool noBound = g.gate == 7 && (policy.far.on() || recast); // no bound is claimed there
        if ((g.gate <= 5 || g.gate == 7) && !noBound)
            QVERIFY2(g.value.has_value(), g.name.c_str());
    }
}

void tst_Gates::lookAhead_isNotClaimed() {
    QVERIFY(smallFullRun());
    for (const AttentionPolicy& policy :
         {policyOf("received", Role::Keys),
          policyOf("key_norm", Role::Keys, Choice::Sequence, Scope::Sequence)}) {
        QVERIFY(looksAhead(policy));
        const Result<std::vector<GateResult>> gates =
            checkGates(*smallFullRun(), policy, 100, {}, nullptr, false);
        QVERIFY2(gates, gates ? "" : gates.error().message.c_str());
        QVERIFY(!(*gates)[1].ok && !(*gates)[2].ok);
        QVERIFY((*gates)[2].detail.find("looks ahead") != std::string::npos);
    }
}

void tst_Gates::lookAhead_wouldBeCaught() {
    // The gate's own measure on a policy that does look ahead: far above its tolerance.
    FOVEA_NEED_MODEL();
    const Snapshot& s = *fullRun();
    const AttentionPolicy policy = policyOf("value_norm", Role::Keys, Choice::Sequence, Scope::Sequence);
    std::vector<std::int32_t> ids = s.tokens->ids;
    const Result<Matrix> before = runHybridHidden(*s.model, ids, s.facts, policy, defaultIsa(), {});
    QVERIFY2(before, before ? "" : before.error().message.c_str());
    double most = 0;
    for (std::size_t at = ids.size() - 8; at < ids.size(); ++at) {
        ids = s.tokens->ids;
        ids[at] = (ids[at] + 97) % s.model->shape.vocabulary;
        const Result<Matrix> after = runHybridHidden(*s.model, ids, s.facts, policy, defaultIsa(), {});
        QVERIFY(after);
        for (std::size_t r = 0; r < 128; ++r)
            for (std::size_t c = 0; c < before->cols(); ++c)
                most = std::max(most, std::abs(static_cast<double>(before->view()(r, c)) -
                                               static_cast<double>(after->view()(r, c))));
    }
    QVERIFY2(most > 1, qPrintable(QString::number(most)));
}

void tst_Gates::longText_isCut() {
    FOVEA_NEED_MODEL();
    QVERIFY(fullRun()->tokens->size() > 70);
    const Result<std::vector<GateResult>> gates =
        checkGates(*fullRun(), policyOf("key_norm", Role::Keys), 70, {}, nullptr, false);
    QVERIFY(gates);
    QVERIFY((*gates)[2].detail.find("69") != std::string::npos); // the last of 70 tokens was changed
    // What is known of the model stays known of the cut text.
    Snapshot known = *fullRun();
    auto facts = std::make_shared<TokenFacts>(*known.facts);
    const ModelShape& shape = known.model->shape;
    facts->retrieval.assign(static_cast<std::size_t>(shape.layers * shape.heads), 0.0F);
    known.facts = std::move(facts);
    AttentionPolicy halfFull;
    halfFull.local.window = 16;
    halfFull.mix.fullHeads = 0.5;
    QVERIFY(checkGates(known, halfFull, 70, {}, nullptr, false));
}

void tst_Gates::wrongTextHash_isCaught() {
    FOVEA_NEED_MODEL();
    Snapshot forged = *fullRun();
    forged.textHash = std::string(64, '0');
    const Result<std::vector<GateResult>> gates =
        checkGates(forged, policyOf("key_norm", Role::Keys), 70, {}, nullptr, false);
    QVERIFY(gates);
    QCOMPARE((*gates)[7].ok, std::optional<bool>(false));
}

void tst_Gates::cancelStops() {
    FOVEA_NEED_MODEL();
    WorkContext work;
    work.cancel.cancel();
    const Result<std::vector<GateResult>> gates = checkGates(*fullRun(), {}, 70, work);
    QVERIFY(!gates);
    QCOMPARE(gates.error().code, ErrorCode::Cancelled);
}

QTEST_APPLESS_MAIN(tst_Gates)
#include "tst_Gates.moc"
