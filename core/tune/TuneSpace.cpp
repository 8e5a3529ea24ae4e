#include "core/tune/TuneSpace.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <map>

namespace fovea {

namespace {

constexpr std::size_t kMostCandidates = 10000;

bool isControl(const AttentionPolicy& policy) {
    return policy.anyParts([](const HeadParts& parts) {
        return parts.routed.signal == "random" || parts.routed.signal == "oracle";
    });
}

TuneCandidate candidateOf(AttentionPolicy policy) {
    TuneCandidate candidate;
    candidate.hash = policyHash(policy);
    if (const PolicyPreset* preset = presetOf(policy))
        candidate.preset = std::string(preset->name);
    candidate.control = isControl(policy);
    candidate.ahead = looksAhead(policy);
    candidate.policy = std::move(policy);
    return candidate;
}

/// Adds candidates that are not there yet.
class SpaceMaker {
public:
    std::size_t add(TuneCandidate candidate) {
        const auto [known, fresh] = m_byHash.try_emplace(candidate.hash, m_space.candidates.size());
        if (fresh) {
            m_space.candidates.push_back(std::move(candidate));
            m_space.places.emplace_back(static_cast<std::size_t>(-1), 0);
        }
        return known->second;
    }
    Result<> addGrid(const AttentionPolicy& base, const std::vector<SweepAxis>& axes) {
        SweepPlan plan;
        plan.base = base;
        plan.axes = axes;
        plan.controls = false;
        Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
        FOVEA_TRY(points);
        if (points->size() > kMostCandidates - std::min(kMostCandidates, m_space.candidates.size()))
            return fail(ErrorCode::BadValue, "tune: the space has more than " +
                                                 std::to_string(kMostCandidates) +
                                                 " policies; take fewer values or policies.");
        std::vector<std::size_t>& grid = m_space.grids.emplace_back();
        for (SweepPoint& point : *points) {
            if (axes.empty() && !base.name.empty())
                point.policy.name = base.name;
            TuneCandidate candidate = candidateOf(std::move(point.policy));
            candidate.values = std::move(point.values);
            const std::size_t at = add(std::move(candidate));
            if (m_space.places[at].first == static_cast<std::size_t>(-1))
                m_space.places[at] = {m_space.grids.size() - 1, grid.size()};
            grid.push_back(at);
        }
        return {};
    }
    TuneSpace take(const std::vector<SweepAxis>& axes) {
        for (const SweepAxis& axis : axes)
            m_space.axisSizes.push_back(axis.values.size());
        return std::move(m_space);
    }
    void countUnfit() { ++m_space.unfit; }

private:
    TuneSpace m_space;
    std::map<std::string, std::size_t> m_byHash;
};

SweepAxis axisOf(std::string param, const std::vector<double>& numbers, bool real) {
    SweepAxis axis;
    axis.param = std::move(param);
    for (const double number : numbers)
        if (real)
            axis.values.emplace_back(number);
        else
            axis.values.emplace_back(static_cast<std::int64_t>(number));
    return axis;
}

} // namespace

std::vector<std::size_t> TuneSpace::neighbours(std::size_t candidate) const {
    const auto [base, place] = places[candidate];
    std::vector<std::size_t> out;
    if (base >= grids.size())
        return out;
    std::size_t step = 1;
    for (std::size_t a = axisSizes.size(); a-- > 0; step *= axisSizes[a]) {
        const std::size_t at = place / step % axisSizes[a];
        if (at > 0)
            out.push_back(grids[base][place - step]);
        if (at + 1 < axisSizes[a])
            out.push_back(grids[base][place + step]);
    }
    return out;
}

Result<TuneSpace> tuneSpace(const std::vector<AttentionPolicy>& bases, const std::vector<SweepAxis>& axes,
                            const ModelShape& shape, std::size_t tokens) {
    SpaceMaker maker;
    for (const AttentionPolicy& base : bases)
        FOVEA_TRY(maker.addGrid(base, axes));
    TuneSpace space = maker.take(axes);
    for (const TuneCandidate& candidate : space.candidates)
        FOVEA_TRY(policyFits(candidate.policy, shape, tokens));
    return space;
}

Result<TuneSpace> standardSpace(const ModelShape& shape, std::size_t tokens) {
    SpaceMaker maker;
    std::vector<double> windows;
    for (double window = 16; window < static_cast<double>(tokens) / 2 || windows.empty(); window *= 2)
        windows.push_back(window);
    const Result<AttentionPolicy> standard = presetPolicy(defaultPreset(true));
    FOVEA_TRY(standard);
    const ParamSpec* count = findParam("route-count");
    const std::vector<SweepAxis> axes = {
        axisOf("window", windows, false),
        axisOf("route-count", {0, 8, 32, 128}, count != nullptr && count->kind == ParamKind::Real)};
    FOVEA_TRY(maker.addGrid(*standard, axes));
    for (const PolicyPreset& preset : policyPresets()) {
        Result<AttentionPolicy> policy = presetPolicy(preset.name);
        FOVEA_TRY(policy);
        if (!policyFits(*policy, shape, tokens) || looksAhead(*policy)) {
            maker.countUnfit();
            continue;
        }
        maker.add(candidateOf(std::move(*policy)));
    }
    return maker.take(axes);
}

} // namespace fovea
