#include "core/tune/Tuner.h"
#include "core/base/OutOfMemory.h"
#include "core/base/SplitMix64.h"
#include "core/base/Stopwatch.h"
#include "core/engine/RetrievalHeads.h"
#include "core/policy/PolicyJson.h"
#include "core/tune/Front.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace fovea {

namespace {

constexpr std::size_t kLeastTokens = 32;
constexpr std::size_t kBatch = 32;      // policies judged at once while all activations are there
constexpr std::size_t kWholePoints = 4; // from so many runs over the whole text on, only they calibrate

template <class Get>
double meanOf(std::size_t count, const Get& get) {
    double sum = 0;
    for (std::size_t n = 0; n < count; ++n)
        sum += get(n) / static_cast<double>(count);
    return sum;
}

/// Small policies of three kinds, whose KL on a short text is spread over two orders of magnitude. All that
/// they read is a share of the text, up to kPrefixTokens: on the shortest one each of them skips something.
std::vector<AttentionPolicy> calibrators(std::size_t tokens) {
    std::vector<AttentionPolicy> out;
    const double share =
        static_cast<double>(std::min(tokens, kPrefixTokens)) / static_cast<double>(kPrefixTokens);
    const auto shareOf = [&](double count) { return std::max(1.0, std::round(count * share)); };
    const auto add = [&](double window, std::string signal, double budget) {
        AttentionPolicy policy;
        policy.local.window = static_cast<std::int64_t>(shareOf(window));
        policy.always.sinks = static_cast<std::int64_t>(shareOf(4));
        policy.routed.signal = std::move(signal);
        policy.routed.budget = shareOf(budget);
        policy.name = policy.summary();
        out.push_back(std::move(policy));
    };
    add(12, "", 32);
    add(48, "", 32);
    add(96, "", 32);
    add(8, "group_dot", 8);
    add(32, "group_dot", 8);
    add(24, "key_norm", 16);
    return out;
}

class Search {
public:
    Search(const TuneOptions& options, const TuneSpace& space,
           const std::vector<std::shared_ptr<const Snapshot>>& texts, const TuneWatch& watch, Tuning& tuning,
           const WorkContext& work)
        : m_options(options), m_space(space), m_watch(watch), m_tuning(tuning), m_work(work), m_quiet(work) {
        m_quiet.progress = {};
        for (const auto& text : texts) {
            m_texts.push_back(*text);
            m_samples.push_back(sampleRows(text->tokens->size(), options.sampledRows));
        }
    }

    Result<> run() {
        for (const TuneCandidate& candidate : m_space.candidates)
            m_tuning.points.emplace_back().candidate = candidate;
        m_prefixPoints.resize(m_texts.size());
        m_tuning.calibrations.resize(m_texts.size());
        FOVEA_TRY(knowRetrieval());
        const WorkClock clock(m_work);
        FOVEA_TRY(calibrateOnPrefix());
        FOVEA_TRY(takeKnown());
        FOVEA_TRY(judgeSpace());
        predictAll();
        m_tuning.curveSeconds = clock.seconds();
        FOVEA_TRY(checkReach());
        m_tuning.best = bestMeasured(m_tuning.points, m_options.goal);
        changed();
        FOVEA_TRY(measureNearest());
        changed();
        return {};
    }

private:
    /// Retrieval scores once, where any candidate ranks heads by them.
    Result<> knowRetrieval() {
        if (std::none_of(m_tuning.points.begin(), m_tuning.points.end(),
                         [](const TunePoint& p) { return ranksHeads(p.candidate.policy); }))
            return {};
        for (Snapshot& text : m_texts) {
            Result<Snapshot> known = withRetrievalScores(text, m_quiet);
            FOVEA_TRY(known);
            text = std::move(*known);
        }
        return {};
    }

    static CalibrationPoint pointOf(const Judgement& judged, const Measurement& measured) {
        PropagatedFidelity fidelity;
        fidelity.nextTokenKl = measured.kl;
        fidelity.top1Agreement = measured.top1;
        fidelity.deltaNll = measured.deltaNll;
        return calibrationPoint(judged, fidelity);
    }

