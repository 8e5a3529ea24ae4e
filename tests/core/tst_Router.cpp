#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Router.h"
#include <QtTest>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

using namespace fovea;

namespace {

constexpr int kHeads = 4;
constexpr int kKvHeads = 2;
constexpr std::size_t kDim = 16; // scale 1/4: exact

/// What Restated knows; the other signals are tested in tst_Mechanisms.
std::vector<SignalSpec> restatedSignals() {
    std::vector<SignalSpec> known;
    for (const std::string_view name : {"group_dot", "head_dot", "key_norm", "value_norm", "surprisal", "received",
                                        "query_peak", "random", "oracle"})
        known.push_back(*findSignal(name));
    return known;
}

ModelShape testShape() {
    ModelShape shape;
    shape.family = "llama";
    shape.layers = 4;
    shape.heads = kHeads;
    shape.kvHeads = kKvHeads;
    shape.headDim = static_cast<int>(kDim);
    return shape;
}

/// One layer's activations from a seed; `whole`: small whole numbers, so that float sums are exact and ties
/// are common.
struct Layer {
    Matrix q, k, v;
    TokenFacts facts;

    Layer(std::size_t tokens, std::uint64_t seed, bool whole)
        : q(tokens, kHeads * kDim), k(tokens, kKvHeads * kDim), v(tokens, kKvHeads * kDim) {
        std::uint64_t state = seed;
        const auto number = [&] {
            state = splitMix64(state);
            return whole ? static_cast<float>(static_cast<int>(state >> 33) % 3) : 4 * unitFloat(state) - 2;
        };
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t n = 0; n < m->rows() * m->cols(); ++n)
                m->view().data[n] = number();
        facts.tokens = tokens;
        for (std::size_t j = 0; j < tokens; ++j) {
            facts.special.push_back(j % 17 == 3);
            facts.punctuation.push_back(j % 7 == 5);
            facts.surprisal.push_back(j == 0 ? std::numeric_limits<float>::quiet_NaN() : std::fabs(number()));
        }
    }
    [[nodiscard]] RouteInput input(int layer = 1) const {
        RouteInput in;
        in.layer = layer;
        in.q = q.view();
        in.k = k.view();
        in.v = v.view();
        in.facts = &facts;
        return in;
    }
};

