#include "core/route/Selection.h"
#include "tests/support/RestatedRouter.h"
#include <map>

// Choices on texts that are long enough for estimated thresholds, several panels and incomplete blocks,
// compared with a simple reference that scores, sorts and cuts each row.
using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::size_t kTokens = 1223;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

enum Input : int { Random, AllEqual, Saturating, Nans, Rising, Shared, Inputs };

const char* nameOf(int input) {
    const char* names[Inputs] = {"random", "all equal", "saturating", "NaNs", "rising", "shared keys"};
    return names[input];
}

Layer layerOf(int input) {
    Layer layer(kTokens, 77, false);
    std::uint64_t state = 5;
    const auto each = [&](Matrix& m, const auto& f) {
        for (std::size_t t = 0; t < m.rows(); ++t)
            for (std::size_t c = 0; c < m.cols(); ++c)
                m.view()(t, c) = f(t, m.view()(t, c));
    };
    for (Matrix* m : {&layer.q, &layer.k})
        switch (input) {
        case AllEqual:
            each(*m, [](std::size_t, float) { return 1.0F; });
            break;
        case Saturating: // every rounded number is 127 or -127, and scores tie in crowds
            each(*m,
                 [&](std::size_t, float) { return ((state = splitMix64(state)) & 1) != 0 ? 3.0F : -3.0F; });
            break;
        case Nans:
            each(*m, [&](std::size_t t, float x) { return t % 5 == 2 || t > 1100 ? kNan : x; });
            break;
        case Rising: // the later the key, the better: no bar holds for long
            each(*m, [&](std::size_t t, float x) {
                return m == &layer.k ? static_cast<float>(t + 1) * (1 + x / 1000) : std::fabs(x);
            });
            break;
        case Shared: // a few keys that every query wants, as in real text
            each(*m, [&](std::size_t t, float x) {
                return m == &layer.k ? (t % 23 == 4 ? 8 + x : x) : 2 + x / 2;
            });
            break;
        default:
            break;
        }
    return layer;
}

/// Row by row: score, sort, cut.
class Twin {
public:
    Twin(const AttentionPolicy& policy, const Layer& layer)
        : m_policy(policy), m_layer(layer), m_restated(policy, layer, 1) {}

    [[nodiscard]] RoutedChoices choices(std::size_t unit) {
        RoutedChoices all;
        all.rows = {0, kTokens};
        all.rowBegin.push_back(0);
        for (std::size_t j = 0; j < kTokens && dots(); ++j) {
            m_queries.push_back(m_restated.rounded(queryOf(unit, j)));
            m_keys.push_back(m_restated.rounded(keyOf(unit, j)));
        }
        for (std::size_t i = 0; i < kTokens; ++i)
            addRow(unit, i, all);
        return all;
    }

private:
    [[nodiscard]] bool dots() const { return m_policy.routed.signal != "random"; }
    [[nodiscard]] std::size_t headsOfUnit() const { return m_policy.routed.signal == "group_dot" ? 2 : 1; }
    [[nodiscard]] std::vector<float> queryOf(std::size_t unit, std::size_t i) const {
        std::vector<float> q(kDim);
        for (std::size_t h = unit * headsOfUnit(); h < (unit + 1) * headsOfUnit(); ++h)
            for (std::size_t d = 0; d < kDim; ++d)
                q[d] += m_layer.q.view()(i, h * kDim + d);
        return q;
    }
    [[nodiscard]] std::vector<float> keyOf(std::size_t unit, std::size_t j) const {
        const float* k = m_layer.k.view().row(j) + unit * headsOfUnit() / 2 * kDim;
        return {k, k + kDim};
    }
    [[nodiscard]] float score(std::size_t unit, std::size_t i, std::size_t j) const {
        if (!dots())
            return static_cast<float>(m_restated.value(unit, i, j).rank);
        int sum = 0;
        for (std::size_t d = 0; d < kDim; ++d)
            sum += m_queries[i].numbers[d] * m_keys[j].numbers[d];
        return static_cast<float>(sum) * m_keys[j].step;
    }
    void addRow(std::size_t unit, std::size_t i, RoutedChoices& all) const {
        const bool pinned = m_restated.pinnedQuery(i);
        const std::size_t end = pinned ? 0 : m_policy.routed.scope == Scope::Prefix ? i + 1 : kTokens;
        std::vector<Ranked> ranked;
        for (std::size_t j = 0; j < end; ++j)
            if (!m_restated.local(i, j) && !m_restated.alwaysKey(j)) {
                ranked.push_back(rankedOf(score(unit, i, j), static_cast<std::uint32_t>(j)));
                all.nanScores += std::isnan(scoreOf(ranked.back())) ? 1U : 0U;
            }
        const std::size_t allowed =
            Restated::allowedOf(m_policy.routed.budgetKind, m_policy.routed.budget, ranked.size());
        const std::size_t count = std::min(allowed, ranked.size());
        std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end(),
                          std::greater<>());
        const float step = dots() ? m_queries[i].step : 1;
        std::map<std::uint32_t, std::pair<float, std::uint16_t>> byKey;
        for (std::size_t n = 0; n < count; ++n)
            if (tokenOf(ranked[n]) <= i)
                byKey[tokenOf(ranked[n])] = {step * scoreOf(ranked[n]), static_cast<std::uint16_t>(n + 1)};
        for (const auto& [key, what] : byKey) // of different ranks, so each is a run
            all.runs.push_back({key, 1, what.second, what.first});
        all.rowBegin.push_back(static_cast<std::uint32_t>(all.runs.size()));
        all.threshold.push_back(count > 0 ? step * scoreOf(ranked[count - 1]) : kNan);
        all.budget.push_back(static_cast<std::uint32_t>(allowed));
    }

    const AttentionPolicy& m_policy;
    const Layer& m_layer;
    Restated m_restated;
    std::vector<Restated::Rounded> m_queries, m_keys;
};

