#include "core/tune/Front.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace fovea {

namespace {

/// Marks what nothing beats in both numbers. `of` returns cost and loss, or nothing for a point that does not
/// take part.
template <class Of, class Mark>
void markFront(std::vector<TunePoint>& points, const Of& of, const Mark& mark) {
    std::vector<std::optional<std::pair<double, double>>> all;
    for (const TunePoint& point : points)
        all.push_back(of(point));
    for (std::size_t n = 0; n < points.size(); ++n)
        mark(points[n]) = all[n] && std::none_of(all.begin(), all.end(), [&](const auto& other) {
                              return other && other->first <= all[n]->first &&
                                     other->second <= all[n]->second && *other != *all[n];
                          });
}

using Rank = std::pair<double, double>; ///< smaller is chosen

/// The point of least rank among those that `rankOf` gives one.
template <class RankOf>
std::optional<std::size_t> least(const std::vector<TunePoint>& points, const RankOf& rankOf) {
    std::optional<std::size_t> best;
    Rank bestRank;
    for (std::size_t n = 0; n < points.size(); ++n) {
        const std::optional<Rank> rank = rankOf(points[n]);
        if (rank && (!best || *rank < bestRank)) {
            best = n;
            bestRank = *rank;
        }
    }
    return best;
}

bool open(const TunePoint& point) {
    return point.answer() && point.measured.empty() && point.predicted;
}

/// The distance in ln cost to the nearest point that was run.
double distance(const TunePoint& point, const std::vector<TunePoint>& points) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const TunePoint& other : points)
        if (!other.measured.empty() && other.answer())
            nearest = std::min(nearest, std::abs(std::log(std::max(point.estimatedPairs(), 1e-12) /
                                                          std::max(other.measuredPairs(), 1e-12))));
    return nearest;
}

} // namespace

void markFronts(std::vector<TunePoint>& points) {
    using Place = std::optional<std::pair<double, double>>;
    markFront(
        points,
        [](const TunePoint& p) {
            return p.answer() && p.predicted ? Place({p.estimatedPairs(), p.predicted->kl.value}) : Place();
        },
        [](TunePoint& p) -> bool& { return p.predictedFront; });
    markFront(
        points,
        [](const TunePoint& p) {
            return p.answer() && !p.measured.empty() ? Place({p.measuredPairs(), p.measuredKl()}) : Place();
        },
        [](TunePoint& p) -> bool& { return p.measuredFront; });
}

std::optional<std::size_t> bestMeasured(const std::vector<TunePoint>& points, const TuneGoal& goal) {
    return least(points, [&](const TunePoint& point) -> std::optional<Rank> {
        if (!point.answer() || point.measured.empty())
            return {};
        const double kl = point.measuredKl(), pairs = point.measuredPairs();
        if (goal.withinKl && kl <= *goal.withinKl)
            return Rank{pairs, kl};
        if (goal.withinPairs && pairs <= *goal.withinPairs)
            return Rank{kl, pairs};
        return {};
    });
}

std::optional<std::size_t> kneeMeasured(const std::vector<TunePoint>& points) {
    struct Place {
        std::size_t at = 0;
        double cost = 0, loss = 0; ///< logarithms
    };
    std::vector<Place> front;
    // A point without a loss has no logarithm, but it beats whatever costs as much or more.
    double lossless = std::numeric_limits<double>::infinity();
    const auto runs = [](const TunePoint& point) { return point.answer() && !point.measured.empty(); };
    for (const TunePoint& point : points)
        if (runs(point) && point.measuredKl() <= 0)
            lossless = std::min(lossless, point.measuredPairs());
    for (std::size_t n = 0; n < points.size(); ++n) {
        const TunePoint& point = points[n];
        if (runs(point) && point.measuredPairs() > 0 && point.measuredPairs() < lossless &&
            point.measuredKl() > 0)
            front.push_back({n, std::log(point.measuredPairs()), std::log(point.measuredKl())});
    }
    std::sort(front.begin(), front.end(), [](const Place& a, const Place& b) {
        return std::pair(a.cost, a.loss) < std::pair(b.cost, b.loss);
    });
    std::size_t kept = 0; // each point loses less than all cheaper ones
    for (const Place& place : front)
        if (kept == 0 || place.loss < front[kept - 1].loss)
            front[kept++] = place;
    front.resize(kept);
    if (front.size() < 3)
        return {};
    const Place& first = front.front();
    const double width = front.back().cost - first.cost, height = first.loss - front.back().loss;
    std::optional<std::size_t> knee;
    double furthest = 1e-9; // nothing but rounding lies this near to the line
    for (const Place& place : front) {
        const double below =
            1 - (place.cost - first.cost) / width - (place.loss - front.back().loss) / height;
        if (below > furthest) {
            furthest = below;
            knee = place.at;
        }
    }
    return knee;
}

std::optional<std::size_t> nextToMeasure(const std::vector<TunePoint>& points, const TuneGoal& goal,
                                         const std::optional<std::size_t>& best) {
    if (goal.withinKl) {
        const double bound = *goal.withinKl;
        const auto cheaper = [&](const TunePoint& point) {
            return !best || point.estimatedPairs() < points[*best].measuredPairs();
        };
        const auto within = least(points, [&](const TunePoint& point) -> std::optional<Rank> {
            if (!open(point) || !cheaper(point) || point.predicted->kl.value > bound)
                return {};
            return Rank{point.estimatedPairs(), point.predicted->kl.value};
        });
        if (within)
            return within;
        return least(points, [&](const TunePoint& point) -> std::optional<Rank> {
            if (!open(point) || !cheaper(point) || point.predicted->kl.low > bound)
                return {};
            return Rank{point.predicted->kl.value, point.estimatedPairs()};
        });
    }
    if (goal.withinPairs)
        return least(points, [&](const TunePoint& point) -> std::optional<Rank> {
            if (!open(point) || point.estimatedPairs() > *goal.withinPairs ||
                (best && point.predicted->kl.low >= points[*best].measuredKl()))
                return {};
            return Rank{point.predicted->kl.value, point.estimatedPairs()};
        });
    return least(points, [&](const TunePoint& point) -> std::optional<Rank> {
        if (!open(point) || !point.predictedFront)
            return {};
        return Rank{-distance(point, points), point.predicted->kl.value};
    });
}

} // namespace fovea
