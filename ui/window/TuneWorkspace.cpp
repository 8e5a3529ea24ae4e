#include "ui/window/TuneWorkspace.h"
#include "ui/views/CurveView.h"
#include "ui/views/SensitivityView.h"
#include "ui/views/TuneView.h"
#include <QDockWidget>
#include <QMainWindow>
#include <QSplitter>
#include <utility>

namespace fovea::ui {

TuneWorkspace::TuneWorkspace(QMainWindow& window, ViewContext context, QSplitter& centre,
                             QDockWidget& curveDock, CurveView& curve)
    : QObject(&window), m_window(window), m_centre(centre), m_curveDock(curveDock), m_curve(curve),
      m_outer(new QSplitter(Qt::Horizontal)), m_right(new QSplitter(Qt::Vertical)),
      m_tune(new TuneView(context, curve)), m_sensitivity(new SensitivityView(context, curve)) {
    m_outer->setObjectName(QStringLiteral("workspace"));
    m_outer->setChildrenCollapsible(false);
    m_right->setObjectName(QStringLiteral("workspace.right"));
    m_right->setChildrenCollapsible(false);
    m_outer->addWidget(m_tune);
    m_outer->addWidget(m_right);
    m_right->addWidget(&m_centre);
    m_right->addWidget(m_sensitivity);
    m_tune->hide();
    m_sensitivity->hide();
    window.setCentralWidget(m_outer);
    // Whoever opens the panel of the curve wants it there. The signal comes from inside the layout of the
    // window, which must not be restored before it is done.
    connect(
        &curveDock, &QDockWidget::visibilityChanged, this,
        [this] {
            if (!m_on || !m_curveDock.isVisible() || !m_curveDock.toggleViewAction()->isChecked())
                return;
            setOn(false);
            m_curveDock.show();
            m_curveDock.raise();
        },
        Qt::QueuedConnection);
}

void TuneWorkspace::setOn(bool on) {
    if (on == m_on)
        return;
    QWidget* const text = m_centre.count() > 1 ? m_centre.widget(1) : nullptr;
    if (on) {
        m_before = m_window.saveState();
        for (auto* dock : m_window.findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly))
            if (m_window.dockWidgetArea(dock) != Qt::LeftDockWidgetArea && !dock->isFloating())
                dock->hide();
        m_curveDock.hide();
        m_curveLeast = m_curve.minimumSize();
        m_curve.setMinimumSize(0, m_curveLeast.height()); // the layout says what its fewer controls need
        m_tune->takeCurve();
    } else {
        m_curve.setMinimumSize(m_curveLeast);
        m_curveDock.setWidget(&m_curve);
    }
    m_on = on;
    m_curve.setFew(on);
    if (text != nullptr)
        text->setVisible(!on);
    m_tune->setVisible(on);
    m_sensitivity->setVisible(on);
    // The splitters forget the room that what is hidden needed, or the panels that come back would be
    // squeezed.
    for (QSplitter* splitter : {&m_centre, m_right, m_outer})
        splitter->refresh();
    if (on) // when the panels that went have left their room to it
        QMetaObject::invokeMethod(this, &TuneWorkspace::size, Qt::QueuedConnection);
    else
        m_window.restoreState(std::exchange(m_before, {}));
    emit changed(on);
}

void TuneWorkspace::size() {
    const int width = m_outer->width(), height = m_right->height();
    m_outer->setSizes({width * 6 / 10, width - width * 6 / 10});
    m_right->setSizes({height * 6 / 10, height - height * 6 / 10});
    m_curve.setFew(m_on); // drawn again at its new size
}

} // namespace fovea::ui