    Result<> calibrateOnPrefix() {
        for (std::size_t t = 0; t < m_texts.size(); ++t) {
            Snapshot text = m_texts[t];
            m_cut.push_back(text.tokens->size() > 2 * kPrefixTokens);
            if (m_cut.back()) {
                Result<std::shared_ptr<const Snapshot>> prefix = prefixOf(text, kPrefixTokens, m_quiet);
                FOVEA_TRY(prefix);
                text = **prefix;
                m_tuning.prefixTokens = kPrefixTokens;
            }
            const std::vector<AttentionPolicy> policies = calibrators(text.tokens->size());
            m_tuning.prefixRuns = policies.size();
            const Result<std::vector<Judgement>> judged = judgePolicies(
                text, policies, sampleRows(text.tokens->size(), m_options.sampledRows), m_quiet);
            FOVEA_TRY(judged);
            for (std::size_t p = 0; p < policies.size(); ++p) {
                m_work.report("calibration runs", static_cast<double>(t * policies.size() + p),
                              static_cast<double>(m_texts.size() * policies.size()));
                FOVEA_TRY(m_work.checkpoint());
                TuneCandidate candidate;
                candidate.policy = policies[p];
                candidate.hash = policyHash(policies[p]);
                const Result<Measurement> measured = measureOnce(text, candidate, m_watch, m_quiet);
                FOVEA_TRY(measured);
                m_prefixPoints[t].push_back(pointOf((*judged)[p], *measured));
            }
        }
        return {};
    }

    /// Measurements of earlier runs stand from the beginning.
    Result<> takeKnown() {
        for (TunePoint& point : m_tuning.points) {
            std::vector<Measurement> measured;
            for (const Snapshot& text : m_texts)
                if (m_watch.known)
                    if (std::optional<Measurement> known = m_watch.known(text, point.candidate))
                        measured.push_back(std::move(*known));
            if (measured.size() < m_texts.size())
                continue;
            point.measured = std::move(measured);
            ++m_tuning.runs;
            ++m_tuning.storedRuns;
        }
        return {};
    }

    Result<> judge(const std::vector<std::size_t>& which) {
        const WorkClock clock(m_work);
        const bool kept = std::all_of(m_texts.begin(), m_texts.end(),
                                      [](const Snapshot& text) { return text.full->keepsAll(); });
        // Where layers were dropped each call runs the text again, so there are few calls.
        const std::size_t batch = kept ? kBatch : 8 * kBatch;
        for (std::size_t first = 0; first < which.size(); first += batch) {
            m_work.report("judging policies", static_cast<double>(m_tuning.judged),
                          static_cast<double>(m_tuning.judged + which.size() - first));
            FOVEA_TRY(m_work.checkpoint());
            const std::size_t count = std::min(batch, which.size() - first);
            std::vector<AttentionPolicy> policies;
            for (std::size_t n = 0; n < count; ++n)
                policies.push_back(m_tuning.points[which[first + n]].candidate.policy);
            for (std::size_t t = 0; t < m_texts.size(); ++t) {
                Result<std::vector<Judgement>> judged =
                    judgePolicies(m_texts[t], policies, m_samples[t], m_quiet);
                FOVEA_TRY(judged);
                for (std::size_t n = 0; n < count; ++n)
                    m_tuning.points[which[first + n]].judged.push_back(std::move((*judged)[n]));
            }
            m_tuning.judged += count;
        }
        m_tuning.judgeSeconds += clock.seconds();
        return {};
    }

    /// The whole space, or a sample of it and then the neighbours of the front until it stands still.
    Result<> judgeSpace() {
        const std::size_t count = m_tuning.points.size();
        std::vector<std::size_t> order(count);
        for (std::size_t n = 0; n < count; ++n)
            order[n] = n;
        if (count > m_options.mostJudged) {
            const auto draw = [&](std::size_t n) { return splitMix64(m_options.seed, n); };
            std::stable_sort(order.begin(), order.end(),
                             [&](std::size_t a, std::size_t b) { return draw(a) < draw(b); });
            order.resize(std::max<std::size_t>(m_options.mostJudged / 4, 1));
        }
        while (!order.empty()) {
            std::sort(order.begin(), order.end());
            FOVEA_TRY(judge(order));
            predictAll();
            order.clear();
            for (std::size_t n = 0; n < count; ++n) {
                if (!m_tuning.points[n].predictedFront)
                    continue;
                for (const std::size_t near : m_space.neighbours(n))
                    if (m_tuning.points[near].judged.empty() &&
                        std::find(order.begin(), order.end(), near) == order.end())
                        order.push_back(near);
            }
            const std::size_t left = m_options.mostJudged - std::min(m_options.mostJudged, m_tuning.judged);
            if (order.size() > left)
                order.resize(left);
        }
        return {};
    }

    /// The runs that calibrated first were over the whole text already. A candidate that is one of them
    /// counts once.
    [[nodiscard]] Calibration withWhole(std::vector<CalibrationPoint> points, std::size_t text) const {
        for (const CalibrationPoint& first : m_prefixPoints[text])
            if (std::none_of(points.begin(), points.end(), [&](const CalibrationPoint& point) {
                    return point.kl == first.kl && point.streamError == first.streamError;
                }))
                points.push_back(first);
        return Calibration(std::move(points));
    }

