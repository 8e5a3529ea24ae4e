#pragma once
#include <QWidget>
#include <functional>
#include <limits>
#include <vector>

class QCustomPlot;

namespace fovea::ui {

enum class CurveMark {
    Full,           ///< full attention: cost 1, no loss
    Front,          ///< on the Pareto front
    Policy,         ///< another point is better; drawn hollow
    Random,         ///< the random router at a point's budget, drawn at that point's cost
    Oracle,         ///< true top-k at a point's budget, drawn at that point's cost
    Current,        ///< the current policy
    Predicted,      ///< a prediction, not a measurement: hollow and dotted, with its band
    PredictedFront, ///< on the front of predictions, which is a line of its own
};

/// One mark of the plot. `id` is passed to clicked and hovered; -1 for marks whose policy cannot be loaded.
struct CurvePoint {
    double cost = 0;
    double fidelity = 0;
    CurveMark mark = CurveMark::Policy;
    int id = -1;
    /// The band of a prediction; NaN: none.
    double low = std::numeric_limits<double>::quiet_NaN(), high = low;
};

/// Describes the fidelity axis. Up is always better; a measure where smaller is better is drawn reversed.
struct CurveAxis {
    QString label;
    bool logarithmic = false;
    bool lessIsBetter = true;
    double equalValue = 0; ///< the value that full attention has
};

/// Cost versus fidelity: x = cost as a share of full (log), y = fidelity, up is better. The area right of 1
/// is shaded, because it costs more than full attention. The Pareto front is a step line through filled
/// points; controls are drawn dashed (random) and dotted (oracle). Predictions are hollow, with a band, and
/// have a dashed front of their own. Curves are not smoothed. GUI thread only.
class CurvePlot : public QWidget {
    Q_OBJECT
public:
    explicit CurvePlot(QWidget* parent = nullptr);
    ~CurvePlot() override;

    void setAxes(const QString& costLabel, const CurveAxis& fidelity);
    void setPoints(std::vector<CurvePoint> points);
    /// Text for the tooltip of a point.
    void setTip(std::function<QString(int id)> tip) { m_tip = std::move(tip); }
    /// The position of a visible mark in the widget, for tests and the keyboard; a null point if there is
    /// none.
    [[nodiscard]] QPointF positionOf(int id) const;
    [[nodiscard]] const std::vector<CurvePoint>& points() const { return m_points; }
    [[nodiscard]] QPixmap picture(double scale) const;

signals:
    void clicked(int id);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void fitLabels(); ///< the longest wording of axes and note that is not cut
    void rebuild();
    [[nodiscard]] double inside(double value) const; ///< at the end of a logarithmic axis at most
    [[nodiscard]] double yOf(const CurvePoint& point) const;
    [[nodiscard]] int pointAt(QPointF position) const; ///< index into m_points, -1: none

    QCustomPlot* m_plot = nullptr;
    QString m_costLabel;
    CurveAxis m_axis;
    std::vector<CurvePoint> m_points;
    std::function<QString(int)> m_tip;
    double m_lowest = 1e-4, m_highest = 1; ///< of the fidelity axis
};

} // namespace fovea::ui
