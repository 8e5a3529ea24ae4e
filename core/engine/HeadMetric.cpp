#include "core/engine/HeadMetric.h"
#include <algorithm>
#include <array>
#include <cmath>

namespace fovea {

namespace {

constexpr std::array<HeadMetricSpec, 9> kMetrics{{
    {HeadMetric::KeptMass, "kept-mass", "kept mass",
     "mean over queries of full attention's probability on the keys that the plan keeps, 0 to 1", true, true},
    {HeadMetric::OutputError, "output-error", "output error",
     "|o - o^| / |o| of this head, isolated: full attention's output against the plan's, over the text", true,
     false},
    {HeadMetric::RowEntropy, "row-entropy", "row entropy",
     "mean entropy of rows of full attention, in nats; over at most 64 rows, evenly spaced", false, false},
    {HeadMetric::SinkMass, "sink-mass", "sink mass",
     "mean probability on tokens 0 to 3; over at most 64 rows", false, false},
    {HeadMetric::LocalMass, "local-mass", "local mass",
     "mean probability on the nearest 64 keys, the token itself included; over at most 64 rows", false,
     false},
    {HeadMetric::KeysFor90, "keys-for-90", "keys for 90 % of mass",
     "mean number of keys that hold 90 % of a row; over at most 64 rows", false, false},
    {HeadMetric::MeanDistance, "mean-distance", "mean distance",
     "mean distance from query to key, weighted by p, in tokens; over at most 64 rows", false, false},
    {HeadMetric::PreviousShare, "previous-token-share", "previous-token share",
     "mean probability on the token before; over at most 64 rows", false, false},
    {HeadMetric::Picture, "", "attention map",
     "full attention of every head at a glance, queries downwards: the largest probability in each cell, "
     "0.0001 to 1 on "
     "a logarithmic scale; at most 64 cells a side",
     false, false},
}};

} // namespace

std::span<const HeadMetricSpec> headMetrics() {
    return kMetrics;
}

const HeadMetricSpec& headMetric(HeadMetric metric) {
    return kMetrics[static_cast<std::size_t>(metric)];
}

std::optional<double> headValue(const Snapshot& snapshot, HeadMetric metric, int layer, int head) {
    const auto h = static_cast<std::size_t>(head), l = static_cast<std::size_t>(layer);
    if (headMetric(metric).ofPolicy) {
        const auto pick = [&](const LayerFidelity& f) -> std::optional<double> {
            const std::vector<float>& of = metric == HeadMetric::KeptMass ? f.headMass : f.headOutputError;
            return h < of.size() ? std::optional<double>(static_cast<double>(of[h])) : std::nullopt;
        };
        if (snapshot.isolated)
            for (const LayerFidelity& f : snapshot.isolated->layers)
                if (f.layer == layer)
                    return pick(f);
        if (snapshot.visible && snapshot.visible->layer == layer && snapshot.visible->fidelity)
            return pick(*snapshot.visible->fidelity);
        return std::nullopt;
    }
    if (!snapshot.full || l >= snapshot.full->headStats.size() || h >= snapshot.full->headStats[l].size())
        return std::nullopt;
    const HeadStats& stats = snapshot.full->headStats[l][h];
    const auto of = [](float x) { return std::optional<double>(static_cast<double>(x)); };
    switch (metric) {
    case HeadMetric::RowEntropy:
        return of(stats.entropy);
    case HeadMetric::SinkMass:
        return of(stats.sinkMass);
    case HeadMetric::LocalMass:
        return of(stats.localMass);
    case HeadMetric::KeysFor90:
        return of(stats.keysFor90);
    case HeadMetric::MeanDistance:
        return of(stats.meanDistance);
    case HeadMetric::PreviousShare:
        return of(stats.previousShare);
    case HeadMetric::KeptMass:
    case HeadMetric::OutputError:
    case HeadMetric::Picture:
        break;
    }
    return std::nullopt;
}

const HeadMetricSpec* findHeadMetric(std::string_view id) {
    for (const HeadMetricSpec& spec : kMetrics)
        if (!id.empty() && id == spec.id)
            return &spec;
    return nullptr;
}

std::vector<RankedHead> rankHeads(HeadMetric metric, int heads,
                                  const std::vector<std::optional<double>>& values) {
    std::vector<RankedHead> ranked;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i])
            ranked.push_back({static_cast<int>(i) / heads, static_cast<int>(i) % heads, *values[i]});
    const bool least = headMetric(metric).leastFirst;
    std::stable_sort(ranked.begin(), ranked.end(), [least](const RankedHead& a, const RankedHead& b) {
        if (std::isnan(a.value) || std::isnan(b.value))
            return std::isnan(b.value) && !std::isnan(a.value);
        return least ? a.value < b.value : a.value > b.value;
    });
    return ranked;
}

} // namespace fovea
