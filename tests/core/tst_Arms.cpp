// Two policies over one full run: what arm A gives is what the same policy gives as arm B, and nothing of it
// is computed twice.
#include "core/engine/ArmComparison.h"
#include "core/engine/Engine.h"
#include "core/engine/RunComparison.h"
#include "core/engine/RunMemory.h"
#include "core/engine/SameResult.h"
#include "core/export/HtmlReport.h"
#include "core/export/Report.h"
#include "core/export/Session.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/OtherTile.h"
#include "core/measure/PairFacts.h"
#include "core/measure/TokenReport.h"
#include "core/policy/PolicyTitle.h"
#include "tests/support/RandomLayer.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;
using test::RandomLayer;

AttentionPolicy windowOf(std::int64_t window, std::int64_t sinks) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    return policy;
}

AttentionPolicy routedPolicy() {
    AttentionPolicy policy = windowOf(6, 1);
    policy.routed.signal = "key_norm";
    policy.routed.budget = 3;
    return policy;
}

SnapshotPtr must(Result<SnapshotPtr> run) {
    if (!run)
        qFatal("%s", run.error().message.c_str());
    return std::move(*run);
}

/// NaN at 0 equals itself.
bool sameBits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

} // namespace

class tst_Arms : public QObject {
    Q_OBJECT
private slots:
    void armA_isThatPolicyRunAlone();
    void changeOfB_keepsA();
    void exchange_computesNothing();
    void cancelInA_keepsB();
    void textAndFullAttention_dropA();
    void refusals_nameTheArm();
    void comparison_isTheDifference();
    void difference_isOfPairsBeforePooling_data();
    void difference_isOfPairsBeforePooling();
    void facts_haveBothArms();
    void session_keepsA();
    void table_hasBothArms();
    void titles();
    void otherText_isARunOfItsOwn();
    void otherModel_isARunOfItsOwn();
    void otherModel_isComparedPairByPair();
    void otherRuns_shareWhatTheyCan();
    void otherRuns_areExchangedForNothing();
    void otherRuns_areRefusedByName();
    void otherRuns_bothCountAsMemory();
    void session_keepsTheOtherRun();

private:
    test::TinyModelFile m_model;
    [[nodiscard]] Request request(std::size_t letters = 60) const {
        Request request = test::tinyRequest(m_model, letters);
        request.depth = Depth::Propagated;
        request.policy = routedPolicy();
        request.against = windowOf(4, 2);
        return request;
    }
    test::TinyModelFile m_second{3, 7}; ///< a layer more, other weights, the same vocabulary
    [[nodiscard]] Request twoTexts() const {
        Request two = request();
        two.against.reset();
        two.other =
            OtherRun{std::make_shared<const std::string>(test::tinyText(44) + "cab"), {}, {}, "other"};
        return two;
    }
    [[nodiscard]] Request twoModels() const {
        Request two = request();
        two.against.reset();
        two.other = OtherRun{nullptr, m_second.path(), {}, "second"};
        return two;
    }
    static void sameRunAs(const Snapshot& run, const Snapshot& alone) {
        QVERIFY(run.tokens->ids == alone.tokens->ids);
        QCOMPARE(run.textHash, alone.textHash);
        QVERIFY(sameBits(run.full->nll, alone.full->nll));
        QVERIFY(sameBits(run.visible->lse, alone.visible->lse));
        QVERIFY(run.isolated->layers == alone.isolated->layers);
        QVERIFY(sameBits(run.propagated->fidelity.hybridNll, alone.propagated->fidelity.hybridNll));
        QCOMPARE(run.propagated->cost.hybrid.pairs, alone.propagated->cost.hybrid.pairs);
    }
};

