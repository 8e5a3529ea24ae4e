#include "core/tune/LayerBudgets.h"
#include "core/base/OutOfMemory.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace fovea {

namespace {

/// A window and a number of routed keys.
struct Level {
    std::int64_t window = 0;
    double routed = 0;
    bool operator==(const Level&) const = default;
};

std::vector<Level> menuOf(const AttentionPolicy& uniform, std::size_t tokens) {
    std::set<std::int64_t> windows;
    std::set<double> counts{0};
    const bool routes = uniform.routed.chooses();
    for (const double factor : {0.25, 0.5, 1.0, 2.0, 4.0}) {
        const double window = std::round(factor * static_cast<double>(uniform.local.window));
        windows.insert(static_cast<std::int64_t>(std::clamp(window, 1.0, static_cast<double>(tokens))));
        if (routes)
            counts.insert(std::max(1.0, std::round(factor * uniform.routed.budget)));
    }
    std::vector<Level> menu;
    for (const std::int64_t window : windows)
        for (const double count : counts)
            menu.push_back({window, count});
    return menu;
}

HeadParts partsAt(const AttentionPolicy& uniform, const Level& level) {
    HeadParts parts = uniform;
    parts.local.window = level.window;
    if (level.routed > 0)
        parts.routed.budget = level.routed;
    else
        parts.routed = {};
    return parts;
}

std::string nameOf(const Level& level) {
    return "window " + std::to_string(level.window) +
           (level.routed > 0 ? ", routed " + std::to_string(std::llround(level.routed)) : "");
}

/// A set of heads with the cost and loss of each level.
struct Unit {
    BudgetShare share;
    std::vector<double> pairs, loss; ///< [menu]
    std::vector<std::size_t> hull;   ///< levels of the lower convex hull, cheapest first
    std::size_t at = 0;              ///< place in hull
    bool closed = false;
};

/// The lower convex hull of (pairs, loss) from its cheapest point to its least loss.
void makeHull(Unit& unit) {
    std::vector<std::size_t> order(unit.pairs.size());
    for (std::size_t n = 0; n < order.size(); ++n)
        order[n] = n;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return unit.pairs[a] != unit.pairs[b] ? unit.pairs[a] < unit.pairs[b] : unit.loss[a] < unit.loss[b];
    });
    const auto slope = [&](std::size_t a, std::size_t b) {
        return (unit.loss[a] - unit.loss[b]) / (unit.pairs[b] - unit.pairs[a]);
    };
    for (const std::size_t next : order) {
        if (!unit.hull.empty() && (unit.pairs[next] <= unit.pairs[unit.hull.back()] ||
                                   unit.loss[next] >= unit.loss[unit.hull.back()]))
            continue;
        while (unit.hull.size() > 1 &&
               slope(unit.hull.back(), next) >= slope(unit.hull[unit.hull.size() - 2], unit.hull.back()))
            unit.hull.pop_back();
        unit.hull.push_back(next);
    }
}

Result<> checkUniform(const AttentionPolicy& uniform) {
    const auto bad = [](const std::string& why) {
        return fail(ErrorCode::BadValue, "budgets: the policy " + why);
    };
    const MixPart& mix = uniform.mix;
    if (!uniform.headPolicies.empty() || !mix.layers.empty() || !mix.heads.empty() || mix.fullEvery > 0 ||
        !mix.fullLayers.empty() || mix.fullHeads > 0)
        return bad("treats layers or heads differently already; one with the same parts everywhere is "
                   "accepted.");
    if (uniform.local.window == kAll)
        return bad("has window all, which leaves nothing to share out; a smaller window is accepted.");
    if (uniform.routed.chooses() && (uniform.routed.budgetKind != BudgetKind::Count ||
                                     !uniform.routed.ranksKeys() || uniform.routed.ranksQueries()))
        return bad("routes by another budget than a number of keys; --route-count with role keys is "
                   "accepted.");
    if (uniform.mix.dynamic != Dynamic::None)
        return bad("moves budgets between heads by itself; --dynamic none is accepted.");
    return {};
}

/// Everything that the sharing works with.
class BudgetSharing {
public:
    BudgetSharing(const std::vector<BudgetText>& texts, const AttentionPolicy& uniform)
        : m_texts(texts), m_uniform(uniform), m_shape(texts.front().snapshot->model->shape) {}

