#include "tests/support/CausalPairs.h"
#include "tests/support/RestatedRouter.h"

using namespace fovea;
using namespace fovea::test;

class tst_RouterGates : public QObject {
    Q_OBJECT
private slots:
    void fullBudget_readsEverything_data();
    void fullBudget_readsEverything();
    void futureToken_movesNothing_data();
    void futureToken_movesNothing();
    void threads_changeNoBit_data();
    void threads_changeNoBit();
    void rowRange_isASliceOfTheWhole_data();
    void rowRange_isASliceOfTheWhole();
};

void tst_RouterGates::fullBudget_readsEverything_data() {
    QTest::addColumn<QString>("signal");
    QTest::addColumn<int>("kind");
    QTest::addColumn<double>("budget");
    for (const SignalSpec& signal : restatedSignals()) {
        if (signal.role == Role::Queries)
            continue;
        const QString name =
            QString::fromUtf8(signal.name.data(), static_cast<qsizetype>(signal.name.size()));
        QTest::addRow("%s count", qPrintable(name)) << name << 0 << 200.0;
        QTest::addRow("%s fraction", qPrintable(name)) << name << 1 << 1.0;
        if (signal.estimatesMass)
            QTest::addRow("%s top_p", qPrintable(name)) << name << 2 << 1.0;
        QTest::addRow("%s threshold", qPrintable(name)) << name << 3 << kNoBar;
    }
}

void tst_RouterGates::fullBudget_readsEverything() {
    QFETCH(QString, signal);
    QFETCH(int, kind);
    QFETCH(double, budget);
    Layer layer(131, 5, false);
    layer.k.view()(40, 3) = std::numeric_limits<float>::quiet_NaN(); // even then
    layer.facts.surprisal[50] = std::numeric_limits<float>::quiet_NaN();
    for (int variant = 0; variant < 4; ++variant)
        for (const Scope scope : {Scope::Prefix, Scope::Sequence}) {
            AttentionPolicy p = basePolicy(variant);
            p.routed.signal = signal.toStdString();
            p.routed.budgetKind = static_cast<BudgetKind>(kind);
            p.routed.budget = budget;
            p.routed.scope = scope;
            if (!validated(p).has_value())
                continue;
            auto routing = std::make_shared<LayerRouting>(routed(p, layer, {0, 131}));
            const auto plan = makePlan(std::make_shared<AttentionPolicy>(p), testShape(), 1,
                                       std::make_shared<TokenFacts>(layer.facts), routing, {0, 131});
            QVERIFY(plan.has_value());
            QCOMPARE(plan->pairs(), kHeads * causalPairs(131));
            for (std::size_t i = 0; i < 131; ++i)
                QCOMPARE(plan->heads[3]->keysOf(i).size(), i + 1);
        }
}

void tst_RouterGates::futureToken_movesNothing_data() {
    QTest::addColumn<QString>("signal");
    for (const SignalSpec& signal : restatedSignals())
        QTest::addRow("%s", std::string(signal.name).c_str())
            << QString::fromUtf8(signal.name.data(), static_cast<qsizetype>(signal.name.size()));
}

void tst_RouterGates::futureToken_movesNothing() {
    QFETCH(QString, signal);
    constexpr std::size_t tokens = 190, changed = 120;
    const Layer before(tokens, 21, false);
    Layer after(tokens, 21, false);
    for (std::size_t t = changed; t < tokens; ++t)
        for (std::size_t c = 0; c < kHeads * kDim; ++c) {
            after.q.view()(t, c) *= -3;
            if (c < kKvHeads * kDim) {
                after.k.view()(t, c) *= -5;
                after.v.view()(t, c) *= 7;
            }
        }
    for (std::size_t t = changed; t < tokens; ++t)
        after.facts.surprisal[t] += 9;
    const SignalSpec& spec = *findSignal(signal.toStdString());
    for (const Scope scope : {Scope::Prefix, Scope::Sequence})
        for (const Choice choice : {Choice::Query, Choice::Sequence})
            for (const BudgetKind kind : {BudgetKind::Count, BudgetKind::Fraction, BudgetKind::TopP}) {
                AttentionPolicy p = basePolicy(3);
                p.routed.signal = signal.toStdString();
                p.routed.role = spec.role;
                p.routed.budgetKind = kind;
                p.routed.budget = kind == BudgetKind::Count ? 10 : kind == BudgetKind::Fraction ? 0.2 : 0.6;
                p.routed.queryBudget = spec.role == Role::Keys ? 0 : 7;
                p.routed.scope = scope;
                p.routed.choice = choice;
                if (!validated(p).has_value())
                    continue;
                const LayerRouting a = routed(p, before, {0, tokens});
                const LayerRouting b = routed(p, after, {0, tokens});
                bool moved = false;
                for (std::size_t unit = 0; unit < a.units.size(); ++unit) {
                    const RoutedChoices& x = *a.units[unit].choices;
                    const RoutedChoices& y = *b.units[unit].choices;
                    for (std::size_t i = 0; i < changed; ++i) {
                        moved = moved || !std::ranges::equal(x.row(i), y.row(i));
                        if (!x.queryRole.empty())
                            moved = moved || x.queryRole[i] != y.queryRole[i];
                    }
                }
                if (!looksAhead(p))
                    QVERIFY2(!moved, "a causal signal saw the future");
                else if (spec.sees == Sees::Ahead && kind != BudgetKind::TopP)
                    QVERIFY2(moved, "a signal that looks ahead was not seen to");
            }
}

