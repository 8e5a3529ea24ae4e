#include "tests/support/CausalPairs.h"
#include "tests/support/RestatedRouter.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct BudgetCase {
    BudgetKind kind;
    double budget;
};

} // namespace

class tst_Router : public QObject {
    Q_OBJECT
private slots:
    void keyChoice_isTheRestatement_data();
    void keyChoice_isTheRestatement();
    void queryRole_isTheRestatement_data();
    void queryRole_isTheRestatement();
    void roundedDots_atEveryBitWidth_data();
    void roundedDots_atEveryBitWidth();
    void nanScores_rankLastAndAreCounted();
    void onlyHead_routesItsUnit();
    void fullLayer_routesNothing();
    void surprisalWithoutARun_isRefused();
    void cancelled_saysSo();
    void macs_areThoseOfTheCostColumn();
};

void tst_Router::keyChoice_isTheRestatement_data() {
    QTest::addColumn<QString>("signal");
    QTest::addColumn<bool>("whole");
    for (const char* signal : {"group_dot", "head_dot", "key_norm", "value_norm", "random", "oracle"})
        QTest::addRow("%s, whole numbers", signal) << signal << true;
    for (const SignalSpec& signal : restatedSignals())
        if (signal.role != Role::Queries)
            QTest::addRow("%s", std::string(signal.name).c_str())
                << QString::fromUtf8(signal.name.data(), static_cast<qsizetype>(signal.name.size())) << false;
}

void tst_Router::keyChoice_isTheRestatement() {
    QFETCH(QString, signal);
    QFETCH(bool, whole);
    const Layer layer(29, 7, whole);
    int tried = 0;
    for (int variant = 0; variant < 4; ++variant)
        for (const BudgetCase& budget : {BudgetCase{BudgetKind::Count, 0},
                                         {BudgetKind::Count, 1},
                                         {BudgetKind::Count, 6},
                                         {BudgetKind::Count, 1000},
                                         {BudgetKind::Fraction, 0.0},
                                         {BudgetKind::Fraction, 0.3},
                                         {BudgetKind::Fraction, 1.0},
                                         {BudgetKind::TopP, 0.4},
                                         {BudgetKind::TopP, 0.9},
                                         {BudgetKind::TopP, 1.0},
                                         {BudgetKind::Threshold, 0.0321},
                                         {BudgetKind::Threshold, -5.4321},
                                         {BudgetKind::Threshold, kNoBar}})
            for (const Scope scope : {Scope::Prefix, Scope::Sequence})
                for (const Choice choice : {Choice::Query, Choice::Sequence}) {
                    AttentionPolicy p = basePolicy(variant);
                    p.routed.signal = signal.toStdString();
                    p.routed.budgetKind = budget.kind;
                    p.routed.budget = budget.budget;
                    p.routed.scope = scope;
                    p.routed.choice = choice;
                    p.routed.bits = 5;
                    if (!validated(p).has_value())
                        continue;
                    ++tried;
                    const LayerRouting routing = routed(p, layer, {0, 29});
                    if (budget.budget == 0 &&
                        (budget.kind == BudgetKind::Count || budget.kind == BudgetKind::Fraction)) {
                        QVERIFY(routing.units.empty()); // nothing can be chosen: no router is run
                        QCOMPARE(routing.macs, std::uint64_t{0});
                        continue;
                    }
                    const Restated restated(p, layer, 1);
                    QCOMPARE(routing.units.size(), restated.units());
                    for (int head = 0; head < kHeads; ++head)
                        QVERIFY(routing.choicesOf(head) != nullptr);
                    for (std::size_t unit = 0; unit < restated.units(); ++unit) {
                        const RoutedChoices& choices = *routing.units[unit].choices;
                        const std::vector<bool> text =
                            choice == Choice::Sequence ? restated.textKeys(unit) : std::vector<bool>();
                        for (std::size_t i = 0; i < 29; ++i) {
                            const auto row = choices.row(i);
                            const auto chosen = choices.chosenKeys(i);
                            if (choice == Choice::Sequence) {
                                std::vector<std::uint32_t> expected;
                                for (std::uint32_t j = 0; j <= i; ++j)
                                    if (text[j] && !restated.local(i, j) && !restated.pinnedQuery(i))
                                        expected.push_back(j);
                                QVERIFY(std::equal(row.begin(), row.end(), expected.begin(), expected.end()));
                                continue;
                            }
                            const auto expected = restated.queryChoice(unit, i);
                            if (row.size() != expected.size())
                                qWarning() << "variant" << variant << "kind" << int(budget.kind)
                                           << budget.budget << "scope" << int(scope) << "query" << i;
                            QCOMPARE(row.size(), expected.size());
                            for (std::size_t n = 0; n < row.size(); ++n) {
                                QCOMPARE(std::size_t{chosen[n].key}, expected[n].key);
                                QCOMPARE(std::size_t{chosen[n].rank}, expected[n].rank);
                                QVERIFY(close(static_cast<double>(chosen[n].score), expected[n].score));
                            }
                        }
                    }
                }
    QVERIFY(tried >= 60);
}

