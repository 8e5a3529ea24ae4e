#include "core/measure/RoutingLaneData.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

/// What another signal would choose as keys: the controls rank no queries.
AttentionPolicy withSignal(AttentionPolicy policy, const char* signal) {
    policy.routed.role = Role::Keys;
    policy.routed.signal = signal;
    return policy;
}

std::size_t overlap(std::span<const std::uint32_t> chosen, std::span<const std::uint32_t> reference) {
    std::size_t hits = 0;
    for (const std::uint32_t key : chosen)
        hits += std::binary_search(reference.begin(), reference.end(), key) ? 1U : 0U;
    return hits;
}

std::vector<std::size_t> sampledQueries(const RoutingLaneInput& input) {
    if (input.query)
        return {*input.query};
    std::vector<std::size_t> rows;
    const std::size_t tokens = input.route.facts->tokens, count = std::min(tokens, kLaneRows);
    for (std::size_t n = 0; n < count; ++n)
        rows.push_back((n + 1) * tokens / count - 1);
    return rows;
}

/// Means and hit rates over the sampled queries.
class Sampler {
public:
    Sampler(const RoutingLaneInput& input, const RoutedChoices& choices, RoutingLaneData& lanes)
        : m_input(input), m_choices(choices), m_lanes(lanes), m_oracle(withSignal(*input.policy, "oracle")),
          m_random(withSignal(*input.policy, "random")), m_sum(lanes.tokens, 0), m_seen(lanes.tokens, 0) {}

    void addScores(std::size_t row, const WorkContext& work) {
        const auto scores =
            signalScores(*m_input.policy, *m_input.shape, m_input.route, m_input.head, row, work);
        for (std::size_t j = 0; scores && j < scores->size(); ++j)
            if (std::isfinite((*scores)[j])) {
                m_sum[j] += static_cast<double>((*scores)[j]);
                ++m_seen[j];
            }
    }
    [[nodiscard]] Result<> addHits(std::size_t row, const WorkContext& work) {
        const std::vector<std::uint32_t> router = m_choices.row(row);
        const Result<LayerRouting> oracle = chooseBy(m_oracle, row, work);
        const Result<LayerRouting> random = chooseBy(m_random, row, work);
        for (const Result<LayerRouting>* made : {&oracle, &random})
            if (!*made) { // a policy that only its own signal fits has no hit rates
                if (made->error().code == ErrorCode::Cancelled)
                    return tl::make_unexpected(made->error());
                return {};
            }
        if (oracle->choicesOf(m_input.head) == nullptr || random->choicesOf(m_input.head) == nullptr)
            return {};
        const auto best = oracle->choicesOf(m_input.head)->row(row);
        const auto drawn = random->choicesOf(m_input.head)->row(row);
        m_chosen += router.size();
        m_drawn += drawn.size();
        m_oracleHits += overlap(router, best);
        m_randomHits += overlap(drawn, best);
        if (m_input.query) {
            for (const std::uint32_t key : best)
                m_lanes.oracle[key] = 1;
            for (const std::uint32_t key : router)
                m_lanes.routed[key] = 1;
            m_lanes.threshold = m_choices.threshold[row - m_choices.rows.first];
        }
        return {};
    }
    void finish() {
        for (std::size_t j = 0; j < m_lanes.tokens; ++j)
            if (m_seen[j] > 0)
                m_lanes.score[j] = static_cast<float>(m_sum[j] / m_seen[j]);
        m_lanes.sampledChoices = m_chosen;
        const auto share = [](std::size_t part, std::size_t of) {
            return of > 0 ? static_cast<double>(part) / static_cast<double>(of) : 0;
        };
        m_lanes.oracleHits = share(m_oracleHits, m_chosen);
        m_lanes.randomHits = share(m_randomHits, m_drawn);
    }

private:
    [[nodiscard]] Result<LayerRouting> chooseBy(const AttentionPolicy& policy, std::size_t row,
                                                const WorkContext& work) const {
        return route(policy, *m_input.shape, m_input.route, {row, row + 1}, m_input.head, work);
    }

