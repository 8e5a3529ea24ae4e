#pragma once
#include "core/tune/Tuner.h"
#include "ui/views/View.h"
#include <optional>

namespace fovea::ui {

/// The predicted curve of the text and model that are set: policies judged on sampled queries in the
/// background (core/tune/Tuner.h), without a run over the whole text, or with the runs that a search for a
/// goal makes. It belongs to the text, the model and the base policy that it was made for, and is dropped
/// when the text or the model changes. GUI thread only.
class CurvePrediction : public QObject {
    Q_OBJECT
public:
    CurvePrediction(ViewContext context, QObject* parent);

    /// Judges `grid` over the full run of `now`. A prediction under way goes on, and the call does nothing.
    void start(SnapshotPtr now, const SweepPlan& grid);
    /// Searches the space of `fovea tune` for the goal, with at most `runs` runs of the text. What is
    /// measured shows while the search goes on; at its end `found` tells the answer.
    void find(SnapshotPtr now, const TuneGoal& goal, std::size_t runs = 16);
    /// Gives up what is under way; what it has shown stays. No answer is told any more, not even one that was
    /// on its way.
    void cancel();
    [[nodiscard]] bool running() const { return m_running; }
    /// While it belongs to the text and model that are set; null while there is none.
    [[nodiscard]] const Tuning* tuning() const;
    /// The policy that its grid varies; empty: a search, which takes presets too.
    [[nodiscard]] const std::optional<AttentionPolicy>& base() const { return m_base; }
    /// Drops a prediction, also one that is under way, when another text or model is set.
    void dropOld();

    /// A point that has a prediction, by its place; null: there is none.
    [[nodiscard]] const TunePoint* point(std::size_t at) const;
    [[nodiscard]] static QString tip(const TunePoint& point);
    [[nodiscard]] static QString measuredTip(const TunePoint& point);
    /// How it was made and how far it can be trusted; empty without a prediction.
    [[nodiscard]] QString quality() const;
    /// Seconds that a prediction of `policies` policies takes: six calibration runs, and the sampled queries
    /// of each policy in every layer. An estimate from the full run.
    [[nodiscard]] static double secondsFor(const Snapshot& snapshot, std::size_t policies);

signals:
    /// `said`: what it does now, or why there is no prediction; empty once it is there.
    void changed(const QString& said);
    /// A search has ended with this answer.
    void found(const fovea::AttentionPolicy& policy);

private:
    void run(SnapshotPtr now, std::optional<AttentionPolicy> base, Result<TuneSpace> space,
             const TuneOptions& options);
    void finish(Result<std::shared_ptr<const Tuning>> answer, const TuneOptions& options);
    ViewContext m_context;
    std::optional<AttentionPolicy> m_base;
    std::shared_ptr<const Tuning> m_tuning;
    SnapshotPtr m_of; ///< whose text and model it belongs to, also while it is under way
    bool m_running = false;
    bool m_givenUp = false; ///< what is under way
};

} // namespace fovea::ui
