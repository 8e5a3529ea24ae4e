#pragma once
#include "ui/plot/CellMap.h"
#include "ui/plot/MapCanvas.h"
#include "ui/plot/MapExport.h"
#include "ui/plot/TileCache.h"
#include "ui/views/View.h"
#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

class QBoxLayout;
class QButtonGroup;
class QLabel;
class QSpinBox;
class QToolButton;

namespace fovea::ui {

class HideBox;
class MapLegend;
class MapMinimap;
class MapTip;
class OtherMap;
class RecipeBox;

/// The attention map of one layer and head: arm A beside arm B, with one viewport and crosshair. Arm A is
/// full attention or a policy of its own. Several heads, words and sentences may be combined (RecipeBox), and
/// keys left out (HideBox). Follows the selection, requests the visible tiles, and reports the visible part
/// to the request. Isolated regime. Object names: map.canvas, map.mode, map.layout, map.legend, map.layer,
/// map.head, map.title, map.tip, and those of both boxes.
class MapView : public QWidget {
    Q_OBJECT
public:
    explicit MapView(ViewContext context, QWidget* parent = nullptr);

    enum class Arrangement { One, Two, Three };
    /// Full: arm A. Hybrid: arm B. Difference: B minus A. Kept: the keys that arm B reads.
    [[nodiscard]] MapQuantity mode() const { return m_mode; }
    [[nodiscard]] Arrangement
    arrangement() const; ///< one, two or three maps; depends on the width until the user has chosen
    [[nodiscard]] MapCanvas& canvas() { return *m_canvas; }
    [[nodiscard]] OtherMap& other() { return *m_other; }
    [[nodiscard]] const TileCache& tiles() const { return *m_tiles; }
    /// Whether the picture shows an older policy or text than the current request.
    [[nodiscard]] bool pictureIsOld() const;
    /// What Ctrl+E would write: the current view. Its snapshot is the one on screen.
    [[nodiscard]] MapExportOptions exportOptions() const;
    [[nodiscard]] SnapshotPtr shownSnapshot() const { return m_shown; }
    /// The state of this view in a session, as texts: mode, arrangement, switches and visible part of the
    /// map. `restore` ignores what it cannot read; the visible part is restored when a map of that many
    /// tokens is ready.
    [[nodiscard]] std::map<std::string, std::string> state() const;
    void restore(const std::map<std::string, std::string>& state);

public slots:
    void pinCell(fovea::ui::Pair cells); ///< with what it holds, where it is made of words
    void setMode(fovea::MapQuantity mode);
    void setArrangement(fovea::ui::MapView::Arrangement arrangement);
    void setLogarithmic(bool on);
    void setPooling(fovea::Pooling pooling);
    void setKeptOverlay(bool on);
    void exportView();                     ///< asks where and how, without blocking
    void exportNumbers();                  ///< CSV of the cells in sight
    void savePicture(const QString& path); ///< .png or .svg; `message` says how it went
    void saveNumbers(const QString& path);
    void saveReport(const QString& path); ///< one HTML file of the last finished run

signals:
    void message(const QString& sentence); ///< what an export did, or why it could not
    void exchangeWanted();                 ///< of the arms: X was pressed
    void pictureChanged(); ///< another run, head or recipe, another part in sight, something left out

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void keyReleaseEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void buildTools();
    /// In a row over the map, in two rows, or in a column beside it: whatever leaves the largest map.
    void arrangeTools();
    void takeSnapshot();
    void rebuild();     ///< scene from snapshot, selection and switches
    void showMinimap(); ///< where part of a long text is in sight
    void showLegend();  ///< where it lies, and whether it is wanted
    void showMarks();   ///< hovered and pinned cells
    void showState();   ///< title, updating mark, accessible name
    void takeWanted();  ///< restores the viewport of a session when its text is shown
    void wantTiles();
    void tellVisible(); ///< RequestModel::setVisible
    void tileArrived();
    void updateLimit();
    void showMenu(Pair cells, const QPoint& global);
    void takeHidden(bool readable);         ///< what HideBox says, and asks for its share of the mass
    void showHidden(MapScene& scene) const; ///< puts both into it
    void explainHead();                     ///< a message about the sinks
    void hideChosen();                      ///< H
    [[nodiscard]] std::vector<int> pinnedCells() const;
    [[nodiscard]] bool hasLayer(int layer) const;
    [[nodiscard]] bool hasLayers() const; ///< all that the map is made from
    /// It is made from heads of several layers or of one that is not selected: the arms are known of the
    /// selected layer, so that it shows full attention.
    [[nodiscard]] bool fullOnly() const;
    [[nodiscard]] std::vector<int> wantedLayers(const Snapshot& snapshot) const; ///< ascending, each once
    [[nodiscard]] int missingLayer(const SnapshotPtr& snapshot) const; ///< -1: all that are wanted are there
    [[nodiscard]] QString headWords() const;                           ///< "L12 H5", or the recipe
    void moveSelection(int queries, int keys);
    void stepCell(int layers, int heads);
    void nextMode();
    void lookAtA(bool on);               ///< while C is held
    [[nodiscard]] bool hasOther() const; ///< arm A has a text or a model of its own
    void showOther();                    ///< the map of that run, and which of the two is in sight
    [[nodiscard]] bool showsOnlyOther() const;
    [[nodiscard]] MapCanvas& frontCanvas() const; ///< arm B's, unless only arm A's is in sight
    [[nodiscard]] QSize mapsSize() const;         ///< of all canvases in sight
    /// The maps of the arrangement.
    [[nodiscard]] std::vector<MapPane> panes() const;
    /// The map of a mode, with the arm A that the picture has.
    [[nodiscard]] MapPane paneOf(MapQuantity mode) const;
    [[nodiscard]] QString modeWord() const;
    [[nodiscard]] QString fileStem() const; ///< "map-L12-H5", or after the recipe
    [[nodiscard]] MapLayer contentOf(MapPane pane) const;
    [[nodiscard]] QString emptySentence() const;
    /// The selected head, within the picture's model: it may be an older one than the selection's.
    [[nodiscard]] int shownHead() const;
    [[nodiscard]] QString describe() const;

