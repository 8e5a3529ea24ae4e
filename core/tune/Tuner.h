#pragma once
#include "core/tune/Calibration.h"
#include "core/tune/Measurement.h"
#include "core/tune/TuneSpace.h"
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace fovea {

/// What a search is for: the cheapest policy within a loss, the best one within a cost, or, with neither, the
/// front of cost against loss.
struct TuneGoal {
    std::optional<double> withinKl;    ///< mean next-token KL over the texts, nats, above 0
    std::optional<double> withinPairs; ///< mean pairs ratio over the texts, router included, above 0
};

struct TuneOptions {
    TuneGoal goal;
    std::size_t runs = 16; ///< most propagated runs per text, besides those that calibrate
    std::size_t sampledRows = 128;
    std::uint64_t seed = 1;       ///< of the first candidates when the space is too large to judge whole
    std::size_t mostJudged = 600; ///< a larger space is searched instead of judged whole
};

/// A candidate with what is known of it. Predictions and measurements stand side by side and never in one
/// number or one front.
struct TunePoint {
    TuneCandidate candidate;
    std::vector<Judgement> judged;       ///< [texts]; empty: not judged
    std::optional<Prediction> predicted; ///< mean over the texts, by the present calibration
    std::vector<Measurement> measured;   ///< [texts]; empty: not run
    std::optional<Prediction> foretold;  ///< what was predicted when it was about to be run
    bool predictedFront = false;         ///< nothing judged is predicted to be better in both cost and KL
    bool measuredFront = false;          ///< nothing measured is better in both cost and KL

    [[nodiscard]] bool answer() const { return !candidate.control && !candidate.ahead; }
    [[nodiscard]] double estimatedPairs() const; ///< mean over texts; judged must not be empty
    [[nodiscard]] double measuredPairs() const;  ///< mean over texts; measured must not be empty
    [[nodiscard]] double measuredKl() const;
    [[nodiscard]] double measuredTop1() const;
    [[nodiscard]] double measuredDeltaNll() const;
};

/// Tokens of the short runs that calibrate first.
inline constexpr std::size_t kPrefixTokens = 256;

/// Why a search ended.
enum class TuneEnding : std::uint8_t {
    Running,
    Settled,      ///< no policy that was not run is expected to be better: all bands lie on the wrong side
    Spent,        ///< all runs that were allowed are spent
    Nothing,      ///< no policy of the space is within the bound, or is expected to be
    NotPredicted, ///< a text has too few runs with a loss to predict from, so none could be chosen
};

/// The state of a search; what a caller shows and saves.
struct Tuning {
    std::vector<TunePoint> points;
    std::vector<Calibration> calibrations; ///< [texts]
    std::size_t prefixTokens = 0;    ///< of the runs that calibrated first; 0: they are over whole texts
    std::size_t prefixRuns = 0;      ///< of one text
    std::size_t judged = 0;          ///< policies
    std::size_t runs = 0;            ///< propagated runs over whole texts, stored ones included
    std::size_t storedRuns = 0;      ///< those of them that were read back
    double judgeSeconds = 0;         ///< measured: judging all policies on all texts
    double curveSeconds = 0;         ///< measured: from the full runs to the first predicted curve
    std::optional<std::size_t> best; ///< the measured point that answers the goal
    TuneEnding ending = TuneEnding::Running;

    /// Whether every text has a calibration that can predict.
    [[nodiscard]] bool predicts() const;
};

/// What a search asks of its caller; any may be empty.
struct TuneWatch {
    /// A measurement from an earlier run, under measurementKey(snapshot).
    std::function<std::optional<Measurement>(const Snapshot&, const TuneCandidate&)> known;
    /// A new one, to be kept. An error ends the search with it.
    std::function<Result<>(const Snapshot&, const TuneCandidate&, const Measurement&)> measured;
    /// After the first curve, after each run, and at the end.
    std::function<void(const Tuning&)> changed;
};

/// The measurement that is known, or a run of the policy, which is then given to `watch.measured`: how a
/// search measures, for those who measure more under the same watch. Errors: those of measurePolicy and
/// `measured`.
[[nodiscard]] Result<Measurement> measureOnce(const Snapshot& text, const TuneCandidate& candidate,
                                              const TuneWatch& watch, const WorkContext& work);

/// Searches `space` over texts whose full runs are known, all of one model:
///
/// 1. All candidates are judged on sampled queries (judgePolicies). A space of more than `mostJudged` is
///    searched by Pareto local search (Paquete, Chiarandini and Stuetzle, 2004): from a seeded sample, the
///    neighbours of the predicted front are judged until it does not move.
/// 2. A few small policies are run over the first kPrefixTokens tokens of each text and calibrate the first
///    predicted curve. The first runs over whole texts move them all by their mean error; from four on, only
///    those over whole texts calibrate. A text of at most twice kPrefixTokens is not cut: these runs are over
///    the whole of it, and calibrate like all others.
/// 3. Propagated runs follow, the point that is predicted nearest to the goal first; after each one the
///    calibration and all predictions are made anew. The search is settled when no point that was not run is
///    expected, by its band, to be better than the best one measured.
///
/// Cancelled or failed, `tuning` keeps what is done. Same results at any thread count. Errors: BadValue (an
/// empty space, texts shorter than 32 tokens, both goals or one out of range, a cost that no candidate
/// reaches); those of judgePolicies, measurePolicy and `measured`; Cancelled; OutOfMemory.
[[nodiscard]] Result<> tune(const TuneOptions& options, const TuneSpace& space,
                            const std::vector<std::shared_ptr<const Snapshot>>& texts, const TuneWatch& watch,
                            Tuning& tuning, const WorkContext& work);

/// The same checks, before a model is loaded and texts are run. `tokens`: of the shortest text; 0: not known.
[[nodiscard]] Result<> checkGoal(const TuneGoal& goal, std::size_t tokens);

} // namespace fovea