/// Equal bits, but NaNs of any sign.
bool sameNumbers(const std::vector<float>& a, const std::vector<float>& b) {
    return std::ranges::equal(a, b, [](float x, float y) {
        return (std::isnan(x) && std::isnan(y)) ||
               std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
    });
}

} // namespace

class tst_RowChoice : public QObject {
    Q_OBJECT
private slots:
    void longText_isTheSortedRow_data();
    void longText_isTheSortedRow();
    void pagesOfABudget_areTheBestOfAll_data();
    void pagesOfABudget_areTheBestOfAll();
};

void tst_RowChoice::longText_isTheSortedRow_data() {
    QTest::addColumn<int>("input");
    QTest::addColumn<int>("variant");
    QTest::addColumn<int>("kind");
    QTest::addColumn<double>("budget");
    QTest::addColumn<int>("scope");
    const auto add = [](int input, int variant, BudgetKind kind, double budget, Scope scope) {
        QTest::addRow("%s, policy %d, %s %g, scope %s", nameOf(input), variant,
                      kind == BudgetKind::Count ? "count" : "fraction", budget,
                      scope == Scope::Prefix ? "prefix" : "sequence")
            << input << variant << static_cast<int>(kind) << budget << static_cast<int>(scope);
    };
    for (int input = 0; input < Inputs; ++input) {
        for (const double budget : {1.0, 7.0, 32.0, 128.0, 129.0, 300.0, 5000.0})
            add(input, 0, BudgetKind::Count, budget, Scope::Prefix);
        add(input, 0, BudgetKind::Fraction, 0.013, Scope::Prefix);
        for (int variant = 1; variant < 4; ++variant)
            add(input, variant, BudgetKind::Count, 32, Scope::Prefix);
        add(input, 3, BudgetKind::Count, 32, Scope::Sequence);
        add(input, 0, BudgetKind::Fraction, 0.03, Scope::Sequence);
    }
}

