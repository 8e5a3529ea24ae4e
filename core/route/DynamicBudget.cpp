#include "core/route/DynamicBudget.h"
#include "core/route/SetChoice.h"
#include <algorithm>
#include <cmath>

namespace fovea {

std::vector<std::uint32_t> shareOut(std::uint64_t total, std::uint64_t cap,
                                    const std::vector<double>& weights) {
    const std::size_t n = weights.size();
    std::vector<double> weight(n), share(n, 0.0);
    for (std::size_t u = 0; u < n; ++u)
        weight[u] = weights[u] > 0 && std::isfinite(weights[u]) ? weights[u] : 0.0;
    std::vector<std::uint8_t> capped(n, 0);
    for (bool again = true; again;) {
        again = false;
        double sum = 0, left = static_cast<double>(total);
        std::size_t open = 0;
        for (std::size_t u = 0; u < n; ++u) {
            if (capped[u] != 0) {
                left -= static_cast<double>(cap);
                continue;
            }
            sum += weight[u];
            ++open;
        }
        for (std::size_t u = 0; u < n; ++u) {
            if (capped[u] != 0)
                continue;
            share[u] = sum > 0 ? left * weight[u] / sum : left / static_cast<double>(open);
            if (share[u] > static_cast<double>(cap)) {
                share[u] = static_cast<double>(cap);
                capped[u] = 1;
                again = true;
            }
        }
    }
    std::vector<std::uint32_t> keys(n);
    std::uint64_t given = 0;
    std::vector<std::size_t> order(n);
    for (std::size_t u = 0; u < n; ++u) {
        keys[u] = static_cast<std::uint32_t>(std::floor(share[u]));
        given += keys[u];
        order[u] = u;
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return share[a] - std::floor(share[a]) > share[b] - std::floor(share[b]);
    });
    while (given < total) { // a second round only where the cap is met
        const std::uint64_t before = given;
        for (const std::size_t u : order)
            if (given < total && keys[u] < cap) {
                ++keys[u];
                ++given;
            }
        if (given == before)
            break;
    }
    return keys;
}

DynamicBudget::DynamicBudget(const AttentionPolicy& policy, UnitKind kind, std::size_t units,
                             const SignalInput& in)
    : m_budget(policy.routed.budget), m_units(units) {
    if (policy.mix.dynamic == Dynamic::None || policy.routed.budgetKind != BudgetKind::Count ||
        m_budget >= static_cast<double>(in.rows.last))
        return;
    m_every = static_cast<std::size_t>(policy.mix.probeEvery);
    const auto heads = static_cast<std::size_t>(in.shape.heads);
    const SetInput layer{in, UnitKind::All, *in.candidates};
    std::vector<double> weights(units, 1.0);
    const auto append = [&] {
        const auto budget = static_cast<std::uint64_t>(m_budget);
        const std::vector<std::uint32_t> keys = shareOut(budget * units, 4 * budget, weights);
        m_keys.insert(m_keys.end(), keys.begin(), keys.end());
    };
    append();
    std::vector<std::vector<float>> packed; // of each key-value head
    for (std::size_t head = 0; head < heads; head += static_cast<std::size_t>(in.shape.headsPerKv()))
        packed.push_back(packedKeys(layer, head, in.rows.last));
    std::vector<float> row;
    for (std::size_t probe = m_every - 1; probe < in.rows.last; probe += m_every) {
        std::vector<double> sums(units, 0.0);
        std::vector<std::size_t> counts(units, 0);
        for (std::size_t head = 0; head < heads; ++head) {
            softmaxRow(layer, head, probe, probe + 1, packed[in.kvHeadOf(head)], row);
            m_macs += in.native().keys(probe) * in.headDim();
            double x = 0;
            for (std::size_t j = 0; j <= probe; ++j) {
                const auto p = static_cast<double>(row[j]);
                if (policy.mix.dynamic == Dynamic::Entropy)
                    x -= p > 0 ? p * std::log(p) : 0;
                else if (!in.candidates->local().contains(probe, j) &&
                         !in.candidates->always().reads(probe, j))
                    x += p;
            }
            const std::size_t unit = kind == UnitKind::Head    ? head
                                     : kind == UnitKind::Group ? in.kvHeadOf(head)
                                                               : 0;
            sums[unit] += x;
            ++counts[unit];
        }
        for (std::size_t unit = 0; unit < units; ++unit)
            if (counts[unit] > 0 && std::isfinite(sums[unit]))
                weights[unit] = 0.9 * weights[unit] + 0.1 * sums[unit] / static_cast<double>(counts[unit]);
        append();
    }
}

double DynamicBudget::at(std::size_t unit, std::size_t query) const {
    if (m_every == 0 || m_budget >= static_cast<double>(query + 1))
        return m_budget;
    return m_keys[query / m_every * m_units + unit];
}

std::size_t DynamicBudget::changesAfter(std::size_t query) const {
    if (m_every == 0)
        return ~std::size_t{0};
    const std::size_t next = (query / m_every + 1) * m_every;
    const auto covered = static_cast<std::size_t>(m_budget);
    return query < covered ? std::min(next, covered) : next;
}

} // namespace fovea