void tst_Arms::armA_isThatPolicyRunAlone() {
    Request both = request();
    both.visible.layer = 1;
    std::vector<SnapshotPtr> seen;
    const SnapshotPtr s = must(Engine().run(both, [&](SnapshotPtr one) { seen.push_back(one); }, {}));
    Request alone = both;
    alone.policy = *both.against;
    alone.against.reset();
    const SnapshotPtr a = must(Engine().run(alone, {}, {}));
    QVERIFY(s->against && s->against->visible && s->against->isolated && s->against->propagated);
    QVERIFY(sameBits(s->against->visible->lse, a->visible->lse));
    QVERIFY(s->against->isolated->layers == a->isolated->layers);
    QCOMPARE(s->against->propagated->fidelity.nextTokenKl, a->propagated->fidelity.nextTokenKl);
    QVERIFY(sameBits(s->against->propagated->fidelity.hybridNll, a->propagated->fidelity.hybridNll));
    QVERIFY(s->against->propagated->fidelity.nextTokenKl != s->propagated->fidelity.nextTokenKl);
    QCOMPARE(s->against->policyHash, a->policyHash);
    // As a snapshot of its own it is the other run.
    const SnapshotPtr own = s->armA();
    QVERIFY(own->request->policy == alone.policy && !own->request->against && !own->against);
    QCOMPARE(own->visible, s->against->visible);
    QVERIFY(own->provenance().find(alone.policy.summary()) != std::string::npos);
    QVERIFY(!a->armA());
    // No snapshot on the way was without arm A, or had a part of B's in its place.
    for (const SnapshotPtr& one : seen)
        QVERIFY(one->against && one->against->policy == *both.against);
    const std::string line = s->provenance();
    for (const std::string& part : {both.policy.summary(), both.against->summary(),
                                    s->policyHash.substr(0, 8), s->against->policyHash.substr(0, 8)})
        QVERIFY2(line.find(part) != std::string::npos, line.c_str());
}

void tst_Arms::changeOfB_keepsA() {
    Engine engine;
    Request r = request();
    const SnapshotPtr first = must(engine.run(r, {}, {}));
    for (const std::int64_t window : {7, 8, 9}) {
        r.policy.local.window = window;
        r.depth = window == 9 ? Depth::Propagated : Depth::Visible;
        std::vector<SnapshotPtr> seen;
        const SnapshotPtr next = must(engine.run(r, [&](SnapshotPtr one) { seen.push_back(one); }, {}));
        QCOMPARE(next->full, first->full);
        QVERIFY(next->visible != first->visible);
        for (const SnapshotPtr& one : seen) { // whole from the first picture on
            QCOMPARE(one->against->visible, first->against->visible);
            QCOMPARE(one->against->isolated, first->against->isolated);
            QCOMPARE(one->against->propagated, first->against->propagated);
        }
    }
    // Another layer: its rows are new, the figures of all layers are not.
    r.visible.layer = 1;
    const SnapshotPtr other = must(engine.run(r, {}, {}));
    QCOMPARE(other->against->visible->layer, 1);
    QCOMPARE(other->against->isolated, first->against->isolated);
    // Another arm A leaves B as it is.
    r.against = windowOf(5, 0);
    const SnapshotPtr changed = must(engine.run(r, {}, {}));
    QCOMPARE(changed->visible, other->visible);
    QCOMPARE(changed->propagated, other->propagated);
    QVERIFY(changed->against->propagated != other->against->propagated);
    QVERIFY(sameResult(*changed->request, *other->request));
    QVERIFY(!sameAgainst(*changed->request, *other->request));
}

void tst_Arms::exchange_computesNothing() {
    Engine engine;
    Request r = request();
    const SnapshotPtr first = must(engine.run(r, {}, {}));
    std::swap(r.policy, *r.against);
    const SnapshotPtr second = must(engine.run(r, {}, {}));
    QCOMPARE(second->visible, first->against->visible);
    QCOMPARE(second->propagated, first->against->propagated);
    QCOMPARE(second->against->visible, first->visible);
    QCOMPARE(second->against->isolated, first->isolated);
    QCOMPARE(second->against->propagated, first->propagated);
    // B as the policy that A has: one run serves both.
    r.policy = *r.against;
    const SnapshotPtr same = must(engine.run(r, {}, {}));
    QCOMPARE(same->propagated, first->propagated);
    QCOMPARE(same->against->propagated, first->propagated);
    const auto compared = compareArms(*same);
    QVERIFY(compared && compared->costRatio == 1 && compared->klDifference == 0 &&
            compared->top1Between == 1);
}

