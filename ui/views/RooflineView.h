#pragma once
#include "ui/models/Roofline.h"
#include <QWidget>
#include <optional>

namespace fovea::ui {

/// The roofline of the machine with the attention of each arm as a point, both axes logarithmic. Its
/// accessible description and its tip say the same in numbers. Object name: profile.roofline.
class RooflineView : public QWidget {
    Q_OBJECT
public:
    explicit RooflineView(QWidget* parent = nullptr);
    void show(const Peak& peak, std::vector<RoofPoint> points);
    void setOld(bool old); ///< in the second ink
    [[nodiscard]] QString sentence() const;
    /// Where a number of flop per byte and a speed stand; inside the frame.
    [[nodiscard]] QPointF placeOf(double intensity, double gflops) const;
    [[nodiscard]] QSize sizeHint() const override { return {300, 180}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {220, 110}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    [[nodiscard]] QRectF plot() const;
    std::optional<Peak> m_peak;
    std::vector<RoofPoint> m_points;
    double m_left = 1, m_right = 100, m_low = 1, m_high = 100; ///< ends of the axes: powers of ten
    bool m_old = false;
};

} // namespace fovea::ui
