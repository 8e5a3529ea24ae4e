#pragma once
#include <QString>
#include <QWidget>

namespace fovea::ui {

/// Two bars of one scale: the pairs of full attention in one head, and those of the step's policy. The scale
/// is the largest text of the lesson, so that the bars grow when the text does. Counted, never measured.
class CostBar : public QWidget {
    Q_OBJECT
public:
    explicit CostBar(QWidget* parent = nullptr);
    /// `largest`: pairs of the longest text of the lesson. `pairs` below 0: not known yet.
    void show(double tokens, double full, double pairs, double largest);
    [[nodiscard]] QString sentence() const; ///< its content as text
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    double m_tokens = 0, m_full = 0, m_pairs = -1, m_largest = 1;
};

} // namespace fovea::ui