void tst_Arms::cancelInA_keepsB() {
    Engine engine;
    WorkContext work;
    int reports = 0; // of arm A's propagated run
    work.progress = [&](const Progress& p) {
        if (p.what == "hybrid attention, arm A" && ++reports == 1)
            work.cancel.cancel();
    };
    const Result<SnapshotPtr> stopped = engine.run(request(), {}, work);
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, ErrorCode::Cancelled);
    QCOMPARE(reports, 1);
    // What was finished before is not computed again: B as a whole, and A's isolated layers.
    std::set<std::string> reported;
    WorkContext next;
    next.progress = [&](const Progress& p) { reported.insert(p.what); };
    const SnapshotPtr s = must(engine.run(request(), {}, next));
    QVERIFY(s->propagated && s->against->propagated);
    QVERIFY(reported.contains("hybrid attention, arm A"));
    for (const std::string& what : reported)
        QVERIFY2(what.ends_with(", arm A") && !what.starts_with("isolated"), what.c_str());
}

void tst_Arms::textAndFullAttention_dropA() {
    Engine engine;
    Request r = request();
    const SnapshotPtr first = must(engine.run(r, {}, {}));
    r.text = std::make_shared<const std::string>(test::tinyText(40));
    const SnapshotPtr other = must(engine.run(r, {}, {}));
    QVERIFY(other->full != first->full);
    QVERIFY(other->against->propagated != first->against->propagated);
    QCOMPARE(other->against->propagated->fidelity.hybridNll.size(), other->tokens->size());
    r.against.reset();
    const SnapshotPtr full = must(engine.run(r, {}, {}));
    QVERIFY(!full->against);
    QCOMPARE(full->propagated, other->propagated);
}

void tst_Arms::refusals_nameTheArm() {
    Request r = request();
    r.against = *presetPolicy("longformer-sym");
    const Result<SnapshotPtr> ahead = Engine().run(r, {}, {});
    QVERIFY(!ahead && ahead.error().message.find("causal") != std::string::npos);
    r.against = windowOf(4, 0);
    r.against->always.pinned = {{500, 500, Role::Keys}};
    const Result<SnapshotPtr> beyond = Engine().run(r, {}, {});
    QVERIFY2(!beyond, "a pin beyond the text");
    r.against = windowOf(-3, 0);
    const Result<SnapshotPtr> illegal = Engine().run(r, {}, {});
    for (const auto* refused : {&ahead, &beyond, &illegal})
        QVERIFY2(!*refused && refused->error().message.starts_with("arm A: "), "the arm is not named");
}

