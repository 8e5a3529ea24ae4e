#include "core/engine/FarField.h"
#include "core/base/Check.h"
#include "core/kernels/LinearState.h"
#include "core/kernels/RecurrentState.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace fovea {

struct FarState::Parts {
    std::map<std::size_t, BlockSums> sums;                           ///< by m
    std::vector<LinearState> linear;                                 ///< one for each kind of head
    std::vector<std::pair<std::uint64_t, RecurrentState>> recurrent; ///< by seed
    std::vector<double> valueSum; ///< [G*D] over the first valueRows values
    std::size_t valueRows = 0;
};

FarState::FarState() : m_parts(std::make_unique<Parts>()) {}
FarState::~FarState() = default;

FarWork& FarWork::operator+=(const FarWork& other) {
    entries += other.entries;
    macs += other.macs;
    stateBytes += other.stateBytes;
    undefinedRows += other.undefinedRows;
    return *this;
}

namespace {

/// Added to the denominator when only a linear state gives the output, as published. Not for random features:
/// they are scaled by an exponent that differs from row to row, so a constant has no fixed meaning.
double loneEpsilon(FeatureMap map) {
    return map == FeatureMap::Performer || map == FeatureMap::Trig ? 0 : 1e-6;
}

/// Whether a row reads other keys than its local band and the sinks, which a linear state must then subtract.
bool readsBelowItsBand(const HeadParts& parts) {
    return parts.routed.on() || parts.local.dilation > 1 || !parts.always.pinned.empty() ||
           parts.always.special || parts.always.punctuation;
}

/// Rows of a head plan that belong to no block.
std::vector<std::uint8_t> unplannedRows(const HeadPlan& plan, RowRange rows) {
    std::vector<std::uint8_t> out(rows.last - rows.first, 1);
    for (const QueryBlock& block : plan.blocks)
        for (std::uint64_t lanes = block.activeLanes; lanes != 0; lanes &= lanes - 1) {
            const auto lane = static_cast<std::size_t>(std::countr_zero(lanes));
            const std::size_t query = block.queryList < 0
                                          ? block.queryBegin + lane
                                          : plan.queryLists[static_cast<std::size_t>(block.queryList) + lane];
            out[query - rows.first] = 0;
        }
    return out;
}

/// One call's work on one layer.
class Epilogue {
public:
    Epilogue(const FarTask& task, const AttentionInput& in, AttentionOutput out, std::span<float> exactLse,
             const WorkContext& work)
        : m_task(task), m_in(in), m_out(out), m_exactLse(exactLse), m_work(work),
          m_heads(static_cast<std::size_t>(in.heads)), m_dim(static_cast<std::size_t>(in.headDim)) {
        if (task.state == nullptr)
            m_own.emplace();
        m_state = task.state != nullptr ? &task.state->parts() : &m_own->parts();
    }

    Result<FarWork> run() {
        emptyUnplannedRows();
        keepExact();
        FOVEA_TRY(addSummaries());
        FOVEA_TRY(addLinear());
        FOVEA_TRY(addRecurrent());
        for (std::size_t h = 0; h < m_heads; ++h)
            if (wants(h) && parts(h).always.sinkLogit)
                addSink(h, *parts(h).always.sinkLogit);
        fillSilentRows();
        return m_done;
    }

private:
    [[nodiscard]] bool wants(std::size_t head) const {
        return (m_task.head < 0 || static_cast<std::size_t>(m_task.head) == head) &&
               m_task.plan.heads[head]->rows.last > m_task.plan.heads[head]->rows.first;
    }
    [[nodiscard]] const HeadParts& parts(std::size_t head) const {
        return m_task.plan.partsOf(static_cast<int>(head));
    }
    [[nodiscard]] float& lse(std::size_t query, std::size_t head) {
        return m_out.lse[query * m_heads + head];
    }
    [[nodiscard]] float* o(std::size_t query, std::size_t head) { return m_out.o.row(query) + head * m_dim; }

