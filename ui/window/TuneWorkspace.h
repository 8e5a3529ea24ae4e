#pragma once
#include "ui/views/View.h"
#include <QByteArray>
#include <QObject>
#include <QSize>

class QDockWidget;
class QMainWindow;
class QSplitter;

namespace fovea::ui {

class CurveView;
class SensitivityView;
class TuneView;

/// The centre of the main window in two arrangements. Explore: the map over the text, as it is given. Tune:
/// the curve, its answers and the list of policies at the left, the map over the sensitivity at the right;
/// the parameters stay, other panels and the text are put away. Selection, text and policy do not change
/// between them, and the panels come back as they were.
class TuneWorkspace : public QObject {
    Q_OBJECT
public:
    /// `centre`: the map over the text. `curveDock` has the curve while this is off. Becomes the central
    /// widget.
    TuneWorkspace(QMainWindow& window, ViewContext context, QSplitter& centre, QDockWidget& curveDock,
                  CurveView& curve);
    void setOn(bool on);
    [[nodiscard]] bool isOn() const { return m_on; }

signals:
    void changed(bool on);

private:
    void size(); ///< of the parts of Tune
    QMainWindow& m_window;
    QSplitter& m_centre;
    QDockWidget& m_curveDock;
    CurveView& m_curve;
    QSplitter* m_outer = nullptr;
    QSplitter* m_right = nullptr;
    TuneView* m_tune = nullptr;
    SensitivityView* m_sensitivity = nullptr;
    QByteArray m_before; ///< the panels of Explore
    QSize m_curveLeast;  ///< of the curve in its panel
    bool m_on = false;
};

} // namespace fovea::ui
