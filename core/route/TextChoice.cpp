#include "core/route/TextChoice.h"
#include "core/base/Check.h"
#include "core/route/Selection.h"
#include <cmath>

namespace fovea {

namespace {

/// How many of the numbers 0..n-1 seen so far are below a number, and which is the k-th (Fenwick, 1994).
class Counts {
public:
    explicit Counts(std::size_t n) : m_tree(n + 1, 0) {}
    void add(std::size_t place) {
        for (std::size_t at = place + 1; at < m_tree.size(); at += at & (~at + 1))
            ++m_tree[at];
    }
    [[nodiscard]] std::size_t below(std::size_t place) const {
        std::size_t sum = 0;
        for (std::size_t at = place; at > 0; at -= at & (~at + 1))
            sum += m_tree[at];
        return sum;
    }
    /// The place of the k-th smallest, k from 1.
    [[nodiscard]] std::size_t kth(std::size_t k) const {
        std::size_t at = 0;
        for (std::size_t step = std::bit_floor(m_tree.size()); step != 0; step >>= 1)
            if (at + step < m_tree.size() && m_tree[at + step] < k) {
                at += step;
                k -= m_tree[at];
            }
        return at;
    }

private:
    std::vector<std::size_t> m_tree;
};

} // namespace

std::size_t allowed(BudgetKind kind, double budget, std::size_t candidates) {
    if (kind == BudgetKind::Fraction)
        return static_cast<std::size_t>(std::ceil(budget * static_cast<double>(candidates)));
    if (kind == BudgetKind::Count)
        return static_cast<std::size_t>(budget);
    return candidates;
}

TextChoice chooseTokens(const std::vector<float>& scores, const std::vector<std::uint8_t>& eligible,
                        BudgetKind kind, double budget, Scope scope) {
    FOVEA_ASSERT(kind != BudgetKind::TopP && scores.size() == eligible.size());
    const std::size_t n = scores.size();
    TextChoice choice;
    choice.chosen.assign(n, 0);
    choice.rank.assign(n, 0);
    choice.budget.assign(n, 0);
    choice.bar.assign(n, std::numeric_limits<float>::quiet_NaN());

    std::vector<Ranked> order;
    for (std::size_t j = 0; j < n; ++j)
        if (eligible[j] != 0) {
            order.push_back(rankedOf(scores[j], static_cast<std::uint32_t>(j)));
            choice.nanScores += scores[j] != scores[j] ? 1U : 0U;
        }
    std::sort(order.begin(), order.end(), std::greater<>());
    std::vector<std::uint32_t> place(n, 0); // 0: best of the whole text
    for (std::size_t p = 0; p < order.size(); ++p)
        place[tokenOf(order[p])] = static_cast<std::uint32_t>(p);

    const auto tau = static_cast<float>(budget);
    const auto passes = [&](std::size_t j) { return budget <= kNoBar || scores[j] >= tau; };
    Counts seen(order.size());
    std::size_t candidates = scope == Scope::Sequence ? order.size() : 0;
    for (std::size_t j = 0; j < n; ++j) {
        std::size_t before = place[j];
        if (scope == Scope::Prefix && eligible[j] != 0) {
            ++candidates;
            before = seen.below(place[j]);
            seen.add(place[j]);
        }
        const std::size_t k = allowed(kind, budget, candidates);
        choice.budget[j] = static_cast<std::uint32_t>(std::min<std::size_t>(k, kAll));
        if (kind == BudgetKind::Threshold)
            choice.bar[j] = tau;
        else if (k > 0 && candidates > 0) {
            const std::size_t last = std::min(k, candidates);
            choice.bar[j] = scoreOf(order[scope == Scope::Sequence ? last - 1 : seen.kth(last)]);
        }
        if (eligible[j] == 0)
            continue;
        choice.rank[j] = static_cast<std::uint32_t>(before + 1);
        choice.chosen[j] = (kind == BudgetKind::Threshold ? passes(j) : before < k) ? 1 : 0;
    }
    return choice;
}

} // namespace fovea