    /// Too few runs over the whole text: those over its beginning stand beside them, all moved by as much as
    /// they mispredict these on average, since the same error may cost more or less on a short text.
    [[nodiscard]] Calibration withPrefix(std::vector<CalibrationPoint> points, std::size_t text) const {
        std::vector<CalibrationPoint> prefix = m_prefixPoints[text];
        const Calibration alone(prefix);
        double miss = 0, count = 0;
        for (const TunePoint& point : m_tuning.points)
            if (alone.ready() && !point.measured.empty() && !point.judged.empty() &&
                point.measured[text].kl > 0) {
                const double foretold = alone.predict(point.judged[text]).kl.value;
                miss += foretold > 0 ? std::log(point.measured[text].kl / foretold) : 0;
                count += foretold > 0 ? 1 : 0;
            }
        for (CalibrationPoint& point : prefix)
            point.kl *= count > 0 ? std::exp(miss / count) : 1;
        points.insert(points.end(), prefix.begin(), prefix.end());
        return Calibration(std::move(points));
    }

    /// Calibrations of the runs so far, and all predictions and fronts.
    void predictAll() {
        for (std::size_t t = 0; t < m_texts.size(); ++t) {
            std::vector<CalibrationPoint> points;
            for (const TunePoint& point : m_tuning.points)
                if (!point.measured.empty() && !point.judged.empty() && point.measured[t].kl > 0)
                    points.push_back(pointOf(point.judged[t], point.measured[t]));
            Calibration whole = m_cut[t] ? Calibration(points) : withWhole(points, t);
            if (m_cut[t] && whole.points() < kWholePoints)
                whole = withPrefix(std::move(points), t);
            m_tuning.calibrations[t] = std::move(whole);
        }
        const bool ready = m_tuning.predicts();
        for (TunePoint& point : m_tuning.points)
            point.predicted =
                ready && !point.judged.empty() ? std::optional(predictionOf(point)) : std::nullopt;
        markFronts(m_tuning.points);
    }

    [[nodiscard]] Prediction predictionOf(const TunePoint& point) const {
        Prediction mean;
        const auto share = 1 / static_cast<double>(m_texts.size());
        const auto add = [&](Band& sum, const Band& one) {
            sum.value += share * one.value;
            sum.low += share * one.low;
            sum.high += share * one.high;
        };
        for (std::size_t t = 0; t < m_texts.size(); ++t) {
            const Prediction one = m_tuning.calibrations[t].predict(point.judged[t]);
            add(mean.kl, one.kl);
            add(mean.top1, one.top1);
            add(mean.deltaNll, one.deltaNll);
        }
        return mean;
    }

    Result<> checkReach() {
        if (!m_options.goal.withinPairs)
            return {};
        double least = std::numeric_limits<double>::infinity();
        for (const TunePoint& point : m_tuning.points)
            if (point.answer() && !point.judged.empty())
                least = std::min(least, point.estimatedPairs());
        if (least <= *m_options.goal.withinPairs)
            return {};
        return fail(ErrorCode::BadValue,
                    "within-pairs is " + std::to_string(*m_options.goal.withinPairs) +
                        ", and the cheapest policy of the space takes " + std::to_string(least) +
                        " of full attention's pairs; a larger bound or a space with cheaper policies is "
                        "accepted.");
    }

    Result<> measureNearest() {
        const std::size_t before = m_tuning.runs;
        while (true) {
            m_tuning.best = bestMeasured(m_tuning.points, m_options.goal);
            const std::optional<std::size_t> next =
                nextToMeasure(m_tuning.points, m_options.goal, m_tuning.best);
            if (!next) {
                const bool wantsOne = m_options.goal.withinKl || m_options.goal.withinPairs;
                m_tuning.ending = !m_tuning.predicts()         ? TuneEnding::NotPredicted
                                  : wantsOne && !m_tuning.best ? TuneEnding::Nothing
                                                               : TuneEnding::Settled;
                return {};
            }
            if (m_tuning.runs - before >= m_options.runs) {
                m_tuning.ending = TuneEnding::Spent;
                return {};
            }
            m_work.report("propagated runs", static_cast<double>(m_tuning.runs - before),
                          static_cast<double>(m_options.runs));
            FOVEA_TRY(m_work.checkpoint());
            TunePoint& point = m_tuning.points[*next];
            std::vector<Measurement> measured;
            for (const Snapshot& text : m_texts) {
                Result<Measurement> one = measureOnce(text, point.candidate, m_watch, m_quiet);
                FOVEA_TRY(one);
                measured.push_back(std::move(*one));
            }
            point.foretold = point.predicted;
            point.measured = std::move(measured);
            ++m_tuning.runs;
            predictAll();
            m_tuning.best = bestMeasured(m_tuning.points, m_options.goal);
            changed();
        }
    }

