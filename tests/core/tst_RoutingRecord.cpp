#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/SignalSpec.h"
#include "core/route/RoutingRecord.h"
#include <QtTest>
#include <map>
#include <tuple>

using namespace fovea;

namespace {

constexpr std::size_t kTokens = 140;

ModelShape testShape() {
    ModelShape shape;
    shape.layers = 3;
    shape.heads = 6;
    shape.kvHeads = 2;
    shape.headDim = 8;
    return shape;
}

struct Layer {
    Matrix q{kTokens, 48}, k{kTokens, 16}, v{kTokens, 16};
    std::shared_ptr<TokenFacts> facts = std::make_shared<TokenFacts>();
    Layer() {
        std::uint64_t state = 5;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t n = 0; n < m->rows() * m->cols(); ++n)
                m->view().data[n] = unitFloat(state = splitMix64(state)) - 0.5F;
        facts->tokens = kTokens;
        for (std::size_t t = 0; t < kTokens; ++t)
            facts->surprisal.push_back(unitFloat(state = splitMix64(state)));
    }
    [[nodiscard]] RouteInput input(int layer) const {
        RouteInput in;
        in.layer = layer;
        in.q = q.view();
        in.k = k.view();
        in.v = v.view();
        in.facts = facts.get();
        return in;
    }
};

AttentionPolicy policyWith(std::string_view signal) {
    AttentionPolicy p;
    p.local.window = 7;
    p.always.sinks = 3;
    p.routed.signal = signal;
    p.routed.role = findSignal(signal)->role;
    p.routed.budget = 5;
    p.routed.queryBudget = p.routed.role == Role::Keys ? 0 : 4;
    return p;
}

std::vector<RoutingChoice> expanded(const LayerRouting& routing) {
    std::vector<RoutingChoice> choices;
    forEachChoice(routing, testShape(), [&](const RoutingChoice& choice) { choices.push_back(choice); });
    return choices;
}

} // namespace

class tst_RoutingRecord : public QObject {
    Q_OBJECT
private slots:
    void rows_sumTheExpandedChoices_data();
    void rows_sumTheExpandedChoices();
    void layers_staySorted();
    void replay_givesThePlanBack_data();
    void replay_givesThePlanBack();
    void replay_refusesContradictions();
};

void tst_RoutingRecord::rows_sumTheExpandedChoices_data() {
    QTest::addColumn<QString>("signal");
    for (const SignalSpec& signal : signalSpecs())
        if (offersOf(signal.name) == Offers::Tokens && signal.name != "hidden_norm" &&
            signal.name != "rarity")
            QTest::addRow("%s", std::string(signal.name).c_str())
                << QString::fromUtf8(signal.name.data(), static_cast<qsizetype>(signal.name.size()));
}

void tst_RoutingRecord::rows_sumTheExpandedChoices() {
    QFETCH(QString, signal);
    const Layer layer;
    const auto routing =
        route(policyWith(signal.toStdString()), testShape(), layer.input(1), {0, kTokens}, -1, {});
    QVERIFY(routing.has_value());
    RoutingRecord record;
    appendRouting(record, *routing, testShape());
    QVERIFY(!record.rows.empty());

    using Key = std::tuple<int, Role, std::uint32_t>;
    std::map<Key, std::vector<RoutingChoice>> choices;
    for (const RoutingChoice& choice : expanded(*routing))
        choices[{choice.head, choice.role, choice.token}].push_back(choice);
    QCOMPARE(record.rows.size(), choices.size());
    auto wanted = choices.begin(); // a map is sorted as the record must be
    for (const RoutingRow& row : record.rows) {
        QVERIFY(Key(row.head, row.role, row.token) == wanted->first);
        const auto& of = wanted->second;
        QCOMPARE(row.layer, 1);
        QCOMPARE(row.headGroup, of.front().headGroup);
        QCOMPARE(std::size_t{row.queries}, of.size());
        QCOMPARE(row.queryFirst, of.front().query);
        QCOMPARE(row.queryLast, of.back().query);
        const auto best = std::max_element(of.begin(), of.end(),
                                           [](const auto& a, const auto& b) { return a.score < b.score; });
        QCOMPARE(row.score, best->score);
        QCOMPARE(row.rank, best->rank);
        QCOMPARE(row.budget, best->budget);
        QVERIFY(row.score >= row.threshold);
        if (row.role == Role::Keys)
            QVERIFY(row.rank >= 1 && row.rank <= 5);
        ++wanted;
    }
    const bool perHead = signal == "head_dot" || signal == "query_sparsity" || signal == "row_entropy" ||
                         signal == "local_deficit" || signal == "oracle" || signal == "random" ||
                         signal == "received" || signal == "query_peak";
    for (const RoutingRow& row : record.rows)
        QCOMPARE(row.headGroup, perHead ? -1 : row.head / 3);
}