/// The router restated from mechanisms.md, one (query, key) at a time, on sets and doubles.
class Restated {
public:
    Restated(const AttentionPolicy& policy, const Layer& layer, int layerIndex)
        : m_policy(policy), m_layer(layer), m_index(layerIndex), m_tokens(layer.facts.tokens) {}
    [[nodiscard]] std::size_t units() const {
        const std::string& s = m_policy.routed.signal;
        return s == "surprisal"                                           ? 1
               : s == "group_dot" || s == "key_norm" || s == "value_norm" ? kKvHeads
                                                                          : kHeads;
    }
    [[nodiscard]] bool local(std::size_t i, std::size_t j) const {
        const LocalPart& p = m_policy.local;
        const auto gap = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(j);
        if (gap < 0)
            return false;
        if (gap % p.dilation == 0 && gap / p.dilation < p.window)
            return true;
        if (p.chunk == 0)
            return false;
        const auto chunks = static_cast<std::int64_t>(i) / p.chunk - static_cast<std::int64_t>(j) / p.chunk;
        return chunks == 0 || (chunks == 1 && p.chunkPrevious == 1);
    }
    [[nodiscard]] bool alwaysKey(std::size_t j) const {
        bool yes = static_cast<std::int64_t>(j) < m_policy.always.sinks;
        for (const PinnedRange& r : m_policy.always.pinned)
            yes = yes || (r.role != Role::Queries && static_cast<std::int64_t>(j) >= r.first &&
                          static_cast<std::int64_t>(j) <= r.last);
        return yes || (m_policy.always.special && m_layer.facts.special[j] != 0) ||
               (m_policy.always.punctuation && m_layer.facts.punctuation[j] != 0);
    }
    [[nodiscard]] bool pinnedQuery(std::size_t i) const {
        bool yes = false;
        for (const PinnedRange& r : m_policy.always.pinned)
            yes = yes || (r.role != Role::Keys && static_cast<std::int64_t>(i) >= r.first &&
                          static_cast<std::int64_t>(i) <= r.last);
        return yes;
    }
    /// Higher first, ties to the later, NaN last.
    static bool better(double a, std::size_t ja, double b, std::size_t jb) {
        const bool na = std::isnan(a), nb = std::isnan(b);
        if (na != nb)
            return nb;
        if (na || a == b)
            return ja > jb;
        return a > b;
    }
    struct Rounded {
        std::vector<int> numbers;
        float step = 0;
    };
    [[nodiscard]] Rounded rounded(const std::vector<float>& x) const {
        Rounded r;
        float peak = 0, mean = 0;
        for (const float number : x) {
            if (!std::isfinite(number))
                return {std::vector<int>(x.size(), 0), std::numeric_limits<float>::quiet_NaN()};
            peak = std::max(peak, std::fabs(number));
            mean += std::fabs(number);
        }
        const int levels = (1 << (m_policy.routed.bits - 1)) - 1;
        r.step = levels == 0 ? mean / static_cast<float>(x.size()) : peak / static_cast<float>(levels);
        for (const float number : x)
            r.numbers.push_back(levels == 0      ? (number < 0 ? -1 : 1)
                                : r.step == 0.0F ? 0
                                                 : static_cast<int>(std::nearbyint(number / r.step)));
        return r;
    }
    [[nodiscard]] double dot(std::size_t head, std::size_t i, std::size_t j) const {
        double sum = 0;
        for (std::size_t d = 0; d < kDim; ++d)
            sum += static_cast<double>(m_layer.q.view()(i, head * kDim + d)) *
                   static_cast<double>(m_layer.k.view()(j, head / 2 * kDim + d));
        return sum / 4;
    }
    [[nodiscard]] double norm(const Matrix& m, std::size_t group, std::size_t j) const {
        double sum = 0;
        for (std::size_t d = 0; d < kDim; ++d)
            sum += std::pow(static_cast<double>(m.view()(j, group * kDim + d)), 2);
        return static_cast<double>(static_cast<float>(std::sqrt(sum)));
    }
    [[nodiscard]] double probability(std::size_t head, std::size_t i, std::size_t j) const {
        if (j > i)
            return 0;
        double sum = 0;
        for (std::size_t n = 0; n <= i; ++n)
            sum += std::exp(dot(head, i, n) - dot(head, i, j));
        return 1 / sum;
    }
    struct Value {
        double rank = 0;  ///< what is compared
        double score = 0; ///< what is recorded
        double logit = 0; ///< estimate, for mass
    };
    /// The score of key j for query i.
    [[nodiscard]] Value value(std::size_t unit, std::size_t i, std::size_t j) const {
        const std::string& s = m_policy.routed.signal;
        Value value;
        if (s == "group_dot" || s == "head_dot") {
            const std::size_t firstHead = s == "group_dot" ? 2 * unit : unit;
            const std::size_t heads = s == "group_dot" ? 2 : 1;
            std::vector<float> q(kDim), k(kDim);
            for (std::size_t d = 0; d < kDim; ++d) {
                for (std::size_t h = firstHead; h < firstHead + heads; ++h)
                    q[d] += m_layer.q.view()(i, h * kDim + d);
                k[d] = m_layer.k.view()(j, firstHead / 2 * kDim + d);
            }
            const Rounded rq = rounded(q), rk = rounded(k);
            int sum = 0;
            for (std::size_t d = 0; d < kDim; ++d)
                sum += rq.numbers[d] * rk.numbers[d];
            value.rank = static_cast<double>(static_cast<float>(sum) * rk.step);
            value.score = value.rank * static_cast<double>(rq.step);
            value.logit = value.score / 4 / static_cast<double>(heads);
        } else if (s == "random") {
            value.rank = value.score = static_cast<double>(
                unitFloat(splitMix64(m_policy.routed.seed, static_cast<std::uint64_t>(m_index), unit,
                                     std::uint64_t{i}, std::uint64_t{j})));
        } else if (s == "oracle") {
            value.rank = j > i ? -std::numeric_limits<double>::infinity() : dot(unit, i, j);
            value.score = probability(unit, i, j);
            value.logit = value.rank;
        } else
            value.rank = value.score = tokenScore(unit, j);
        return value;
    }
    [[nodiscard]] double tokenScore(std::size_t unit, std::size_t j) const {
        const std::string& s = m_policy.routed.signal;
        if (s == "key_norm")
            return -norm(m_layer.k, unit, j);
        if (s == "value_norm")
            return norm(m_layer.v, unit, j);
        if (s == "surprisal")
            return static_cast<double>(m_layer.facts.surprisal[j]);
        if (s == "random")
            return static_cast<double>(
                unitFloat(splitMix64(m_policy.routed.seed, static_cast<std::uint64_t>(m_index), unit,
                                     ~std::uint64_t{0}, std::uint64_t{j})));
        double sum = 0; // mass by the signal's own estimate
        for (std::size_t i = j; i < m_tokens; ++i) {
            if (s == "received" || s == "oracle") {
                sum += probability(unit, i, j);
                continue;
            }
            double all = 0;
            for (std::size_t n = 0; n <= i; ++n)
                all += std::exp(value(unit, i, n).logit - value(unit, i, j).logit);
            sum += 1 / all;
        }
        return sum;
    }
    [[nodiscard]] double queryScore(std::size_t unit, std::size_t i) const {
        if (m_policy.routed.signal == "surprisal")
            return static_cast<double>(m_layer.facts.surprisal[i]);
        if (m_policy.routed.signal == "random")
            return static_cast<double>(
                unitFloat(splitMix64(m_policy.routed.seed, static_cast<std::uint64_t>(m_index), unit,
                                     std::uint64_t{i}, ~std::uint64_t{0})));
        double peak = -1e300, sum = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            peak = std::max(peak, dot(unit, i, j));
            sum += dot(unit, i, j);
        }
        return peak - sum / static_cast<double>(i + 1);
    }
    static std::size_t allowedOf(BudgetKind kind, double budget, std::size_t candidates) {
        return kind == BudgetKind::Fraction
                   ? static_cast<std::size_t>(std::ceil(budget * static_cast<double>(candidates)))
                   : static_cast<std::size_t>(budget);
    }

    struct Chosen {
        std::size_t key;
        std::size_t rank;
        double score;
    };
    /// routed(i) of choice query, ascending by key.
    [[nodiscard]] std::vector<Chosen> queryChoice(std::size_t unit, std::size_t i) const {
        std::vector<Chosen> chosen;
        if (pinnedQuery(i))
            return chosen;
        const std::size_t end = m_policy.routed.scope == Scope::Prefix ? i + 1 : m_tokens;
        std::vector<std::pair<Value, std::size_t>> ranked;
        for (std::size_t j = 0; j < end; ++j)
            if (!local(i, j) && !alwaysKey(j))
                ranked.emplace_back(value(unit, i, j), j);
        std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
            return better(a.first.rank, a.second, b.first.rank, b.second);
        });
        const RoutedPart& r = m_policy.routed;
        std::size_t count = ranked.size();
        if (r.budgetKind == BudgetKind::Threshold) {
            std::erase_if(ranked, [&](const auto& entry) {
                return r.budget > -1e30 && !(entry.first.score >= r.budget);
            });
            count = ranked.size();
        } else if (r.budgetKind == BudgetKind::TopP) {
            double total = 0, have = 0;
            const auto mass = [&](std::size_t j) {
                return r.signal == "received" ? tokenScore(unit, j) : std::exp(value(unit, i, j).logit);
            };
            for (std::size_t j = 0; j <= i; ++j) {
                total += mass(j);
                if (local(i, j) || alwaysKey(j))
                    have += mass(j);
            }
            for (count = 0; count < ranked.size() && (r.budget >= 1 || have < r.budget * total); ++count)
                have += mass(ranked[count].second);
        } else
            count = std::min(count, allowedOf(r.budgetKind, r.budget, ranked.size()));
        for (std::size_t n = 0; n < count; ++n)
            if (ranked[n].second <= i)
                chosen.push_back({ranked[n].second, n + 1, ranked[n].first.score});
        std::sort(chosen.begin(), chosen.end(),
                  [](const Chosen& a, const Chosen& b) { return a.key < b.key; });
        return chosen;
    }
    /// Tokens chosen for the text: decided on arrival, or all at once.
    [[nodiscard]] std::vector<bool> textChoice(const std::vector<double>& scores,
                                               const std::vector<bool>& eligible, BudgetKind kind,
                                               double budget) const {
        std::vector<bool> chosen(scores.size());
        for (std::size_t t = 0; t < scores.size(); ++t) {
            if (!eligible[t])
                continue;
            const std::size_t end = m_policy.routed.scope == Scope::Prefix ? t + 1 : scores.size();
            std::size_t candidates = 0, above = 0;
            for (std::size_t n = 0; n < end; ++n) {
                if (!eligible[n])
                    continue;
                ++candidates;
                above += better(scores[n], n, scores[t], t) ? 1 : 0;
            }
            chosen[t] = kind == BudgetKind::Threshold ? budget <= -1e30 || scores[t] >= budget
                                                      : above < allowedOf(kind, budget, candidates);
        }
        return chosen;
    }
    [[nodiscard]] std::vector<bool> textKeys(std::size_t unit) const {
        std::vector<double> scores;
        std::vector<bool> eligible;
        for (std::size_t j = 0; j < m_tokens; ++j) {
            scores.push_back(tokenScore(unit, j));
            eligible.push_back(!alwaysKey(j));
        }
        return textChoice(scores, eligible, m_policy.routed.budgetKind, m_policy.routed.budget);
    }
    [[nodiscard]] std::vector<bool> queryRole(std::size_t unit) const {
        std::vector<double> scores;
        std::vector<bool> eligible;
        for (std::size_t i = 0; i < m_tokens; ++i) {
            scores.push_back(queryScore(unit, i));
            eligible.push_back(!pinnedQuery(i));
        }
        return textChoice(scores, eligible, m_policy.routed.effectiveQueryKind(),
                          m_policy.routed.effectiveQueryBudget());
    }