    /// The kernel does not write rows outside the plan; they read nothing.
    void emptyUnplannedRows() {
        for (std::size_t h = 0; h < m_heads; ++h) {
            if (!wants(h))
                continue;
            const std::vector<std::uint8_t> none = unplannedRows(*m_task.plan.heads[h], m_task.rows);
            for (std::size_t query = m_task.rows.first; query < m_task.rows.last; ++query)
                if (none[query - m_task.rows.first] != 0) {
                    std::fill_n(o(query, h), m_dim, 0.0F);
                    lse(query, h) = kNoMass;
                }
        }
    }

    void keepExact() {
        if (m_exactLse.empty())
            return;
        for (std::size_t query = m_task.rows.first; query < m_task.rows.last; ++query)
            for (std::size_t h = 0; h < m_heads; ++h)
                if (wants(h))
                    m_exactLse[query * m_heads + h] = lse(query, h);
    }

    /// Equal heads are computed together: one entry per kind of summaries.
    Result<> addSummaries() {
        std::vector<SummaryOptions> kinds;
        for (std::size_t h = 0; h < m_heads; ++h)
            if (const std::optional<SummaryOptions> options = summariesOf(h);
                options && std::find(kinds.begin(), kinds.end(), *options) == kinds.end())
                kinds.push_back(*options);
        for (const SummaryOptions& kind : kinds) {
            std::vector<std::uint8_t> wanted(m_heads, 0);
            for (std::size_t h = 0; h < m_heads; ++h)
                wanted[h] = summariesOf(h) == kind ? 1 : 0;
            BlockSums& sums = m_state->sums.try_emplace(kind.m, kind.m, m_in.k.cols).first->second;
            if (sums.rows() >
                m_task.rows.last) // an earlier row than last time: complete blocks may be too new
                sums = BlockSums(kind.m, m_in.k.cols);
            sums.extend(m_in.k.rowRange(0, m_task.rows.last), m_in.v.rowRange(0, m_task.rows.last));
            Branch branch(m_task.rows.first, m_task.rows.last - m_task.rows.first, m_heads, m_dim);
            const Result<std::uint64_t> entries =
                attendSummaries(m_task.plan, m_in, sums, kind, wanted, m_task.isa, branch, m_work);
            FOVEA_TRY(entries);
            m_done.entries += *entries;
            for (std::size_t h = 0; h < m_heads; ++h)
                if (wanted[h] != 0)
                    combine(h, branch);
        }
        for (const auto& [m, sums] : m_state->sums) // kinds of the same m share them
            m_done.stateBytes += sums.stateBytes();
        return {};
    }

    [[nodiscard]] std::optional<SummaryOptions> summariesOf(std::size_t head) const {
        const FarPart& far = parts(head).far;
        if (far.far != Far::Summaries || !wants(head))
            return {};
        return SummaryOptions{static_cast<std::size_t>(far.m), far.logCount,
                              static_cast<std::size_t>(far.top)};
    }

    /// Combines a branch with its own log-sum-exp, as a union or gated.
    void combine(std::size_t head, const Branch& branch) {
        const CombinePart& part = parts(head).combine;
        for (std::size_t row = 0; row < branch.o.rows(); ++row) {
            const std::size_t query = branch.first + row;
            const float* far = branch.o.view().row(row) + head * m_dim;
            if (isSilent(query, head))
                continue;
            if (part.combine == Combine::Union)
                mergeRow(o(query, head), lse(query, head), far, branch.lse[row * m_heads + head], m_dim);
            else
                gate(query, head, far, part.gate);
        }
    }

    [[nodiscard]] std::optional<LinearOptions> linearOf(std::size_t head) const {
        const HeadParts& p = parts(head);
        if (p.far.far != Far::Linear || !wants(head))
            return {};
        return LinearOptions{
            p.far.map, static_cast<std::size_t>(p.far.features), p.routed.seed,       m_task.plan.layer,
            p.local,   static_cast<std::size_t>(p.always.sinks), readsBelowItsBand(p)};
    }

