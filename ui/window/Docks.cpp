#include "ui/window/Docks.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QApplication>
#include <QDockWidget>
#include <QHBoxLayout>
#include <QMenu>
#include <QSettings>
#include <QSplitter>
#include <QToolButton>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

constexpr int kStateVersion = 4; ///< of saveState(): raised when docks come or go
constexpr QSize kUsualSize{1280, 800};
constexpr QSize kFrame{16, 48}; ///< of a window manager: borders, title bar
constexpr int kLeftWidth = 250, kRightWidth = 310, kWidestRight = 480;
// Around the square of a map's cells: labels and margins, and the controls in a row over it or in a column
// beside it (MapView::arrangeTools).
constexpr int kOver = 20, kBeside = 80, kToolRow = 28, kToolColumn = 68;
constexpr int kTextBeside = 400; ///< width of the text beside the map, for its controls
constexpr int kFourLines = 122;  ///< height of the text under the map: four lines, legend
constexpr int kLow = 600;        ///< a centre of less height has less text

int heightOfText(int height) {
    return height < kLow ? kLeastText : std::max(kFourLines, height / 7);
}

/// The side of the square of cells in a map view of this size.
int squareIn(int width, int height) {
    return std::max(std::min(height - kOver - kToolRow, width - kBeside),
                    std::min(height - kOver, width - kBeside - kToolColumn));
}

/// Whether the square map is larger with the text beside it than with the text under it.
bool textFitsBeside(QSize centre) {
    const int under = centre.height() - heightOfText(centre.height());
    const bool twoMaps = 10 * centre.width() > 19 * under; // see MapView::arrangement
    return !twoMaps &&
           squareIn(centre.width() - kTextBeside, centre.height()) > squareIn(centre.width(), under);
}

/// The dock, or what is to have the focus inside a widget.
QWidget* focusTarget(QWidget* widget) {
    if (auto* dock = qobject_cast<QDockWidget*>(widget)) {
        dock->raise();
        widget = dock->widget();
    }
    if (widget->focusPolicy() != Qt::NoFocus)
        return widget;
    for (QWidget* child : widget->findChildren<QWidget*>())
        if (child->isVisible() && child->isEnabled() && (child->focusPolicy() & Qt::TabFocus) != 0)
            return child;
    return widget;
}

/// What is visible in nested splitters, from left to right and from top to bottom.
void addLeaves(QWidget& part, std::vector<QWidget*>& leaves) {
    if (const auto* splitter = qobject_cast<QSplitter*>(&part))
        for (int i = 0; i < splitter->count(); ++i)
            addLeaves(*splitter->widget(i), leaves);
    else if (part.isVisible())
        leaves.push_back(&part);
}

} // namespace

QSize firstWindowSize(QSize available) {
    return kUsualSize.boundedTo(available - kFrame).expandedTo(kLeastWindow);
}

Docks::Docks(QMainWindow& window, QSplitter& centre, RunController& runs)
    : QObject(&window), m_window(window), m_centre(centre), m_runs(runs) {
    window.setDockOptions(QMainWindow::AllowNestedDocks | QMainWindow::AllowTabbedDocks |
                          QMainWindow::AnimatedDocks);
    window.setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::South);
    connect(&runs, &RunController::updatingChanged, this, &Docks::showTitles);
    centre.installEventFilter(this);
}

QDockWidget* Docks::add(const QString& name, const QString& title, QWidget* view, QSize minimum, Place place,
                        bool follows) {
    auto* dock = new QDockWidget(title, &m_window);
    dock->setObjectName(name);
    // Never narrower than its controls; lower it may be, a picture shrinks.
    view->setMinimumSize(std::max(minimum.width(), view->minimumSizeHint().width()), minimum.height());
    dock->setWidget(view);
    dock->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetFloatable |
                      QDockWidget::DockWidgetClosable);
    m_panels.push_back({dock, place, follows, view->windowTitle().isEmpty() ? title : view->windowTitle()});
    connect(view, &QWidget::windowTitleChanged, this, [this, at = m_panels.size() - 1](const QString& own) {
        m_panels[at].title = own;
        showTitles();
    });
    if (place == Left) // rows of words and controls: their width grows with the type
        connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, view,
                [this, dock, view, least = view->minimumWidth(), before = 0]() mutable {
                    const int wanted = qRound(scaled(least));
                    if (view->minimumWidth() == wanted)
                        return;
                    const bool larger = displayScale() != 1;
                    view->setMinimumWidth(wanted);
                    if (!larger && before > 0)
                        m_window.resizeDocks({dock}, {before}, Qt::Horizontal);
                    before = larger && dock->isVisible() ? dock->width() : 0;
                });
    showTitles();
    return dock;
}