    const RoutingLaneInput& m_input;
    const RoutedChoices& m_choices;
    RoutingLaneData& m_lanes;
    AttentionPolicy m_oracle, m_random;
    std::vector<double> m_sum;
    std::vector<std::uint32_t> m_seen;
    std::size_t m_chosen = 0, m_drawn = 0, m_oracleHits = 0, m_randomHits = 0;
};

void addHeadsPerCell(RoutingLaneData& lanes, const RoutingRecord& record, int headsPerKv) {
    lanes.headsPerCell.assign(lanes.tokens * static_cast<std::size_t>(lanes.layers), 0);
    for (const RoutingRow& row : record.rows)
        if (row.role == Role::Keys && row.token < lanes.tokens) {
            std::uint16_t& cell =
                lanes.headsPerCell[static_cast<std::size_t>(row.layer) * lanes.tokens + row.token];
            cell = static_cast<std::uint16_t>(cell + (row.headGroup >= 0 ? headsPerKv : 1));
        }
}

} // namespace

Result<RoutingLaneData> routingLanes(const RoutingLaneInput& input, const WorkContext& work) {
    RoutingLaneData lanes;
    const AttentionPolicy& policy = *input.policy;
    const std::size_t tokens = input.route.facts->tokens;
    lanes.layer = input.route.layer;
    lanes.head = input.head;
    lanes.layers = input.shape->layers;
    lanes.heads = input.shape->heads;
    lanes.query = input.query;
    lanes.threshold = std::numeric_limits<float>::quiet_NaN();
    const bool everything =
        keptAsModel(policy, *input.shape, lanes.layer) ||
        (input.shape->causal && policy.local.window >= static_cast<std::int64_t>(tokens) &&
         policy.local.dilation == 1);
    lanes.empty = everything ? RoutingLaneData::Empty::FullHead
                  : !policy.routed.chooses() || !input.shape->causal // no router runs in an encoder
                      ? RoutingLaneData::Empty::NotRouted
                      : RoutingLaneData::Empty::No;
    if (lanes.empty != RoutingLaneData::Empty::No)
        return lanes;
    lanes.signal = policy.routed.signal;

    LayerRouting made;
    const RoutedChoices* choices = input.choices;
    if (choices == nullptr || choices->rows != RowRange{0, tokens}) {
        Result<LayerRouting> all = route(policy, *input.shape, input.route, {0, tokens}, input.head, work);
        FOVEA_TRY(all);
        made = std::move(*all);
        choices = made.choicesOf(input.head);
    }
    if (choices == nullptr) { // nothing to choose in this text
        lanes.empty = RoutingLaneData::Empty::NotRouted;
        return lanes;
    }
    lanes.tokens = tokens;
    lanes.score.assign(tokens, std::numeric_limits<float>::quiet_NaN());
    lanes.keyUses.assign(tokens, 0);
    lanes.routed.assign(tokens, 0);
    lanes.oracle.assign(tokens, 0);
    for (const ChosenRun& run : choices->runs)
        run.forEachKey([&lanes](std::uint32_t key) { ++lanes.keyUses[key]; });
    lanes.queryRole = choices->queryRole;

    // A signal that follows the rows under way is made from the first row on each time; its last row sums
    // them all up.
    const std::vector<std::size_t> rows = sampledQueries(input);
    const SignalSpec* signal = findSignal(policy.routed.signal);
    const bool lastOnly = signal != nullptr && signal->sees == Sees::Running;
    lanes.sampledQueries = rows.size();
    lanes.scoredQueries = lastOnly ? 1 : rows.size();
    Sampler sampler(input, *choices, lanes);
    for (const std::size_t row : rows) {
        FOVEA_TRY(work.checkpoint());
        if (!lastOnly || row == rows.back())
            sampler.addScores(row, work);
        if (policy.routed.ranksKeys()) // else there are no keys to compare with the oracle's
            FOVEA_TRY(sampler.addHits(row, work));
    }
    sampler.finish();
    if (input.record != nullptr)
        addHeadsPerCell(lanes, *input.record, input.shape->headsPerKv());
    return lanes;
}

} // namespace fovea