    Result<> addLinear() {
        std::vector<LinearOptions> kinds;
        for (std::size_t h = 0; h < m_heads; ++h)
            if (const std::optional<LinearOptions> options = linearOf(h);
                options && std::find(kinds.begin(), kinds.end(), *options) == kinds.end())
                kinds.push_back(*options);
        for (const LinearOptions& kind : kinds) {
            std::vector<std::uint8_t> wanted(m_heads, 0);
            std::uint64_t heads = 0;
            for (std::size_t h = 0; h < m_heads; ++h) {
                wanted[h] = linearOf(h) == kind ? 1 : 0;
                heads += wanted[h];
            }
            LinearState& state = linearState(kind);
            LinearBranch branch(m_task.rows.first, m_task.rows.last - m_task.rows.first, m_heads, m_dim);
            FOVEA_TRY(state.attend(m_task.plan, m_in, wanted, m_task.isa, branch, m_work));
            m_done.macs += heads * branch.numerator.rows() * state.macsPerRow();
            m_done.stateBytes += state.stateBytes();
            for (std::size_t h = 0; h < m_heads; ++h)
                if (wanted[h] != 0)
                    for (std::size_t row = 0; row < branch.numerator.rows(); ++row)
                        joinLinear(branch.first + row, h, branch.numerator.view().row(row) + h * m_dim,
                                   branch.denominator[row * m_heads + h], branch.exponent[row * m_heads + h]);
        }
        return {};
    }

    /// The state of that kind, anew when a row before its own is asked for.
    LinearState& linearState(const LinearOptions& kind) {
        for (LinearState& state : m_state->linear)
            if (state.options() == kind) {
                if (state.firstQuery() > m_task.rows.first)
                    state = LinearState(kind, static_cast<std::size_t>(m_in.kvHeads), m_dim);
                return state;
            }
        return m_state->linear.emplace_back(kind, static_cast<std::size_t>(m_in.kvHeads), m_dim);
    }

    /// `numerator` and `denominator` are times e^exponent. Nothing unread: both are 0.
    void joinLinear(std::size_t query, std::size_t head, const float* numerator, double denominator,
                    double exponent) {
        const CombinePart& part = parts(head).combine;
        const double epsilon = loneEpsilon(parts(head).far.map);
        float& mass = lse(query, head);
        float* out = o(query, head);
        const bool exact = mass > kNoMass;
        const bool silent = isSilent(query, head);
        if (silent)
            return;
        bool finite = std::isfinite(denominator) && std::isfinite(exponent);
        for (std::size_t d = 0; d < m_dim; ++d)
            finite = finite && std::isfinite(numerator[d]);
        if (part.combine == Combine::Gated) {
            std::vector<float> far(m_dim, 0.0F);
            const double own = denominator + epsilon;
            if (finite && own != 0)
                for (std::size_t d = 0; d < m_dim; ++d)
                    far[d] = static_cast<float>(static_cast<double>(numerator[d]) / own);
            else if (!finite) // denominator 0: every key is read, the far field is empty
                ++m_done.undefinedRows;
            gate(query, head, far.data(), part.gate);
            return;
        }
        if (!exact) {
            const double own = denominator + epsilon;
            const bool defined = finite && own != 0;
            m_done.undefinedRows += defined ? 0 : 1;
            for (std::size_t d = 0; d < m_dim; ++d)
                out[d] = defined ? static_cast<float>(static_cast<double>(numerator[d]) / own) : 0.0F;
            mass = defined ? static_cast<float>(exponent + std::log(own) - std::log(part.windowFactor))
                           : kNoMass;
            return;
        }
        if (finite && denominator == 0)
            return; // everything is read
        const double window = static_cast<double>(mass) + std::log(part.windowFactor);
        const double most = std::max(window, exponent);
        const double mine = std::exp(window - most), theirs = std::exp(exponent - most);
        const double total = mine + theirs * denominator;
        if (!finite || !std::isfinite(total) || total == 0) {
            ++m_done.undefinedRows; // the exact part stands alone
            return;
        }
        for (std::size_t d = 0; d < m_dim; ++d)
            out[d] = static_cast<float>(
                (mine * static_cast<double>(out[d]) + theirs * static_cast<double>(numerator[d])) / total);
        mass = static_cast<float>(most + std::log(total) - std::log(part.windowFactor));
    }

    [[nodiscard]] bool isSilent(std::size_t query, std::size_t head) const {
        const std::vector<std::uint8_t>* silent = m_task.plan.silentRows(static_cast<int>(head));
        return silent != nullptr && (*silent)[query] != 0;
    }