QList<QDockWidget*> Docks::at(Place place) const {
    QList<QDockWidget*> found;
    for (const Panel& panel : m_panels)
        if (panel.place == place)
            found << panel.dock;
    return found;
}

void Docks::addButtons(QHBoxLayout& line) {
    int place = 0;
    for (QDockWidget* dock : at(Drawer)) {
        auto* button = new QToolButton(line.parentWidget());
        button->setObjectName(QStringLiteral("drawer.") + dock->objectName().section(QLatin1Char('.'), 1));
        button->setText(dock->windowTitle());
        button->setToolTip(tr("Opens and closes this panel at the foot of the window"));
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        button->setCheckable(true);
        button->setMinimumHeight(24);
        line.insertWidget(place++, button);
        connect(button, &QToolButton::clicked, dock, [this, dock](bool checked) {
            if (checked)
                open(dock);
            else
                dock->hide();
        });
        connect(dock->toggleViewAction(), &QAction::toggled, button, &QToolButton::setChecked);
        connect(dock->toggleViewAction(), &QAction::toggled, this, &Docks::drawerClosed,
                Qt::QueuedConnection);
    }
}

void Docks::addToggles(QMenu& menu) {
    menu.addSeparator();
    for (const Panel& panel : m_panels) {
        QAction* toggle = panel.dock->toggleViewAction();
        toggle->setObjectName(QStringLiteral("view.toggle.") + panel.dock->objectName());
        menu.addAction(toggle);
    }
}

void Docks::arrange() {
    for (const Panel& panel : m_panels) {
        panel.dock->setFloating(false);
        m_window.removeDockWidget(panel.dock);
    }
    constexpr std::pair<Place, Qt::DockWidgetArea> kAreas[] = {
        {Left, Qt::LeftDockWidgetArea}, {Right, Qt::RightDockWidgetArea}, {Drawer, Qt::BottomDockWidgetArea}};
    for (const auto& [place, area] : kAreas) {
        QDockWidget* before = nullptr;
        for (QDockWidget* dock : at(place)) {
            if (before == nullptr)
                m_window.addDockWidget(area, dock);
            else if (place == Drawer)
                m_window.tabifyDockWidget(before, dock);
            else
                m_window.splitDockWidget(before, dock, Qt::Vertical);
            before = dock;
            dock->setVisible(place != Drawer);
        }
    }
    size();
}

void Docks::open(QDockWidget* dock) {
    const QList<QDockWidget*> drawer = at(Drawer);
    const bool first = drawer.contains(dock) && std::none_of(drawer.begin(), drawer.end(),
                                                             [](auto* other) { return other->isVisible(); });
    if (first) {
        m_rightHeights.clear();
        for (QDockWidget* right : at(Right))
            m_rightHeights << right->height();
    }
    dock->show();
    dock->raise();
    if (first)
        m_window.resizeDocks({dock}, {m_window.height() * 2 / 5}, Qt::Vertical);
}

void Docks::drawerClosed() {
    const QList<QDockWidget*> drawer = at(Drawer);
    const bool open = std::any_of(drawer.begin(), drawer.end(),
                                  [](auto* dock) { return dock->toggleViewAction()->isChecked(); });
    const QList<QDockWidget*> right = at(Right);
    const bool put = std::none_of(right.begin(), right.end(), [](auto* dock) { return dock->isVisible(); });
    if (open || put || m_rightHeights.isEmpty()) // heights are given back to what is there
        return;
    m_window.resizeDocks(right, std::exchange(m_rightHeights, {}), Qt::Vertical);
}