    Result<LayerBudgets> run(const WorkContext& work) {
        std::size_t tokens = m_texts.front().snapshot->tokens->size();
        for (const BudgetText& text : m_texts)
            tokens = std::min(tokens, text.snapshot->tokens->size());
        m_menu = menuOf(m_uniform, tokens);
        const Level own{m_uniform.local.window, m_uniform.routed.chooses() ? m_uniform.routed.budget : 0};
        if (std::find(m_menu.begin(), m_menu.end(), own) == m_menu.end())
            m_menu.push_back(own);
        makeUnits();
        for (const BudgetText& text : m_texts)
            FOVEA_TRY(addText(text, work));
        LayerBudgets budgets;
        const auto at =
            static_cast<std::size_t>(std::find(m_menu.begin(), m_menu.end(), own) - m_menu.begin());
        for (Unit& unit : m_units) {
            budgets.uniformPairs += unit.pairs[at];
            budgets.uniformLoss += unit.loss[at];
            makeHull(unit);
        }
        spend(budgets.uniformPairs);
        write(budgets);
        return budgets;
    }

private:
    void makeUnits() {
        const SignalSpec* signal = findSignal(m_uniform.routed.signal);
        const bool together = (signal != nullptr && signal->unit == UnitKind::All) ||
                              m_uniform.routed.sharing == Sharing::Layer;
        const int group = together ? m_shape.heads : m_shape.headsPerKv();
        for (int layer = 0; layer < m_shape.layers; ++layer)
            for (int head = 0; head < m_shape.heads; head += group) {
                Unit& unit = m_units.emplace_back();
                unit.share.layer = layer;
                unit.share.firstHead = head;
                unit.share.lastHead = head + group;
                unit.pairs.assign(m_menu.size(), 0);
                unit.loss.assign(m_menu.size(), 0);
            }
    }

    /// Judges the uniform policy at every level; costs and losses are means over the texts.
    Result<> addText(const BudgetText& text, const WorkContext& work) {
        std::vector<AttentionPolicy> policies;
        for (const Level& level : m_menu) {
            AttentionPolicy policy = m_uniform;
            static_cast<HeadParts&>(policy) = partsAt(m_uniform, level);
            policies.push_back(std::move(policy));
        }
        const Result<std::vector<Judgement>> judged =
            judgePolicies(*text.snapshot, policies, text.sample, work);
        FOVEA_TRY(judged);
        const double share = 1 / static_cast<double>(m_texts.size());
        for (std::size_t n = 0; n < m_menu.size(); ++n) {
            for (Unit& unit : m_units) {
                const LayerJudgement& layer = (*judged)[n].layers[static_cast<std::size_t>(unit.share.layer)];
                double own = 0, all = 0, pairs = 0;
                for (int head = 0; head < m_shape.heads; ++head) {
                    const auto h = static_cast<std::size_t>(head);
                    all += layer.headError[h];
                    if (head < unit.share.firstHead || head >= unit.share.lastHead)
                        continue;
                    own += layer.headError[h];
                    pairs += layer.headPairs[h];
                }
                const double heads = unit.share.lastHead - unit.share.firstHead;
                pairs += layer.routerPairs * heads / m_shape.heads;
                unit.pairs[n] += share * pairs;
                const double loss =
                    text.layerWeight[static_cast<std::size_t>(unit.share.layer)] * layer.streamError;
                if (all > 0)
                    unit.loss[n] += share * loss * own / all;
            }
        }
        return {};
    }

    /// From the cheapest level of every unit, the step of greatest loss per pair that still fits, again and
    /// again.
    void spend(double budget) {
        double spent = 0;
        for (const Unit& unit : m_units)
            spent += unit.pairs[unit.hull.front()];
        while (true) {
            Unit* best = nullptr;
            double most = 0;
            for (Unit& unit : m_units) {
                if (unit.closed || unit.at + 1 >= unit.hull.size())
                    continue;
                const std::size_t from = unit.hull[unit.at], to = unit.hull[unit.at + 1];
                const double more = unit.pairs[to] - unit.pairs[from];
                if (spent + more > budget) {
                    unit.closed = true; // later steps of the unit need more still
                    continue;
                }
                const double gain = (unit.loss[from] - unit.loss[to]) / more;
                if (best == nullptr || gain > most) {
                    best = &unit;
                    most = gain;
                }
            }
            if (best == nullptr)
                return;
            spent += best->pairs[best->hull[best->at + 1]] - best->pairs[best->hull[best->at]];
            ++best->at;
        }
    }