    Result<> addRecurrent() {
        std::vector<std::uint64_t> seeds;
        const auto seedOf = [this](std::size_t h) -> std::optional<std::uint64_t> {
            if (!wants(h) || parts(h).far.far != Far::Recurrent)
                return {};
            return parts(h).routed.seed;
        };
        for (std::size_t h = 0; h < m_heads; ++h)
            if (const auto seed = seedOf(h);
                seed && std::find(seeds.begin(), seeds.end(), *seed) == seeds.end())
                seeds.push_back(*seed);
        for (const std::uint64_t seed : seeds) {
            std::vector<std::uint8_t> wanted(m_heads, 0);
            std::uint64_t heads = 0;
            for (std::size_t h = 0; h < m_heads; ++h) {
                wanted[h] = seedOf(h) == seed ? 1 : 0;
                heads += wanted[h];
            }
            RecurrentState& state = recurrentState(seed);
            Matrix out(m_task.rows.last - m_task.rows.first, m_heads * m_dim);
            FOVEA_TRY(state.run(m_in, m_task.rows.first, wanted, m_task.isa, out.view(), m_work));
            m_done.macs += heads * out.rows() * state.macsPerRow();
            m_done.stateBytes += heads * m_dim * sizeof(float);
            for (std::size_t h = 0; h < m_heads; ++h)
                for (std::size_t row = 0; wanted[h] != 0 && row < out.rows(); ++row)
                    if (!isSilent(m_task.rows.first + row, h))
                        gate(m_task.rows.first + row, h, out.view().row(row) + h * m_dim,
                             parts(h).combine.gate);
        }
        return {};
    }

    RecurrentState& recurrentState(std::uint64_t seed) {
        for (auto& [known, state] : m_state->recurrent)
            if (known == seed) {
                if (state.rows() > m_task.rows.first)
                    state = RecurrentState(m_heads, m_dim, seed, m_task.plan.layer);
                return state;
            }
        return m_state->recurrent.emplace_back(seed, RecurrentState(m_heads, m_dim, seed, m_task.plan.layer))
            .second;
    }

    /// The exact part's output times g plus the far field's times 1 - g.
    void gate(std::size_t query, std::size_t head, const float* far, double g) {
        float* out = o(query, head);
        const auto mine = static_cast<float>(g), theirs = static_cast<float>(1 - g);
        for (std::size_t d = 0; d < m_dim; ++d)
            out[d] = mine * out[d] + theirs * far[d];
        if (lse(query, head) > kNoMass) // g = 0: exact keys have no weight
            lse(query, head) -= static_cast<float>(std::log(g));
    }

    /// Adds e^z with value 0 to the denominator of each row.
    void addSink(std::size_t head, double z) {
        for (std::size_t query = m_task.rows.first; query < m_task.rows.last; ++query) {
            float& mass = lse(query, head);
            if (std::isnan(
                    mass)) { // a signed state's denominator was negative: no mass to set beside the sink's
                ++m_done.undefinedRows;
                continue;
            }
            // A window factor of 0: the exact keys weigh nothing beside the far field, and the sink, which is
            // weighed as they are, nothing either.
            if (mass == std::numeric_limits<float>::infinity())
                continue;
            const double both = logAdd(static_cast<double>(mass), z);
            const auto factor = static_cast<float>(std::exp(static_cast<double>(mass) - both));
            for (std::size_t d = 0; d < m_dim; ++d)
                o(query, head)[d] *= factor;
            mass = static_cast<float>(both);
        }
    }