void tst_Arms::comparison_isTheDifference() {
    const SnapshotPtr s = must(Engine().run(request(), {}, {}));
    const std::optional<ArmComparison> c = compareArms(*s);
    QVERIFY(c && !c->againstFull);
    const PropagatedResult &a = *s->against->propagated, &b = *s->propagated;
    QCOMPARE(c->costRatio, b.cost.pairsRatio / a.cost.pairsRatio);
    QCOMPARE(c->klDifference, b.fidelity.nextTokenKl - a.fidelity.nextTokenKl);
    QCOMPARE(c->lossDifference, b.fidelity.hybridMeanNll - a.fidelity.hybridMeanNll);
    QCOMPARE(c->massDifference, s->isolated->massRecall - s->against->isolated->massRecall);
    std::size_t same = 0;
    for (std::size_t t = 0; t < s->tokens->size(); ++t)
        same += a.fidelity.hybridTop1[t] == b.fidelity.hybridTop1[t] ? 1U : 0U;
    QCOMPARE(c->top1Between, static_cast<double>(same) / static_cast<double>(s->tokens->size()));
    QVERIFY(sameBits(armALoss(*s), a.fidelity.hybridNll));
    // Against full attention the figures are those of B alone.
    Request alone = request();
    alone.against.reset();
    const SnapshotPtr full = must(Engine().run(alone, {}, {}));
    const std::optional<ArmComparison> f = compareArms(*full);
    QVERIFY(f && f->againstFull);
    QCOMPARE(f->costRatio, full->propagated->cost.pairsRatio);
    QCOMPARE(f->klDifference, full->propagated->fidelity.nextTokenKl);
    QCOMPARE(f->lossDifference, full->propagated->fidelity.deltaNll);
    QCOMPARE(f->top1Between, full->propagated->fidelity.top1Agreement);
    QVERIFY(sameBits(armALoss(*full), full->full->nll));
    // Half a result is no comparison.
    Snapshot half = *s;
    auto without = std::make_shared<AgainstResult>(*s->against);
    without->propagated.reset();
    half.against = without;
    QVERIFY(!compareArms(half) && armALoss(half).empty());
}

void tst_Arms::difference_isOfPairsBeforePooling_data() {
    QTest::addColumn<int>("pooling");
    QTest::addColumn<int>("level");
    for (const auto& [pooling, level] : {std::array{0, 0}, std::array{1, 0}, std::array{0, 2},
                                         std::array{1, 2}, std::array{0, 6}, std::array{1, 7}})
        QTest::addRow("%s level %d", pooling ? "mass" : "max", level) << pooling << level;
}

void tst_Arms::difference_isOfPairsBeforePooling() {
    QFETCH(int, pooling);
    QFETCH(int, level);
    constexpr std::size_t kTokens = 300;
    const RandomLayer b(kTokens, 20, 3), a(kTokens, 45, 0); // the same q, k, v
    TileSource source = b.source();
    source.againstLse = a.hybridLse;
    source.againstPlan = &a.plan;
    const TileKey key{0, 1, MapQuantity::ArmDifference, static_cast<Pooling>(pooling), level, 0, 0};
    const MapTile tile = makeTile(key, source, 2);
    const std::size_t side = std::size_t{1} << level;
    std::size_t less = 0, more = 0;
    for (std::size_t r = 0; r < kTile; r += level == 0 ? 5 : 1)
        for (std::size_t c = 0; c < kTile; c += level == 0 ? 3 : 1) {
            double want = 0;
            std::size_t rows = 0;
            for (std::size_t i = r * side; i < std::min((r + 1) * side, kTokens); ++i) {
                ++rows;
                for (std::size_t j = c * side; j < std::min((c + 1) * side, i + 1); ++j) {
                    const double d = b.row(1, i)[j].hybrid - a.row(1, i)[j].hybrid;
                    want = pooling != 0 ? want + d : std::abs(d) > std::abs(want) ? d : want;
                }
            }
            if (pooling != 0 && rows > 0)
                want /= static_cast<double>(rows);
            const double got = static_cast<double>(tile.value[r * kTile + c]);
            QVERIFY2(std::abs(got - want) <= 4e-6 + 4e-6 * std::abs(want),
                     qPrintable(QString("row %1 col %2: %3, want %4").arg(r).arg(c).arg(got).arg(want)));
            less += got < -0.01 ? 1U : 0U;
            more += got > 0.01 ? 1U : 0U;
        }
    QVERIFY(level > 2 || (less > 0 && more > 0)); // both signs are there
    // Arm A alone is its hybrid, with its own states.
    TileKey own = key;
    own.quantity = MapQuantity::Hybrid;
    own.arm = MapArm::A;
    TileKey plain = own;
    plain.arm = MapArm::B;
    const MapTile ofA = makeTile(own, source, 1), alone = makeTile(plain, a.source(), 1);
    QVERIFY(ofA.value == alone.value && ofA.state == alone.state && ofA.keptShare == alone.keptShare);
    // A row that one arm does not know has no difference.
    const RandomLayer part(kTokens, 45, 0, {0, 64});
    source.againstLse = part.hybridLse;
    source.againstPlan = &part.plan;
    const MapTile unknown = makeTile(key, source, 1);
    QVERIFY(std::isnan(unknown.value[(70 / side + 1) % kTile * kTile]) || level > 5);
}

