#include "core/base/SplitMix64.h"
#include "core/export/RoutingChoices.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Router.h"
#include "core/route/RoutingRecord.h"
#include <QtTest>
#include <map>
#include <set>
#include <tuple>

using namespace fovea;

Q_DECLARE_METATYPE(std::vector<std::vector<std::string>>)

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
    void mixedHeads_areNamedOneByOne_data();
    void mixedHeads_areNamedOneByOne();
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
        QCOMPARE(record.signalOf(row), signal.toStdString());
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

void tst_RoutingRecord::mixedHeads_areNamedOneByOne_data() {
    QTest::addColumn<std::vector<std::vector<std::string>>>("heads");
    QTest::addColumn<double>("fullHeads");
    using Names = std::vector<std::vector<std::string>>;
    QTest::newRow("three policies of a group signal: nine units")
        << Names{{"a", "b", "c", "a", "b", "c"}} << 0.0;
    QTest::newRow("a group split") << Names{{"a", "a", "b", "c", "c", "c"}} << 0.0;
    QTest::newRow("every other head by itself") << Names{{"", "a", "", "a", "full", "a"}} << 0.0;
    QTest::newRow("heads that only look near") << Names{{"near", "a", "near", "a", "near", ""}} << 0.0;
    QTest::newRow("queries beside keys") << Names{{"rows", "a", "", "rows", "full", "blocks"}} << 0.0;
    QTest::newRow("a share of the heads full") << Names{} << 0.34;
}

/// Each head of a mixed layer is recorded with the choices and the signal it would have in a layer of its own
/// kind, and a head that routes nothing not at all.
void tst_RoutingRecord::mixedHeads_areNamedOneByOne() {
    QFETCH(std::vector<std::vector<std::string>>, heads);
    QFETCH(double, fullHeads);
    Layer layer;
    for (int n = 0; n < 18; ++n)
        layer.facts->retrieval.push_back(static_cast<float>(n * 7 % 18));
    const std::vector<std::uint8_t> kept = topHeads(layer.facts->retrieval, fullHeads);
    AttentionPolicy whole = policyWith("head_dot");
    const auto add = [&](const char* name, const AttentionPolicy& parts) {
        whole.headPolicies.push_back({name, parts});
    };
    for (const auto& [name, budget] : {std::pair("a", 5.0), std::pair("b", 9.0), std::pair("c", 14.0)}) {
        AttentionPolicy parts = policyWith("group_dot");
        parts.routed.budget = budget;
        add(name, parts);
    }
    AttentionPolicy near = policyWith("head_dot");
    near.routed = {};
    add("near", near);
    add("rows", policyWith("row_entropy"));
    AttentionPolicy blocks = near;
    blocks.routed.randomBlocks = 2;
    blocks.routed.page = 8;
    blocks.routed.queryBlock = 8;
    add("blocks", blocks);
    whole.mix.heads = heads;
    whole.mix.fullHeads = fullHeads;
    const auto routing = route(whole, testShape(), layer.input(1), {0, kTokens}, -1, {});
    QVERIFY2(routing, routing ? "" : routing.error().message.c_str());

    RoutingRecord record;
    appendRouting(record, *routing, testShape());
    using Row =
        std::tuple<int, Role, std::uint32_t, std::uint32_t, std::string>; // head to last query, signal
    std::set<Row> rows;
    for (const RoutingRow& row : record.rows)
        for (int head = row.head; head < row.head + (row.headGroup >= 0 ? 3 : 1); ++head)
            QVERIFY(rows.emplace(head, row.role, row.token, row.queries, record.signalOf(row)).second);
    std::set<Row> wanted;
    using Choice = std::tuple<int, Role, std::uint32_t, std::uint32_t, float, std::string>;
    std::set<Choice> choices, wantedChoices;
    for (const RoutingChoice& c : expanded(*routing))
        for (int head = c.head; head < c.head + (c.headGroup >= 0 ? 3 : 1); ++head)
            choices.emplace(head, c.role, c.query, c.token, c.score, std::string(c.signal));
    for (int head = 0; head < 6; ++head) {
        const HeadParts& parts = whole.partsOf(1, head);
        const bool full = kept[static_cast<std::size_t>(6 + head)] != 0 || parts.readsAll();
        if (full || !parts.routed.on()) {
            QVERIFY(routing->unitOf(head) == nullptr);
            continue;
        }
        const auto alone = route(whole.withParts(parts), testShape(), layer.input(1), {0, kTokens}, head, {});
        QVERIFY(alone && alone->choicesOf(head) != nullptr);
        const RoutedChoices& c = *alone->choicesOf(head);
        const std::string signal = parts.routed.signal.empty() ? "random_blocks" : parts.routed.signal;
        std::map<std::uint32_t, std::uint32_t> queries;
        for (std::size_t query = 0; query < kTokens; ++query)
            for (const ChosenKey& key : c.chosenKeys(query)) {
                ++queries[key.key];
                wantedChoices.emplace(head, Role::Keys, query, key.key, key.score, signal);
            }
        for (const auto& [token, count] : queries)
            wanted.emplace(head, Role::Keys, token, count, signal);
        for (std::uint32_t token = 0; token < c.queryRole.size(); ++token)
            if (c.queryRole[token] != 0) {
                wanted.emplace(head, Role::Queries, token, 1U, signal);
                wantedChoices.emplace(head, Role::Queries, token, token, c.queryScore[token], signal);
            }
    }
    QVERIFY(!wanted.empty());
    QVERIFY(rows == wanted);
    QVERIFY(choices == wantedChoices);
    // The exports say so too: one line for each row and head.
    const std::string csv = routingChoicesCsv(*routing, testShape());
    QCOMPARE(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), choices.size());
    for (const std::string& signal : record.usedSignals)
        QVERIFY(csv.find(",routed," + signal + ",") != std::string::npos);
}

QTEST_APPLESS_MAIN(tst_RoutingRecord)
#include "tst_RoutingRecord.moc"