    /// The output of queries outside query role that get no softmax under the policy: the running mean of the
    /// values inside the native window, or nothing.
    void fillSilentRows() {
        bool any = false;
        for (std::size_t h = 0; h < m_heads; ++h)
            any = any || meanOf(h) != nullptr;
        if (!any)
            return;
        if (m_state->valueRows > m_task.rows.first || m_state->valueSum.size() != m_in.v.cols) {
            m_state->valueSum.assign(m_in.v.cols, 0);
            m_state->valueRows = 0;
        }
        const auto group = m_heads / static_cast<std::size_t>(m_in.kvHeads);
        for (std::size_t& j = m_state->valueRows; j < m_task.rows.last; ++j) {
            for (std::size_t c = 0; c < m_in.v.cols; ++c)
                m_state->valueSum[c] += static_cast<double>(m_in.v(j, c));
            if (const std::size_t first = m_in.native().first(j); first > 0) // one value leaves the window
                for (std::size_t c = 0; c < m_in.v.cols; ++c)
                    m_state->valueSum[c] -= static_cast<double>(m_in.v(first - 1, c));
            if (j < m_task.rows.first)
                continue;
            for (std::size_t h = 0; h < m_heads; ++h) {
                const std::vector<std::uint8_t>* silent = meanOf(h);
                if (silent == nullptr || (*silent)[j] == 0)
                    continue;
                for (std::size_t d = 0; d < m_dim; ++d)
                    o(j, h)[d] = static_cast<float>(m_state->valueSum[h / group * m_dim + d] /
                                                    static_cast<double>(m_in.native().keys(j)));
            }
        }
    }

    /// The silent rows of a head in which those take the mean, else null.
    [[nodiscard]] const std::vector<std::uint8_t>* meanOf(std::size_t head) const {
        const bool mean = wants(head) && parts(head).routed.unrouted == Unrouted::Mean;
        return mean ? m_task.plan.silentRows(static_cast<int>(head)) : nullptr;
    }

    const FarTask& m_task;
    const AttentionInput& m_in;
    AttentionOutput m_out;
    std::span<float> m_exactLse;
    const WorkContext& m_work;
    std::size_t m_heads, m_dim;
    std::optional<FarState> m_own;
    FarState::Parts* m_state;
    FarWork m_done;
};

} // namespace

bool hasFarField(const AttentionPlan& plan) {
    for (std::size_t h = 0; h < plan.heads.size(); ++h) {
        const HeadParts& parts = plan.partsOf(static_cast<int>(h));
        if (parts.far.on() || parts.always.sinkLogit || plan.silentRows(static_cast<int>(h)) != nullptr)
            return true;
    }
    return false;
}

LayerMemory farFieldMemory(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    const auto t = static_cast<std::uint64_t>(tokens);
    const auto of = [](std::int64_t x) { return static_cast<std::uint64_t>(x); };
    const std::uint64_t heads = of(shape.heads), kvHeads = of(shape.kvHeads), dim = of(shape.headDim);
    constexpr std::uint64_t kFloat = sizeof(float);
    const std::uint64_t rows = t * heads * dim * kFloat; // a branch's output
    LayerMemory memory;
    policy.eachParts([&](const HeadParts& parts) {
        switch (parts.far.far) {
        case Far::Projection: // refused before memory is asked for
        case Far::None:
            return;
        case Far::Summaries:
            memory.state += 2 * (t + t / of(parts.far.m)) * kvHeads * dim * kFloat;
            memory.working = std::max(memory.working, rows + t * heads * kFloat);
            return;
        case Far::Linear: {
            const std::uint64_t r =
                featureCount(parts.far.map, dim, static_cast<std::size_t>(parts.far.features));
            memory.state += kvHeads * r * (dim + 1) * kFloat;
            if (readsBelowItsBand(parts) && parts.far.map != FeatureMap::Taylor2 &&
                parts.far.map != FeatureMap::Trig)
                memory.state += kvHeads * t * (r + 1) * kFloat;
            memory.working = std::max(memory.working, rows + 2 * t * heads * of(sizeof(double)));
            return;
        }
        case Far::Recurrent:
            memory.state += heads * (5 * dim + 1) * dim * kFloat;
            memory.working = std::max(memory.working, rows);
            return;
        }
    });
    return memory;
}

Result<FarWork> applyFarField(const FarTask& task, const AttentionInput& in, AttentionOutput out,
                              std::span<float> exactLse, const WorkContext& work) {
    FOVEA_ASSERT(out.lse.size() >= task.rows.last * static_cast<std::size_t>(in.heads));
    return Epilogue(task, in, out, exactLse, work).run();
}

} // namespace fovea