void tst_Arms::facts_haveBothArms() {
    constexpr std::size_t kTokens = 90;
    const RandomLayer b(kTokens, 20, 3), a(kTokens, 45, 0);
    TileSource source = b.source();
    const PairFacts alone = pairFacts(source, 0, 60, 30);
    QVERIFY(!alone.against);
    source.againstLse = a.hybridLse;
    source.againstPlan = &a.plan;
    const PairFacts pair = pairFacts(source, 0, 60, 30);
    QCOMPARE(pair.hybrid, std::optional<double>(0.0));
    QVERIFY(pair.against && std::abs(*pair.against - a.row(0, 60)[30].hybrid) < 1e-6);
    QCOMPARE(pair.kind, ReadKind::Skipped);
    QCOMPARE(pair.againstKind, ReadKind::Window);
    QCOMPARE(pair.full, alone.full);
    // A block of differences is that of the map's cell.
    const BlockFacts block = blockFacts(source, 0, MapQuantity::ArmDifference, {56, 60}, {28, 32});
    const MapTile tile = makeTile({0, 0, MapQuantity::ArmDifference, Pooling::Max, 2, 0, 0}, source, 1);
    const MapTile mass = makeTile({0, 0, MapQuantity::ArmDifference, Pooling::Mass, 2, 0, 0}, source, 1);
    QVERIFY(block.values);
    QVERIFY(std::abs(block.values->largest - static_cast<double>(tile.value[14 * kTile + 7])) < 1e-6);
    QVERIFY(std::abs(block.values->mass - static_cast<double>(mass.value[14 * kTile + 7])) < 1e-6);
}

void tst_Arms::session_keepsA() {
    Session session;
    session.request = request();
    const std::string json = sessionToJson(session);
    const Result<Session> read = sessionFromJson(json);
    QVERIFY2(read.has_value(), read ? "" : read.error().message.c_str());
    QVERIFY(read->request.against && *read->request.against == *session.request.against);
    QVERIFY(read->request.policy == session.request.policy);
    session.request.against.reset();
    const std::string without = sessionToJson(session);
    QVERIFY(without.find("against") == std::string::npos);
    QVERIFY(!sessionFromJson(without)->request.against);
    auto doc = nlohmann::json::parse(json);
    doc["against"]["local"]["window"] = -4;
    const Result<Session> bad = sessionFromJson(doc.dump());
    QVERIFY(!bad);
    QVERIFY2(bad.error().message.find("against") != std::string::npos, bad.error().message.c_str());
}

void tst_Arms::table_hasBothArms() {
    const SnapshotPtr s = must(Engine().run(request(), {}, {}));
    const Result<std::string> csv = attentionCsv(*s, 0, 0, {20, 21}, {0, 21}, 1000);
    QVERIFY(csv.has_value());
    const QStringList lines = QString::fromStdString(*csv).split('\n', Qt::SkipEmptyParts);
    QVERIFY(lines[0].endsWith(QStringLiteral(",policy,against,against_policy")));
    const AttentionRow a = makeRow(0, 20, *s->armA()->tileSource(0));
    for (int key = 0; key <= 20; ++key) {
        const QStringList cells = lines[key + 1].split(',');
        QCOMPARE(cells[cells.size() - 2].toFloat(), a.hybrid[static_cast<std::size_t>(key)]);
        QCOMPARE(cells.last().toStdString(), s->against->policyHash.substr(0, 8));
    }
}