void tst_RouterGates::threads_changeNoBit_data() {
    futureToken_movesNothing_data();
}

void tst_RouterGates::threads_changeNoBit() {
    QFETCH(QString, signal);
    const Layer layer(523, 31, false);
    const SignalSpec& spec = *findSignal(signal.toStdString());
    for (const Choice choice : {Choice::Query, Choice::Sequence})
        for (const BudgetKind kind : {BudgetKind::Count, BudgetKind::TopP}) {
            AttentionPolicy p = basePolicy(0);
            p.routed.signal = signal.toStdString();
            p.routed.role = spec.role;
            p.routed.budgetKind = kind;
            p.routed.budget = kind == BudgetKind::Count ? 12 : 0.7;
            p.routed.queryBudget = spec.role == Role::Keys ? 0 : 9;
            p.routed.choice = choice;
            if (choice == Choice::Sequence)
                p.routed.scope = Scope::Sequence;
            if (!validated(p).has_value())
                continue;
            const LayerRouting one = routed(p, layer, {0, 523}, 1);
            for (const int threads : {2, 3}) {
                const LayerRouting many = routed(p, layer, {0, 523}, threads);
                QCOMPARE(many.macs, one.macs);
                for (std::size_t unit = 0; unit < one.units.size(); ++unit)
                    QVERIFY(same(*one.units[unit].choices, *many.units[unit].choices));
            }
        }
}

void tst_RouterGates::rowRange_isASliceOfTheWhole_data() {
    futureToken_movesNothing_data();
}

void tst_RouterGates::rowRange_isASliceOfTheWhole() {
    QFETCH(QString, signal);
    const Layer layer(300, 41, false);
    const SignalSpec& spec = *findSignal(signal.toStdString());
    for (const Choice choice : {Choice::Query, Choice::Sequence})
        for (const Scope scope : {Scope::Prefix, Scope::Sequence}) {
            AttentionPolicy p = basePolicy(3);
            p.routed.signal = signal.toStdString();
            p.routed.role = spec.role;
            p.routed.budget = 12;
            p.routed.queryBudget = spec.role == Role::Keys ? 0 : 9;
            p.routed.choice = choice;
            p.routed.scope = scope;
            if (!validated(p).has_value())
                continue;
            const LayerRouting whole = routed(p, layer, {0, 300});
            for (const RowRange rows : {RowRange{0, 1}, {70, 211}, {128, 300}, {299, 300}, {5, 5}}) {
                const LayerRouting part = routed(p, layer, rows);
                for (std::size_t unit = 0; unit < whole.units.size(); ++unit) {
                    const RoutedChoices& x = *whole.units[unit].choices;
                    const RoutedChoices& y = *part.units[unit].choices;
                    QVERIFY(y.rows == rows);
                    QCOMPARE(y.rowBegin.size(), rows.last - rows.first + 1);
                    for (std::size_t i = rows.first; i < rows.last; ++i) {
                        QVERIFY(std::ranges::equal(x.row(i), y.row(i)));
                        QCOMPARE(y.budget[i - rows.first], x.budget[i]);
                        QVERIFY(close(static_cast<double>(y.threshold[i - rows.first]),
                                      static_cast<double>(x.threshold[i])));
                        if (!x.queryRole.empty())
                            QCOMPARE(y.queryRole[i], x.queryRole[i]);
                    }
                }
            }
        }
}

QTEST_APPLESS_MAIN(tst_RouterGates)
#include "tst_RouterGates.moc"