private:
    const AttentionPolicy& m_policy;
    const Layer& m_layer;
    int m_index;
    std::size_t m_tokens;
};

AttentionPolicy basePolicy(int variant) {
    AttentionPolicy p;
    p.local.window = 5;
    p.always.sinks = 2;
    switch (variant) {
    case 1:
        p.local.window = 0;
        p.always.sinks = 0;
        break;
    case 2:
        p.local.window = 4;
        p.local.dilation = 3;
        p.always.punctuation = true;
        break;
    case 3:
        p.local.window = 2;
        p.local.chunk = 9;
        p.local.chunkPrevious = 1;
        p.always.special = true;
        p.always.pinned = {{8, 11, Role::Keys}, {20, 20, Role::Queries}, {26, 27, Role::Both}};
        break;
    default:
        break;
    }
    return p;
}

LayerRouting routed(const AttentionPolicy& policy, const Layer& layer, RowRange rows, int threads = 1,
                    int onlyHead = -1) {
    WorkContext work;
    work.threads = threads;
    auto result = route(policy, testShape(), layer.input(), rows, onlyHead, work);
    if (!result)
        qFatal("%s", result.error().message.c_str());
    return std::move(*result);
}

template <class T>
bool sameBits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

bool same(const RoutedChoices& a, const RoutedChoices& b) {
    return a.rows == b.rows && a.rowBegin == b.rowBegin && a.keys == b.keys && sameBits(a.scores, b.scores) &&
           a.ranks == b.ranks && sameBits(a.threshold, b.threshold) && a.budget == b.budget &&
           a.queryRole == b.queryRole && sameBits(a.queryScore, b.queryScore) && a.nanScores == b.nanScores;
}

