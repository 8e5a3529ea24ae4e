#include "core/probe/Probe.h"
#include "core/base/SplitMix64.h"
#include <string>

namespace fovea {

namespace {

Result<> checkOptions(ProbeKind kind, const ProbeOptions& options) {
    const auto outside = [](const char* what, std::size_t value, const std::string& accepted) {
        return fail(ErrorCode::BadValue, std::string("probe: ") + what + " is " + std::to_string(value) +
                                             "; " + accepted + " is accepted.");
    };
    if (options.leastSize < 1 || options.leastSize > options.mostSize)
        return outside("the first size", options.leastSize,
                       "1 to the last size, " + std::to_string(options.mostSize) + ",");
    if (options.depths < 1 || options.depths > 101)
        return outside("the number of depths", options.depths, "1 to 101");
    if (options.cases < 1 || options.cases > 10000)
        return outside("the number of cases", options.cases, "1 to 10000");
    const std::size_t of = probeDepths(kind, options).size() * options.cases;
    if (of < kProbeCases)
        return outside("the number of cases at one size", of, std::to_string(kProbeCases) + " or more");
    return {};
}

/// One probe under way.
class Probing {
public:
    Probing(ProbeKind kind, const ProbeOptions& options, const CountTokens& count, const AskProbe& ask,
            const WorkContext& work)
        : m_options(options), m_count(count), m_ask(ask), m_work(work), m_depths(probeDepths(kind, options)) {
        m_result.kind = kind;
    }

    Result<ProbeResult> run(const std::function<void(const ProbeResult&)>& sizeDone) {
        for (std::size_t size = m_options.leastSize; size <= m_options.mostSize; size *= 2) {
            ProbeSize one;
            one.size = size;
            for (const double depth : m_depths)
                one.cells.push_back({depth, {}, {}});
            FOVEA_TRY(askArm(one, ProbeArm::Full));
            one.fullPasses =
                one.full().cases == m_depths.size() * m_options.cases && one.full().accuracy() >= kProbePass;
            if (one.fullPasses)
                FOVEA_TRY(askArm(one, ProbeArm::Hybrid));
            m_result.sizes.push_back(std::move(one));
            if (sizeDone)
                sizeDone(m_result);
            if (!m_result.sizes.back().fullPasses)
                break;
        }
        return std::move(m_result);
    }

private:
    /// The cases of all depths in turn, so that an early end of full attention's has seen all of them.
    Result<> askArm(ProbeSize& size, ProbeArm arm) {
        const double all = static_cast<double>(m_depths.size() * m_options.cases);
        double lost = 0;
        for (std::size_t n = 0; n < m_options.cases; ++n)
            for (std::size_t d = 0; d < m_depths.size(); ++d) {
                m_work.report(std::string(probeInfo(m_result.kind).name) + ", " + std::to_string(size.size) +
                                  (arm == ProbeArm::Full ? " tokens, full attention" : " tokens, the policy"),
                              static_cast<double>(n * m_depths.size() + d), all);
                FOVEA_TRY(m_work.checkpoint());
                const Result<ProbeCase> probe =
                    makeProbeCase(m_result.kind, size.size, m_depths[d],
                                  splitMix64(m_options.seed, size.size, d, n), m_count);
                FOVEA_TRY(probe);
                if (size.tokens == 0) {
                    const Result<std::size_t> tokens = m_count(probe->text);
                    FOVEA_TRY(tokens);
                    size.tokens = *tokens;
                }
                const Result<double> right = m_ask(m_result.kind, *probe, arm);
                FOVEA_TRY(right);
                ProbeCell& cell = size.cells[d];
                (arm == ProbeArm::Full ? cell.full : cell.hybrid).add(*right);
                lost += 1 - *right;
                if (arm == ProbeArm::Full && lost > (1 - kProbePass) * all + 1e-9)
                    return {};
            }
        return {};
    }

    const ProbeOptions& m_options;
    const CountTokens& m_count;
    const AskProbe& m_ask;
    const WorkContext& m_work;
    std::vector<double> m_depths;
    ProbeResult m_result;
};

ProbeScore sumOf(const std::vector<ProbeCell>& cells, ProbeScore ProbeCell::*arm) {
    ProbeScore sum;
    for (const ProbeCell& cell : cells) {
        sum.right += (cell.*arm).right;
        sum.cases += (cell.*arm).cases;
    }
    return sum;
}

} // namespace

ProbeScore ProbeSize::full() const {
    return sumOf(cells, &ProbeCell::full);
}
ProbeScore ProbeSize::hybrid() const {
    return sumOf(cells, &ProbeCell::hybrid);
}

std::optional<std::size_t> ProbeResult::lastPassed() const {
    for (std::size_t n = sizes.size(); n-- > 0;)
        if (sizes[n].fullPasses)
            return n;
    return {};
}

std::vector<double> probeDepths(ProbeKind kind, const ProbeOptions& options) {
    if (!probeInfo(kind).hasDepth)
        return {0.0};
    if (options.depths == 1)
        return {0.5};
    std::vector<double> depths;
    for (std::size_t d = 0; d < options.depths; ++d)
        depths.push_back(static_cast<double>(d) / static_cast<double>(options.depths - 1));
    return depths;
}

Result<ProbeResult> runProbe(ProbeKind kind, const ProbeOptions& options, const CountTokens& count,
                             const AskProbe& ask, const std::function<void(const ProbeResult&)>& sizeDone,
                             const WorkContext& work) {
    FOVEA_TRY(checkOptions(kind, options));
    return Probing(kind, options, count, ask, work).run(sizeDone);
}

} // namespace fovea
