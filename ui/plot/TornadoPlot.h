#pragma once
#include <QString>
#include <QWidget>
#include <optional>
#include <vector>

namespace fovea::ui {

/// One step of a parameter, as factors of the policy's own figures.
struct TornadoStep {
    QString value;   ///< what the parameter becomes
    double cost = 1; ///< pairs of the step / pairs of the policy
    double loss = 1; ///< predicted KL of the step / that of the policy; infinite where that is 0
};

/// One parameter. Steps are empty where there is no legal one.
struct TornadoRow {
    QString name, at;
    std::optional<TornadoStep> down, up;
    bool doesNothing = false;
};

/// A parameter per line, its step down and its step up: the change of cost at the left, that of loss at the
/// right, each as a bar from "the same" on a logarithmic scale. Bars to the left are less. Rows stand in the
/// order given; parameters that do nothing say so. A step by more than a factor of 10 ends in an arrow. GUI
/// thread only.
class TornadoPlot : public QWidget {
    Q_OBJECT
public:
    explicit TornadoPlot(QWidget* parent = nullptr);
    void setRows(std::vector<TornadoRow> rows);
    [[nodiscard]] const std::vector<TornadoRow>& rows() const { return m_rows; }
    /// The bar of a step, empty when it is not drawn; for tests. `loss`: at the right.
    [[nodiscard]] QRectF bar(std::size_t row, bool up, bool loss) const;
    [[nodiscard]] QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] QRectF area(bool loss) const; ///< of the bars
    [[nodiscard]] double rowHeight() const;
    [[nodiscard]] double span(bool loss) const; ///< the greatest |ln factor| that is drawn
    [[nodiscard]] std::size_t shown() const;    ///< rows that have room
    [[nodiscard]] QString wordsOf(const TornadoRow& row) const;
    std::vector<TornadoRow> m_rows;
};

} // namespace fovea::ui