    void changed() const {
        if (m_watch.changed)
            m_watch.changed(m_tuning);
    }

    const TuneOptions& m_options;
    const TuneSpace& m_space;
    const TuneWatch& m_watch;
    Tuning& m_tuning;
    const WorkContext& m_work;
    WorkContext m_quiet; ///< one run's own progress would make the bar jump
    std::vector<Snapshot> m_texts;
    std::vector<RowSample> m_samples;
    std::vector<bool> m_cut; ///< [texts] the runs that calibrate first are over its beginning alone
    std::vector<std::vector<CalibrationPoint>> m_prefixPoints; ///< [texts] of these runs
};

} // namespace

double TunePoint::estimatedPairs() const {
    return meanOf(judged.size(), [&](std::size_t t) { return judged[t].cost.pairsRatio; });
}
double TunePoint::measuredPairs() const {
    return meanOf(measured.size(), [&](std::size_t t) { return measured[t].cost.pairsRatio; });
}
double TunePoint::measuredKl() const {
    return meanOf(measured.size(), [&](std::size_t t) { return measured[t].kl; });
}
double TunePoint::measuredTop1() const {
    return meanOf(measured.size(), [&](std::size_t t) { return measured[t].top1; });
}
double TunePoint::measuredDeltaNll() const {
    return meanOf(measured.size(), [&](std::size_t t) { return measured[t].deltaNll; });
}

bool Tuning::predicts() const {
    return std::all_of(calibrations.begin(), calibrations.end(),
                       [](const Calibration& c) { return c.ready(); });
}

Result<Measurement> measureOnce(const Snapshot& text, const TuneCandidate& candidate, const TuneWatch& watch,
                                const WorkContext& work) {
    if (watch.known)
        if (std::optional<Measurement> known = watch.known(text, candidate))
            return std::move(*known);
    Result<Measurement> fresh = measurePolicy(text, candidate.policy, work);
    FOVEA_TRY(fresh);
    if (watch.measured)
        FOVEA_TRY(watch.measured(text, candidate, *fresh));
    return fresh;
}

Result<> checkGoal(const TuneGoal& goal, std::size_t tokens) {
    const auto outside = [](const char* name, double value, const char* accepted) {
        return fail(ErrorCode::BadValue,
                    std::string(name) + " is " + std::to_string(value) + "; " + accepted + " is accepted.");
    };
    if (goal.withinKl && goal.withinPairs)
        return fail(ErrorCode::BadValue,
                    "within-kl asks for the cheapest policy and within-pairs for the best one; one of them "
                    "is accepted.");
    if (goal.withinKl && !(*goal.withinKl > 0 && *goal.withinKl <= 100))
        return outside("within-kl", *goal.withinKl, "a number above 0, up to 100 nats");
    if (goal.withinPairs && !(*goal.withinPairs > 0 && *goal.withinPairs <= 100))
        return outside("within-pairs", *goal.withinPairs, "a share above 0, such as 0.15,");
    if (tokens > 0 && tokens < kLeastTokens)
        return fail(ErrorCode::BadValue, "the text has " + std::to_string(tokens) +
                                             (tokens == 1 ? " token" : " tokens") +
                                             ", which leaves nothing to tune; " +
                                             std::to_string(kLeastTokens) + " or more are accepted.");
    return {};
}

Result<> tune(const TuneOptions& options, const TuneSpace& space,
              const std::vector<std::shared_ptr<const Snapshot>>& texts, const TuneWatch& watch,
              Tuning& tuning, const WorkContext& work) {
    tuning = {};
    if (space.candidates.empty())
        return fail(ErrorCode::BadValue, "tune: the space is empty; at least one policy is accepted.");
    if (std::none_of(space.candidates.begin(), space.candidates.end(),
                     [](const TuneCandidate& c) { return !c.control && !c.ahead; }))
        return fail(ErrorCode::BadValue,
                    "tune: every policy of the space is a control or looks ahead; at least one that can "
                    "be used while a text is written is accepted.");
    for (const auto& text : texts)
        FOVEA_TRY(checkGoal(options.goal, text->tokens->size()));
    return orOutOfMemory("tune: not enough memory for another run; a shorter text needs less.",
                         [&] { return Search(options, space, texts, watch, tuning, work).run(); });
}

} // namespace fovea