void Docks::show(const QString& name) {
    for (const Panel& panel : m_panels)
        if (panel.dock->objectName() == name)
            open(panel.dock);
}

void Docks::size() {
    const QList<QDockWidget*> left = at(Left), right = at(Right);
    // A square map has as much width as the window has height for it; the panel beside it takes the rest.
    const int square = m_centre.height() - heightOfText(m_centre.height()) - kOver;
    const bool beside =
        textFitsBeside({m_window.width() - kLeftWidth - kRightWidth, m_centre.height()}) && m_oneMap;
    const int rest = beside ? kRightWidth : m_window.width() - kLeftWidth - square - kBeside - kToolColumn;
    m_window.resizeDocks({left.front(), right.front()},
                         {kLeftWidth, std::clamp(rest, kRightWidth, kWidestRight)}, Qt::Horizontal);
    m_window.resizeDocks({right.front(), right.back()}, {45, 55}, Qt::Vertical);
    sizeCentre();
}

void Docks::sizeCentre() {
    if (m_centre.orientation() == Qt::Horizontal) {
        const int map =
            std::min(m_centre.width() - kTextBeside, m_centre.height() - kOver - kToolRow + kBeside);
        m_centre.setSizes({map, m_centre.width() - map});
        return;
    }
    const int text = heightOfText(m_centre.height());
    m_centre.setSizes({m_centre.height() - text, text});
}

void Docks::placeText() {
    const Qt::Orientation wanted =
        m_oneMap && textFitsBeside(m_centre.size()) ? Qt::Horizontal : Qt::Vertical;
    if (m_centre.orientation() == wanted)
        return;
    m_centre.setOrientation(wanted);
    sizeCentre();
}

void Docks::setOneMap(bool one) {
    m_oneMap = one;
    placeText();
}

bool Docks::eventFilter(QObject* watched, QEvent* event) {
    if (watched == &m_centre && event->type() == QEvent::Resize)
        placeText();
    return QObject::eventFilter(watched, event);
}

void Docks::showTitles() {
    const bool updating = m_runs.updating() && m_runs.snapshot();
    for (const Panel& panel : m_panels) {
        // A view may say so itself.
        const bool says = updating && panel.follows && !panel.title.contains(QLatin1String("updating"));
        panel.dock->setWindowTitle(says ? tr("%1 - updating").arg(panel.title) : panel.title);
    }
}

void Docks::moveFocus(int by) {
    // The centre comes after the panels at the left, as it stands in the window.
    std::vector<QWidget*> shown;
    const auto addPanels = [&](Place place) {
        for (QDockWidget* dock : at(place))
            if (dock->isVisible())
                shown.push_back(dock);
    };
    addPanels(Left);
    addLeaves(*m_window.centralWidget(), shown);
    addPanels(Right);
    addPanels(Drawer);
    const QWidget* focus = QApplication::focusWidget();
    int from = by > 0 ? -1 : 0;
    for (std::size_t i = 0; i < shown.size(); ++i)
        if (focus != nullptr && shown[i]->isAncestorOf(focus))
            from = static_cast<int>(i);
    const int count = static_cast<int>(shown.size());
    focusTarget(shown[static_cast<std::size_t>((from + by + count) % count)])->setFocus(Qt::TabFocusReason);
}

void Docks::save(QSettings& settings) const {
    settings.setValue(QStringLiteral("window/geometry"), m_window.saveGeometry());
    settings.setValue(QStringLiteral("window/state"), m_window.saveState(kStateVersion));
}

void Docks::restore(const QSettings& settings) {
    arrange();
    m_window.restoreGeometry(settings.value(QStringLiteral("window/geometry")).toByteArray());
    m_arranged =
        m_window.restoreState(settings.value(QStringLiteral("window/state")).toByteArray(), kStateVersion);
}

void Docks::settle() {
    // Docks take sizes only once the layout has been made; a restored layout keeps its own, and so does one
    // that was changed before the window was hidden.
    if (!std::exchange(m_arranged, true))
        QMetaObject::invokeMethod(this, &Docks::size, Qt::QueuedConnection);
}

} // namespace fovea::ui