    ViewContext m_context;
    SnapshotPtr m_shown;
    TileCache* m_tiles;
    MapCanvas* m_canvas;
    OtherMap* m_other;  ///< arm A, where it has a text or a model of its own
    QLabel* m_ownTitle; ///< of arm B beside it
    MapLegend* m_legend;
    MapMinimap* m_minimap;
    QBoxLayout *m_all, *m_tools;
    std::array<QBoxLayout*, 4> m_toolGroups; ///< parts of m_tools
    std::vector<QWidget*> m_controls;        ///< in them, as Tab goes
    QLabel* m_title;
    MapTip* m_tip;
    QSpinBox *m_layer, *m_head;
    QButtonGroup *m_modes, *m_arrangements;
    RecipeBox* m_recipes;
    HideBox* m_hide;
    CellMap m_cells; ///< of the map that is shown
    std::shared_ptr<const HiddenCells> m_hidden;
    QString m_hiddenWords;
    struct HiddenShare;
    [[nodiscard]] HiddenShare wantedShare() const;   ///< of what is shown now, without figures
    std::shared_ptr<const HiddenShare> m_share;      ///< of m_hidden; null: not known yet
    std::shared_ptr<const HiddenShare> m_shareAsked; ///< not answered yet; without figures
    QToolButton *m_cellsButton, *m_scale, *m_pool, *m_overlay, *m_legendSwitch, *m_export;
    MapQuantity m_mode = MapQuantity::Hybrid;
    std::optional<Arrangement> m_chosen;
    bool m_log = true, m_keptOverlay = false, m_lookAtA = false;
    Pooling m_pooling = Pooling::Max;
    float m_limit = 0.001F; ///< colour limit of the difference; grows with new tiles, but not while panning
    std::pair<HeadAt, std::shared_ptr<const MapRecipe>> m_limitCell{{-1, -1}, nullptr};
    struct Wanted { ///< a viewport to restore when its text is shown
        MapViewport view;
        int tokens = 0;
        std::shared_ptr<const std::string> text;
    };
    std::optional<Wanted> m_wanted;
    QString m_progress;
    QTimer m_visibleTimer;
    bool m_lastKeyWasFit = false;
    bool m_markedOld = false;
    bool m_minimapIsMade = false; ///< of the scene that is shown
    bool m_restoring = false;     ///< one rebuild at its end
};

} // namespace fovea::ui
