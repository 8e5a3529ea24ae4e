#pragma once
#include "ui/plot/Theme.h"
#include "ui/views/View.h"
#include "ui/window/Palette.h"
#include "ui/window/RecentFiles.h"
#include <QDateTime>
#include <QMainWindow>
#include <QString>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

class QAction;
class QSplitter;

namespace fovea::ui {

class Docks;
class Documents;
class GenerationController;
class GenerationView;
class Learn;
class MessageBar;
class ModelCard;
class ParamPanel;
class PinnedRuns;
class Sheet;
class StatusLine;
class TopBar;
class TuneWorkspace;
class WorkStrip;

/// The main window: the map over the text in its centre, parameters at the left, inspector and heads at the
/// right, and a drawer at the foot for routing, curve and generation (Docks); bars above and below, and the
/// actions. It computes nothing; it connects request, selection and runs to the views. The views are its
/// children and are destroyed before the objects in `context`.
class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    explicit MainWindow(ViewContext context);
    ~MainWindow() override;

    [[nodiscard]] Documents& documents() { return *m_documents; }
    [[nodiscard]] QAction* action(std::string_view id) const;
    /// Shows why no model can be run, as a message with a button to open one.
    void showModelMissing(const QString& sentence);
    void setTheme(ThemeKind kind);
    /// Projector mode, and back to the theme before; it is not remembered for the next start.
    void setProjector(bool on);
    /// Offers a session that a program left behind which was not closed.
    void offerRecovery(const QDateTime& when, std::function<void()> restore, std::function<void()> discard);

signals:
    void closing(); ///< the window is closed and nothing is left to ask

protected:
    void closeEvent(QCloseEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void buildActions();
    void buildBars();
    void buildCentre();
    void buildDocks();
    void connectAll();
    void connectGeneration();
    void run(std::string_view id); ///< what the action of that id does
    void stepCell(int layers, int heads);
    void back();
    void exportView();
    void exportNumbers();
    void askPath(const QString& title, const QString& filter, const QString& suffix,
                 std::function<void(const QString&)> taken);
    void pinRun();
    void pasteText();
    void askOther(bool model); ///< the file of arm A's own text or model
    void editText();
    void toggleTable();                                           ///< Ctrl+T
    void buildFileMenus();                                        ///< recent files and sample texts
    std::vector<PaletteEntry> typedEntries(const QString& typed); ///< what the text itself asks for
    std::vector<PaletteEntry> paletteEntries(const QString& typed);
    void showTitle();     ///< the window's title and dirty mark
    void clipSelection(); ///< to what the new snapshot has
    void showSnapshot();  ///< after a new snapshot: bars, selection's limits
    void fillCard();
    void showCard();
    void showFault(const QString& sentence); ///< of a run: one line, with what can be done

    ViewContext m_context;
    std::map<std::string_view, QAction*> m_actions;
    Documents* m_documents = nullptr;
    MessageBar* m_errors = nullptr;
    MessageBar* m_hint = nullptr;
    ModelCard* m_card = nullptr;
    bool m_cardOfModel = false; ///< it shows inspected(), not a fault
    Sheet* m_sheet = nullptr;
    Palette* m_palette = nullptr;
    RecentFiles m_recent;
    ParamPanel* m_params = nullptr;
    PinnedRuns* m_pinned = nullptr;
    StatusLine* m_status = nullptr;
    WorkStrip* m_work = nullptr;
    Learn* m_learn = nullptr;
    GenerationController* m_generation = nullptr;
    GenerationView* m_generate = nullptr;
    TopBar* m_top = nullptr;
    QSplitter* m_centre = nullptr;
    Docks* m_docks = nullptr;
    TuneWorkspace* m_tune = nullptr;
    bool m_closing = false; ///< the user has answered the question about unsaved changes
};

} // namespace fovea::ui
