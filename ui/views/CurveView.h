#pragma once
#include "core/tune/Tuner.h"
#include "ui/views/View.h"
#include <vector>

class QComboBox;
class QHBoxLayout;
class QLabel;
class QPushButton;
class QToolButton;

namespace fovea::ui {

class CurvePlot;
class CurvePrediction;
struct CurvePoint;

/// Cost versus fidelity on the user's own text and model: the policy now set, a sweep over window and routed
/// count, random and oracle controls, the Pareto front. A sweep begins when its button is pressed, which says
/// how many runs it takes and about how long; it fills in the background. Points and the mark of the policy
/// now set are shown only while they belong to the text, model and policy that are set. Clicking a point
/// makes its policy B (one undo step). Another button predicts the curve in seconds instead: the same grid is
/// judged on sampled queries without running the model. Predictions are hollow, with their band, and have a
/// front of their own; a sweep's points are measured and filled. A third one searches for the cheapest policy
/// within a loss, or the best within a cost, and makes the answer B.
class CurveView : public QWidget {
    Q_OBJECT
public:
    explicit CurveView(ViewContext context, QWidget* parent = nullptr);

    /// The grid that the view sweeps (curveGrid).
    [[nodiscard]] static SweepPlan plan(const AttentionPolicy& base, std::size_t tokens, bool causal = true);
    /// Saves the points as CSV in a file chosen by the user.
    void copyCommand() const; ///< puts the policy now on the clipboard, as a command
    void exportNumbers();
    /// All policies that are known on the text and model that are set, each once: those that were run, by a
    /// sweep or by a search, and the predictions of the others. Both fronts are marked.
    [[nodiscard]] std::vector<TunePoint> knownPoints() const;
    /// The newest prediction or search, with its calibration; null while there is none of this text and
    /// model.
    [[nodiscard]] const Tuning* tuning() const;
    /// Draws no point of these policies.
    void leaveOut(std::vector<AttentionPolicy> policies);
    /// Beside the tune panel, which has the other buttons: only measures, Predict and Sweep.
    void setFew(bool few);
    [[nodiscard]] bool canSearch() const; ///< nothing runs, and there is a full run to search on

public slots:
    void startSweep();
    void startPrediction();
    void startSearch(const fovea::TuneGoal& goal);

signals:
    void pointsChanged(); ///< knownPoints or canSearch

private:
    void refresh();
    void updateState();
    [[nodiscard]] bool ready() const;  ///< the full run of what is set is there
    [[nodiscard]] bool causal() const; ///< whether the model predicts tokens; true before there is one
    /// The sweep's points while they belong to what is set, else none.
    [[nodiscard]] const std::vector<SweepPoint>& points() const;
    /// The finished run of the policy now set; null while there is none.
    [[nodiscard]] SnapshotPtr policyNow() const;
    [[nodiscard]] double costOf(const Cost& cost) const;
    [[nodiscard]] double fidelityOf(const PropagatedFidelity& f, double massRecall, double outputError) const;
    void appendPredicted(std::vector<CurvePoint>& marks) const;
    /// Whether another policy that was run, by a sweep or by a search, costs and loses no more.
    [[nodiscard]] bool isBeaten(double pairs, double loss) const;
    [[nodiscard]] bool isLeftOut(const AttentionPolicy& policy) const;
    [[nodiscard]] QString tip(int id) const;
    void loadPoint(int id);

    ViewContext m_context;
    QComboBox* m_cost = nullptr;
    QComboBox* m_fidelity = nullptr;
    QPushButton* m_predict = nullptr;
    QToolButton* m_find = nullptr;
    QPushButton* m_start = nullptr;
    QToolButton* m_cancel = nullptr;
    QToolButton* m_copy = nullptr;
    QToolButton* m_save = nullptr;
    QLabel* m_state = nullptr;
    QHBoxLayout* m_bar = nullptr;
    CurvePlot* m_plot = nullptr;
    CurvePrediction* m_prediction = nullptr; ///< with a base policy of its own
    bool m_causal = true;                    ///< of the model whose measures are offered
    AttentionPolicy m_base;                  ///< the policy around which the points of the sweep vary
    std::vector<AttentionPolicy> m_leftOut;
    bool m_few = false;
    QString m_said; ///< what became of the last sweep, prediction or save, until the next one
};

} // namespace fovea::ui