void tst_Arms::titles() {
    QCOMPARE(armTitle(std::nullopt), std::string("full attention"));
    QCOMPARE(armTitle(fullPolicy()), std::string("full attention"));
    QCOMPARE(armTitle(routedPolicy()), routedPolicy().summary());
    QVERIFY(armTitle(*presetPolicy("streaming")) != presetPolicy("streaming")->summary());
}

void tst_Arms::otherText_isARunOfItsOwn() {
    const Request two = twoTexts();
    std::vector<SnapshotPtr> seen;
    const SnapshotPtr s = must(Engine().run(two, [&](SnapshotPtr one) { seen.push_back(one); }, {}));
    QVERIFY(s->final && s->other && s->other->final && !s->against && !s->armA());
    Request b = two;
    b.other.reset();
    sameRunAs(*s, *must(Engine().run(b, {}, {})));
    sameRunAs(*s->other, *must(Engine().run(requestOfA(two), {}, {})));
    QVERIFY(s->other->tokens->size() != s->tokens->size());
    QVERIFY(*s->other->request->text == *two.other->text && !s->other->request->other);
    for (const SnapshotPtr& one : seen) { // both texts from the first picture on
        QVERIFY(one->other && one->other->tokens && one->alignment);
        QVERIFY(!one->other->propagated || one->propagated); // neither is measured before both are drawn
        QVERIFY(!one->isolated || one->other->visible);
    }
    QVERIFY(s->alignment->by == AlignedBy::Words);
    QCOMPARE(s->alignment->countA, s->other->tokens->size());
    const std::string line = s->provenance();
    QVERIFY2(line.find("A text " + s->other->textHash.substr(0, 8)) != std::string::npos, line.c_str());
    QVERIFY(reportHtml(*s, {})->find("over another text, <b>other</b>") != std::string::npos);
    const std::optional<RunComparison> compared = compareRuns(*s);
    QVERIFY(compared);
    QCOMPARE(compared->a.nextTokenKl, s->other->propagated->fidelity.nextTokenKl);
    QCOMPARE(compared->b.nextTokenKl, s->propagated->fidelity.nextTokenKl);
}

void tst_Arms::otherModel_isARunOfItsOwn() {
    Request two = twoModels();
    two.visible.layer = 1;
    const SnapshotPtr s = must(Engine().run(two, {}, {}));
    sameRunAs(*s->other, *must(Engine().run(requestOfA(two), {}, {})));
    QCOMPARE(s->other->model->shape.layers, 3);
    QVERIFY(s->other->model->info.sha256 != s->model->info.sha256);
    QCOMPARE(s->other->textHash, s->textHash);
    QVERIFY(s->alignment->by == AlignedBy::Tokens);
    // The losses of the tokens that agree are the means of both runs, the first token aside.
    const std::optional<RunComparison> compared = compareRuns(*s);
    QVERIFY(compared && compared->losses);
    QCOMPARE(compared->parts, s->tokens->size() - 1);
    QVERIFY(std::abs(compared->losses->hybridB - s->propagated->fidelity.hybridMeanNll) < 1e-6);
    QVERIFY(std::abs(compared->losses->fullA - s->other->propagated->fidelity.fullMeanNll) < 1e-6);
    QVERIFY(compared->losses->fullA != compared->losses->fullB);
    // A model of fewer layers shows its last one.
    two.modelPath = m_second.path();
    two.other->modelPath = m_model.path();
    two.visible.layer = 2;
    const SnapshotPtr fewer = must(Engine().run(two, {}, {}));
    QCOMPARE(fewer->visible->layer, 2);
    QCOMPARE(fewer->other->visible->layer, 1);
}

