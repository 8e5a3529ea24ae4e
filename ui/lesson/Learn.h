#pragma once
#include "core/base/Result.h"
#include "ui/views/View.h"
#include <QByteArray>
#include <QObject>
#include <QString>
#include <QStringList>
#include <memory>
#include <vector>

class QAction;
class QDockWidget;
class QMainWindow;
class QMenu;

namespace fovea::lesson {
struct Lesson;
}

namespace fovea::ui {

class Documents;
class FocusRing;
class LessonPanel;
class LessonPlayer;
class MapView;

/// Lessons in the window: the menu Learn with minutes and a tick for each, the panel at the left
/// (dock.lesson), and the frame around the part of the window that a step speaks of. While a lesson runs, the
/// other panels stand back and only those that a step needs are shown; leaving brings them back as they were.
class Learn : public QObject {
    Q_OBJECT
public:
    /// Adds menu and panel to `window`, whose docks, menus and central widget are there already.
    Learn(QMainWindow& window, ViewContext context, Documents& documents, MapView& map);

    void start(int number); ///< a lesson of the library, from 1
    /// A lesson file of one's own. Errors: what is wrong in it, by its path in the file; nothing changes.
    Result<> openFile(const QString& path);
    void leave();
    void fit(); ///< the width of its panels to the scale of the theme
    [[nodiscard]] LessonPlayer& player() { return *m_player; }

signals:
    void opening(); ///< a lesson is about to arrange the panels

private:
    void buildMenu();
    void showTicks();
    void open(std::shared_ptr<const lesson::Lesson> lesson);
    void showStep(); ///< the panels and the frame that the step needs
    /// The parameters that the step needs; empty: none.
    [[nodiscard]] QStringList neededParams() const;
    void reveal(const QString& name);
    void saveTakeAway();
    QMainWindow& m_window;
    ViewContext m_context;
    LessonPlayer* m_player;
    LessonPanel* m_panel;
    QDockWidget* m_dock;
    FocusRing* m_ring;
    QMenu* m_menu = nullptr;
    std::vector<QAction*> m_entries;
    QAction *m_next = nullptr, *m_back = nullptr, *m_leave = nullptr;
    QByteArray m_before; ///< the layout before the lesson; empty: none runs
};

} // namespace fovea::ui
