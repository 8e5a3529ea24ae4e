#pragma once
#include "ui/plot/CellMap.h"
#include "ui/plot/MapCanvas.h"
#include "ui/run/RunController.h"
#include <QLabel>
#include <QObject>
#include <QPointF>
#include <QTimer>
#include <memory>
#include <optional>

namespace fovea::ui {

/// What a map says of the cell under the pointer, in a small window beside it. The figures are computed
/// exactly when the pointer has rested. Object names: map.tip, map.tip.timer.
class MapTip : public QObject {
    Q_OBJECT
public:
    using Pair = SelectionModel::Pair;
    /// `parent` is the view that has the map: without it no tip is shown.
    MapTip(RunController& runs, MapCanvas& canvas, QWidget* parent);
    ~MapTip() override;

    /// What the map is made from.
    struct Source {
        SnapshotPtr snapshot; ///< with the layers of the map
        CellMap cells;
        std::shared_ptr<const Tokens> labels; ///< one for each cell
        int layer = 0, head = 0;              ///< where there is no recipe
    };
    void setSource(std::optional<Source> source) { m_source = std::move(source); } ///< empty: no map
    void start(Pair cells); ///< the pointer is over this cell; none: hides the tip
    void forget();          ///< the cell under the pointer is another one now
    void hide();
    [[nodiscard]] bool isVisible() const { return m_label->isVisible(); }

private:
    void fetch();
    void show(const QString& text);

    RunController& m_runs;
    MapCanvas& m_canvas;
    QWidget& m_view;
    std::unique_ptr<QLabel> m_label; ///< a window of its own
    QTimer m_timer;
    std::optional<Source> m_source;
    QPointF m_at;
    Pair m_pair;
};

} // namespace fovea::ui