void tst_RowChoice::longText_isTheSortedRow() {
    QFETCH(int, input);
    QFETCH(int, variant);
    QFETCH(int, kind);
    QFETCH(double, budget);
    QFETCH(int, scope);
    const Layer layer = layerOf(input);
    for (const char* signal : {"group_dot", "head_dot", "random"}) {
        if (input != Random && std::string(signal) == "random")
            continue; // draws do not look at the input
        AttentionPolicy p = basePolicy(variant);
        p.routed.signal = signal;
        p.routed.budgetKind = static_cast<BudgetKind>(kind);
        p.routed.budget = budget;
        p.routed.scope = static_cast<Scope>(scope);
        const LayerRouting routing = routed(p, layer, {0, kTokens}, 2);
        const std::size_t unit = routing.units.size() - 1;
        const RoutedChoices fast = routing.units[unit].choices->explained();
        const RoutedChoices slow = Twin(p, layer).choices(unit);
        for (std::size_t i = 0; i < kTokens; ++i)
            if (!std::ranges::equal(fast.row(i), slow.row(i)))
                QFAIL(qPrintable(QString("%1: the keys of query %2 differ").arg(signal).arg(i)));
        QVERIFY(fast.rowBegin == slow.rowBegin);
        const auto scores = [](const RoutedChoices& c) {
            std::vector<float> all;
            for (const ChosenRun& run : c.runs)
                all.push_back(run.score);
            return all;
        };
        QVERIFY(std::ranges::equal(fast.runs, slow.runs, {}, &ChosenRun::rank, &ChosenRun::rank));
        QVERIFY(sameNumbers(scores(fast), scores(slow)));
        QVERIFY(sameNumbers(fast.threshold, slow.threshold));
        QVERIFY(fast.budget == slow.budget);
        QCOMPARE(fast.nanScores, slow.nanScores);
    }
}

void tst_RowChoice::pagesOfABudget_areTheBestOfAll_data() {
    QTest::addColumn<int>("input");
    for (int input = 0; input < Inputs; ++input)
        QTest::addRow("%s", nameOf(input)) << input;
}

/// A threshold below every score ranks all pages by the plain way: sort and cut. A budget must choose the
/// best of them, with the same scores and ranks, whatever way it takes.
void tst_RowChoice::pagesOfABudget_areTheBestOfAll() {
    QFETCH(int, input);
    const Layer layer = layerOf(input);
    const RowRange parts[] = {{600, kTokens}, {1, 70}, {kTokens - 1, kTokens}};
    for (const char* signal : {"page_bound", "page_mean"})
        for (const int page : {8, 50})
            for (const int variant : {page == 8 ? 0 : 1}) {
                AttentionPolicy p = basePolicy(variant);
                p.routed.signal = signal;
                p.routed.granularity = Granularity::Page;
                p.routed.page = page;
                p.routed.budgetKind = BudgetKind::Threshold;
                p.routed.budget = kNoBar;
                const LayerRouting all = routed(p, layer, {0, kTokens}, 2);
                for (const double budget : {1.0, 40.0, 700.0, 0.07}) {
                    p.routed.budgetKind = budget < 1 ? BudgetKind::Fraction : BudgetKind::Count;
                    p.routed.budget = budget;
                    for (const RowRange rows : parts) {
                        const LayerRouting some = routed(p, layer, rows, 2);
                        for (std::size_t unit = 0; unit < some.units.size(); unit += 2)
                            for (std::size_t i = rows.first; i < rows.last; i += 3) {
                                const RoutedChoices& chosen = *some.units[unit].choices;
                                const RoutedChoices& ranked = *all.units[unit].choices;
                                std::uint32_t pages = 0;
                                for (const ChosenRun& run : ranked.runsOf(i))
                                    pages = std::max<std::uint32_t>(pages, run.rank);
                                const auto keys = budget < 1 ? std::ceil(budget * pages) * page : budget;
                                const auto most = static_cast<std::uint32_t>(std::ceil(keys / page));
                                std::vector<ChosenKey> expected;
                                float bar = kNan;
                                for (const ChosenKey& key : ranked.chosenKeys(i))
                                    if (key.rank <= most) {
                                        expected.push_back(key);
                                        if (key.rank == std::min(most, pages))
                                            bar = key.score;
                                    }
                                const std::vector<ChosenKey> found = chosen.chosenKeys(i);
                                QVERIFY(std::ranges::equal(found, expected,
                                                           [](const ChosenKey& a, const ChosenKey& b) {
                                                               return a.key == b.key && a.rank == b.rank &&
                                                                      sameNumbers({a.score}, {b.score});
                                                           }));
                                QVERIFY(sameNumbers({chosen.threshold[i - rows.first]}, {bar}));
                            }
                    }
                }
            }
}

QTEST_APPLESS_MAIN(tst_RowChoice)
#include "tst_RowChoice.moc"