bool close(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-5 * std::max(1.0, std::fabs(b));
}

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
    void fullBudget_readsEverything_data();
    void fullBudget_readsEverything();
    void futureToken_movesNothing_data();
    void futureToken_movesNothing();
    void threads_changeNoBit_data();
    void threads_changeNoBit();
    void rowRange_isASliceOfTheWhole_data();
    void rowRange_isASliceOfTheWhole();
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
                    const Restated restated(p, layer, 1);
                    QCOMPARE(routing.units.size(), restated.units());
                    QCOMPARE(routing.unitOfHead.size(), std::size_t{kHeads});
                    for (std::size_t unit = 0; unit < restated.units(); ++unit) {
                        const RoutedChoices& choices = *routing.units[unit];
                        const std::vector<bool> text =
                            choice == Choice::Sequence ? restated.textKeys(unit) : std::vector<bool>();
                        for (std::size_t i = 0; i < 29; ++i) {
                            const auto row = choices.row(i);
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
                                const std::size_t at = choices.rowBegin[i] + n;
                                QCOMPARE(std::size_t{row[n]}, expected[n].key);
                                QCOMPARE(std::size_t{choices.ranks[at]}, expected[n].rank);
                                QVERIFY(close(static_cast<double>(choices.scores[at]), expected[n].score));
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
                        const RoutedChoices& choices = *routing.units[unit];
                        const std::vector<bool> expected = restated.queryRole(unit);
                        QCOMPARE(choices.queryRole.size(), std::size_t{67});
                        for (std::size_t i = 0; i < 67; ++i)
                            QCOMPARE(choices.queryRole[i] != 0, bool(expected[i]));
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
                const auto row = routing.units[unit]->row(i);
                QCOMPARE(row.size(), expected.size());
                for (std::size_t n = 0; n < row.size(); ++n) {
                    QCOMPARE(std::size_t{row[n]}, expected[n].key);
                    QVERIFY(close(static_cast<double>(
                                      routing.units[unit]->scores[routing.units[unit]->rowBegin[i] + n]),
                                  expected[n].score));
                }
            }
    }
}