    void write(LayerBudgets& budgets) {
        std::map<std::size_t, std::size_t> uses; // of levels
        for (const Unit& unit : m_units)
            ++uses[unit.hull[unit.at]];
        const std::size_t common =
            std::max_element(uses.begin(), uses.end(), [](const auto& a, const auto& b) {
                return a.second < b.second;
            })->first;
        AttentionPolicy& policy = budgets.policy;
        policy = m_uniform;
        static_cast<HeadParts&>(policy) = partsAt(m_uniform, m_menu[common]);
        for (const auto& [level, count] : uses)
            if (level != common)
                policy.headPolicies.push_back({nameOf(m_menu[level]), partsAt(m_uniform, m_menu[level])});
        policy.mix.heads.assign(static_cast<std::size_t>(m_shape.layers),
                                std::vector<std::string>(static_cast<std::size_t>(m_shape.heads)));
        for (Unit& unit : m_units) {
            const std::size_t level = unit.hull[unit.at];
            unit.share.window = m_menu[level].window;
            unit.share.routed = m_menu[level].routed;
            unit.share.pairs = unit.pairs[level];
            budgets.shares.push_back(unit.share);
            budgets.pairs += unit.pairs[level];
            budgets.loss += unit.loss[level];
            if (level == common)
                continue;
            std::vector<std::string>& names = policy.mix.heads[static_cast<std::size_t>(unit.share.layer)];
            for (int head = unit.share.firstHead; head < unit.share.lastHead; ++head)
                names[static_cast<std::size_t>(head)] = nameOf(m_menu[level]);
        }
        if (uses.size() == 1)
            policy.mix.heads.clear();
        policy.name = "budgets by layer and head of: " + m_uniform.summary();
    }

    const std::vector<BudgetText>& m_texts;
    const AttentionPolicy& m_uniform;
    const ModelShape& m_shape;
    std::vector<Level> m_menu;
    std::vector<Unit> m_units;
};

} // namespace

Result<std::vector<double>> measureLayerWeights(const Snapshot& withFullRun, std::size_t tokens,
                                                const MeasureRun& run, const WorkContext& work) {
    Snapshot text = withFullRun;
    if (tokens < text.tokens->size()) {
        Result<std::shared_ptr<const Snapshot>> prefix = prefixOf(withFullRun, tokens, work);
        FOVEA_TRY(prefix);
        text = **prefix;
    }
    const int layers = text.model->shape.layers;
    std::vector<AttentionPolicy> policies;
    for (int layer = 0; layer < layers; ++layer) {
        AttentionPolicy policy;
        policy.local.window = 16;
        policy.always.sinks = 4;
        for (int other = 0; other < layers; ++other)
            if (other != layer)
                policy.mix.fullLayers.push_back(other);
        policy.name = "layer " + std::to_string(layer) + " alone";
        policies.push_back(std::move(policy));
    }
    const Result<std::vector<Judgement>> judged =
        judgePolicies(text, policies, sampleRows(text.tokens->size()), work);
    FOVEA_TRY(judged);
    std::vector<double> weights;
    for (std::size_t l = 0; l < policies.size(); ++l) {
        work.report("runs of single layers", static_cast<double>(l), layers);
        FOVEA_TRY(work.checkpoint());
        const Result<Measurement> measured = run(text, policies[l]);
        FOVEA_TRY(measured);
        const double error = (*judged)[l].layers[l].streamError;
        weights.push_back(error > 0 ? measured->kl / error : 0);
    }
    return weights;
}

Result<LayerBudgets> shareBudget(const std::vector<BudgetText>& texts, const AttentionPolicy& uniform,
                                 const WorkContext& work) {
    FOVEA_ASSERT(!texts.empty());
    FOVEA_TRY(checkUniform(uniform));
    for (const BudgetText& text : texts)
        FOVEA_ASSERT(text.layerWeight.size() == static_cast<std::size_t>(text.snapshot->model->shape.layers));
    return orOutOfMemory("budgets: not enough memory.", [&]() -> Result<LayerBudgets> {
        Result<LayerBudgets> budgets = BudgetSharing(texts, uniform).run(work);
        FOVEA_TRY(budgets);
        Result<AttentionPolicy> legal = validated(std::move(budgets->policy));
        FOVEA_TRY(legal);
        budgets->policy = std::move(*legal);
        return budgets;
    });
}

} // namespace fovea
