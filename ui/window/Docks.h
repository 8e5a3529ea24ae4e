#pragma once
#include "ui/run/RunController.h"
#include <QList>
#include <QMainWindow>
#include <QObject>
#include <QString>
#include <vector>

class QDockWidget;
class QHBoxLayout;
class QMenu;
class QSettings;
class QSplitter;

namespace fovea::ui {

/// The panels around the centre of the main window: at the left, at the right, and in a drawer at the foot
/// that is closed at first. A panel can be moved, torn off and closed; its title says so while its run is
/// being updated.
class Docks : public QObject {
    Q_OBJECT
public:
    enum Place { Left, Right, Drawer };

    /// `centre` is the central widget: the map over the text.
    Docks(QMainWindow& window, QSplitter& centre, RunController& runs);

    /// `name` is the dock's objectName, as "dock.heads". Panels of one place stand in the order in which they
    /// are added. `follows`: the title says "updating" while a run is.
    QDockWidget* add(const QString& name, const QString& title, QWidget* view, QSize minimum, Place place,
                     bool follows = true);
    /// One button for each panel of the drawer, which opens and closes it, in front of what the line has.
    void addButtons(QHBoxLayout& line);
    void addToggles(QMenu& menu);
    void arrange(); ///< the Explore layout
    /// Opens the panel, wherever the user has put it, in front of those that share its place.
    void show(const QString& name);
    /// The focus goes to the next (1) or the previous (-1) of the open panels, the map and the text.
    void moveFocus(int by);
    void save(QSettings& settings) const;
    void restore(const QSettings& settings);
    /// Two or three maps side by side take the width that the text has beside one map in a wide window.
    void setOneMap(bool one);
    /// After the window was shown: sizes for panels that the settings had none for.
    void settle();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Panel {
        QDockWidget* dock;
        Place place;
        bool follows;
        QString title; ///< a view that knows more than its name (layer, head, run) says so
    };
    [[nodiscard]] QList<QDockWidget*> at(Place place) const;
    void open(QDockWidget* dock);
    void drawerClosed(); ///< perhaps: the panels at the right get their heights back
    void size();         ///< the proportions of the Explore layout
    void placeText();    ///< under the map, or beside it where that leaves the map larger
    void sizeCentre();   ///< as much for the map as it can use, four lines of text at least
    void showTitles();

    QMainWindow& m_window;
    QSplitter& m_centre;
    RunController& m_runs;
    std::vector<Panel> m_panels;
    QList<int> m_rightHeights; ///< before the drawer was opened; empty: it is closed
    bool m_oneMap = true;
    bool m_arranged = false; ///< the panels have sizes, from the settings or from size()
};

/// The size of the window at its first start: 1280 x 800, or what a smaller screen has room for beside the
/// frame and title bar. `available` is the screen without its panels, in logical pixels.
[[nodiscard]] QSize firstWindowSize(QSize available);

inline constexpr QSize kLeastWindow{1024, 640};
inline constexpr int kLeastText = 112; ///< height: three lines and the legend

} // namespace fovea::ui