void tst_Router::fullBudget_readsEverything_data() {
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

void tst_Router::fullBudget_readsEverything() {
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

void tst_Router::futureToken_movesNothing_data() {
    QTest::addColumn<QString>("signal");
    for (const SignalSpec& signal : restatedSignals())
        QTest::addRow("%s", std::string(signal.name).c_str())
            << QString::fromUtf8(signal.name.data(), static_cast<qsizetype>(signal.name.size()));
}

void tst_Router::futureToken_movesNothing() {
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
                    const RoutedChoices& x = *a.units[unit];
                    const RoutedChoices& y = *b.units[unit];
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

void tst_Router::threads_changeNoBit_data() {
    futureToken_movesNothing_data();
}

void tst_Router::threads_changeNoBit() {
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
                    QVERIFY(same(*one.units[unit], *many.units[unit]));
            }
        }
}

void tst_Router::rowRange_isASliceOfTheWhole_data() {
    futureToken_movesNothing_data();
}

void tst_Router::rowRange_isASliceOfTheWhole() {
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
                    const RoutedChoices& x = *whole.units[unit];
                    const RoutedChoices& y = *part.units[unit];
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

void tst_Router::nanScores_rankLastAndAreCounted() {
    Layer layer(90, 51, false);
    layer.k.view()(30, 0) = std::numeric_limits<float>::quiet_NaN(); // key-value head 0 only
    layer.k.view()(31, 1) = std::numeric_limits<float>::infinity();
    for (const char* signal : {"key_norm", "group_dot", "oracle"}) {
        AttentionPolicy p = basePolicy(1);
        p.routed.signal = signal;
        p.routed.budget = 5;
        const LayerRouting routing = routed(p, layer, {0, 90});
        QVERIFY(routing.units[0]->nanScores > 0);
        QCOMPARE(routing.units.back()->nanScores, std::uint64_t{0});
        for (std::size_t i = 45; i < 90; ++i)
            for (const std::uint32_t key : routing.units[0]->row(i))
                QVERIFY(key != 30);
        for (std::size_t i = 33; i < 90; ++i) {
            const auto row = routing.units[0]->row(i);
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
        QVERIFY(one.unitOfHead == all.unitOfHead);
        for (std::size_t unit = 0; unit < all.units.size(); ++unit) {
            QCOMPARE(one.units[unit] != nullptr, unit == all.unitOfHead[3]);
            if (one.units[unit])
                QVERIFY(same(*one.units[unit], *all.units[unit]));
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
    QVERIFY(routing.units[0]->keys.empty());
    p.mix.fullLayers.clear();
    p.local.window = 40; // full attention of this text
    QVERIFY(routed(p, layer, {0, 40}).units[0]->keys.empty());
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