void tst_Arms::otherModel_isComparedPairByPair() {
    Request two = twoModels();
    two.visible.layer = 1;
    const SnapshotPtr s = must(Engine().run(two, {}, {}));
    QCOMPARE(whyNoPairs(*s), std::string());
    QCOMPARE(armATitle(*s->request), std::string("model second"));
    const TileSource b = *s->tileSource(1), a = *s->other->tileSource(1);
    const std::size_t tokens = s->tokens->size();
    // The map subtracts pair by pair, and only then pools.
    float largest = 0;
    for (const int head : {0, 1}) {
        std::vector<std::vector<float>> apart(tokens);
        for (std::size_t query = 0; query < tokens; ++query) {
            const AttentionRow ofA = makeRow(head, query, a), ofB = makeRow(head, query, b);
            for (std::size_t key = 0; key <= query; ++key)
                apart[query].push_back(ofB.hybrid[key] - ofA.hybrid[key]);
        }
        for (const int level : {0, 2})
            for (const Pooling pooling : {Pooling::Max, Pooling::Mass}) {
                const MapTile tile =
                    makeOtherTile({1, head, MapQuantity::ArmDifference, pooling, level, 0, 0}, b, a, 1);
                const std::size_t cell = std::size_t{1} << level;
                for (std::size_t row = 0; row * cell < tokens; ++row)
                    for (std::size_t column = 0; column <= row; ++column) {
                        float top = 0, sum = 0;
                        const std::size_t last = std::min((row + 1) * cell, tokens);
                        for (std::size_t q = row * cell; q < last; ++q)
                            for (std::size_t k = column * cell; k < std::min((column + 1) * cell, q + 1);
                                 ++k) {
                                sum += apart[q][k];
                                top = std::abs(apart[q][k]) > std::abs(top) ? apart[q][k] : top;
                            }
                        const float wanted = pooling == Pooling::Max || level == 0
                                                 ? top
                                                 : sum / static_cast<float>(last - row * cell);
                        QVERIFY(std::abs(tile.value[row * kTile + column] - wanted) < 1e-5F);
                        largest = std::max(largest, std::abs(wanted));
                    }
            }
    }
    QVERIFY(largest > 0.05F); // the models differ
    QVERIFY(whyNoPairs(*must(Engine().run(twoTexts(), {}, {}))).find("two texts") != std::string::npos);
}

void tst_Arms::otherRuns_shareWhatTheyCan() {
    Engine engine;
    Request two = twoTexts();
    const SnapshotPtr first = must(engine.run(two, {}, {}));
    QCOMPARE(first->other->model, first->model); // the weights are there once
    two.policy.local.window = 7;                 // one policy for both
    const SnapshotPtr next = must(engine.run(two, {}, {}));
    QCOMPARE(next->full, first->full);
    QCOMPARE(next->other->full, first->other->full);
    QCOMPARE(next->alignment, first->alignment);
    QVERIFY(next->visible != first->visible && next->other->visible != first->other->visible);
    QVERIFY(next->other->propagated != first->other->propagated);
    // A limit of arm A's text is its own.
    two.other->maxTokens = 9;
    const SnapshotPtr cut = must(engine.run(two, {}, {}));
    QCOMPARE(cut->other->tokens->size(), std::size_t{9});
    QCOMPARE(cut->full, next->full);
    // Another text A keeps B.
    two.other->maxTokens.reset();
    two.other->text = std::make_shared<const std::string>("abcabcabc");
    const SnapshotPtr another = must(engine.run(two, {}, {}));
    QCOMPARE(another->propagated, next->propagated);
    QVERIFY(another->alignment != next->alignment);
    QVERIFY(!sameAgainst(*another->request, *next->request));
    QVERIFY(sameResult(*another->request, *next->request));
    // Without arm A's text nothing of it is held.
    two.other.reset();
    const SnapshotPtr alone = must(engine.run(two, {}, {}));
    QVERIFY(!alone->other && !alone->alignment);
    QCOMPARE(alone->propagated, next->propagated);
}