void tst_Router::queryRole_isTheRestatement_data() {
    QTest::addColumn<QString>("signal");
    for (const char* signal : {"query_peak", "surprisal", "random"})
        QTest::addRow("%s", signal) << signal;
}

void tst_Router::queryRole_isTheRestatement() {
    QFETCH(QString, signal);
    const Layer layer(67, 11, false);
    for (int variant = 0; variant < 4; ++variant)
        for (const BudgetCase& budget : {BudgetCase{BudgetKind::Count, 0},
                                         {BudgetKind::Count, 4},
                                         {BudgetKind::Count, 90},
                                         {BudgetKind::Fraction, 0.15},
                                         {BudgetKind::Fraction, 1.0}})
            for (const Scope scope : {Scope::Prefix, Scope::Sequence})
                for (const Role role : {Role::Queries, Role::Both}) {
                    AttentionPolicy p = basePolicy(variant);
                    p.routed.signal = signal.toStdString();
                    p.routed.role = role;
                    p.routed.budget = 3;
                    p.routed.queryBudgetKind = budget.kind;
                    p.routed.queryBudget = budget.budget;
                    p.routed.scope = scope;
                    if (!validated(p).has_value())
                        continue;
                    const LayerRouting routing = routed(p, layer, {0, 67});
                    const Restated restated(p, layer, 1);
                    for (std::size_t unit = 0; unit < restated.units(); ++unit) {
                        const RoutedChoices& choices = *routing.units[unit].choices;
                        const std::vector<bool> expected = restated.queryRole(unit);
                        QCOMPARE(choices.queryRole.size(), std::size_t{p.routed.choosesQueries() ? 67U : 0U});
                        for (std::size_t i = 0; i < 67; ++i)
                            QCOMPARE(!choices.queryRole.empty() && choices.queryRole[i] != 0,
                                     bool(expected[i]));
                        // The key role is a choice of its own: present with role both, absent with role
                        // queries.
                        for (std::size_t i = 0; i < 67; ++i)
                            QCOMPARE(choices.row(i).size(), role == Role::Both
                                                                ? restated.queryChoice(unit, i).size()
                                                                : std::size_t{0});
                    }
                }
}

void tst_Router::roundedDots_atEveryBitWidth_data() {
    QTest::addColumn<int>("bits");
    for (int bits = 1; bits <= 8; ++bits)
        QTest::addRow("bits=%d", bits) << bits;
}

void tst_Router::roundedDots_atEveryBitWidth() {
    QFETCH(int, bits);
    Layer layer(150, 3, false);
    for (std::size_t d = 0; d < kDim; ++d)
        layer.k.view()(17, d) = 0; // a key of nothing
    for (const char* signal : {"group_dot", "head_dot"}) {
        AttentionPolicy p = basePolicy(0);
        p.routed.signal = signal;
        p.routed.bits = bits;
        p.routed.budget = 9;
        const LayerRouting routing = routed(p, layer, {0, 150});
        const Restated restated(p, layer, 1);
        for (std::size_t unit = 0; unit < restated.units(); ++unit)
            for (std::size_t i = 0; i < 150; i += 7) {
                const auto expected = restated.queryChoice(unit, i);
                const auto row = routing.units[unit].choices->chosenKeys(i);
                QCOMPARE(row.size(), expected.size());
                for (std::size_t n = 0; n < row.size(); ++n) {
                    QCOMPARE(std::size_t{row[n].key}, expected[n].key);
                    QVERIFY(close(static_cast<double>(row[n].score), expected[n].score));
                }
            }
    }
}