void tst_RoutingRecord::layers_staySorted() {
    const Layer layer;
    RoutingRecord record, inOrder;
    for (const int index : {2, 0, 1})
        appendRouting(record,
                      *route(policyWith("key_norm"), testShape(), layer.input(index), {0, kTokens}, -1, {}),
                      testShape());
    for (const int index : {0, 1, 2})
        appendRouting(inOrder,
                      *route(policyWith("key_norm"), testShape(), layer.input(index), {0, kTokens}, -1, {}),
                      testShape());
    QVERIFY(record == inOrder);
}

void tst_RoutingRecord::replay_givesThePlanBack_data() {
    rows_sumTheExpandedChoices_data();
}

void tst_RoutingRecord::replay_givesThePlanBack() {
    QFETCH(QString, signal);
    const Layer layer;
    const auto policy = std::make_shared<AttentionPolicy>(policyWith(signal.toStdString()));
    for (const RowRange rows : {RowRange{0, kTokens}, RowRange{33, 99}}) {
        const auto routing =
            std::make_shared<LayerRouting>(*route(*policy, testShape(), layer.input(2), rows, -1, {}));
        std::vector<RoutingChoice> choices = expanded(*routing);
        std::reverse(choices.begin(), choices.end()); // any order
        auto replayed = replayRouting(choices, testShape(), 2, rows);
        QVERIFY2(replayed.has_value(), replayed ? "" : replayed.error().message.c_str());
        const auto before = makePlan(policy, testShape(), 2, layer.facts, routing, rows);
        const auto after = makePlan(policy, testShape(), 2, layer.facts,
                                    std::make_shared<LayerRouting>(std::move(*replayed)), rows);
        for (std::size_t head = 0; head < 6; ++head)
            QVERIFY(*before->heads[head] == *after->heads[head]);
    }
}

void tst_RoutingRecord::replay_refusesContradictions() {
    const RoutingChoice good{0, 3, 1, 20, 4, Role::Keys, 1, 1, 1, 1};
    QVERIFY(replayRouting(std::vector{good}, testShape(), 0, {0, 40}).has_value());
    const auto refused = [&](auto change) {
        std::vector<RoutingChoice> choices{good, good};
        choices[1].token = 5;
        change(choices[1]);
        const auto result = replayRouting(choices, testShape(), 0, {0, 40});
        return !result.has_value() && result.error().code == ErrorCode::BadValue;
    };
    QVERIFY(!refused([](RoutingChoice&) {}));
    QVERIFY(refused([](RoutingChoice& c) { c.token = 4; }));
    QVERIFY(refused([](RoutingChoice& c) { c.token = 21; }));
    QVERIFY(refused([](RoutingChoice& c) { c.query = 40; }));
    QVERIFY(refused([](RoutingChoice& c) { c.head = 6; }));
    QVERIFY(refused([](RoutingChoice& c) { c.headGroup = -1; }));
    QVERIFY(refused([](RoutingChoice& c) { c.headGroup = 0; }));
    QVERIFY(refused([](RoutingChoice& c) { c.role = Role::Queries; }));
}

QTEST_APPLESS_MAIN(tst_RoutingRecord)
#include "tst_RoutingRecord.moc"