void tst_Arms::otherRuns_areExchangedForNothing() {
    for (const Request& two : {twoTexts(), twoModels()}) {
        Engine engine;
        const SnapshotPtr first = must(engine.run(two, {}, {}));
        const Request turned = exchangedRuns(two, "was B");
        const SnapshotPtr second = must(engine.run(turned, {}, {}));
        QCOMPARE(second->full, first->other->full);
        QCOMPARE(second->propagated, first->other->propagated);
        QCOMPARE(second->other->full, first->full);
        QCOMPARE(second->other->propagated, first->propagated);
        QCOMPARE(exchangedRuns(turned, "back").maxTokens, two.maxTokens);
        // Dropping arm B's text or model keeps the run of the one that stays.
        Request kept = turned;
        kept.other.reset();
        kept.text = two.text;
        kept.modelPath = two.modelPath;
        QCOMPARE(must(engine.run(kept, {}, {}))->full, first->full);
    }
}

void tst_Arms::otherRuns_areRefusedByName() {
    const auto refused = [](const Request& request) {
        const Result<SnapshotPtr> run = Engine().run(request, {}, {});
        return run ? std::string() : run.error().message;
    };
    const auto says = [&](const Request& request, const char* words) {
        const std::string message = refused(request);
        QVERIFY2(message.find(words) != std::string::npos, message.c_str());
    };
    Request two = twoTexts();
    two.against = windowOf(4, 2);
    says(two, "another policy and another text");
    two = twoTexts();
    two.other->modelPath = m_second.path();
    says(two, "another text and another model");
    two = twoTexts();
    two.other->text = nullptr;
    says(two, "neither a text nor a model of its own");
    two = twoTexts();
    two.other->text = std::make_shared<const std::string>();
    says(two, "arm A: ");
    two = twoModels();
    two.other->modelPath = "/nowhere/none.gguf";
    says(two, "arm A: ");
    two = twoTexts();
    two.maxMemory = 2'000'000; // enough for the weights
    says(two, "tokens beside another run of ");
}

void tst_Arms::otherRuns_bothCountAsMemory() {
    const Request two = twoTexts();
    const SnapshotPtr s = must(Engine().run(two, {}, {}));
    const Request b = *s->request;
    const std::uint64_t weights = heldWeightBytes(*s->model, b.precision);
    const std::uint64_t own = weights + runBytes(b, *s->model, s->tokens->size(), 1);
    const std::uint64_t other = runBytes(*s->other->request, *s->model, s->other->tokens->size(), 1);
    Request tight = b;
    tight.maxMemory = own + other; // to the byte
    QVERIFY(Engine().run(tight, {}, {}));
    --tight.maxMemory;
    const Result<SnapshotPtr> run = Engine().run(tight, {}, {});
    QVERIFY(!run && run.error().code == ErrorCode::TooLarge);
    tight.other.reset();
    QVERIFY(Engine().run(tight, {}, {}));
}

void tst_Arms::session_keepsTheOtherRun() {
    for (Request two : {twoTexts(), twoModels()}) {
        if (two.other->text)
            two.other->maxTokens = 7;
        const Result<Session> back = sessionFromJson(sessionToJson({two, "", {}}));
        QVERIFY2(back, back ? "" : back.error().message.c_str());
        QVERIFY(sameOther(back->request.other, two.other));
        QCOMPARE(back->request.other->name, two.other->name);
        two.against = windowOf(4, 2);
        QVERIFY(!sessionFromJson(sessionToJson({two, "", {}})));
    }
    Request two = twoTexts();
    two.other->text = std::make_shared<const std::string>("\xFF\xFE"); // no UTF-8
    QCOMPARE(*sessionFromJson(sessionToJson({two, "", {}}))->request.other->text, *two.other->text);
    two.other->modelPath = "model.gguf";
    two.other->text.reset();
    std::string doc = sessionToJson({two, "", {}});
    doc.replace(doc.find("\"model.gguf\""), 12, "12");
    QVERIFY(!sessionFromJson(doc));
}

QTEST_GUILESS_MAIN(tst_Arms)
#include "tst_Arms.moc"
