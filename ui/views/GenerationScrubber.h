#pragma once
#include "ui/run/GenerationController.h"
#include <QWidget>

namespace fovea::ui {

/// One tick per generated token, filled where A and B chose differently; above the ticks the KL of the two
/// distributions while both arms have read the same text. Click, drag and keys choose a step: comma and full
/// stop, arrows, Home, End; Space plays four steps a second.
class GenerationScrubber : public QWidget {
    Q_OBJECT
public:
    explicit GenerationScrubber(GenerationController& generation, QWidget* parent = nullptr);
    [[nodiscard]] QSize sizeHint() const override { return {400, 52}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {120, 52}; }
    [[nodiscard]] QRectF tickRect(std::size_t step) const;
    [[nodiscard]] int stepAt(double x) const; ///< nearest; -1: there are no steps
    [[nodiscard]] QString sentence() const;

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] double pitch() const; ///< pixels per step
    GenerationController& m_generation;
};

} // namespace fovea::ui