void tst_Router::nanScores_rankLastAndAreCounted() {
    Layer layer(90, 51, false);
    layer.k.view()(30, 0) = std::numeric_limits<float>::quiet_NaN(); // key-value head 0 only
    layer.k.view()(31, 1) = std::numeric_limits<float>::infinity();
    for (const char* signal : {"key_norm", "group_dot", "oracle"}) {
        AttentionPolicy p = basePolicy(1);
        p.routed.signal = signal;
        p.routed.budget = 5;
        const LayerRouting routing = routed(p, layer, {0, 90});
        QVERIFY(routing.units[0].choices->nanScores > 0);
        QCOMPARE(routing.units.back().choices->nanScores, std::uint64_t{0});
        for (std::size_t i = 45; i < 90; ++i)
            for (const std::uint32_t key : routing.units[0].choices->row(i))
                QVERIFY(key != 30);
        for (std::size_t i = 33; i < 90; ++i) {
            const auto row = routing.units[0].choices->row(i);
            QCOMPARE(row.size(), std::size_t{5}); // the count is met all the same
        }
    }
}

void tst_Router::onlyHead_routesItsUnit() {
    const Layer layer(100, 61, false);
    for (const char* signal : {"group_dot", "head_dot", "surprisal"}) {
        AttentionPolicy p = basePolicy(0);
        p.routed.signal = signal;
        p.routed.budget = 4;
        const LayerRouting all = routed(p, layer, {0, 100});
        const LayerRouting one = routed(p, layer, {0, 100}, 2, 3);
        QCOMPARE(one.units.size(), all.units.size());
        for (std::size_t unit = 0; unit < all.units.size(); ++unit) {
            QVERIFY(one.units[unit].heads == all.units[unit].heads);
            QCOMPARE(one.units[unit].choices != nullptr, &all.units[unit] == all.unitOf(3));
            if (one.units[unit].choices)
                QVERIFY(same(*one.units[unit].choices, *all.units[unit].choices));
        }
    }
}

void tst_Router::fullLayer_routesNothing() {
    const Layer layer(40, 71, false);
    AttentionPolicy p = basePolicy(0);
    p.routed.signal = "oracle";
    p.mix.fullLayers = {1};
    const LayerRouting routing = routed(p, layer, {0, 40});
    QCOMPARE(routing.macs, std::uint64_t{0});
    QVERIFY(routing.units.empty());
    p.mix.fullLayers.clear();
    p.local.window = 40; // full attention of this text
    QVERIFY(routed(p, layer, {0, 40}).units.empty());
}

void tst_Router::surprisalWithoutARun_isRefused() {
    Layer layer(40, 71, false);
    layer.facts.surprisal.clear();
    AttentionPolicy p = basePolicy(0);
    p.routed.signal = "surprisal";
    const auto result = route(p, testShape(), layer.input(), {0, 40}, -1, {});
    QVERIFY(!result.has_value());
    QCOMPARE(result.error().code, ErrorCode::BadValue);
}

void tst_Router::cancelled_saysSo() {
    const Layer layer(40, 71, false);
    AttentionPolicy p = basePolicy(0);
    p.routed.signal = "group_dot";
    WorkContext work;
    work.cancel.cancel();
    const auto result = route(p, testShape(), layer.input(), {0, 40}, -1, work);
    QVERIFY(!result.has_value());
    QCOMPARE(result.error().code, ErrorCode::Cancelled);
}

void tst_Router::macs_areThoseOfTheCostColumn() {
    const Layer layer(100, 81, false);
    AttentionPolicy p = basePolicy(0);
    const auto macs = [&](const char* signal) {
        p.routed.signal = signal;
        return routed(p, layer, {0, 100}).macs;
    };
    QCOMPARE(macs("group_dot"), kKvHeads * causalPairs(100) * kDim);
    QCOMPARE(macs("head_dot"), kHeads * causalPairs(100) * kDim);
    QCOMPARE(macs("oracle"), kHeads * causalPairs(100) * kDim);
    QCOMPARE(macs("key_norm"), std::uint64_t{kKvHeads * 100 * kDim});
    QCOMPARE(macs("random"), std::uint64_t{0});
    QCOMPARE(macs("surprisal"), std::uint64_t{0});
}

QTEST_APPLESS_MAIN(tst_Router)
#include "tst_Router.moc"
