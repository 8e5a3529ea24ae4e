#pragma once
#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Router.h"
#include <QtTest>
#include <cmath>
#include <cstring>
#include <limits>

// A small layer, and a slow and simple reference for the router.
namespace fovea::test {

constexpr int kHeads = 4;
constexpr int kKvHeads = 2;
constexpr std::size_t kDim = 16; // scale 1/4: exact

/// What Restated knows; the other signals are tested in tst_Mechanisms.
inline std::vector<SignalSpec> restatedSignals() {
    std::vector<SignalSpec> known;
    for (const std::string_view name : {"group_dot", "head_dot", "key_norm", "value_norm", "surprisal",
                                        "received", "query_peak", "random", "oracle"})
        known.push_back(*findSignal(name));
    return known;
}

inline ModelShape testShape() {
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

/// The router written down a second time, one (query, key) at a time, with sets and doubles. Shares no code
/// with core/route.
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

inline AttentionPolicy basePolicy(int variant) {
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

inline LayerRouting routed(const AttentionPolicy& policy, const Layer& layer, RowRange rows, int threads = 1,
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

inline bool same(const RoutedChoices& a, const RoutedChoices& b) {
    return a.rows == b.rows && a.rowBegin == b.rowBegin && sameBits(a.runs, b.runs) &&
           sameBits(a.threshold, b.threshold) && a.budget == b.budget && a.queryRole == b.queryRole &&
           sameBits(a.queryScore, b.queryScore) && a.nanScores == b.nanScores;
}

inline bool close(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-5 * std::max(1.0, std::fabs(b));
}

} // namespace fovea::test
